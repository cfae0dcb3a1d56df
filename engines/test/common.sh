# What the tests of engines share; they are run in the root of the tree, as
#   engines/test/test_NAME.sh PROGRAM
# shellcheck shell=sh
set -eu

BROWNOUT=${1:?which program? build/brownout}
export BROWNOUT
work=$(mktemp -d "${TMPDIR:-/tmp}/engines-XXXXXX")
TMPDIR=$work # of all that is started
PARALLEL_HOME=$work/parallel
export TMPDIR PARALLEL_HOME
sweep='engines/test/short.lua --runs 24 --crypto ideal'
whole=$work/whole.db

# fail WORDS...
fail()
{
    echo "$0: $*" >&2
    exit 1
}

# skip WORDS...: with CI=true nothing is skipped.
skip()
{
    echo "skipped: $*" >&2
    if [ "${CI:-}" = true ]; then
        exit 1
    fi
    exit 77
}

# need PACKAGE PROGRAM...
need()
{
    package=$1
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || skip "there is no $program: apt-get install $package"
    done
}

# wait_until TENTHS COMMAND...
wait_until()
{
    left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            return 1
        fi
        sleep 0.1
    done
}

# The sweep that the others are compared with. Some runs fail, or nothing would be seen of failures.
sweep_whole()
{
    code=0
    # shellcheck disable=SC2086 # words
    "$BROWNOUT" sweep $sweep --db "$whole" >"$work/whole.txt" 2>&1 || code=$?
    if [ "$code" -ne 1 ]; then
        cat "$work/whole.txt" >&2
        fail "the sweep without shards: exit code $code, not 1"
    fi
    sqlite3 "$whole" <sim/test/rows.sql >"$work/whole.rows"
    test "$(grep -c '^\["run",' "$work/whole.rows")" -eq 24 || fail "it has not 24 runs"
}

# expect_same DATABASE: row for row but for ids and wall times.
expect_same()
{
    sqlite3 "$1" <sim/test/rows.sql >"$1.rows"
    cmp "$work/whole.rows" "$1.rows" || fail "$1 has other rows than the sweep without shards"
    echo "ok $1: $(wc -l <"$1.rows") rows as without shards"
}

# expect_shards DATABASE SHARDS RUNS: each has runs of its own, so that the merge did not make the rows.
expect_shards()
{
    runs=0
    for shard in $(seq "$2"); do
        of=$(sqlite3 "$1.shards/$shard-of-$2-"*.db 'SELECT count(*) FROM run')
        test "$of" -gt 0 || fail "shard $shard has no runs"
        runs=$((runs + of))
    done
    test "$runs" -eq "$3" || fail "$runs runs in all shards, not $3"
}

# expect_code CODE COMMAND...: what it says is shown only if it ends otherwise.
expect_code()
{
    wanted=$1
    shift
    code=0
    "$@" >"$work/said" 2>&1 || code=$?
    if [ "$code" -ne "$wanted" ]; then
        cat "$work/said" >&2
        fail "exit code $code, not $wanted: $*"
    fi
}

# A shard at work.
recorded_something()
{
    test "$(sqlite3 "$work"/brownout-shard-*/runs.db 'SELECT count(*) > 2 FROM run' 2>/dev/null)" = 1
}
