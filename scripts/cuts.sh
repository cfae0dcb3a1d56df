#!/bin/sh
# Explores every life of scenarios/ on every part of sim/parts, as many at once as there are processors
# (JOBS=1: one, for the largest takes 12 GB), one line each, certificates in FOLDER.
#   scripts/cuts.sh FOLDER
# Exit code 1: one did not close.
set -eu

explore() {
    name=$(basename "$2" .lua).$(basename "$3" .part)
    begin=$(date +%s)
    if build/brownout cuts "$2" --part "$3" --images 16000000 --certificate "$1/$name.cert" \
        >"$1/$name.txt" 2>"$1/$name.err"; then
        outcome=closed
        images=$(sed -n 's/^\([0-9]*\) crash images.*/\1/p' "$1/$name.txt")
    else
        outcome="NOT CLOSED, see $1/$name.txt and .err"
        images=-
    fi
    printf '%-32s %12s images %6s s  %s\n' "$name" "$images" "$(($(date +%s) - begin))" "$outcome"
    test "$outcome" = closed
}

if [ $# -eq 3 ]; then
    explore "$@"
    exit
fi
folder=${1:?usage: scripts/cuts.sh FOLDER}
mkdir -p "$folder"
for life in $(grep -l '^---@type Life' scenarios/*.lua); do
    for part in sim/parts/*.part; do
        echo "$folder $life $part"
    done
done | xargs -P "${JOBS:-$(nproc)}" -L 1 "$0" || exit 1
