# What the scripts of engines have in common: read by each.
# shellcheck shell=sh

shards_max=100000 # brownout sweep --shard

# refuse WORDS...: the call is wrong.
refuse()
{
    echo "$0: $*" >&2
    exit 2
}

# How a script is called stands in its head, indented.
usage()
{
    sed -n 's/^#   //p' "$0" >&2
    exit 2
}

# call SHARDS INTO.db SCENARIO [OPTION]...: sets shards, into, folder, sum and brownout.
call()
{
    test $# -ge 3 || usage
    shards=$1 into=$2
    case $shards in
    '' | 0* | *[!0-9]* | ???????*) refuse "SHARDS is a number from 1 to $shards_max, not '$shards'" ;;
    esac
    test "$shards" -le $shards_max || refuse "more than $shards_max shards: $shards"
    case $into in
    '' | -*) refuse "INTO.db is a file, not '$into'" ;;
    esac
    folder=$into.shards
    brownout=${BROWNOUT:-$(dirname "$0")/../build/brownout}
    command -v "$brownout" >/dev/null || refuse "there is no program $brownout: make build"
    shift 2
    sum=$(printf '%s\n' "$@" | cksum | cut -d ' ' -f 1)
}

# stem I: of the files of a shard. SUM tells sweeps of other scenarios and options apart.
stem()
{
    echo "$folder/$1-of-$shards-$sum"
}

# tell FILE DATABASE NAME: what was said of a database in a temporary folder, by its name to be.
tell()
{
    sed "s|$2|$(printf '%s' "$3" | sed 's/[&|\\]/\\&/g')|g" "$1"
}
