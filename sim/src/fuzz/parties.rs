//! A hub with two strangers at it, who say whatever the bytes want, and with two clients who
//! only want to talk to each other. Nothing panics, what waits stays within the limits, what
//! the hub says can be read, and the two hear each other.

use std::time::Duration;

use bytes::Bytes;
use quartet_fabric::mqtt::{
    Connect, Packet, Properties, Property, Publish, Reason, Version, connect_version, decode,
    frame_length,
};
use quartet_hub::config::Limits;
use quartet_model::Qos;

use super::{samples::packets, supply::Supply};
use crate::{Client, Plan, Site, connect, connect_as, publish_at, subscribe, unsubscribe};

/// So little of everything that short scripts come to the limits.
const LIMITS: Limits = Limits {
    audit_bytes_max: 0,
    recent_values_bytes_max: 1 << 20,
    journal_bytes_max: 0,
    packet_bytes_max: 512,
    first_packet_bytes_max: 512,
    connect_timeout_s: 5,
    receive_maximum: 4,
    inflight_max: 4,
    queue_messages_max: 8,
    queue_bytes_max: 1024,
    outbox_bytes_max: 1024,
    slow_consumer_s: 10,
    subscriptions_max: 6,
    topic_levels_max: 6,
    topic_alias_max: 2,
    keep_alive_s_max: 0,
    session_expiry_s_max: 60,
    publish_rate_max: 100,
    publish_burst: 10,
    connect_rate_max: 50,
    connect_burst: 200,
    connections_max: 0,
    retained_messages_max: 8,
    memory_bytes_max: 0,
};

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];
const QOS: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
const NAMES: [&str; 8] = ["a", "a/b", "a/c", "b", "a/b/c", "/", "$SYS/x", "b/a"];
const FILTERS: [&str; 10] = [
    "a",
    "a/b",
    "#",
    "+",
    "a/+",
    "a/#",
    "+/b",
    "$share/s/#",
    "$share/s/a/+",
    "$SYS/#",
];

/// Two strangers at a hub of one lane or two.
pub fn two_parties(data: &[u8]) {
    let mut supply = Supply::new(data);
    let site = Site::of(&Plan {
        lanes: 1 + supply.below(2),
        seed: supply.byte().into(),
        limits: LIMITS,
        ..Plan::default()
    });
    // Names that no script can know beforehand.
    let secret = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut friends = Friends::meet(&site, secret);
    let mut strangers = [Stranger::new(&site), Stranger::new(&site)];
    for _ in 0..200 {
        if supply.is_empty() {
            break;
        }
        for stranger in &mut strangers {
            stranger.act(&site, &mut supply);
        }
        site.settle();
        site.assert_sound();
        if supply.byte().is_multiple_of(4) {
            friends.talk();
        }
    }
    for stranger in &mut strangers {
        stranger.hear();
    }
    friends.talk();
    site.shut_down();
    site.assert_sound();
}

struct Friends {
    site: Site,
    speaker: Client,
    listener: Client,
    topic: String,
    said: usize,
}

impl Friends {
    fn meet(site: &Site, secret: u64) -> Self {
        let friends = Self {
            site: site.clone(),
            speaker: site.connected(connect(&format!("speaker-{secret:x}"))),
            listener: site.connected(connect(&format!("listener-{secret:x}"))),
            topic: format!("friends/{secret:x}"),
            said: 0,
        };
        friends.listener.follow(&friends.topic, Qos::AtLeastOnce);
        friends
    }

    /// What one says the other hears, once.
    fn talk(&mut self) {
        self.said += 1;
        // They talk no faster than everybody may.
        self.site.pass(Duration::from_millis(20));
        let word = self.said.to_string();
        let message = publish_at(Qos::AtLeastOnce, 1, &self.topic, &word);
        match self.speaker.ask(message) {
            Packet::PubAck(ack) => assert_eq!(ack.reason, Reason::Success),
            other => panic!("{other:?}"),
        }
        let heard = crate::said(&self.listener.messages());
        assert_eq!(heard, [word], "the friends do not hear each other");
    }
}

/// A client that says anything.
struct Stranger {
    client: Client,
    sent: Vec<u8>,
    last: Vec<u8>,
    heard: Vec<u8>,
}

