#!/bin/sh
# The general client against the broker, with a database.
#   self.sh LIVE_CLIENT LIVE_BROKER
set -eu
client=$1 broker=$2
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
"$broker" 0 "$work/broker.db" >"$work/port" &
server=$!
tries=0
until [ -s "$work/port" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ]
    sleep 0.1
done
"$client" "$(cut -d' ' -f2 "$work/port")" 600
kill "$server"
wait "$server"
server=
