#!/bin/sh
# Planted bugs of device and cloud that the walks of Telemetry must tell from a core without them:
# each is compiled (brownout mutants --keep) and driven, until it leaves the spec.
# usage: scripts/walks_mutants.sh [BUILD]
set -eu
build=${1:-build}
names=ack_before_commit,challenge_once,commit_failure_ignored,counter_reused,custody_for_ack
names=$names,duplicate_unanswered,no_window,outbox_unbounded,reserve_after_use,response_unchecked
names=$names,sheds_newest,window_apart,window_bits_lost,window_bits_stale,window_edge_shut
names=$names,window_forgotten,window_guessed
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# Whether a run of its scenario catches it as well is not the question here.
"$build/brownout" mutants "$names" --build "$build" --keep --runs 1 >"$TMPDIR/made" 2>&1 || true
bad=0
for name in $(echo "$names" | tr , ' '); do
    program=$(find "$TMPDIR" -path "*brownout-$name-*/brownout" -type f | head -n 1)
    code=0
    "$program" spec walks Telemetry --core --config MC --sample 40000 >"$TMPDIR/out" 2>&1 || code=$?
    if [ "$code" -eq 1 ]; then
        printf 'told   %-24s %s\n' "$name" "$(grep 'leaves the spec' "$TMPDIR/out")"
    else
        printf 'MISSED %-24s exit code %s\n' "$name" "$code"
        bad=1
    fi
done
exit $bad
