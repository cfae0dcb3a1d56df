#!/bin/sh
# brownout-gateway as a broker on loopback, called and stopped as live_broker is. GATEWAY: the daemon.
#   gateway_broker.sh PORT [DATABASE]    with DATABASE its sessions outlive it: in DATABASE.state
set -eu
port=$1 work=$(mktemp -d) daemon= ended=0
finish() {
    ended=1
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
}
trap finish TERM INT
state=${2:+$2.state}
umask 077
key=9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
echo "seed = $key" >"$work/keys"
echo "7 $key" >"$work/devices"
cat >"$work/gateway.conf" <<CONF
id = 2
state = ${state:-$work/state}
keys = keys
devices = devices
listen = 127.0.0.1:0
cloud = 1 127.0.0.1:9
broker_listen = 127.0.0.1:$port
broker_durable = $([ -n "$state" ] && echo 1 || echo 0)
broker_session_expiry = 1h
CONF
"$GATEWAY" --check "$work/gateway.conf" >/dev/null
"$GATEWAY" "$work/gateway.conf" 2>"$work/log" &
daemon=$!
tries=0
until port=$(sed -n 's/.* event=broker .*port=\([0-9]*\) .*/\1/p' "$work/log") && [ -n "$port" ] &&
    python3 -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done
echo "port $port"
exec >/dev/null # whoever waits for the end of it has the line
code=0
wait "$daemon" || code=$?
if [ "$ended" = 1 ]; then
    code=0
    wait "$daemon" || code=$?
fi
grep -q ' event=stop ' "$work/log" || { cat "$work/log" >&2; code=1; }
rm -rf "$work"
exit "$code"
