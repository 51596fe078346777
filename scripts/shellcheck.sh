#!/bin/sh
# Runs shellcheck over every shell script of the tree: the machine's own, or the Debian package unpacked into the cache.
# Without either it says so and checks only that the scripts parse.
set -eu
cd "$(dirname "$0")/.."
cache=${DBTLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dbtls}/shellcheck

unpack() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  mkdir -p "$cache"
  (cd "$cache" && apt-get download shellcheck >/dev/null 2>&1 && dpkg -x shellcheck_*.deb . && rm -f shellcheck_*.deb)
}

scripts=$(git ls-files -co --exclude-standard -- '*.sh' bin/dbtls bin/kubectl_complete-dbtls .ci/run | sort -u)
tool=$(command -v shellcheck || true)
[ -n "$tool" ] || tool=$cache/usr/bin/shellcheck
if [ ! -x "$tool" ] && ! unpack; then
  echo "shellcheck: NOT FOUND and not to be had from apt; scripts are only parsed" >&2
  for script in $scripts; do
    case $(head -n 1 "$script") in *bash) bash -n "$script" ;; *) sh -n "$script" ;; esac
  done
  exit 0
fi
# shellcheck disable=SC2086 # a list of paths without spaces
"$tool" -x $scripts
# shellcheck disable=SC2086
set -- $scripts
echo "shellcheck: $# scripts"
