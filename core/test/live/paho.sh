#!/bin/sh -e
# A script of this folder with the Python that has paho: the first one, or the system's, which its
# package is for.
#   paho.sh SCRIPT.py ARGUMENT...
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import paho.mqtt.client' 2>/dev/null; then
        script=$(dirname "$0")/$1
        shift
        exec "$python" "$script" "$@"
    fi
done
echo "paho-mqtt is not installed: install python3-paho-mqtt (scripts/setup.sh does)"
[ "${CI:-}" != true ] # there nothing is left out
exit 77
