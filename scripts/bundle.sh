#!/bin/sh
# Writes the plain bundle for `kubectl apply --server-side -f`: the chart with its defaults, and its namespace.
#   usage: bundle.sh [FILE]      default: deploy/dbtls.yaml
set -eu
cd "$(dirname "$0")/.."
out=${1:-deploy/dbtls.yaml}
helm=$(test/controlplane/modules/build.sh)/helm

{
  echo '# Generated from charts/dbtls by "make generate"; do not edit.'
  echo '# kubectl apply --server-side -f dbtls.yaml'
  printf -- '---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: dbtls\n  labels:\n    pod-security.kubernetes.io/enforce: restricted\n'
  "$helm" template dbtls charts/dbtls --namespace dbtls --skip-tests |
    sed -e '/^ *app.kubernetes.io\/managed-by: Helm$/d' -e '/^ *helm.sh\/chart: /d' -e '/^# Source: /d'
} >"$out"
