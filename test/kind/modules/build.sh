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
# shellcheck source=SCRIPTDIR/../../controlplane/modules/go-build.sh
. "$here/../../controlplane/modules/go-build.sh"
build_into "$cache/kind/binaries-$key"

export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-mod=readonly ${GOFLAGS:-}"
stamp=$(kubernetes_stamp)
build pause . pause
build kind sigs.k8s.io/kind kind
for name in kubelet kubeadm kube-scheduler kube-proxy; do build node "k8s.io/kubernetes/cmd/$name" "$name" "$stamp"; done
build coredns . coredns

echo "$bin"
