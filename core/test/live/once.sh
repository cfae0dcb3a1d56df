#!/bin/sh
# Messages of QoS 2 through connections that are cut, and through a broker that is killed: the client
# says whether each came exactly once.
#   once.sh BROKER CUTTER SEED CUTS KILLS CLIENT [ARGUMENT...]
# BROKER: mosquitto, mochi, or live_broker, which keeps its state in a database. The client gets two
# ports behind its arguments, each of a cutter: for its publisher and for its subscriber. CUTS: of
# each (PUBLISHER_CUTS: of that one); from byte PUBLISHER_MIN, and SUBSCRIBER_MIN, of a connection (1),
# to BYTES_MAX (2000). KILLS: kill -9 of the broker, which begins anew at once (ours alone). Of each
# four fifths must strike, and half of the cuts inside a packet. Exit code 77: what is not ours is not
# installed.
set -eu
broker=$1 cutter=$2 seed=$3 cuts=$4 kills=$5
shift 5
# shellcheck source=core/test/live/serve.sh
. "$(dirname "$0")/serve.sh"

# shellcheck disable=SC2119 # serve_mosquitto: no more lines
case $broker in
mosquitto) serve_mosquitto ;;
mochi) serve_mochi ;;
*) say_port broker "$broker" 0 "$work/broker.db" ;;
esac
broker_pid=$server
broker_port=$port
max=${BYTES_MAX:-2000}
say_port publisher "$cutter" "$broker_port" "$seed" "${PUBLISHER_CUTS:-$cuts}" \
    "${PUBLISHER_MIN:-1}" "$max"
publisher_pid=$server
publisher_port=$port
say_port subscriber "$cutter" "$broker_port" "$((seed + 1))" "$cuts" "${SUBSCRIBER_MIN:-1}" "$max"
subscriber_pid=$server

"$@" "$publisher_port" "$port" >"$work/client.out" 2>"$work/client.err" &
client=$!
servers="$servers $client"
struck=0
while [ "$struck" -lt "$kills" ]; do
    sleep 0.3
    kill -0 "$client" 2>/dev/null || break
    kill -9 "$broker_pid"
    wait "$broker_pid" 2>/dev/null || true
    struck=$((struck + 1))
    say_port broker "$broker" "$broker_port" "$work/broker.db"
    broker_pid=$server
done
result=0
wait "$client" || result=$?
cat "$work/client.out"
kill "$publisher_pid" "$subscriber_pid"
wait "$publisher_pid"
wait "$subscriber_pid"
for side in publisher subscriber; do
    sed -n "s/^\([0-9]* cuts .*\)/$side: \1/p" "$work/$side.port"
done
echo "$struck kills"
if [ "$result" -ne 0 ]; then
    tail -n 20 "$work"/*.err "$work"/*.log 2>/dev/null || true
    exit "$result"
fi
kill "$broker_pid"
wait "$broker_pid" || [ "$broker" = mochi ]
# strikes NAME CUTS: enough of them, if there were connections at all.
strikes()
{
    awk -v wanted="$2" '/ cuts of [1-9]/ && ($1 < wanted * 0.8 || $6 < wanted * 0.5) { exit 1 }' \
        "$work/$1.port"
}
strikes publisher "${PUBLISHER_CUTS:-$cuts}"
strikes subscriber "$cuts"
[ "$((struck * 5))" -ge "$((kills * 4))" ]
