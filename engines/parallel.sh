#!/bin/sh
# A sweep by GNU parallel, on this host or over ssh, in SHARDS parts.
#   [HOSTS=FILE] engines/parallel.sh SHARDS INTO.db SCENARIO.lua|FOLDER [OPTION of brownout sweep]...
# HOSTS: a file of ssh logins, one a line, as `parallel --sshloginfile` reads it; without it the shards
# run here, one to a processor. Hosts need rsync, perl and the program's libraries; program, script and
# scenario are copied to each, and the shards' databases back; nothing is left there. A host takes one
# shard at a time, with all its processors; a shard whose host fails is tried again, elsewhere if it can
# be. The same call again goes on where it ended.
# Exit codes: as brownout sweep, and 4: a shard was not done.
set -eu

if [ $# -lt 3 ]; then
    sed -n '2,3p' "$0" >&2
    exit 2
fi
shards=$1 into=$2 scenario=$3
engines=$(cd "$(dirname "$0")" && pwd)
root=${engines%/engines}
BROWNOUT=${BROWNOUT:-$root/build/brownout}
export BROWNOUT
if [ ! -x "$BROWNOUT" ]; then
    echo "engines/parallel.sh: there is no program $BROWNOUT: make build" >&2
    exit 2
fi
shift 2
mkdir -p "$into.shards"
sum=$(printf '%s\n' "$@" | cksum | cut -d ' ' -f 1) # as engines/shard.sh names its file

here()
{
    seq "$shards" | JOBS=1 parallel --quote --line-buffer --tagstring 'shard {}' \
        "$engines/shard.sh" {} "$shards" "$into" "$@"
}

# What stands behind /./ is the name on a host, in a folder of its login's home.
there()
{
    hosts=$(cd "$(dirname "$HOSTS")" && pwd)/$(basename "$HOSTS")
    stage=$(mktemp -d "${TMPDIR:-/tmp}/brownout-parallel-XXXXXX")
    there=$(basename "$stage")
    trap forget EXIT
    trap 'exit 143' INT TERM
    mkdir "$stage/build"
    cp "$BROWNOUT" "$stage/build/brownout"
    from=$PWD
    name=$(basename "$into")
    for shard in $(seq "$shards"); do
        test -e "$into.shards/$shard-of-$shards-$sum.db" || echo "$shard"
    done | (cd "$(dirname "$into")" && parallel --quote --line-buffer --tagstring 'shard {}' \
        --sshloginfile "$hosts" --jobs 1 --retries 3 --workdir "$there" \
        --basefile "$stage/./build/brownout" --basefile "$root/./engines/shard.sh" \
        --basefile "$from/./$scenario" --return "$name.shards/{}-of-$shards-$sum.db" \
        engines/shard.sh {} "$shards" "$name" "$@")
}

forget()
{
    parallel --sshloginfile "$hosts" --nonall rm -rf "$there" 2>/dev/null || true # a host may be away
    rm -rf "$stage"
}

if [ -n "${HOSTS:-}" ]; then
    case /$scenario/ in
    //* | */../*)
        echo "engines/parallel.sh: name a scenario in this folder, or beneath it, not $scenario:" \
            "hosts see it by the same name" >&2
        exit 2
        ;;
    esac
    if grep -qx '[0-9]*/*:' "$HOSTS"; then
        echo "engines/parallel.sh: $HOSTS: name this host as localhost, not as ':'" >&2
        exit 2
    fi
    run=there
else
    run=here
fi
if ! $run "$@"; then
    echo "engines/parallel.sh: not all shards were done; the same call again goes on" >&2
    exit 4
fi
"$engines/merge.sh" "$shards" "$into" "$@"
