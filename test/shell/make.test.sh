#!/bin/sh
# `make help` names every task a newcomer is told of.
set -u
cd "$(dirname "$0")/../.." || exit 1
help=$(make help)
failed=0
for target in run test test-unit check bench generate plugin build image image-archive e2e kind-e2e; do
  if echo "$help" | grep -Eq "^ +$target +[a-zA-Z]"; then
    echo "ok make help lists $target with a line of its own"
  else
    echo "not ok make help lists $target with a line of its own"
    failed=1
  fi
done
exit "$failed"
