#!/usr/bin/env bash
# Builds what a node of Kubernetes needs besides the control plane (kubelet, kubeadm, kube-scheduler, kube-proxy, CoreDNS, pause)
# and kind, from their Go modules, into a cache folder named after the pinned versions; prints that folder. A second run takes no time.
#
#   usage: build.sh            progress on stderr
#   env:   DBTLS_CACHE         root of the cache (default: ${XDG_CACHE_HOME:-~/.cache}/dbtls)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${DBTLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dbtls}
version=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$here/node/go.mod")
key=$(cat "$here"/*/{go.mod,go.sum,main.go} 2>/dev/null | sha256sum | cut -c1-16)
bin=$cache/kind/binaries-$key
mkdir -p "$bin"
exec 9>"$bin/.lock"
flock 9

export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-mod=readonly ${GOFLAGS:-}"
minor=${version#v1.}
base=k8s.io/component-base/version
stamp="-X $base.gitVersion=$version -X $base.gitMajor=1 -X $base.gitMinor=${minor%%.*} -X $base.gitTreeState=clean"
stamp="$stamp -X $base.gitCommit=0 -X $base.buildDate=2026-01-01T00:00:00Z -X k8s.io/client-go/pkg/version.gitVersion=$version"

# build MODULE PACKAGE BINARY [LDFLAGS]
build() {
  [ -x "$bin/$3" ] && return
  echo "building $3 ($2), once; this can take minutes …" >&2
  start=$SECONDS
  (cd "$here/$1" && go build -trimpath -ldflags "-s -w ${4:-}" -o "$bin/$3.tmp" "$2") >&2
  mv "$bin/$3.tmp" "$bin/$3"
  echo "built $3 in $((SECONDS - start)) s" >&2
}

build pause . pause
build kind sigs.k8s.io/kind kind
for name in kubelet kubeadm kube-scheduler kube-proxy; do build node "k8s.io/kubernetes/cmd/$name" "$name" "$stamp"; done
build coredns . coredns

echo "$bin"
