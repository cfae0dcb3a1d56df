#!/bin/sh
# Searches every parser that meets outside bytes, one after the other, from the corpora of the tree; prints
# what each came to. Exit code 1: there is a finding, and its input is named. Arguments: the targets
# (mqtt, store, ...; all without any).
#
#   FUZZ_SECONDS=60      of each target, of processor time: a busy machine takes longer, and searches as much
#   FUZZ_KEEP=FOLDER     keep what was found on the way, to go on from there (build/fuzz/found)
#
# A finding is also what leaks, what takes an input longer than 30 s of real time, or more than 2 GiB. slowest_s:
# the slowest input, in whole seconds of real time.
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
ticks_per_s=$(getconf CLK_TCK)
TMPDIR=$(mktemp -d)
export TMPDIR
pid=
stop() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$TMPDIR"
}
trap stop EXIT
trap 'exit 2' INT TERM HUP

# Processor seconds that the process has used: utime and stime of proc(5). Nothing: it has ended.
used_s() {
    awk -v ticks="$ticks_per_s" '{ printf "%.0f", ($14 + $15) / ticks }' "/proc/$pid/stat" 2>/dev/null
}

failed=0
printf '%-10s %8s %12s %9s %9s %9s %9s %9s %8s  %s\n' \
    target cpu_s executions per_cpu_s edges features inputs slowest_s peak_mb finding
for noun in "$@"; do
    program=build/fuzz/fuzzers/fuzz_$noun
    if [ ! -x "$program" ]; then
        echo "fuzz.sh: there is no target '$noun': they are fuzz/fuzz_*.c" >&2
        exit 2
    fi
    mkdir -p "$keep/$noun"
    log=$keep/$noun.log
    set -- -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
        -use_value_profile=1 -artifact_prefix="$keep/$noun-" "$keep/$noun" "fuzz/corpus/$noun"
    [ ! -d "fuzz/regress/$noun" ] || set -- "$@" "fuzz/regress/$noun"
    [ ! -f "fuzz/dict/$noun.dict" ] || set -- "$@" "-dict=fuzz/dict/$noun.dict"
    nice -n 10 "$program" "$@" >"$log" 2>&1 &
    pid=$! used=0 status=0
    while now=$(used_s) && [ -n "$now" ]; do # a zombie's is there, too: it stays as it is
        [ "$now" -lt "$seconds" ] || kill -USR1 "$pid" # libFuzzer ends in order
        grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null && break
        used=$now
        sleep 1
    done
    wait "$pid" || status=$?
    pid=
    finding=none
    if [ $status -ne 0 ]; then
        failed=1
        finding=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
        finding="${finding:-exit code $status}: $(grep -m 1 -E 'required|ERROR|expected:|runtime error' "$log" || echo "see $log")"
    fi
    awk -v noun="$noun" -v finding="$finding" -v used="$used" '
        / cov: / { for (i = 1; i < NF; i++) {
            if ($i == "cov:") edges = $(i + 1)
            if ($i == "ft:") features = $(i + 1)
            if ($i == "corp:") split($(i + 1), corpus, "/")
        } }
        /number_of_executed_units/ { runs = $2 }
        /slowest_unit_time_sec/ { slowest = $2 }
        /peak_rss_mb/ { peak = $2 }
        END { printf "%-10s %8s %12s %9.0f %9s %9s %9s %9s %8s  %s\n", noun, used, runs,
              runs / (used > 0 ? used : 1), edges, features, corpus[1], slowest, peak, finding }' "$log"
done
exit $failed
