#!/bin/sh
# Fetches MQTT.js, as core/test/live/package-lock.json pins it, into the user's cache, for the live test
# of the broker. Says nothing when it is there. Exit code 2: it cannot be fetched from here.
#   --where   print the folder that it is in, or would be, and fetch nothing
set -eu

from=$(cd "$(dirname "$0")/../core/test/live" && pwd)
lock=$(cat "$from/package.json" "$from/package-lock.json" | sha256sum | cut -c 1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/brownout/interop-$lock

if [ "${1:-}" = --where ]; then
    echo "$folder"
    exit 0
fi
# npm writes this file last.
if [ -f "$folder/node_modules/.package-lock.json" ]; then
    exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
    echo "interop: npm is missing: the broker is not tested with MQTT.js" >&2
    exit 2
fi
echo "interop: fetching what core/test/live/package-lock.json pins"
part=$folder.$$
rm -rf "$part"
mkdir -p "$part"
cp "$from/package.json" "$from/package-lock.json" "$part"
# Nothing that is fetched is run by it.
if ! said=$(cd "$part" && npm ci --ignore-scripts --no-audit --no-fund 2>&1); then
    echo "$said" >&2
    rm -rf "$part"
    echo "interop: npm could not fetch it: the broker is not tested with MQTT.js" >&2
    exit 2
fi
# Another one may have been faster.
if ! mv -T "$part" "$folder" 2>/dev/null; then
    rm -rf "$part"
fi
