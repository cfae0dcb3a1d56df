#!/bin/sh
# Are the unit files right? As systemd itself sees them, with the programs of this build in their place.
#   dist/test/test_systemd.sh FOLDER_OF_THE_DAEMONS
# Exit code 77: there is no systemd-analyze.
set -eu

daemons=$1
if ! command -v systemd-analyze >/dev/null 2>&1; then
    echo "skipped: there is no systemd-analyze"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for role in device gateway cloud; do
    unit=dist/systemd/brownout-$role.service
    "$daemons/brownout-$role" --help >/dev/null
    sed "s|/usr/bin/|$daemons/|" "$unit" >"$folder/brownout-$role.service"
    said=$(systemd-analyze verify --man=no "$folder/brownout-$role.service" 2>&1) || {
        echo "$said" >&2
        exit 1
    }
    # It warns of what it does not know, and still says that all is well.
    if echo "$said" | grep -q "brownout-$role.service"; then
        echo "$said" >&2
        exit 1
    fi
done
# A line that no unit may have is seen, or this test shows nothing.
sed 's/^Restart=always/Restart=sometimes/' "$folder/brownout-cloud.service" >"$folder/brownout-bad.service"
said=$(systemd-analyze verify --man=no "$folder/brownout-bad.service" 2>&1) || true
if ! echo "$said" | grep -qi 'restart specifier'; then
    echo "a wrong unit passed: $said" >&2
    exit 1
fi
echo "three units verified"
