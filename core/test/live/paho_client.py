"""Paho's client (Python) against the broker: all QoS, a will, retained messages, properties, shared
subscriptions, a session over a broken connection.
  paho_client.py LIVE_BROKER    exit code 77: paho-mqtt is not installed"""
import queue
import subprocess
import sys
import time

try:
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError:
    print("skipped: paho-mqtt is not installed")
    sys.exit(77)

WAIT_S = 20


class Client:
    def __init__(self, port, name, clean=True, expiry=0, will=None):
        args = {"client_id": name, "protocol": mqtt.MQTTv5}
        if hasattr(mqtt, "CallbackAPIVersion"):
            self.paho = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, **args)
        else:
            self.paho = mqtt.Client(**args)
        self.events = queue.Queue()
        self.messages = queue.Queue()
        self.paho.on_connect = lambda c, u, flags, rc, p: self.events.put(("connect", flags, rc, p))
        self.paho.on_subscribe = lambda *a: self.events.put(("subscribe",))
        self.paho.on_publish = lambda *a: self.events.put(("publish",))
        self.paho.on_disconnect = lambda *a: self.events.put(("disconnect", a))
        self.paho.on_message = lambda c, u, m: self.messages.put(m)
        if will:
            self.paho.will_set(*will)
        connect = Properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = expiry
        self.paho.connect("127.0.0.1", port, clean_start=clean, properties=connect)
        self.paho.loop_start()
        self.connack = self.wait("connect")
        assert self.connack[2] == 0, self.connack

    def wait(self, kind):
        end = time.time() + WAIT_S
        while time.time() < end:
            event = self.events.get(timeout=WAIT_S)
            if event[0] == kind:
                return event
        raise AssertionError(kind)

    def present(self):
        flags = self.connack[1]
        return bool(flags["session present"] if isinstance(flags, dict) else flags.session_present)

    def subscribe(self, topic, **options):
        self.paho.subscribe(topic, options=SubscribeOptions(**options))
        self.wait("subscribe")

    def message(self):
        return self.messages.get(timeout=WAIT_S)

    def quiet(self):
        time.sleep(0.2)
        assert self.messages.empty()

    def cut(self):
        """The connection breaks: no DISCONNECT."""
        self.paho.loop_stop()
        self.paho.socket().close()

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()


def everything(port):
    sub = Client(port, "sub")
    pub = Client(port, "pub")
    sub.subscribe("a/+", qos=2)
    for qos in (0, 1, 2):
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("k", "2"), ("k", "1")]
        properties.ContentType = "text"
        properties.ResponseTopic = "r"
        properties.CorrelationData = b"\xff"
        properties.MessageExpiryInterval = 60
        info = pub.paho.publish("a/b", f"q{qos}", qos=qos, properties=properties)
        info.wait_for_publish(WAIT_S)
        message = sub.message()
        assert (message.payload, message.qos) == (f"q{qos}".encode(), qos), message
        assert message.properties.UserProperty == [("k", "2"), ("k", "1")]
        assert message.properties.ContentType == "text"
        assert message.properties.CorrelationData == b"\xff"
        assert message.properties.MessageExpiryInterval <= 60

    for index in range(200):
        pub.paho.publish("a/many", str(index), qos=index % 3)
    seen = [[], [], []]
    for _ in range(200):
        message = sub.message()
        seen[message.qos].append(int(message.payload))
    for qos in (0, 1, 2):
        assert seen[qos] == list(range(qos, 200, 3)), qos

    pub.paho.publish("kept", "r", qos=1, retain=True).wait_for_publish(WAIT_S)
    sub.subscribe("kept", qos=0)
    message = sub.message()
    assert message.retain and message.payload == b"r"
    pub.paho.publish("kept", "", qos=1, retain=True).wait_for_publish(WAIT_S)
    assert sub.message().payload == b""
    sub.subscribe("own", qos=0, noLocal=True)
    sub.paho.publish("own", "x")
    sub.quiet()

    sub.subscribe("will", qos=1)
    dying = Client(port, "dying", will=("will", "gone", 1))
    dying.cut()
    assert sub.message().payload == b"gone"
    leaving = Client(port, "leaving", will=("will", "gone", 1))
    leaving.close()
    sub.quiet()

    left = Client(port, "left")
    right = Client(port, "right")
    left.subscribe("$share/s/work", qos=1)
    right.subscribe("$share/s/work", qos=1)
    for index in range(20):
        pub.paho.publish("work", str(index), qos=1).wait_for_publish(WAIT_S)
    time.sleep(0.3)
    got = [left.messages.qsize(), right.messages.qsize()]
    assert sum(got) == 20 and min(got) > 0, got

    away = Client(port, "away", clean=False, expiry=60)
    assert not away.present()
    away.subscribe("later", qos=2)
    away.cut()
    for index in range(10):
        pub.paho.publish("later", str(index), qos=1 + index % 2).wait_for_publish(WAIT_S)
    back = Client(port, "away", clean=False, expiry=60)
    assert back.present()
    seen = [[], [], []]  # paho tells of QoS 2 at its PUBREL: order is that of each QoS
    for _ in range(10):
        message = back.message()
        seen[message.qos].append(int(message.payload))
    assert seen == [[], list(range(0, 10, 2)), list(range(1, 10, 2))], seen
    again = Client(port, "away", clean=False, expiry=60)
    back.wait("disconnect")
    assert again.present()
    for client in (sub, pub, left, right, again):
        client.close()


def main():
    broker = subprocess.Popen([sys.argv[1], "0"], stdout=subprocess.PIPE, text=True)
    try:
        everything(int(broker.stdout.readline().split()[1]))
    finally:
        broker.terminate()
        assert broker.wait(10) == 0
    print("paho: all as it should be")


main()
