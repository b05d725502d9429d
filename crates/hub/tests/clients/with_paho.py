"""What paho-mqtt does with a hub: with_paho.py PORT VERSION SCHEME AUTHORITY.

Says "done" at the end; anything that is not as it must be ends it with an error.
"""

import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

port, version, scheme, authority = sys.argv[1:]
transport = "websockets" if scheme.startswith("ws") else "tcp"
is_v5 = version == "5"
PATIENCE = 30


class Client:
    """A client that runs in a thread of its own and can be waited for."""

    def __init__(self, name, kept=False, will=None):
        self.changed = threading.Condition()
        self.messages, self.granted, self.session_present, self.is_gone = [], set(), None, False
        name = f"paho-{name}-{version}-{scheme}"
        protocol = mqtt.MQTTv5 if is_v5 else mqtt.MQTTv311
        clean = {} if is_v5 else {"clean_session": not kept}
        self.paho = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, name, protocol=protocol, transport=transport,
            reconnect_on_failure=False, **clean)
        if scheme in ("mqtts", "wss"):
            self.paho.tls_set(authority)
        if will:
            self.paho.will_set(will, "gone", qos=1)
        self.paho.on_connect = self.on_connect
        self.paho.on_subscribe = lambda c, u, mid, codes, p: self.note(self.granted.add, mid)
        self.paho.on_message = lambda c, u, message: self.note(self.messages.append, message)
        self.paho.on_disconnect = lambda *_: self.note(setattr, self, "is_gone", True)
        start = {}
        if is_v5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 300 if kept else 0
            start = {"clean_start": not kept, "properties": properties}
        self.paho.connect("127.0.0.1", int(port), **start)
        self.paho.loop_start()
        self.wait(lambda: self.session_present is not None)

    def on_connect(self, client, userdata, flags, reason, properties):
        assert not reason.is_failure, reason
        self.note(setattr, self, "session_present", flags.session_present)

    def note(self, change, *what):
        with self.changed:
            change(*what)
            self.changed.notify_all()

    def wait(self, holds):
        with self.changed:
            assert self.changed.wait_for(holds, PATIENCE), "waited in vain"

    def subscribe(self, topic, qos=2, **options):
        options = {"options": SubscribeOptions(qos, **options)} if is_v5 else {"qos": qos}
        result, mid = self.paho.subscribe(topic, **options)
        assert result == mqtt.MQTT_ERR_SUCCESS
        self.wait(lambda: mid in self.granted)

    def publish(self, topic, payload, qos=1, **how):
        sent = self.paho.publish(topic, payload, qos, **how)
        sent.wait_for_publish(PATIENCE)
        assert sent.is_published()

    def get(self, count):
        self.wait(lambda: len(self.messages) >= count)
        return [(m.topic, m.qos, m.retain, m.payload) for m in self.messages]

    def leave(self):
        self.paho.disconnect()
        self.wait(lambda: self.is_gone)
        self.paho.loop_stop()

    def die(self):
        """Closes the socket without a word."""
        self.paho.socket().close() if transport == "tcp" else self.paho.socket()._socket.close()
        self.paho.loop_stop()


def topic(name):
    return f"paho/{name}/{version}/{scheme}"


def messages_arrive_exactly_as_sent_at_each_qos():
    client, t = Client("exact"), topic("exact")
    client.subscribe(t)
    sent = [(t, qos, False, bytes(range(256)) * 100) for qos in (0, 1, 2)]
    for _, qos, _, payload in sent:
        client.publish(t, payload, qos)
    assert client.get(3) == sent
    client.leave()


def a_retained_message_stands_until_it_is_cleared():
    client, t = Client("retained"), topic("retained")
    client.publish(t, b"stands", retain=True)
    client.subscribe(t, 1)
    assert client.get(1) == [(t, 1, True, b"stands")]
    client.publish(t, b"", retain=True)
    later = Client("later")
    later.subscribe(t, 1)
    later.publish(t, b"live")
    assert later.get(1) == [(t, 1, False, b"live")]
    client.leave(), later.leave()


