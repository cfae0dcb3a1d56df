#!/bin/sh -e
# paho_client.py with the Python that has paho: the first one, or the system's, which its package is for.
#   paho.sh LIVE_BROKER
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import paho.mqtt.client' 2>/dev/null; then
        exec "$python" "$(dirname "$0")/paho_client.py" "$1"
    fi
done
echo "paho-mqtt is not installed: install python3-paho-mqtt (scripts/setup.sh does)"
[ "${CI:-}" != true ] # there nothing is left out
exit 77
