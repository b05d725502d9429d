//! Valid input by hand, for mutation to begin with.

use bytes::Bytes;
use quartet_fabric::{
    mqtt::{
        Ack, Auth, ConnAck, Connect, Login, Packet, Properties, Property, Publish, Reason,
        RetainHandling, SubAck, Subscribe, SubscribeFilter, Version, Will,
    },
    websocket::put_header,
};
use quartet_model::Qos;

use crate::{
    Chance, connect_as, disconnect, filter, properties, publish, publish_at, subscribe, unsubscribe,
};

/// One thing that takes bytes of strangers.
pub struct Target {
    /// As `cargo fuzz` calls it.
    pub name: &'static str,
    /// What must hold for any bytes.
    pub run: fn(&[u8]),
    /// Input to begin with.
    pub samples: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "codec",
        run: super::codec,
        samples: frames_of_all,
    },
    Target {
        name: "frames",
        run: super::frames,
        samples: conversations,
    },
    Target {
        name: "websocket",
        run: super::websocket,
        samples: masked_frames,
    },
    Target {
        name: "upgrade",
        run: super::upgrade,
        samples: requests,
    },
    Target {
        name: "proxy",
        run: super::proxy,
        samples: headers,
    },
    Target {
        name: "topics",
        run: super::topics,
        samples: lines,
    },
    Target {
        name: "config",
        run: super::config,
        samples: configurations,
    },
    Target {
        name: "two_parties",
        run: super::two_parties,
        samples: scripts,
    },
];

/// At least one packet of each type that the version has, bare and with all that may be in it.
pub fn packets(version: Version) -> Vec<Packet> {
    let v5 = version == Version::V5;
    let text = || "reason".into();
    let user = || Property::UserProperty("name".into(), "value".into());
    let some = |all: Vec<Property>| {
        if v5 {
            properties(all)
        } else {
            Properties::none()
        }
    };
    let ack = |reason| Ack {
        packet_id: 1,
        reason: if v5 { reason } else { Reason::Success },
        properties: some(vec![Property::ReasonString(text()), user()]),
    };
    let suback = |reasons| SubAck {
        packet_id: 2,
        properties: some(vec![user()]),
        reasons,
    };
    let mut packets = vec![
        Packet::Connect(Box::new(connect_as(version, "a"))),
        Packet::Connect(Box::new(full_connect(version, &some))),
        Packet::ConnAck(ConnAck {
            session_present: true,
            reason: Reason::Success,
            properties: some(connack_properties()),
        }),
        Packet::ConnAck(ConnAck {
            session_present: false,
            reason: Reason::NotAuthorized,
            properties: Properties::none(),
        }),
        Packet::Publish(publish("a/b", "hello")),
        Packet::Publish(publish_at(Qos::AtLeastOnce, 1, "a", "")),
        Packet::Publish(full_publish(v5)),
        Packet::PubAck(ack(Reason::NoMatchingSubscribers)),
        Packet::PubRec(ack(Reason::QuotaExceeded)),
        Packet::PubRel(ack(Reason::PacketIdentifierNotFound)),
        Packet::PubComp(ack(Reason::Success)),
        Packet::Subscribe(subscribe(2, &[("a/+", Qos::ExactlyOnce)])),
        Packet::Subscribe(full_subscribe(v5, &some)),
        Packet::SubAck(suback(vec![Reason::GrantedQos1, Reason::UnspecifiedError])),
        Packet::Unsubscribe(unsubscribe(3, &["a/+", "$share/s/#"])),
        Packet::UnsubAck(suback(if v5 { vec![Reason::Success] } else { vec![] })),
        Packet::PingReq,
        Packet::PingResp,
        Packet::Disconnect(disconnect(Reason::Success)),
    ];
    if v5 {
        let mut leave = disconnect(Reason::DisconnectWithWill);
        leave.properties.push(Property::SessionExpiryInterval(9));
        leave.properties.push(Property::ReasonString(text()));
        leave.properties.push(Property::ServerReference(text()));
        packets.push(Packet::Disconnect(leave));
        packets.push(Packet::Auth(Auth {
            reason: Reason::ContinueAuthentication,
            properties: properties([
                Property::AuthenticationMethod("m".into()),
                Property::AuthenticationData(Bytes::from_static(b"d")),
            ]),
        }));
    }
    packets
}

