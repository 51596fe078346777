# Every target does its own set-up. Node 24 comes with the packages (node_modules/.bin/node).
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
SHELL := /bin/sh
IMAGE ?= dbtls:dev
URL ?= https://example.com/releases
INSTALLED := node_modules/.installed

.DEFAULT_GOAL := help
.PHONY: help run test test-unit check bench generate plugin build image image-archive e2e kind-e2e clean
.PHONY: check-types check-lint check-format check-rooms check-dead-code check-generated check-shell check-chart check-licences

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-13s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## database Secrets from examples/quickstart, without a cluster; Ctrl-C ends it
	@bin/dbtls run --manifests examples/quickstart --state .dbtls/state --out .dbtls/out

test: $(INSTALLED) ## every test; builds a Kubernetes control plane on first use (about 8 minutes, once), and as root a node for make e2e (12 more)
	@node scripts/run-tests.ts

test-unit: $(INSTALLED) ## the tests that need no control plane
	@node scripts/run-tests.ts --project unit

check: check-types check-lint check-format check-rooms check-dead-code check-generated check-shell check-chart check-licences ## types, lint, format, rooms, dead code, generated files, scripts, chart, licences
	@echo "check: all good"

check-types: $(INSTALLED)
	@tsc -p . && echo "types: good"

check-lint: $(INSTALLED)
	@oxlint --type-aware --quiet

check-format: $(INSTALLED)
	@prettier --check --log-level warn . && echo "format: good"

check-rooms: $(INSTALLED)
	@node scripts/check-rooms.ts

check-dead-code: $(INSTALLED)
	@knip --no-progress && echo "dead code: none"

check-generated: $(INSTALLED)
	@node scripts/generate.ts --check

check-shell:
	@scripts/shellcheck.sh

check-chart:
	@scripts/check-chart.sh

check-licences: $(INSTALLED)
	@node scripts/check-licences.ts

bench: $(INSTALLED) ## the figures of docs/performance.md, measured on the control plane
	@node test/bench/main.ts

generate: $(INSTALLED) ## CRDs, docs/reference.md, the chart's copy and deploy/dbtls.yaml from the sources
	@node scripts/generate.ts
	@scripts/bundle.sh

plugin: $(INSTALLED) ## the kubectl plugin for krew: archive and manifest in build/plugin; URL says where they will be
	@scripts/plugin.sh "$(URL)"

build: $(INSTALLED) ## dist/dbtls.mjs and the modules it loads on demand, for Node 24
	@node scripts/build.ts

image: ## the container image IMAGE (default dbtls:dev)
	docker build --build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude='*') --tag $(IMAGE) .

image-archive: $(INSTALLED) ## the same image without Docker: build/image/dbtls.tar, and its bill of materials
	@node test/kind/image/operator.ts

e2e: $(INSTALLED) ## the operator installed by helm on a real cluster: kind over podman, as root and without Docker; E2E_KUBECONFIG names another one
	@DBTLS_E2E=1 node scripts/run-tests.ts --project kind

kind-e2e: ## image, kind cluster, chart and quickstart from end to end; needs Docker, kind, helm and kubectl
	@test/e2e/kind/run.sh

clean: ## remove what the other targets made in the tree
	rm -rf build coverage dist .dbtls

# Installed again only when the lockfile changes.
$(INSTALLED): package-lock.json
	@echo "npm ci (once for every change of package-lock.json) …" >&2
	@npm ci --no-audit --no-fund --loglevel=error >&2
	@touch $@
