#!/bin/sh
# brownout-gateway as a broker on loopback, called as live_broker is; it is the daemon that signals and
# the exit code are of. GATEWAY: the daemon.
#   gateway_broker.sh PORT [DATABASE]    with DATABASE its sessions outlive it, in DATABASE.state
set -eu
work=$(mktemp -d)
umask 077
key=9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
echo "seed = $key" >"$work/keys"
echo "7 $key" >"$work/devices"
cat >"$work/gateway.conf" <<CONF
id = 2
state = ${2:-$work/broker}.state
keys = keys
devices = devices
listen = 127.0.0.1:0
cloud = 1 127.0.0.1:9
backoff_base = 1h
backoff_cap = 1h
broker_listen = 127.0.0.1:$1
broker_durable = $(($# > 1))
broker_session_expiry = 1h
CONF
"$GATEWAY" --check "$work/gateway.conf" >/dev/null
: >"$work/log"
(
    port=
    until [ -n "$port" ] &&
        python3 -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()" 2>/dev/null; do
        kill -0 $$ 2>/dev/null || { cat "$work/log" >&2; break; }
        sleep 0.05
        port=$(sed -n 's/.* event=broker .*port=\([0-9]*\) .*/\1/p' "$work/log")
    done
    echo "port $port"
    exec >/dev/null 2>&1 # whoever reads to the end has all
    while kill -0 $$; do
        sleep 0.2
    done
    rm -rf "$work"
) &
exec "$GATEWAY" "$work/gateway.conf" 2>"$work/log"
