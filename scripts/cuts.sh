#!/bin/sh
# Explores every life of scenarios/ on every part of sim/parts, one line each, certificates in FOLDER.
#   scripts/cuts.sh FOLDER
# Exit code 1: one did not close.
set -eu

folder=${1:?usage: scripts/cuts.sh FOLDER}
mkdir -p "$folder"
failed=0
for life in $(grep -l '^---@type Life' scenarios/*.lua); do
    for part in sim/parts/*.part; do
        name=$(basename "$life" .lua).$(basename "$part" .part)
        begin=$(date +%s)
        if build/brownout cuts "$life" --part "$part" --certificate "$folder/$name.cert" \
            >"$folder/$name.txt" 2>/dev/null; then
            outcome=closed
        else
            outcome="NOT CLOSED, see $folder/$name.txt"
            failed=1
        fi
        printf '%-36s %6s s  %s\n' "$name" "$(($(date +%s) - begin))" "$outcome"
    done
done
exit "$failed"