impl Stranger {
    fn new(site: &Site) -> Self {
        Self {
            client: site.client(),
            sent: Vec::new(),
            last: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn act(&mut self, site: &Site, supply: &mut Supply<'_>) {
        match supply.below(32) {
            0..=1 => self.come_again(site, supply),
            2 => self.client.take_only(supply.below(2048)),
            3 => self.client.take_only(usize::MAX),
            4 => site.pass(Duration::from_secs(supply.byte().into())),
            5..=6 => site.pass(Duration::from_millis(supply.byte().into())),
            7..=9 => self.hear(),
            10 => {
                let length = supply.below(32);
                self.send(supply.bytes(length).to_vec());
            }
            11..=12 => {
                let times = 1 + supply.below(64);
                self.send(self.last.repeat(times));
            }
            13..=16 => {
                let mut bytes = self.encoded(&any_packet(supply));
                mutate(&mut bytes, supply);
                self.send(bytes);
            }
            _ => {
                let bytes = self.encoded(&any_packet(supply));
                self.send(bytes);
            }
        }
        if self.sent.is_empty() {
            self.connect(supply);
        }
    }

    /// The connection is lost or forgotten, and there is another.
    fn come_again(&mut self, site: &Site, supply: &mut Supply<'_>) {
        self.hear();
        if supply.byte().is_multiple_of(2) {
            self.client.lose();
        }
        *self = Self::new(site);
        self.connect(supply);
    }

    fn connect(&mut self, supply: &mut Supply<'_>) {
        let version = supply.pick(&VERSIONS);
        let hello = match supply.below(4) {
            0 => packets(version).swap_remove(1),
            _ => Packet::Connect(Box::new(any_connect(version, supply))),
        };
        let mut bytes = Vec::new();
        hello.encode(version, &mut bytes);
        self.send(bytes);
    }

    fn version(&self) -> Version {
        connect_version(&self.sent)
    }

    fn encoded(&self, packet: &Packet) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.encode(self.version(), &mut bytes);
        bytes
    }

    fn send(&mut self, bytes: Vec<u8>) {
        self.client.send_bytes(&bytes);
        // The first packet is all that matters later.
        if self.sent.len() < 1024 {
            self.sent.extend_from_slice(&bytes);
        }
        if bytes.len() < 256 {
            self.last = bytes;
        }
    }

    /// All that the hub says is packets, of the version that was asked for.
    fn hear(&mut self) {
        self.heard.extend(self.client.receive_bytes());
        let mut rest = Bytes::from(std::mem::take(&mut self.heard));
        while let Some(length) = frame_length(&rest, usize::MAX).expect("the hub sends packets")
            && length <= rest.len()
        {
            let frame = rest.split_to(length);
            let packet = decode(&frame, self.version());
            packet.unwrap_or_else(|fault| panic!("the hub said {frame:?}: {fault}"));
        }
        self.heard = rest.to_vec();
    }
}

fn any_connect(version: Version, supply: &mut Supply<'_>) -> Connect {
    let flags = supply.byte();
    let mut properties = Properties::none();
    if version == Version::V5 {
        if flags & 1 != 0 {
            properties.push(Property::SessionExpiryInterval(supply.byte().into()));
        }
        if flags & 2 != 0 {
            properties.push(Property::ReceiveMaximum(1 + supply.below(6) as u16));
        }
        if flags & 4 != 0 {
            properties.push(Property::TopicAliasMaximum(supply.below(4) as u16));
        }
        if flags & 8 != 0 {
            properties.push(Property::MaximumPacketSize(1 + supply.below(300) as u32));
        }
    }
    Connect {
        clean_start: flags & 16 != 0,
        keep_alive_s: if flags & 32 != 0 {
            supply.byte().into()
        } else {
            0
        },
        properties,
        // The two take each other's sessions now and then.
        ..connect_as(version, supply.pick(&["a", "b", "c", ""]))
    }
}

fn any_packet(supply: &mut Supply<'_>) -> Packet {
    let packet_id = supply.below(9) as u16;
    let qos = supply.pick(&QOS);
    match supply.below(16) {
        0..=5 => {
            let name = supply.pick(&NAMES);
            let flags = supply.byte();
            let packet_id = packet_id + u16::from(qos != Qos::AtMostOnce);
            let length = if flags & 1 == 0 { 3 } else { supply.below(480) };
            Packet::Publish(Publish {
                retain: flags & 2 != 0,
                alias: (flags & 4 != 0).then(|| u16::from(flags >> 6)),
                expiry_s: (flags & 8 != 0).then(|| u32::from(flags >> 5)),
                topic: if flags & 20 == 20 { "" } else { name }.into(),
                payload: vec![b'x'; length].into(),
                ..publish_at(qos, packet_id, name, "")
            })
        }
        6..=8 => {
            let wanted = (0..1 + supply.below(3)).map(|_| (supply.pick(&FILTERS), qos));
            let wanted: Vec<_> = wanted.collect();
            Packet::Subscribe(subscribe(packet_id + 1, &wanted))
        }
        9 => Packet::Unsubscribe(unsubscribe(packet_id + 1, &[supply.pick(&FILTERS)])),
        10..=13 => {
            let kinds = [
                Packet::PubAck,
                Packet::PubRec,
                Packet::PubRel,
                Packet::PubComp,
            ];
            supply.pick(&kinds)(quartet_fabric::mqtt::Ack {
                packet_id: packet_id + 1,
                reason: Reason::Success,
                properties: Properties::none(),
            })
        }
        14 => Packet::PingReq,
        _ => {
            let mut all = packets(Version::V5);
            let index = supply.below(all.len());
            all.swap_remove(index)
        }
    }
}

/// One bit, one byte, a piece less or a piece twice.
fn mutate(bytes: &mut Vec<u8>, supply: &mut Supply<'_>) {
    let at = supply.below(bytes.len());
    match supply.below(4) {
        0 => bytes[at] ^= 1 << supply.below(8),
        1 => bytes[at] = supply.byte(),
        2 => bytes.truncate(at),
        _ => bytes.extend_from_within(at..),
    }
}