fn full_connect(version: Version, some: &impl Fn(Vec<Property>) -> Properties) -> Connect {
    let mut passed_on = Vec::new();
    if version == Version::V5 {
        Property::ContentType("text".into()).write(&mut passed_on);
    }
    Connect {
        clean_start: false,
        keep_alive_s: 20,
        will: Some(Will {
            topic: "a/will".into(),
            payload: Bytes::from_static(b"gone"),
            qos: Qos::AtLeastOnce,
            retain: true,
            delay_s: if version == Version::V5 { 3 } else { 0 },
            expiry_s: (version == Version::V5).then_some(60),
            properties: passed_on.into(),
        }),
        login: Login {
            user_name: Some("user".into()),
            password: Some(Bytes::from_static(b"secret")),
        },
        properties: some(vec![
            Property::SessionExpiryInterval(30),
            Property::ReceiveMaximum(2),
            Property::MaximumPacketSize(200),
            Property::TopicAliasMaximum(2),
            Property::RequestResponseInformation(true),
            Property::RequestProblemInformation(false),
            Property::UserProperty("name".into(), "value".into()),
        ]),
        ..connect_as(version, "b")
    }
}

fn connack_properties() -> Vec<Property> {
    vec![
        Property::AssignedClientIdentifier("c".into()),
        Property::ServerKeepAlive(10),
        Property::MaximumQos(1),
        Property::RetainAvailable(true),
        Property::WildcardSubscriptionAvailable(true),
        Property::SubscriptionIdentifierAvailable(true),
        Property::SharedSubscriptionAvailable(false),
        Property::ResponseInformation("r".into()),
    ]
}

fn full_publish(v5: bool) -> Publish {
    let mut passed_on = Vec::new();
    if v5 {
        Property::PayloadFormatIndicator(true).write(&mut passed_on);
        Property::ResponseTopic("a/answer".into()).write(&mut passed_on);
        Property::CorrelationData(Bytes::from_static(b"1")).write(&mut passed_on);
    }
    Publish {
        dup: true,
        retain: true,
        alias: v5.then_some(1),
        expiry_s: v5.then_some(7),
        properties: passed_on.into(),
        ..publish_at(Qos::ExactlyOnce, 4, "a/c", "kept")
    }
}

fn full_subscribe(v5: bool, some: &impl Fn(Vec<Property>) -> Properties) -> Subscribe {
    Subscribe {
        properties: some(vec![Property::SubscriptionIdentifier(300)]),
        filters: vec![
            SubscribeFilter {
                no_local: v5,
                retain_as_published: v5,
                retain_handling: match v5 {
                    true => RetainHandling::SendIfNew,
                    false => RetainHandling::Send,
                },
                ..filter("a/#", Qos::AtLeastOnce)
            },
            filter("$share/s/a/+", Qos::ExactlyOnce),
        ],
        ..subscribe(5, &[])
    }
}

fn encoded(version: Version) -> impl Iterator<Item = Vec<u8>> {
    packets(version).into_iter().map(move |packet| {
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes);
        bytes
    })
}

fn frames_of_all() -> Vec<Vec<u8>> {
    let v311 = encoded(Version::V311);
    v311.chain(encoded(Version::V5)).collect()
}

/// All packets that clients send, one after the other, behind a CONNECT of each version.
fn conversations() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (begin, version) in [(1, Version::V311), (2, Version::V5)] {
        let cuts = [begin, 3, 1, 4, 1, 5, 9, 2, 6];
        for packet in encoded(version) {
            all.push([&cuts[..], &packet, &[0xC0, 0]].concat());
        }
        let of_clients = encoded(version).filter(|bytes| matches!(bytes[0] >> 4, 3 | 8 | 10 | 12));
        let of_clients: Vec<u8> = of_clients.flatten().collect();
        all.push([&cuts[..], &of_clients].concat());
    }
    all
}

