#!/bin/sh
# Ends what a test process left behind. Its standard input is a pipe from that process, which closes however the
# process dies (even by SIGKILL); then every pid still on the list is killed.
#
#   +PID   watch this process      -PID   it has ended by itself      =DIR   remove this folder as well
pids=' '
dirs=
while IFS= read -r line; do
  value=${line#?}
  case $line in
    +*) pids="$pids$value " ;;
    -*) case $pids in *" $value "*) pids="${pids%% "$value" *} ${pids#* "$value" }" ;; esac ;;
    =*) dirs="$dirs$value
" ;;
  esac
done
# shellcheck disable=SC2086 # a list of numbers
[ -z "${pids# }" ] || kill -KILL $pids 2>/dev/null
printf '%s' "$dirs" | while IFS= read -r dir; do rm -rf "$dir"; done
