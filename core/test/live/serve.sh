# shellcheck shell=sh
# To be sourced by live tests: a folder for the test, $work, and servers on loopback that end with it.
# Each sets $port and $server.
work=$(mktemp -d)
server=
servers=
trap 'end_all' EXIT
trap 'exit 1' INT TERM

end_all()
{
    for one in $servers; do
        kill -9 "$one" 2>/dev/null || true # mochi-mqtt stands still at SIGTERM when a session does
    done
    rm -rf "$work"
}

# Exit code 77 skips a test, but in CI nothing is left out.
skip()
{
    echo "$1"
    [ "${CI:-}" != true ] || exit 1
    exit 77
}

# wait_for FILE PATTERN: a line of it, for at most 20 seconds.
wait_for()
{
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -ge 400 ]; then
            echo "there is no '$2' in $1:"
            cat "$1"
            exit 1
        fi
        sleep 0.05
    done
}

# A port that was free a moment ago.
free_port()
{
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# say_port NAME COMMAND...: a program of ours that says its port.
say_port()
{
    name=$1
    shift
    : >"$work/$name.port"
    "$@" >"$work/$name.port" 2>>"$work/$name.err" &
    server=$!
    servers="$servers $server"
    wait_for "$work/$name.port" '^port '
    port=$(sed -n 's/^port //p' "$work/$name.port")
}

# serve_mosquitto [LINE...]: with these lines in its configuration, behind its listener.
serve_mosquitto()
{
    PATH=$PATH:/usr/sbin
    if ! command -v mosquitto >/dev/null 2>&1; then
        skip "mosquitto is not installed: scripts/setup.sh --daemons"
    fi
    port=$(free_port)
    {
        printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port"
        printf 'max_inflight_messages 10\nmax_topic_alias 10\n'
        printf 'user %s\n' "$(id -un)" # else root becomes somebody who cannot read what is here
        printf '%s\n' "$@"
    } >"$work/mosquitto.conf"
    mosquitto -c "$work/mosquitto.conf" >"$work/mosquitto.log" 2>&1 &
    server=$!
    servers="$servers $server"
    wait_for "$work/mosquitto.log" ' running'
}

need_mosquitto_clients()
{
    if ! command -v mosquitto_sub >/dev/null 2>&1; then
        skip "mosquitto-clients is not installed: scripts/setup.sh"
    fi
}

# The second broker: mochi-mqtt, where scripts/fetch.sh has put it ($MOCHI).
serve_mochi()
{
    if [ ! -x "${MOCHI:-}" ]; then
        skip "mochi-mqtt is not there: scripts/fetch.sh mochi builds it"
    fi
    port=$(free_port)
    "$MOCHI" -tcp "127.0.0.1:$port" -ws 127.0.0.1:0 -info 127.0.0.1:0 >"$work/mochi.log" 2>&1 &
    server=$!
    servers="$servers $server"
    wait_for "$work/mochi.log" 'server started'
}

# forget PID: it has ended, and the number may be another's by now.
forget()
{
    kept=
    for one in $servers; do
        [ "$one" = "$1" ] || kept="$kept $one"
    done
    servers=$kept
}

# end_server: it ends in order.
end_server()
{
    kill "$server"
    forget "$server"
    wait "$server"
}
