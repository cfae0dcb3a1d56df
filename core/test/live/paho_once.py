"""paho publishes and subscribes with QoS 2, in two sessions whose connections break, and wants every
message exactly once: paho_once.py COUNT PUBLISHER_PORT SUBSCRIBER_PORT.

paho 1.6.1 sends all that is not acknowledged at once when it is back, whatever the broker's Receive
Maximum: no more than WINDOW are under way. And a message whose PUBREL is to go again is published
anew [MQTT-4.3.3-6] when a second connection ends, or does not begin, before it went: see Client."""
import os
import sys
import threading
import time

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

GIVE_UP_S = 50
RESEND_PUBREL = 4  # mqtt_ms_resend_pubrel of paho
SETTLE_S = 0.3
WINDOW = 16
TOPIC = "once"


class Client(mqtt.Client):
    """What paho forgets between two connections, kept."""

    def _messages_reconnect_reset_out(self):
        released = [m for m in self._out_messages.values() if m.state == RESEND_PUBREL]
        super()._messages_reconnect_reset_out()
        for message in released:
            message.state = RESEND_PUBREL


class Session:
    def __init__(self, name, port):
        self.connections = 0
        self.subscribed = threading.Event()
        self.room = threading.Semaphore(WINDOW)
        callbacks = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
        self.paho = Client(*callbacks, client_id=f"{name}{os.getpid()}", protocol=mqtt.MQTTv5)
        self.paho.on_connect = self.connected
        self.paho.on_subscribe = lambda *_: self.subscribed.set()
        self.paho.on_publish = lambda *_: self.room.release()
        self.paho.reconnect_delay_set(min_delay=0.02, max_delay=0.1)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 600
        self.paho.connect("127.0.0.1", port, keepalive=5, clean_start=False, properties=properties)

    def connected(self, paho, userdata, flags, reason, properties):
        assert reason == 0, reason
        self.connections += 1


def main():
    count, publisher_port, subscriber_port = (int(word) for word in sys.argv[1:4])
    came = [0] * count
    end = time.time() + GIVE_UP_S
    subscriber = Session("subscriber", subscriber_port)

    def connected(*arguments):
        Session.connected(subscriber, *arguments)
        if not subscriber.subscribed.is_set():
            subscriber.paho.subscribe(TOPIC, options=SubscribeOptions(qos=2))

    def message(paho, userdata, message):
        came[int(message.payload)] += 1

    subscriber.paho.on_connect = connected
    subscriber.paho.on_message = message
    subscriber.paho.loop_start()
    assert subscriber.subscribed.wait(GIVE_UP_S), "no SUBACK"
    publisher = Session("publisher", publisher_port)
    publisher.paho.loop_start()
    for number in range(count):
        assert publisher.room.acquire(timeout=max(0, end - time.time())), f"{number} published"
        publisher.paho.publish(TOPIC, str(number), qos=2)
    for _ in range(WINDOW):
        assert publisher.room.acquire(timeout=max(0, end - time.time())), "not all are acknowledged"
    while min(came) == 0 and time.time() < end:
        time.sleep(0.02)
    time.sleep(SETTLE_S)
    missing = sum(times == 0 for times in came)
    twice = sum(times > 1 for times in came)
    connections = publisher.connections + subscriber.connections
    print(f"{count} messages over {connections} connections: {missing} missing, {twice} came again")
    for session in (publisher, subscriber):
        session.paho.disconnect()
        session.paho.loop_stop()
    sys.exit(missing + twice > 0)


main()
