#!/bin/sh
# A real fleet under kill -9: 50 devices, 10 minutes, 100 kills of daemons that chance names, then the
# judgement of what they wrote. Exit code: that of brownout judge (0: all laws held).
#   scripts/up_kill.sh [FOLDER [DEVICES [TIME [KILLS [SEED]]]]]
# FOLDER is kept if a law was broken, or if it was named.
set -eu

brownout=${BROWNOUT:-build/brownout}
folder=${1:-}
devices=${2:-50}
time=${3:-10m}
kills=${4:-100}
seed=${5:-1}
named=$folder
if [ -z "$folder" ]; then
    folder=$(mktemp -d)/fleet
fi
"$brownout" up "$folder" --devices "$devices" --for "$time" --kills "$kills" --settle 60s --seed "$seed"
code=0
"$brownout" judge "$folder"/*.evidence --settled 30s || code=$?
if [ -z "$named" ] && [ "$code" -eq 0 ]; then
    rm -rf "$(dirname "$folder")"
else
    echo "kept: $folder"
fi
exit "$code"