def a_will_is_published_when_its_client_is_gone_and_not_when_it_leaves():
    watcher, t = Client("watcher"), topic("will")
    watcher.subscribe(t)
    Client("dying", will=t).leave()
    Client("dying", will=t).die()
    assert watcher.get(1) == [(t, 1, False, b"gone")]
    watcher.publish(t, b"end")
    assert [payload for *_, payload in watcher.get(2)] == [b"gone", b"end"]
    watcher.leave()


def what_was_missed_waits_in_the_session():
    client, t = Client("kept", kept=True), topic("missed")
    assert not client.session_present
    client.subscribe(t)
    client.leave()
    publisher = Client("publisher")
    missed = [(t, qos, False, f"{n}".encode()) for n, qos in enumerate((1, 1, 2, 2))]
    for n in (0, 2, 1, 3):
        publisher.publish(t, missed[n][3], missed[n][1])
    publisher.leave()
    client = Client("kept", kept=True)
    assert client.session_present
    # At QoS 2 a client has a message only when it is released, after others perhaps.
    assert sorted(client.get(4), key=lambda message: message[1]) == missed
    client.leave()


def a_share_gets_each_message_once():
    members, t = [Client(f"member-{n}") for n in range(3)], topic("shared")
    for member in members:
        member.subscribe(f"$share/crew/{t}")
    publisher = Client("publisher")
    sent = [f"job {n}".encode() for n in range(30)]
    for payload in sent:
        publisher.publish(t, payload)
    for member in members:  # QoS 1: an answer comes after all that was sent before it.
        member.subscribe(f"{t}/end")
    publisher.publish(f"{t}/end", b"end")
    for member in members:
        member.wait(lambda: member.messages and member.messages[-1].payload == b"end")
    got = [m.payload for member in members for m in member.messages[:-1]]
    assert sorted(got) == sorted(sent), got
    assert all(len(member.messages) > 1 for member in members), "each member has its part"
    for client in [*members, publisher]:
        client.leave()


def properties_arrive_as_sent():
    client, t = Client("properties"), topic("properties")
    client.subscribe(t)
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 300
    properties.ContentType = "text/plain"
    properties.ResponseTopic = "paho/answer"
    properties.CorrelationData = b"\x00\x01\xff"
    properties.UserProperty = [("a", "1"), ("a", "2"), ("ä", "ö")]
    client.publish(t, "text", 2, properties=properties)
    client.get(1)
    got = client.messages[0].properties
    assert got.PayloadFormatIndicator == 1
    assert 295 <= got.MessageExpiryInterval <= 300
    assert got.ContentType == "text/plain"
    assert got.ResponseTopic == "paho/answer"
    assert got.CorrelationData == b"\x00\x01\xff"
    assert got.UserProperty == [("a", "1"), ("a", "2"), ("ä", "ö")]
    client.leave()


def options_of_a_subscription_hold():
    client, t = Client("options"), topic("options")
    client.subscribe(f"{t}/own", noLocal=True)
    client.subscribe(f"{t}/kept", retainAsPublished=True)
    client.publish(f"{t}/own", b"own")
    client.publish(f"{t}/kept", b"kept", retain=True)
    assert client.get(1) == [(f"{t}/kept", 1, True, b"kept")]
    client.subscribe(f"{t}/kept", retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
    client.publish(f"{t}/kept", b"", retain=True)
    assert [payload for *_, payload in client.get(2)] == [b"kept", b""]
    client.leave()


messages_arrive_exactly_as_sent_at_each_qos()
a_retained_message_stands_until_it_is_cleared()
a_will_is_published_when_its_client_is_gone_and_not_when_it_leaves()
what_was_missed_waits_in_the_session()
if is_v5:
    a_share_gets_each_message_once()
    properties_arrive_as_sent()
    options_of_a_subscription_hold()
print("done")
