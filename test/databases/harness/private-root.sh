#!/bin/sh
# Unpacks packages of a Debian suite with all that they depend on, libc included, into a folder of their own. Nothing is
# installed: apt keeps its state in the folder, and programs are started through FOLDER/run with the loader that lies there.
#
#   private-root.sh SUITE FOLDER PACKAGE…
#   FOLDER/run /usr/sbin/mariadbd --version        FOLDER/manifest lists the packages with their versions
#
# The mirror is the machine's own; its signatures are checked with the machine's keyring.
set -eu
suite=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2

mirror=$(
  {
    sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null
    sed -n 's/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null
  } | grep -v security | head -n 1
)
[ -n "$mirror" ] || {
  echo "no Debian mirror is known on this machine" >&2
  exit 1
}
apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/preferences"
: >"$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<EOF
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "$apt/preferences";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
EOF
export APT_CONFIG="$apt/apt.conf"
apt-get update -qq
apt-get install -y --download-only --no-install-recommends -qq "$@" >/dev/null

# The merged layout comes first, so that /lib and /usr/lib do not part.
root=$folder/root
mkdir -p "$root"
for name in bin sbin lib lib64; do
  mkdir -p "$root/usr/$name"
  [ -e "$root/$name" ] || ln -s "usr/$name" "$root/$name"
done
for deb in "$apt"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
  # shellcheck disable=SC2016 # dpkg's variables
  dpkg-deb --show --showformat '${Package} ${Version}\n' "$deb"
done >"$folder/manifest"
rm -rf "$apt"
# Documentation and what only installs are most of the size.
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/var/lib/dpkg"

cat >"$folder/run" <<'EOF'
#!/bin/sh
# Runs a program of this folder with its own loader and libraries.
root=$(cd "$(dirname "$0")" && pwd)/root
program=$1
shift
libraries=$root/usr/lib/x86_64-linux-gnu
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --argv0 "$program" \
  --library-path "$libraries:$libraries/mysql:$root/usr/lib" "$root$program" "$@"
EOF
chmod +x "$folder/run"
