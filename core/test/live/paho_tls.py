"""paho over TLS 1.3: a message of QoS 2 to itself through the broker.
  paho_tls.py PORT FOLDER CERTIFICATE REVOKED [old]
FOLDER holds what live_certificates makes; REVOKED is one of its lists; old: offer TLS 1.2 alone.
The broker has to be node 2.
Exit code 0: it came back; 3: the connection was refused, and TLS may have said why (a reset
overrides the alert of a server that has more to read)."""
import queue
import ssl
import sys
import time

from paho.mqtt import client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

WAIT_S = 10


class Context(ssl.SSLContext):
    """The name to be found in the certificate is a node's, not that of the address."""

    def wrap_socket(self, sock, **options):
        return super().wrap_socket(sock, **{**options, "server_hostname": "node-2.brownout"})


def main():
    port, folder, certificate = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    version = ssl.TLSVersion.TLSv1_2 if sys.argv[5:] == ["old"] else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(f"{folder}/ours.pem")
    context.load_cert_chain(f"{folder}/{certificate}.pem", f"{folder}/{certificate}.key")
    context.load_verify_locations(f"{folder}/{sys.argv[4]}.crl")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    callbacks = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
    paho = mqtt.Client(*callbacks, client_id="tls", protocol=mqtt.MQTTv5)
    events = queue.Queue()
    paho.on_connect = lambda *_: paho.subscribe("tls", options=SubscribeOptions(qos=2))
    paho.on_subscribe = lambda *_: paho.publish("tls", "through", qos=2)
    paho.on_message = lambda c, u, message: events.put(message.payload)
    paho.on_disconnect = lambda *_: events.put(None)
    paho.tls_set_context(context)
    end = time.time() + WAIT_S
    try:
        paho.connect("127.0.0.1", port)
        while events.empty() and time.time() < end:
            paho.loop(0.1)
    except (ssl.SSLError, ConnectionError) as error:  # this side's word, or the alert of the other
        print(error)
        sys.exit(3)
    if events.empty():
        sys.exit("nothing came back")
    sys.exit(0 if events.get() == b"through" else 3)


main()
