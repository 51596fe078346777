#!/usr/bin/env bash
# The image, the chart and the quickstart on a kind cluster, from nothing to a verified Secret.
#
#   env: IMAGE (dbtls:dev)        CLUSTER (dbtls-e2e)      KEEP=1 leaves the cluster for a look
#        KIND_IMAGE               a node image other than kind's default
#        USE_IMAGE=1              IMAGE exists already; do not build it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

image=${IMAGE:-dbtls:dev}
cluster=${CLUSTER:-dbtls-e2e}
namespace=quickstart
work=$(mktemp -d)
export KUBECONFIG=$work/kubeconfig

say() { printf '\n== %s\n' "$*"; }
passed=0
pass() {
  passed=$((passed + 1))
  echo "ok $*"
}

for tool in docker kind helm kubectl openssl; do
  command -v "$tool" >/dev/null || {
    echo "kind-e2e needs $tool on PATH" >&2
    exit 1
  }
done

finish() {
  status=$?
  if [ "$status" -ne 0 ]; then
    say "FAILED; the state of the cluster"
    kubectl get pods,pki -A 2>&1 || true
    kubectl -n dbtls logs -l app.kubernetes.io/name=dbtls --tail=100 2>&1 || true
    kubectl get events -A --sort-by=.lastTimestamp 2>&1 | tail -n 30 || true
  fi
  if [ "${KEEP:-}" = 1 ]; then
    echo "the cluster stays; KUBECONFIG=$KUBECONFIG"
  else
    kind delete cluster --name "$cluster" >/dev/null 2>&1 || true
    rm -rf "$work"
  fi
  exit "$status"
}
trap finish EXIT

if [ "${USE_IMAGE:-}" != 1 ]; then
  say "build $image"
  docker build --tag "$image" .
fi

say "create the cluster $cluster"
kind create cluster --name "$cluster" --wait 180s ${KIND_IMAGE:+--image "$KIND_IMAGE"}
kind load docker-image "$image" --name "$cluster"

say "install the chart"
kubectl create namespace dbtls
kubectl label namespace dbtls pod-security.kubernetes.io/enforce=restricted
helm install dbtls charts/dbtls --namespace dbtls --wait --timeout 3m \
  --set image.repository="${image%:*}" --set image.tag="${image##*:}" --set image.pullPolicy=Never
pass "two replicas are ready under the restricted Pod Security Standard"
helm test dbtls --namespace dbtls
pass "helm test"

say "apply the quickstart"
# Manifests that name no namespace go here, the others where they say.
kubectl config set-context --current --namespace="$namespace"
names=$(kubectl create --dry-run=client -f examples/quickstart -o go-template='{{.metadata.namespace}}{{"\n"}}')
for name in $(echo "$names" | grep -E '^[a-z0-9-]+$' | sort -u); do
  kubectl create namespace "$name" --dry-run=client -o yaml | kubectl apply -f -
done
kubectl apply --server-side -f examples/quickstart
kubectl wait --for=condition=Ready --timeout=120s --all -A certificateauthorities.dbtls.dev
kubectl wait --for=condition=Ready --timeout=120s --all -A databasecertificates.dbtls.dev
pass "every CA and certificate is Ready"

# secret_key NAMESPACE SECRET KEY FILE
secret_key() {
  kubectl -n "$1" get secret "$2" -o go-template="{{index .data \"$3\" | base64decode}}" >"$4"
}

say "verify with openssl"
kubectl get databasecertificates.dbtls.dev -A \
  -o go-template='{{range .items}}{{.metadata.namespace}} {{.metadata.name}} {{.spec.secret.name}}{{"\n"}}{{end}}' >"$work/list"
while read -r ns name secret; do
  if ! secret_key "$ns" "$secret" tls.crt "$work/tls.crt" || ! grep -q BEGIN "$work/tls.crt"; then
    echo "skip $ns/$name has no tls.crt"
    continue
  fi
  secret_key "$ns" "$secret" tls.key "$work/tls.key"
  secret_key "$ns" "$secret" ca.crt "$work/ca.crt"
  openssl verify -x509_strict -CAfile "$work/ca.crt" -untrusted "$work/tls.crt" "$work/tls.crt" >/dev/null
  openssl x509 -in "$work/tls.crt" -noout -pubkey >"$work/certificate.pub"
  openssl pkey -in "$work/tls.key" -pubout >"$work/key.pub"
  cmp "$work/certificate.pub" "$work/key.pub"
  pass "$ns/$name: chain and key"
done <"$work/list"

say "renew by a change of the manifest"
read -r ns name secret <"$work/list"
serial() { kubectl -n "$ns" get databasecertificate.dbtls.dev "$name" -o jsonpath='{.status.serialNumber}'; }
before=$(serial)
kubectl -n "$ns" patch databasecertificate.dbtls.dev "$name" --type merge -p '{"spec":{"renewTrigger":"kind-e2e"}}'
kubectl -n "$ns" wait --for=condition=Ready --timeout=60s "databasecertificate.dbtls.dev/$name"
[ "$(serial)" != "$before" ]
pass "$ns/$name has a new serial number"

say "kill the leader"
holder=$(kubectl -n dbtls get lease -o jsonpath='{.items[0].spec.holderIdentity}')
kubectl -n dbtls delete pod "${holder%%_*}" --grace-period=0 --force
before=$(serial)
kubectl -n "$ns" patch databasecertificate.dbtls.dev "$name" --type merge -p '{"spec":{"renewTrigger":"after the leader"}}'
kubectl -n "$ns" wait --for=condition=Ready --timeout=90s "databasecertificate.dbtls.dev/$name"
[ "$(serial)" != "$before" ]
pass "the other replica took over"

say "uninstall"
helm uninstall dbtls --namespace dbtls --wait
kubectl get crd certificateauthorities.dbtls.dev >/dev/null
kubectl -n "$ns" get secret "$secret" >/dev/null
pass "CRDs and Secrets stay when the chart goes"

echo
echo "$passed passed, 0 failed"
