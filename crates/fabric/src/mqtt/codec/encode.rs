//! From a packet to the bytes of its frame.

use bytes::BufMut;
use quartet_model::Qos;

use crate::mqtt::{
    Ack, Connect, Packet, PacketKind, Properties, Property, Publish, Reason, Subscribe, Version,
    Will,
};

/// Writes a variable byte integer with the fewest bytes (section 1.5.5).
pub(in crate::mqtt) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7F {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// How many bytes [`put_varint`] writes.
pub(in crate::mqtt) const fn varint_length(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Writes a 16-bit length and the bytes. What is longer than 65,535 is cut: callers hold
/// texts that came over the wire or are checked for length.
pub(in crate::mqtt) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.extend_from_slice(&bytes[..usize::from(length)]);
}
/// Writes a PUBLISH.
pub fn put_publish(publish: &Publish, version: Version, out: &mut Vec<u8>) {
    let mut properties = Vec::new();
    if version == Version::V5 {
        if let Some(s) = publish.expiry_s {
            Property::MessageExpiryInterval(s).write(&mut properties);
        }
        if let Some(alias) = publish.alias {
            Property::TopicAlias(alias).write(&mut properties);
        }
        for id in &publish.subscription_ids {
            Property::SubscriptionIdentifier(*id).write(&mut properties);
        }
        properties.extend_from_slice(&publish.properties);
    }
    let first = (PacketKind::Publish as u8) << 4
        | u8::from(publish.dup) << 3
        | publish.qos.level() << 1
        | u8::from(publish.retain);
    put_packet(first, out, |body| {
        put_binary(body, publish.topic.as_bytes());
        if publish.qos != Qos::AtMostOnce {
            body.put_u16(publish.packet_id);
        }
        if version == Version::V5 {
            put_varint(body, properties.len() as u32);
            body.extend_from_slice(&properties);
        }
        body.extend_from_slice(&publish.payload);
    });
}

/// Writes the first byte, the length and what `body` writes.
fn put_packet(first: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let mut rest = Vec::with_capacity(64);
    body(&mut rest);
    out.put_u8(first);
    put_varint(out, rest.len() as u32);
    out.extend_from_slice(&rest);
}

impl Packet {
    /// Writes the packet in the form of `version`.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) {
        use PacketKind as P;
        let v5 = version == Version::V5;
        match self {
            Self::Publish(publish) => put_publish(publish, version, out),
            Self::Connect(connect) => put_packet(0x10, out, |body| put_connect(connect, body)),
            Self::ConnAck(connack) => put_packet(0x20, out, |body| {
                body.put_u8(u8::from(connack.session_present));
                if v5 {
                    body.put_u8(connack.reason.code());
                    connack.properties.write(body);
                } else {
                    body.put_u8(connack.reason.connect_return_code());
                }
            }),
            Self::PubAck(ack) => put_ack(P::PubAck, 0, ack, v5, out),
            Self::PubRec(ack) => put_ack(P::PubRec, 0, ack, v5, out),
            Self::PubRel(ack) => put_ack(P::PubRel, 0b10, ack, v5, out),
            Self::PubComp(ack) => put_ack(P::PubComp, 0, ack, v5, out),
            Self::Subscribe(subscribe) => put_packet(0x82, out, |body| {
                put_subscribe(subscribe, v5, body);
            }),
            Self::Unsubscribe(unsubscribe) => put_packet(0xA2, out, |body| {
                body.put_u16(unsubscribe.packet_id);
                if v5 {
                    unsubscribe.properties.write(body);
                }
                for filter in &unsubscribe.filters {
                    put_binary(body, filter.as_bytes());
                }
            }),
            Self::SubAck(suback) => put_packet(0x90, out, |body| {
                body.put_u16(suback.packet_id);
                if v5 {
                    suback.properties.write(body);
                }
                body.extend(suback.reasons.iter().map(|&reason| match reason {
                    // 3.1.1 knows only 0x80 [3.1.1 MQTT-3.9.3-2].
                    reason if reason.is_error() && !v5 => 0x80,
                    reason => reason.code(),
                }));
            }),
            Self::UnsubAck(unsuback) => put_packet(0xB0, out, |body| {
                body.put_u16(unsuback.packet_id);
                if v5 {
                    unsuback.properties.write(body);
                    body.extend(unsuback.reasons.iter().map(|reason| reason.code()));
                }
            }),
            Self::PingReq => out.extend_from_slice(&[0xC0, 0]),
            Self::PingResp => out.extend_from_slice(&[0xD0, 0]),
            Self::Disconnect(disconnect) => put_packet(0xE0, out, |body| {
                put_short_tail(disconnect.reason, &disconnect.properties, v5, body);
            }),
            Self::Auth(auth) => put_packet(0xF0, out, |body| {
                put_short_tail(auth.reason, &auth.properties, v5, body);
            }),
        }
    }
}

