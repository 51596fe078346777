#!/bin/sh
# The chart: lints, renders in its modes, refuses what its schema forbids, and the committed bundle is what it renders.
set -eu
cd "$(dirname "$0")/.."
helm=$(test/controlplane/modules/build.sh)/helm

"$helm" lint --quiet charts/dbtls
render() {
  "$helm" template dbtls charts/dbtls --namespace dbtls "$@"
}
for values in \
  replicaCount=1,operator.leaderElection=false \
  publish.enabled=false \
  "signer.enabled=true,namespaces={orders}" \
  "rollout.enabled=true" \
  'namespaces={orders,billing}' \
  'probe.allow={192.168.7.0/24},probe.deny={10.0.0.1,fd00::/8},probe.otherNamespaces=true' \
  probe.enabled=false \
  metrics.prometheusRule.enabled=true,metrics.dashboard.enabled=true \
  metrics.serviceMonitor.enabled=true,networkPolicy.enabled=false,crds.enabled=false; do
  render --set "$values" >/dev/null
done
for values in unknown=1 replicaCount=2,operator.leaderElection=false 'namespaces={No_Name}' image.pullPolicy=Sometimes 'probe.deny={all}' publish.service.type=Other metrics.prometheusRule.rotationStuckAfterHours=0; do
  if render --set "$values" >/dev/null 2>&1; then
    echo "charts/dbtls/values.schema.json accepts $values, which is wrong" >&2
    exit 1
  fi
done

bundle=$(mktemp)
trap 'rm -f "$bundle"' EXIT
scripts/bundle.sh "$bundle"
if ! diff -u deploy/dbtls.yaml "$bundle" >&2; then
  echo "deploy/dbtls.yaml is not what the chart renders; run 'make generate'" >&2
  exit 1
fi
echo "chart: lints, renders, and deploy/dbtls.yaml is up to date"
