#!/bin/sh
# Joins the shards of a sweep, and says what an unsharded sweep would say.
#   [WAIT=SECONDS] engines/merge.sh SHARDS INTO.db SCENARIO.lua|FOLDER [OPTION of brownout sweep]...
# Scenario and options: those of the shards. The verdict is that of the same sweep without shards, which
# goes on from what they recorded: nothing is left for it to do but its canary, and to count.
# WAIT: so long for shards that are not done yet; without it, not at all.
# Exit codes: as brownout sweep, and 4: a shard is missing.
set -eu

if [ $# -lt 3 ]; then
    sed -n '2,3p' "$0" >&2
    exit 2
fi
shards=$1 into=$2
shift 2
brownout=${BROWNOUT:-$(dirname "$0")/../build/brownout}
sum=$(printf '%s\n' "$@" | cksum | cut -d ' ' -f 1)
waited=0
for shard in $(seq "$shards"); do
    file=$into.shards/$shard-of-$shards-$sum.db
    while [ ! -e "$file" ] && [ "$waited" -lt "${WAIT:-0}" ]; do
        sleep 1
        waited=$((waited + 1))
    done
    if [ ! -e "$file" ]; then
        echo "engines/merge.sh: there is no $file: start its shard again" >&2
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
    cp "$into.shards/$shard-of-$shards-$sum.db" "$work/shard-$shard.db"
    code=0
    "$brownout" merge "$work/into.db" "$work/shard-$shard.db" || code=$?
    case $code in
    0) ;;
    3) differs=1 ;; # said, and both are kept
    *) exit "$code" ;;
    esac
    rm -f "$work/shard-$shard.db"
done
code=0
"$brownout" sweep "$@" --db "$work/into.db" --resume || code=$?
cp "$work/into.db" "$into.copy"
mv "$into.copy" "$into"
echo "all runs: $into"
if [ -n "$differs" ]; then
    exit 3
fi
exit "$code"