fn masked_frames() -> Vec<Vec<u8>> {
    let frame = |first: u8, payload: &[u8]| {
        let mut frame = Vec::new();
        put_header(payload.len(), &mut frame);
        frame[0] = first;
        frame[1] |= 0x80;
        frame.extend_from_slice(&[1, 2, 3, 4]);
        frame.extend_from_slice(payload);
        frame
    };
    let cuts = [1, 2, 3, 5, 8, 13, 21, 34];
    [
        frame(0x82, b"hello"),
        frame(0x82, &[7; 200]),
        [frame(2, b"one"), frame(0x89, b"ping"), frame(0x80, b"two")].concat(),
        [frame(0x8A, b""), frame(0x88, &[3, 232])].concat(),
        frame(0x81, b"text"),
    ]
    .into_iter()
    .map(|frames| [&cuts[..], &frames].concat())
    .collect()
}

fn requests() -> Vec<Vec<u8>> {
    let request = "GET /mqtt HTTP/1.1\r\nHost: hub.local\r\nUpgrade: websocket\r\n\
        Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: other, mqtt\r\n";
    let origin = "Origin: https://hub.local\r\n";
    vec![
        format!("{request}\r\n").into_bytes(),
        format!("{request}{origin}\r\n\u{82}").into_bytes(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
    ]
}

fn headers() -> Vec<Vec<u8>> {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let header = |more: &[u8]| [SIGNATURE, more].concat();
    let v4 = [0x21, 0x11, 0, 12, 10, 0, 0, 7, 10, 0, 0, 1, 48, 57, 0, 80];
    let mut v6 = vec![0x21, 0x21, 0, 40];
    v6.extend_from_slice(&[1; 36]);
    v6.extend_from_slice(&[3, 0, 1, 0]);
    let mut unix = vec![0x21, 0x31, 0, 216];
    unix.extend_from_slice(&[b'/'; 216]);
    vec![
        header(&v4),
        header(&[&v4[..], b"\x10\x02"].concat()),
        header(&v6),
        header(&unix),
        header(&[0x20, 0, 0, 0]),
    ]
}

fn lines() -> Vec<Vec<u8>> {
    [
        "\0a/b/c\na/+/c\na/#\n#\n+/b/#\n$SYS/x\n$SYS/#\n$share/s/a/+\n/\n//\na/",
        "\0sport/tennis\nsport/+\nsport/#\nsport\nsport/\n+\n+/+\n/+\nsport/tennis/player1",
        "\0a#\na/#/b\n$share\n$share//a\n$share/s/#\na\u{1}b\na/\u{1}\n\u{e9}",
        "\u{1}abcdefghijklmnopqrstuvwxyz0123456789",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

fn configurations() -> Vec<Vec<u8>> {
    [
        "",
        "data = \"d\"\nlisten = [\"mqtt://127.0.0.1:1883\", \"ws://[::1]:8083/mqtt?proxy=v2\"]\n",
        "listeners = [\"mqtts://0.0.0.0:8883?client-certificates=required\"]\nopen = true\n",
        "lanes = 2\nlog = \"info,quartet=debug\"\n[limits]\npacket_bytes_max = \"1 MiB\"\n\
            connect_timeout_s = \"10 s\"\nkeep_alive_s_max = 0\n",
        "[tls]\ncertificate = \"c.pem\"\nkey = 'k.pem'\n[websocket]\n\
            origins = [\"https://app.example\"]\n",
        "[limits]\nqueue_messages_max = -1 # \u{e4}\nno_such = 1\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Any bytes are a script; these are as long as mutation likes them.
fn scripts() -> Vec<Vec<u8>> {
    let mut chance = Chance::new(4);
    let script = |length| (0..length).map(|_| chance.number() as u8).collect();
    [40, 80, 160, 320].map(script).into()
}
