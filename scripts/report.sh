#!/bin/sh
# Fetches what the page of `brownout report` is made with into the user's cache: the plotting library,
# the bundler, and what the page's test drives. Says nothing when it is there. Exit code 2: it cannot
# be fetched from here.
#   --where   print the folder that it is in, or would be, and fetch nothing
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
lock=$(cat "$root/report/package.json" "$root/report/package-lock.json" | sha256sum | cut -c 1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/brownout/report-$lock

if [ "${1:-}" = --where ]; then
    echo "$folder"
    exit 0
fi
# npm writes this file last.
if [ -f "$folder/node_modules/.package-lock.json" ]; then
    exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
    echo "report: npm is missing: without it the command is built without its report" >&2
    exit 2
fi
echo "report: fetching what report/package-lock.json pins"
part=$folder.$$
rm -rf "$part"
mkdir -p "$part"
cp "$root/report/package.json" "$root/report/package-lock.json" "$part"
# Nothing that is fetched is run by it.
if ! said=$(cd "$part" && npm ci --ignore-scripts --no-audit --no-fund 2>&1); then
    echo "$said" >&2
    rm -rf "$part"
    echo "report: npm could not fetch it: the command is built without its report" >&2
    exit 2
fi
# Another one may have been faster.
if ! mv -T "$part" "$folder" 2>/dev/null; then
    rm -rf "$part"
fi
