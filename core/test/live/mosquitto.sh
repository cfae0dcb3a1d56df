#!/bin/sh
# Mosquitto's clients against the broker.
#   mosquitto.sh LIVE_BROKER    exit code 77: they are not installed
set -eu
# shellcheck source=core/test/live/serve.sh
. "$(dirname "$0")/serve.sh"
need_mosquitto_clients
say_port broker "$1" 0
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
end_server
echo "mosquitto: all as it should be"
