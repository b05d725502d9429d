//! Packets in few words, for tests. What a test cares about it sets with struct update:
//! `Publish { retain: true, ..publish("a/b", "hi") }`.

use bytes::Bytes;
use quartet_fabric::mqtt::{
    Connect, Disconnect, Login, Packet, Properties, Property, Publish, Reason, RetainHandling,
    Subscribe, SubscribeFilter, Unsubscribe, Version,
};
use quartet_model::Qos;

/// A CONNECT of MQTT 5 with a clean start.
pub fn connect(client_id: &str) -> Connect {
    connect_as(Version::V5, client_id)
}

/// A CONNECT of any version, with a clean start or session.
pub fn connect_as(version: Version, client_id: &str) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive_s: 0,
        client_id: client_id.into(),
        will: None,
        login: Login::default(),
        properties: Properties::none(),
    }
}

/// Properties in a row.
pub fn properties(all: impl IntoIterator<Item = Property>) -> Properties {
    all.into_iter().collect()
}

/// A message of QoS 0.
pub fn publish(topic: &str, payload: &str) -> Publish {
    publish_at(Qos::AtMostOnce, 0, topic, payload)
}

/// A message of any QoS.
pub fn publish_at(qos: Qos, packet_id: u16, topic: &str, payload: &str) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic.into(),
        packet_id,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: Bytes::new(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// A SUBSCRIBE to filters with the highest QoS of each.
pub fn subscribe(packet_id: u16, filters: &[(&str, Qos)]) -> Subscribe {
    let filters = filters.iter().map(|&(text, qos)| filter(text, qos));
    Subscribe {
        packet_id,
        properties: Properties::none(),
        filters: filters.collect(),
    }
}

/// A filter with its highest QoS and no options.
pub fn filter(text: &str, qos: Qos) -> SubscribeFilter {
    SubscribeFilter {
        filter: text.into(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}

/// An UNSUBSCRIBE from filters.
pub fn unsubscribe(packet_id: u16, filters: &[&str]) -> Unsubscribe {
    Unsubscribe {
        packet_id,
        properties: Properties::none(),
        filters: filters.iter().map(|&filter| filter.into()).collect(),
    }
}

/// A DISCONNECT with a reason.
pub fn disconnect(reason: Reason) -> Disconnect {
    Disconnect {
        reason,
        properties: Properties::none(),
    }
}

/// The payloads of messages, as text.
pub fn said(messages: &[Publish]) -> Vec<String> {
    let text = |message: &Publish| String::from_utf8_lossy(&message.payload).into_owned();
    messages.iter().map(text).collect()
}

/// The topics of messages.
pub fn topics(messages: &[Publish]) -> Vec<String> {
    let topic = |message: &Publish| message.topic.to_string();
    messages.iter().map(topic).collect()
}

/// The reason codes of a SUBACK, an UNSUBACK, or of what else has one.
pub fn reasons(packet: &Packet) -> Vec<Reason> {
    match packet {
        Packet::SubAck(ack) | Packet::UnsubAck(ack) => ack.reasons.clone(),
        Packet::ConnAck(ack) => vec![ack.reason],
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            vec![ack.reason]
        }
        Packet::Disconnect(disconnect) => vec![disconnect.reason],
        Packet::Auth(auth) => vec![auth.reason],
        _ => Vec::new(),
    }
}

/// A frame by hand: first byte, length, parts. For up to 127 bytes.
pub fn frame(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u8::try_from(body.len()).ok().filter(|&length| length < 128);
    let length = length.expect("frames by hand are short");
    [&[first, length], &body[..]].concat()
}

/// Text with its length in front.
pub fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("texts by hand are short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}
