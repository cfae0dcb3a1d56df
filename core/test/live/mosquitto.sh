#!/bin/sh
# Mosquitto against both: its broker with the general client, its clients with the broker.
#   mosquitto.sh LIVE_CLIENT LIVE_BROKER    exit code 77: mosquitto is not installed
set -eu
client=$1 broker=$2
PATH=$PATH:/usr/sbin
if ! command -v mosquitto >/dev/null 2>&1 || ! command -v mosquitto_sub >/dev/null 2>&1; then
    echo "mosquitto or mosquitto-clients is not installed: scripts/setup.sh --daemons"
    [ "${CI:-}" != true ] # there nothing is left out
    exit 77
fi
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# A port that was free a moment ago.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 10\nmax_topic_alias 10\n' \
    "$port" >"$work/mosquitto.conf"
mosquitto -c "$work/mosquitto.conf" >"$work/log" 2>&1 &
server=$!
tries=0
until "$client" "$port" 600 2>"$work/err" || [ "$tries" -ge 20 ]; do # until it listens
    grep -q 'mqtt_general_open' "$work/err" || { cat "$work/err" "$work/log"; exit 1; }
    tries=$((tries + 1))
    sleep 0.2
done
[ "$tries" -lt 20 ]
kill "$server"
wait "$server" || true

"$broker" 0 >"$work/port" &
server=$!
tries=0
until [ -s "$work/port" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ]
    sleep 0.1
done
port=$(cut -d' ' -f2 "$work/port")
for qos in 0 1 2; do
    mosquitto_sub -V mqttv5 -p "$port" -t 'a/+' -q "$qos" -C 1 -W 20 -F '%t %q %p %P' >"$work/got" &
    sub=$!
    sleep 0.5
    mosquitto_pub -V mqttv5 -p "$port" -t a/b -q "$qos" -m hello -D publish user-property k v
    wait "$sub"
    [ "$(cat "$work/got")" = "a/b $qos hello k:v" ] || { cat "$work/got"; exit 1; }
done
mosquitto_pub -V mqttv5 -p "$port" -t kept -r -q 1 -m there
[ "$(mosquitto_sub -V mqttv5 -p "$port" -t kept -C 1 -W 20 -F '%r %p')" = "1 there" ]
kill "$server"
wait "$server"
server=
echo "mosquitto: all as it should be"
