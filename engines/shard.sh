#!/bin/sh
# One shard of a sweep, for whatever engine starts it.
#   [JOBS=N] engines/shard.sh I SHARDS INTO.db SCENARIO.lua|FOLDER [OPTION of brownout sweep]...
# Records INTO.db.shards/I-of-SHARDS-SUM.db, which is there when the shard is done and not before; SUM is of
# scenario and options, so that another sweep has other files. It works in TMPDIR, for INTO.db may be on
# a network file system. What SIGTERM leaves is kept as .part, and another attempt goes on from there.
# JOBS: runs at once, all processors without it. BROWNOUT: another program.
# Exit codes: 0 done, whatever its runs showed (engines/merge.sh tells) · 2 the call or the scenario is
# wrong · 143 ended by a signal, to be started again · else as brownout sweep.
set -eu
# shellcheck source=engines/call.sh
. "$(dirname "$0")/call.sh"

test $# -ge 1 || usage
shard=$1
shift
call "$@"
shift 2
stem=$(stem "$shard")
if [ -e "$stem.db" ]; then
    echo "shard $shard of $shards was done"
    exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/brownout-shard-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"
if [ -e "$stem.part" ]; then
    cp "$stem.part" "$work/runs.db"
fi

# A pod's first process hears SIGTERM alone, so it is told on.
pid='' ended=''
trap 'ended=1; test -z "$pid" || kill -TERM "$pid" 2>/dev/null || true' TERM
trap 'ended=1' INT
"$brownout" sweep "$@" --shard "$shard/$shards" --db "$work/runs.db" --resume \
    ${JOBS:+--jobs "$JOBS"} >"$work/said" &
pid=$!
code=0
wait "$pid" || code=$?
while kill -0 "$pid" 2>/dev/null; do # a signal has ended the wait, not the sweep
    code=0
    wait "$pid" || code=$?
done
if [ -n "$ended" ]; then
    code=143
fi
tell "$work/said" "$work/runs.db" "$stem.db"

# Renamed, so that nobody sees a file that is not whole.
keep()
{
    if [ -e "$work/runs.db" ]; then
        cp "$work/runs.db" "$stem.copy"
        mv "$stem.copy" "$stem.$1"
    fi
}

case $code in
0 | 1 | 3 | 5)
    keep db
    rm -f "$stem.part"
    exit 0
    ;;
2) exit 2 ;;
*)
    keep part
    exit "$code"
    ;;
esac
