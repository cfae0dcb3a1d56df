#!/bin/sh
# The main job, watched: a fleet in a storm holds all laws; a planted bug is found, and its run comes back
# byte for byte. Everything it writes goes to build/demo.
set -eu
cd "$(dirname "$0")/.."

brownout=build/brownout
folder=build/demo
bug=ack_before_commit
rm -rf "$folder"
mkdir -p "$folder"

say() {
    printf '\n== %s\n' "$*"
}

say "a storm: 1 cloud, 3 gateways, 1 compromised gateway, 60 devices, 6 hours, every fault class, real signatures"
"$brownout" run scenarios/storm.lua --seed 42 --crypto openssl --db "$folder/runs.db"

say "a bug is planted ($bug) and looked for: the cloud acks a reading before its commit is durable"
TMPDIR="$PWD/$folder" "$brownout" mutants "$bug" --keep | tee "$folder/mutant.txt"
again=$(sed -n 's/^ *\([^ ]*\/brownout run .*\)$/\1/p' "$folder/mutant.txt")
planted=${again%% run *}

say "the run that found it, with what happened before the law broke"
status=0
# The words of the command are the program's own, without blanks in them.
# shellcheck disable=SC2086
$again --db "$folder/planted.db" >"$folder/planted.txt" || status=$?
cat "$folder/planted.txt"
test "$status" -eq 1

say "replayed from its plan alone: the same hash"
status=0
"$planted" replay 1 --db "$folder/planted.db" --json >"$folder/replay.json" || status=$?
test "$status" -eq 1
first=$(sed -n 's/^hash *//p' "$folder/planted.txt")
second=$(sed -n 's/.*"hash": *"\([0-9a-f]*\)".*/\1/p' "$folder/replay.json")
echo "first   $first"
echo "replay  $second"
test "$first" = "$second"

say "where to look"
echo "the laws           models/laws.def"
echo "the storm          scenarios/storm.lua"
echo "the planted bug    sim/mutants/$bug.patch"
echo "the runs           sqlite3 $folder/planted.db 'select * from failures'"
echo "another run        $brownout run scenarios/roaming.lua"
echo "all that can be    $brownout help"
