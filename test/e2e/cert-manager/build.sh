#!/usr/bin/env bash
# Builds the controllers of cert-manager from its Go module into a cache folder named after the pinned versions, with its CRDs
# beside the program; prints that folder. A second run takes no time.
#
#   usage: build.sh            progress on stderr
#   env:   DBTLS_CACHE         root of the cache (default: ${XDG_CACHE_HOME:-~/.cache}/dbtls)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${DBTLS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dbtls}
module=github.com/cert-manager/cert-manager
version=$(awk -v module="$module" '$2 == module {print $3; exit}' "$here/controller/go.mod")
key=$(cat "$here"/controller/{go.mod,go.sum,main.go} | sha256sum | cut -c1-16)
# shellcheck source=SCRIPTDIR/../../controlplane/modules/go-build.sh
. "$here/../../controlplane/modules/go-build.sh"
build_into "$cache/cert-manager/$key"

export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-mod=readonly ${GOFLAGS:-}"
build controller . controller "-X $module/pkg/util.AppVersion=$version"
if [ ! -d "$bin/crds" ]; then
  rm -rf "$bin/crds.tmp"
  cp -r "$(cd "$here/controller" && go list -m -f '{{.Dir}}' "$module")/deploy/crds" "$bin/crds.tmp"
  chmod -R u+w "$bin/crds.tmp"
  mv "$bin/crds.tmp" "$bin/crds"
fi

echo "$bin"
