#!/bin/sh
# What `make test` makes of the cluster tests, which run last, in a run of vitest of their own.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/test/shell"
failed=0

# Stands for vitest: 3 tests pass in two runs beside each other; the one of the cluster does as $CLUSTER says.
cat >"$work/bin/vitest" <<'VITEST'
#!/bin/sh
for argument; do case $argument in --outputFile.json=*) file=${argument#*=} ;; esac; done
report() {
  printf '{"numPassedTests":%s,"numFailedTests":%s,"numPendingTests":%s,"numTodoTests":0,"success":%s,"testResults":[]}' "$@" \
    >"$file"
}
case "${DBTLS_E2E:-none} $*" in
none*--project\ databases) report 1 0 0 true ;;
none*--project\ !databases)
  [ "$OTHERS" = good ] || exit 1
  report 2 0 0 true
  ;;
1*--project\ kind)
  case $CLUSTER in
  good) report 2 0 0 true ;;
  bad) report 1 1 0 false && exit 1 ;;
  none) report 0 0 2 true && echo 'test/kind: no root' >build/test/no-cluster ;;
  empty) report 0 0 2 true ;;
  unloaded) report 0 0 0 false && exit 1 ;;
  broken) exit 1 ;;
  esac
  ;;
*) exit 9 ;;
esac
VITEST
chmod +x "$work/bin/vitest"

# expect NAME CLUSTER STATUS LINE [E2E] [OTHERS]: status of the run, and a line at its end
expect() {
  said=$(cd "$work" && PATH=$work/bin:$PATH CLUSTER=$2 DBTLS_E2E=${5:-} OTHERS=${6:-good} node "$root/scripts/run-tests.ts" 2>&1)
  status=$?
  if [ "$status" -eq "$3" ] && [ "$(echo "$said" | tail -n "$(echo "$4" | wc -l)")" = "$4" ]; then
    echo "ok $1"
  else
    echo "not ok $1"
    echo "$status: $said" >&2
    failed=1
  fi
}

expect 'cluster tests are counted' good 0 '5 passed, 0 failed'
expect 'a cluster test that fails fails the run' bad 1 '4 passed, 1 failed'
expect 'a cluster that cannot be had is told with its reason, and fails nothing' none 0 'SKIPPED test/kind: no root
3 passed, 0 failed, 2 skipped'
expect 'cluster tests that are all skipped without a reason fail the run' empty 1 'FAILED no test ran
3 passed, 1 failed, 2 skipped'
expect 'what does not load fails the run once' unloaded 1 'FAILED vitest --project kind ended with 1, and no test had failed
3 passed, 1 failed'
expect 'a cluster that breaks fails the run' broken 1 'FAILED vitest --project kind ended with 1 before it could report
3 passed, 1 failed'
expect 'DBTLS_E2E=0 leaves them out, and is told' bad 0 'SKIPPED test/kind: DBTLS_E2E=0
3 passed, 0 failed' 0
expect 'one of two runs that breaks fails the run' good 1 'FAILED vitest --project !databases ended with 1 before it could report
3 passed, 1 failed' '' bad
exit "$failed"
