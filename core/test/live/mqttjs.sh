#!/bin/sh -e
# A script of this folder with node, where there is one.
#   mqttjs.sh SCRIPT.mjs ARGUMENT...    exit code 77: node, or the package mqtt, is not installed
if command -v node >/dev/null 2>&1; then
    script=$(dirname "$0")/$1
    shift
    exec node "$script" "$@"
fi
echo "node is not installed: install nodejs (scripts/setup.sh does)"
[ "${CI:-}" != true ] # there nothing is left out
exit 77
