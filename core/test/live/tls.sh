#!/bin/sh
# TLS 1.3 with certificates on both ends: the client and mosquitto, the broker and mosquitto_pub and
# paho. Who is of another authority, expired or revoked is refused, on both sides.
#   tls.sh LIVE_BROKER LIVE_CLIENT LIVE_CERTIFICATES    exit code 77: mosquitto or paho is not installed
set -eu
broker=$1 client=$2 certificates=$3
here=$(dirname "$0")
# shellcheck source=core/test/live/serve.sh
. "$here/serve.sh"
need_mosquitto_clients
"$here/paho.sh" paho_tls.py >"$work/out" 2>&1 || [ $? -ne 77 ] || skip "$(cat "$work/out")"
tls=$work/tls
mkdir "$tls"
"$certificates" "$tls"

checks=0

# expect CODE PATTERN FILE COMMAND...: it ends so (x: with any code but 0), and a line of FILE (-: what
# it says) has the pattern.
expect()
{
    code=$1 pattern=$2 file=$3
    shift 3
    result=0
    "$@" >"$work/out" 2>&1 || result=$?
    [ "$file" != - ] || file=$work/out
    [ "$result" -eq 0 ] || [ "$code" != x ] || code=$result
    if [ "$result" != "$code" ] || { [ -n "$pattern" ] && ! grep -q "$pattern" "$file"; }; then
        echo "expected $code and '$pattern', got $result of: $*"
        tail -n 20 "$work/out" "$file"
        exit 1
    fi
    checks=$((checks + 1))
}

# refused PATTERN CODE COMMAND...: it ends so, and $errors, of the server, has one more such line.
refused()
{
    why=$1 code=$2
    shift 2
    lines=$(grep -c "$why" "$errors" || true)
    expect "$code" '' - "$@"
    tries=0
    until [ "$(grep -c "$why" "$errors")" -gt "$lines" ]; do
        tries=$((tries + 1))
        if [ "$tries" -ge 100 ]; then
            echo "the server does not say '$why' of: $*"
            tail -n 20 "$errors"
            exit 1
        fi
        sleep 0.05
    done
}

# --- the client, and mosquitto as the broker ------------------------------------------------------

# begin_mosquitto CERTIFICATE
begin_mosquitto()
{
    serve_mosquitto "cafile $tls/ours.pem" "certfile $tls/$1.pem" "keyfile $tls/$1.key" \
        "crlfile $tls/client_revoked.crl" 'require_certificate true' 'tls_version tlsv1.3'
}

# live CERTIFICATE REVOKED ARGUMENT...
live()
{
    certificate=$1 revoked=$2
    shift 2
    "$client" -1 -a "$tls/ours.pem" -c "$tls/$certificate.pem" -k "$tls/$certificate.key" \
        -r "$tls/$revoked.crl" "$@" "$port"
}

begin_mosquitto server
expect 0 ' came' - live client none -n 300 -b 3
expect 3 'tls: .*certificate revoked' - live client server -x
errors=$work/mosquitto.log
for who in strange expired revoked; do
    refused 'certificate verify failed' 3 live "client_$who" none -x
done
end_server
for case in 'server_strange:unable to get local issuer' 'server_expired:has expired' \
    'client:hostname mismatch'; do
    begin_mosquitto "${case%%:*}"
    expect 3 "tls: .*${case#*:}" - live client none -x
    end_server
done

# --- the broker, and the clients of others --------------------------------------------------------

# begin_broker CERTIFICATE
begin_broker()
{
    say_port broker "$broker" -a "$tls/ours.pem" -c "$tls/$1.pem" -k "$tls/$1.key" \
        -r "$tls/client_revoked.crl" 0
}

# publish CERTIFICATE ARGUMENT...: --insecure leaves out the name alone, which is not 127.0.0.1.
publish()
{
    certificate=$1
    shift
    timeout 10 mosquitto_pub -V mqttv5 -h 127.0.0.1 -p "$port" -t secret -q 2 -m "$certificate" \
        --cafile "$tls/ours.pem" --cert "$tls/$certificate.pem" --key "$tls/$certificate.key" "$@"
}

paho()
{
    "$here/paho.sh" paho_tls.py "$port" "$tls" "$@"
}

begin_broker server
errors=$work/broker.err
expect 0 '' - publish client --insecure --tls-version tlsv1.3 -r
expect 0 'client' - timeout 10 mosquitto_sub -V mqttv5 -h 127.0.0.1 -p "$port" -t secret -q 2 -C 1 \
    --insecure --cafile "$tls/ours.pem" --cert "$tls/client.pem" --key "$tls/client.key"
expect 0 '' - paho client none
expect x 'TLS error' - publish client # the name
expect 3 'certificate revoked' - paho client server
for case in 'client_strange:unable to get local issuer' 'client_expired:has expired' \
    'client_revoked:certificate revoked'; do
    refused "${case#*:}" x publish "${case%%:*}" --insecure
    refused "${case#*:}" 3 paho "${case%%:*}" none
done
refused 'unsupported protocol' 3 paho client none old
refused 'did not return a certificate' x timeout 10 mosquitto_pub -V mqttv5 -h 127.0.0.1 \
    -p "$port" -t secret -m no --cafile "$tls/ours.pem" --insecure
[ "$(timeout 10 mosquitto_sub -V mqttv5 -h 127.0.0.1 -p "$port" -t secret -q 2 -C 1 --insecure \
    --cafile "$tls/ours.pem" --cert "$tls/client.pem" --key "$tls/client.key")" = client ]
end_server
for case in 'server_strange:unable to get local issuer' 'server_expired:has expired'; do
    begin_broker "${case%%:*}"
    expect x 'TLS error' - publish client --insecure
    expect 3 "${case#*:}" - paho client none
    end_server
done
echo "$checks connections as they should be"
