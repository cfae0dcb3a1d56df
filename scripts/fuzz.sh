#!/bin/sh
# Searches every parser that meets outside bytes, one after the other, from the corpora of the tree; prints
# what each came to. Exit code 1: there is a finding, and its input is named. Arguments: the targets
# (mqtt, store, ...; all without any).
#
#   FUZZ_SECONDS=60      of each target
#   FUZZ_KEEP=FOLDER     keep what was found on the way, to go on from there (build/fuzz/found)
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60} keep=${FUZZ_KEEP:-build/fuzz/found}
case $seconds in '' | *[!0-9]* | 0) echo "fuzz.sh: FUZZ_SECONDS is a number from 1, not '$seconds'" >&2; exit 2 ;; esac
if ! command -v clang >/dev/null; then
    echo "fuzz.sh: there is no clang, and libFuzzer is its own" >&2
    exit 2
fi
cmake --preset fuzz >/dev/null
cmake --build build/fuzz -j "$(nproc)" --target fuzzers -- --quiet
if [ $# -eq 0 ]; then
    for source in fuzz/fuzz_*.c; do
        noun=${source#fuzz/fuzz_}
        set -- "$@" "${noun%.c}"
    done
fi
failed=0
printf '%-10s %8s %12s %9s %9s %9s %9s  %s\n' \
    target seconds executions per_s edges features inputs finding
for noun in "$@"; do
    program=build/fuzz/fuzzers/fuzz_$noun
    if [ ! -x "$program" ]; then
        echo "fuzz.sh: there is no target '$noun': they are fuzz/fuzz_*.c" >&2
        exit 2
    fi
    mkdir -p "$keep/$noun"
    log=$keep/$noun.log
    set -- -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
        -use_value_profile=1 -artifact_prefix="$keep/$noun-" "$keep/$noun" "fuzz/corpus/$noun"
    [ ! -d "fuzz/regress/$noun" ] || set -- "$@" "fuzz/regress/$noun"
    [ ! -f "fuzz/dict/$noun.dict" ] || set -- "$@" "-dict=fuzz/dict/$noun.dict"
    status=0
    nice -n 10 "$program" "$@" >"$log" 2>&1 || status=$?
    finding=none
    if [ $status -ne 0 ]; then
        failed=1
        finding=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
        finding="${finding:-exit code $status}: $(grep -m 1 -E 'required|ERROR|expected:|runtime error' "$log" || echo "see $log")"
    fi
    awk -v noun="$noun" -v finding="$finding" '
        / cov: / { for (i = 1; i < NF; i++) {
            if ($i == "cov:") edges = $(i + 1)
            if ($i == "ft:") features = $(i + 1)
            if ($i == "corp:") split($(i + 1), corpus, "/")
        } }
        /number_of_executed_units/ { runs = $2 }
        /Done .* runs in/ { took = $(NF - 1) }
        /average_exec_per_sec/ { rate = $2 }
        END { printf "%-10s %8s %12s %9s %9s %9s %9s  %s\n", noun, took, runs, rate, edges,
              features, corpus[1], finding }' "$log"
done
exit $failed
