#!/bin/sh
# The kubectl plugin for krew: an archive of the bundle and its launchers, and the manifest that names it.
#   usage: plugin.sh URL [FOLDER]      URL: the folder that the archive will be fetched from; FOLDER: default build/plugin
# The version is that of package.json, the checksum that of the archive made here; the same sources make the same archive.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || {
  echo "usage: scripts/plugin.sh URL [FOLDER]" >&2
  exit 2
}
url=${1%/}
out=${2:-build/plugin}
version=$(node -p 'require("./package.json").version')
name=kubectl-dbtls-$version
archive=$name.tar.gz

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node scripts/build.ts "$work/$name/dist" >&2
rm -f "$work/$name"/dist/*.map
mkdir "$work/$name/bin"
cp bin/dbtls bin/kubectl_complete-dbtls "$work/$name/bin/"
ln -s dbtls "$work/$name/bin/kubectl-dbtls"
cp LICENSE "$work/$name/"

mkdir -p "$out"
tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w -cf - "$name" | gzip -n9 >"$out/$archive"
sha=$(sha256sum "$out/$archive" | cut -d' ' -f1)
sed -e "s|@VERSION@|$version|g" -e "s|@URI@|$url/$archive|" -e "s|@SHA256@|$sha|" deploy/krew/dbtls.yaml.in >"$out/dbtls.yaml"
echo "$out/$archive  $sha"
echo "$out/dbtls.yaml"
