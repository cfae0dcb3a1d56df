#!/bin/sh
# Planted bugs of device, gateway and cloud that the walks of a law must tell from a core without
# them: each is compiled (brownout mutants --keep) and driven, until it leaves the spec. And planted
# bugs that a spec has as well: the scenario of its counterexample passes without them, and fails.
# usage: scripts/walks_mutants.sh [BUILD]
set -eu
build=${1:-build}
telemetry="ack_before_commit challenge_once commit_failure_ignored counter_reused custody_for_ack
    duplicate_unanswered no_window outbox_unbounded reserve_after_use response_unchecked sheds_newest
    window_apart window_bits_lost window_bits_stale window_edge_shut window_forgotten window_guessed"
session="ack_before_commit ack_timeout_missing custody_before_commit custody_for_ack delete_on_forward
    duplicate_unanswered queue_unbounded synchronous_normal window_forgotten"
replays="trial_uncounted:bug_free_trial progress_unsynced:bug_eager_count
    floor_before_confirm:bug_early_floor" # of Update
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
names=$(printf '%s\n' $telemetry $session $replays | sed 's/:.*//' | sort -u | paste -s -d , -)
# Whether a run of its scenario catches it as well is not the question here.
"$build/brownout" mutants "$names" --build "$build" --keep --runs 1 >"$TMPDIR/made" 2>&1 || true
bad=0

# The program with one planted bug.
program_of() {
    find "$TMPDIR" -path "*brownout-$1-*/brownout" -type f | head -n 1
}

# Drive one law with one planted bug.
tell() {
    program=$(program_of "$2")
    code=0
    "$program" spec walks "$1" --core --config MC --sample 40000 >"$TMPDIR/out" 2>&1 || code=$?
    if [ "$code" -eq 1 ]; then
        printf 'told   %-24s %s\n' "$2" "$(grep 'leaves the spec' "$TMPDIR/out")"
    else
        printf 'MISSED %-24s %s: exit code %s\n' "$2" "$1" "$code"
        bad=1
    fi
}

# Run the counterexample of one configuration of Update, without the bug and with it.
replay() {
    program=$(program_of "$1")
    scenario=$TMPDIR/$2.lua
    good=0
    "$build/brownout" spec replay Update --config "$2" -o "$scenario" >"$TMPDIR/out" 2>&1 &&
        "$build/brownout" run "$scenario" --seed 1 >>"$TMPDIR/out" 2>&1 || good=$?
    code=0
    "$program" run "$scenario" --seed 1 >"$TMPDIR/out" 2>&1 || code=$?
    if [ "$good" -eq 0 ] && [ "$code" -eq 1 ]; then
        printf 'failed %-24s %s: %s\n' "$1" "$2" "$(grep '^FAIL' "$TMPDIR/out")"
    else
        printf 'MISSED %-24s %s: exit code %s, without the bug %s\n' "$1" "$2" "$code" "$good"
        bad=1
    fi
}

for name in $telemetry; do tell Telemetry "$name"; done
for name in $session; do tell Session "$name"; done
for pair in $replays; do replay "${pair%%:*}" "${pair#*:}"; done
exit $bad
