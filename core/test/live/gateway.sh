#!/bin/sh
# mosquitto's clients and the broker of brownout-gateway: all QoS, and a session that outlives the
# daemon, whether it was stopped or killed.
#   GATEWAY=DAEMON gateway.sh    exit code 77: mosquitto's clients are not installed
set -eu
if ! command -v mosquitto_sub >/dev/null 2>&1; then
    echo "mosquitto-clients is not installed: scripts/setup.sh --daemons"
    [ "${CI:-}" != true ] || exit 1 # there nothing is left out
    exit 77
fi
here=$(dirname "$0") work=$(mktemp -d) server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

start() {
    : >"$work/port"
    "$here/gateway_broker.sh" 0 "$work/broker" >"$work/port" &
    server=$!
    tries=0
    until grep -q '^port [0-9]' "$work/port"; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ]
        sleep 0.1
    done
    port=$(cut -d' ' -f2 "$work/port")
}

# stop SIGNAL CODE: it ends by this signal, with this exit code.
stop() {
    kill "-$1" "$server"
    code=0
    wait "$server" || code=$?
    [ "$code" = "$2" ]
}

start
for qos in 0 1 2; do
    mosquitto_sub -V mqttv5 -p "$port" -t 'a/+' -q "$qos" -C 1 -W 20 -F '%t %q %p %P' >"$work/got" &
    sub=$!
    sleep 0.5
    mosquitto_pub -V mqttv5 -p "$port" -t a/b -q "$qos" -m hello -D publish user-property k v
    wait "$sub"
    [ "$(cat "$work/got")" = "a/b $qos hello k:v" ] || { cat "$work/got"; exit 1; }
done
session='-V mqttv5 -i away -c -x 600 -t later -q 2'
# shellcheck disable=SC2086
mosquitto_sub -p "$port" $session -E
stop TERM 0
start
mosquitto_pub -V mqttv5 -p "$port" -t later -q 2 -m first
stop KILL 137
start
mosquitto_pub -V mqttv5 -p "$port" -t later -q 1 -m second
# shellcheck disable=SC2086
mosquitto_sub -p "$port" $session -C 2 -W 20 -F '%q %p' >"$work/got"
[ "$(sort "$work/got" | tr '\n' ' ')" = "1 second 2 first " ] || { cat "$work/got"; exit 1; }
stop TERM 0
server=
echo "the gateway's broker: all as it should be"
