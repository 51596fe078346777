# shellcheck shell=bash
# Sourced by the scripts that build Go programs once, into a folder of the cache. They set $here, the folder of their modules,
# and $version, that of Kubernetes, before they source it.

# build_into FOLDER: what is built goes there. Two runs that start together must not build the same thing twice over.
build_into() {
  bin=$1
  mkdir -p "$bin"
  exec 9>"$bin/.lock"
  flock 9
}

# The version that a program of Kubernetes tells of itself, as linker flags.
kubernetes_stamp() {
  local minor=${version:?} base=k8s.io/component-base/version
  minor=${minor#v1.}
  printf '%s ' "-X $base.gitVersion=$version" "-X $base.gitMajor=1" "-X $base.gitMinor=${minor%%.*}" \
    "-X $base.gitTreeState=clean" "-X $base.gitCommit=0" "-X $base.buildDate=2026-01-01T00:00:00Z" \
    "-X k8s.io/client-go/pkg/version.gitVersion=$version"
}

# build MODULE PACKAGE BINARY [LDFLAGS]
build() {
  [ -x "$bin/$3" ] && return
  echo "building $3 ($2), once; this can take minutes …" >&2
  local start=$SECONDS
  (cd "${here:?}/$1" && go build -trimpath -ldflags "-s -w ${4:-}" -o "$bin/$3.tmp" "$2") >&2
  mv "$bin/$3.tmp" "$bin/$3"
  echo "built $3 in $((SECONDS - start)) s" >&2
}