fn put_connect(connect: &Connect, body: &mut Vec<u8>) {
    let name: &[u8] = if connect.version == Version::V31 {
        b"MQIsdp"
    } else {
        b"MQTT"
    };
    put_binary(body, name);
    body.put_u8(connect.version.level());
    let will = connect.will.as_ref();
    body.put_u8(
        u8::from(connect.login.user_name.is_some()) << 7
            | u8::from(connect.login.password.is_some()) << 6
            | will.map_or(0, |will| {
                u8::from(will.retain) << 5 | will.qos.level() << 3 | 0b100
            })
            | u8::from(connect.clean_start) << 1,
    );
    body.put_u16(connect.keep_alive_s);
    let v5 = connect.version == Version::V5;
    if v5 {
        connect.properties.write(body);
    }
    put_binary(body, connect.client_id.as_bytes());
    if let Some(will) = will {
        if v5 {
            put_will_properties(will, body);
        }
        put_binary(body, will.topic.as_bytes());
        put_binary(body, &will.payload);
    }
    if let Some(user_name) = &connect.login.user_name {
        put_binary(body, user_name.as_bytes());
    }
    if let Some(password) = &connect.login.password {
        put_binary(body, password);
    }
}

fn put_will_properties(will: &Will, body: &mut Vec<u8>) {
    let mut list = Vec::new();
    if will.delay_s != 0 {
        Property::WillDelayInterval(will.delay_s).write(&mut list);
    }
    if let Some(s) = will.expiry_s {
        Property::MessageExpiryInterval(s).write(&mut list);
    }
    list.extend_from_slice(&will.properties);
    put_varint(body, list.len() as u32);
    body.extend_from_slice(&list);
}

fn put_subscribe(subscribe: &Subscribe, v5: bool, body: &mut Vec<u8>) {
    body.put_u16(subscribe.packet_id);
    if v5 {
        subscribe.properties.write(body);
    }
    for filter in &subscribe.filters {
        put_binary(body, filter.filter.as_bytes());
        let mut options = filter.qos.level();
        if v5 {
            options |= u8::from(filter.no_local) << 2
                | u8::from(filter.retain_as_published) << 3
                | (filter.retain_handling as u8) << 4;
        }
        body.put_u8(options);
    }
}

fn put_ack(kind: PacketKind, flags: u8, ack: &Ack, v5: bool, out: &mut Vec<u8>) {
    let first = (kind as u8) << 4 | flags;
    if ack.reason == Reason::Success && ack.properties.is_empty() || !v5 {
        let [high, low] = ack.packet_id.to_be_bytes();
        out.extend_from_slice(&[first, 2, high, low]);
        return;
    }
    put_packet(first, out, |body| {
        body.put_u16(ack.packet_id);
        put_short_tail(ack.reason, &ack.properties, v5, body);
    });
}

fn put_short_tail(reason: Reason, properties: &Properties, v5: bool, body: &mut Vec<u8>) {
    if !v5 || reason == Reason::Success && properties.is_empty() {
        return;
    }
    body.put_u8(reason.code());
    if !properties.is_empty() {
        properties.write(body);
    }
}
