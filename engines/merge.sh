#!/bin/sh
# Joins the shards of a sweep, and says what an unsharded sweep would say.
#   [WAIT=SECONDS] engines/merge.sh SHARDS INTO.db SCENARIO.lua|FOLDER [OPTION of brownout sweep]...
# Scenario and options: those of the shards. The verdict is that of the same sweep without shards, which
# goes on from what they recorded: nothing is left for it to do but its canary, and to count.
# WAIT: so long for shards that are not done yet; without it, not at all.
# Exit codes: as brownout sweep, and 4: a shard is missing.
set -eu
# shellcheck source=engines/call.sh
. "$(dirname "$0")/call.sh"

call "$@"
shift 2
waited=0
for shard in $(seq "$shards"); do
    while [ ! -e "$(stem "$shard").db" ] && [ "$waited" -lt "${WAIT:-0}" ]; do
        sleep 1
        waited=$((waited + 1))
    done
    if [ ! -e "$(stem "$shard").db" ]; then
        echo "$0: there is no $(stem "$shard").db: start its shard again" >&2
        exit 4
    fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/brownout-merge-XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ -e "$into" ]; then
    cp "$into" "$work/into.db"
fi
differs=
for shard in $(seq "$shards"); do
    cp "$(stem "$shard").db" "$work/shard.db"
    code=0
    "$brownout" merge "$work/into.db" "$work/shard.db" >"$work/said" || code=$?
    tell "$work/said" "$work/shard.db" "$(stem "$shard").db" >&2
    case $code in
    0) ;;
    3) differs=1 ;; # said, and both are kept
    *) exit "$code" ;;
    esac
    rm "$work/shard.db"
done
code=0
"$brownout" sweep "$@" --db "$work/into.db" --resume >"$work/said" || code=$?
cp "$work/into.db" "$into.copy"
mv "$into.copy" "$into"
tell "$work/said" "$work/into.db" "$into"
if [ -n "$differs" ]; then
    exit 3
fi
exit "$code"
