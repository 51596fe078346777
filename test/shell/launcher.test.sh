#!/bin/sh
# bin/dbtls finds a Node that can run it, wherever it is called from, and says what to do when it cannot.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# is NAME EXPECTED ACTUAL
is() {
  case $3 in
    *"$2"*) echo "ok $1" ;;
    *)
      echo "not ok $1: expected '$2' in '$3'"
      failed=1
      ;;
  esac
}

# A checkout whose program says which Node runs it, and an old Node on PATH.
mkdir -p "$work/checkout/bin" "$work/checkout/src" "$work/old"
cp "$root/bin/dbtls" "$work/checkout/bin/"
# shellcheck disable=SC2016 # JavaScript's, not the shell's
echo 'const version: string = process.versions.node; console.log(`node ${version} ${process.argv.slice(2).join("|")}`)' \
  >"$work/checkout/src/main.ts"
cat >"$work/old/node" <<'NODE'
#!/bin/sh
case $1 in -p) echo 20 ;; *) echo v20.0.0 ;; esac
NODE
chmod +x "$work/old/node"
old_path=$work/old:/usr/bin:/bin

out=$(PATH=$old_path "$work/checkout/bin/dbtls" version 2>&1)
is "a checkout without packages says to run npm ci" "npm ci" "$out"

mkdir -p "$work/checkout/node_modules/zod"
out=$(PATH=$old_path "$work/checkout/bin/dbtls" version 2>&1)
is "an old Node alone is refused by name" "only v20.0.0" "$out"

if [ -x "$root/node_modules/.bin/node" ]; then
  mkdir -p "$work/checkout/node_modules/.bin"
  ln -s "$(readlink -f "$root/node_modules/.bin/node")" "$work/checkout/node_modules/.bin/node"
  out=$(PATH=$old_path "$work/checkout/bin/dbtls" render 'a b' 2>&1)
  is "the Node of the packages runs the sources and keeps arguments whole" "render|a b" "$out"
  lines=$(PATH=$old_path "$work/checkout/bin/dbtls" 2>&1 | wc -l | tr -d ' ')
  is "nothing else is printed, no warning of Node's" "1" "$lines"
  ln -s "$work/checkout/bin/dbtls" "$work/kubectl-dbtls"
  out=$(cd / && PATH=$old_path "$work/kubectl-dbtls" status 2>&1)
  is "it works through a symbolic link from another folder" "status" "$out"
  mkdir -p "$work/bundle/bin" "$work/bundle/dist" "$work/new"
  cp "$root/bin/dbtls" "$work/bundle/bin/"
  ln -s "$(readlink -f "$root/node_modules/.bin/node")" "$work/new/node"
  echo 'console.log("bundle", process.argv[2])' >"$work/bundle/dist/dbtls.mjs"
  out=$(PATH=$work/new:/usr/bin:/bin "$work/bundle/bin/dbtls" version 2>&1)
  is "without sources it runs the bundle with a new Node of PATH" "bundle version" "$out"
else
  echo "skip running with the Node of the packages: there is none on this platform"
fi
exit "$failed"
