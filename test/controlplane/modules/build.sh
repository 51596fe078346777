#!/usr/bin/env bash
# Builds etcd, kube-apiserver, kube-controller-manager, kubectl and helm from their Go modules into a cache folder
# named after the pinned versions, and prints that folder. A second run finds everything there and takes no time.
#
#   usage: build.sh            builds what is missing, prints the folder of binaries on stdout, progress on stderr
#   env:   DBTLS_CACHE         root of the cache (default: ${XDG_CACHE_HOME:-~/.cache}/dbtls)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${DBTLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dbtls}
version=$(sed -n 's/^require k8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' "$here/kube/go.mod")
[ -n "$version" ] || version=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$here/kube/go.mod")
key=$(cat "$here"/{kube,etcd,helm}/go.{mod,sum} | sha256sum | cut -c1-16)
bin=$cache/controlplane/$key
mkdir -p "$bin"

# Two test runs that start together must not build the same thing twice over.
exec 9>"$bin/.lock"
flock 9

export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
minor=${version#v1.}
minor=${minor%%.*}
base=k8s.io/component-base/version
stamp="-X $base.gitVersion=$version -X $base.gitMajor=1 -X $base.gitMinor=$minor -X $base.gitTreeState=clean"
stamp="$stamp -X $base.gitCommit=0 -X $base.buildDate=2026-01-01T00:00:00Z -X k8s.io/client-go/pkg/version.gitVersion=$version"

# build MODULE PACKAGE BINARY LDFLAGS
build() {
  [ -x "$bin/$3" ] && return
  echo "building $3 ($2), once; this can take minutes …" >&2
  start=$SECONDS
  (cd "$here/$1" && go build -trimpath -ldflags "$4" -o "$bin/$3.tmp" "$2") >&2
  mv "$bin/$3.tmp" "$bin/$3"
  echo "built $3 in $((SECONDS - start)) s" >&2
}

build etcd go.etcd.io/etcd/server/v3 etcd "-s -w"
build kube k8s.io/kubernetes/cmd/kube-apiserver kube-apiserver "-s -w $stamp"
build kube k8s.io/kubernetes/cmd/kube-controller-manager kube-controller-manager "-s -w $stamp"
build kube k8s.io/kubernetes/cmd/kubectl kubectl "-s -w $stamp"
build helm helm.sh/helm/v4/cmd/helm helm "-s -w"

echo "$bin"
