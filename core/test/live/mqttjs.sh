#!/bin/sh -e
# mqttjs.mjs with node, where there is one.
#   mqttjs.sh LIVE_BROKER    exit code 77: node, or the package mqtt, is not installed
if command -v node >/dev/null 2>&1; then
    exec node "$(dirname "$0")/mqttjs.mjs" "$1"
fi
echo "node is not installed: install nodejs (scripts/setup.sh does)"
[ "${CI:-}" != true ] # there nothing is left out
exit 77
