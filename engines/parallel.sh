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
# shellcheck source=engines/call.sh
. "$(dirname "$0")/call.sh"

call "$@"
shift 2
scenario=$1
engines=$(cd "$(dirname "$0")" && pwd)
BROWNOUT=$brownout
export BROWNOUT
parallel --version 2>/dev/null | grep -q '^GNU parallel' || refuse "there is no GNU parallel"
mkdir -p "$folder"

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
        test -e "$(stem "$shard").db" || echo "$shard"
    done | (cd "$(dirname "$into")" && parallel --quote --line-buffer --tagstring 'shard {}' \
        --sshloginfile "$hosts" --jobs 1 --retries 3 --workdir "$there" \
        --basefile "$stage/./build/brownout" --basefile "${engines%/*}/./engines/shard.sh" \
        --basefile "${engines%/*}/./engines/call.sh" --basefile "$from/./$scenario" \
        --return "$name.shards/{}-of-$shards-$sum.db" \
        engines/shard.sh {} "$shards" "$name" "$@")
}

forget()
{
    parallel --sshloginfile "$hosts" --nonall rm -rf "$there" 2>/dev/null || true # a host may be away
    rm -rf "$stage"
}

if [ -n "${HOSTS:-}" ]; then
    test -r "$HOSTS" || refuse "there is no file of hosts $HOSTS"
    case /$scenario/ in
    //* | */../*)
        refuse "name a scenario in this folder, or beneath it, not $scenario: hosts see it by that name"
        ;;
    esac
    if grep -qx '[0-9]*/*:' "$HOSTS"; then
        refuse "$HOSTS: name this host as localhost, not as ':'"
    fi
    run=there
else
    run=here
fi
if ! $run "$@"; then
    echo "$0: not all shards were done; the same call again goes on" >&2
    exit 4
fi
"$engines/merge.sh" "$shards" "$into" "$@"
