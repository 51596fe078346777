#!/usr/bin/env bash
# Builds etcd, kube-apiserver, kube-controller-manager, kubectl and helm from their Go modules into a cache folder
# named after the pinned versions, and prints that folder. A second run finds everything there and takes no time.
#
#   usage: build.sh            builds what is missing, prints the folder of binaries on stdout, progress on stderr
#   env:   DBTLS_CACHE         root of the cache (default: ${XDG_CACHE_HOME:-~/.cache}/dbtls)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${DBTLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dbtls}
version=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$here/kube/go.mod")
key=$(cat "$here"/{kube,etcd,helm}/go.{mod,sum} | sha256sum | cut -c1-16)
# shellcheck source=SCRIPTDIR/go-build.sh
. "$here/go-build.sh"
build_into "$cache/controlplane/$key"

export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
stamp=$(kubernetes_stamp)
build etcd go.etcd.io/etcd/server/v3 etcd
for name in kube-apiserver kube-controller-manager kubectl; do build kube "k8s.io/kubernetes/cmd/$name" "$name" "$stamp"; done
build helm helm.sh/helm/v4/cmd/helm helm

echo "$bin"
