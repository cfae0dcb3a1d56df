#!/bin/sh
# A sweep by Slurm: a job array, a shard a task, and a job that merges when all are done.
#   engines/slurm.sh [--wait] SHARDS INTO.db SCENARIO.lua|FOLDER [OPTION of brownout sweep]...
# INTO.db, program and scenario are where every node sees them. What jobs may use: the #SBATCH lines of
# engines/slurm.sbatch, or SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_ACCOUNT and so on. What jobs say is
# in INTO.db.shards. The same call again does only what is not done.
# --wait: until it is merged; the exit code is that of engines/merge.sh, and 4: a shard failed. Without
# it 0: submitted.
set -eu
# shellcheck source=engines/call.sh
. "$(dirname "$0")/call.sh"

wait=
if [ "${1:-}" = --wait ]; then
    wait=--wait
    shift
fi
call "$@"
engines=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
array=$(sbatch --parsable --array="1-$shards" --output="$folder/%a.out" \
    "$engines/slurm.sbatch" "$engines" shard "$@")
array=${array%%;*} # the rest is the cluster's name
echo "shards: job array $array, what they say: $folder/*.out"
echo "merge: after it, what it says: $folder/merge.out"
code=0
# shellcheck disable=SC2086 # one word or none
merge=$(sbatch --parsable $wait --dependency="afterok:$array" --kill-on-invalid-dep=yes \
    --output="$folder/merge.out" "$engines/slurm.sbatch" "$engines" merge "$@") || code=$?
merge=${merge%%;*}
# Slurm cancels the merge if a shard fails, and calls that a success.
if [ -n "$wait" ] && ! scontrol --oneliner show job "$merge" | grep -q ' JobState=\(COMPLETED\|FAILED\) '; then
    echo "$0: not merged, since a shard failed: see $folder/*.out; the same call again" \
        "does what is not done" >&2
    exit 4
fi
exit "$code"
