#!/bin/sh
# How soon does each way of exploring find a bug that nobody knows of? Builds brownout and, where there is
# clang with libFuzzer, fuzz_plan; looks for every planted bug that shows in runs, in every way; prints
# the table of docs/exploration.md. An hour of one core; options go to `brownout mutants`:
#
#   scripts/explore.sh                                 all of them
#   scripts/explore.sh window_edge_open --searches 3   one, three times over
set -eu
cd "$(dirname "$0")/.."
build() {
    cmake --preset "$1" >/dev/null && cmake --build --preset "$2" -j "$(nproc)" -- --quiet
}
ways=uniform,swarm,mixed,guided
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target brownout -- --quiet
if command -v clang >/dev/null && build clang-release fuzz; then
    set -- --fuzz build/clang-release/fuzz "$@"
    ways=$ways,fuzz
else
    echo "explore.sh: no fuzz_plan, so no fuzz: it needs clang with libFuzzer" >&2
fi
exec nice -n 5 build/brownout mutants --explore "$ways" --runs 200 --cpu 20s --jobs 1 "$@"
