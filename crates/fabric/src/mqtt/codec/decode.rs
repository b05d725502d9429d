//! From the one packet of a frame, from its first byte to its last.

use bytes::Bytes;
use bytestring::ByteString;
use quartet_model::Qos;

use super::{DUP, Fault, RESERVED_FLAGS, Reader, check_first_byte};
use crate::{
    mqtt::{
        Ack, Auth, ConnAck, Connect, Disconnect, Login, Packet, PacketKind, Properties, Property,
        Publish, Reason, RetainHandling, SubAck, Subscribe, SubscribeFilter, Unsubscribe, Version,
        Will,
        property::{Place, Seen},
    },
    topic,
};

/// Reads the one packet that `frame` holds, from its first byte to its last.
///
/// `version` is what the connection speaks; a CONNECT says its own.
pub fn decode(frame: &Bytes, version: Version) -> Result<Packet, Fault> {
    let mut reader = Reader::of_frame(frame)?;
    let first = frame[0];
    let kind = check_first_byte(first)?;
    if first & DUP != 0 && kind != PacketKind::Publish && version != Version::V31 {
        return Err(Fault::malformed(RESERVED_FLAGS));
    }
    let v5 = version == Version::V5;
    let packet = match kind {
        PacketKind::Publish => return read_publish(first, reader, v5).map(Packet::Publish),
        PacketKind::Connect => Packet::Connect(Box::new(read_connect(&mut reader)?)),
        PacketKind::ConnAck => Packet::ConnAck(read_connack(&mut reader, v5)?),
        PacketKind::PubAck => Packet::PubAck(read_ack(&mut reader, kind, v5)?),
        PacketKind::PubRec => Packet::PubRec(read_ack(&mut reader, kind, v5)?),
        PacketKind::PubRel => Packet::PubRel(read_ack(&mut reader, kind, v5)?),
        PacketKind::PubComp => Packet::PubComp(read_ack(&mut reader, kind, v5)?),
        PacketKind::Subscribe => Packet::Subscribe(read_subscribe(&mut reader, version)?),
        PacketKind::SubAck => Packet::SubAck(read_suback(&mut reader, kind, v5)?),
        PacketKind::Unsubscribe => Packet::Unsubscribe(read_unsubscribe(&mut reader, v5)?),
        PacketKind::UnsubAck => Packet::UnsubAck(read_suback(&mut reader, kind, v5)?),
        PacketKind::PingReq => Packet::PingReq,
        PacketKind::PingResp => Packet::PingResp,
        PacketKind::Disconnect => Packet::Disconnect(read_disconnect(&mut reader, v5)?),
        PacketKind::Auth if v5 => Packet::Auth(read_auth(&mut reader)?),
        PacketKind::Auth => return Err(Fault::malformed("AUTH does not exist before MQTT 5")),
    };
    if reader.is_empty() {
        Ok(packet)
    } else {
        Err(Fault::malformed("bytes follow the end of the packet"))
    }
}

fn read_publish(first: u8, mut reader: Reader<'_>, v5: bool) -> Result<Publish, Fault> {
    let dup = first & DUP != 0;
    let retain = first & 1 != 0;
    // Both QoS bits set is malformed [MQTT-3.3.1-4].
    let qos = Qos::from_level(first >> 1 & 3).ok_or(Fault::malformed("QoS 3 does not exist"))?;
    if dup && qos == Qos::AtMostOnce {
        // [MQTT-3.3.1-2]
        return Err(Fault::malformed("DUP is set on a message of QoS 0"));
    }
    // The topic name comes first and is UTF-8 [MQTT-3.3.2-1].
    let topic = reader.text()?;
    if topic::has_wildcard(&topic) {
        // [MQTT-3.3.2-2] [MQTT-4.7.0-1]
        return Err(Fault::new(
            Reason::TopicNameInvalid,
            "a message is published to a topic with a wildcard",
        ));
    }
    let packet_id = match qos {
        Qos::AtMostOnce => 0, // [MQTT-2.2.1-2]
        _ => reader.packet_id()?,
    };
    let mut publish = Publish {
        dup,
        qos,
        retain,
        topic,
        packet_id,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: Bytes::new(),
        payload: Bytes::new(),
    };
    if v5 {
        read_publish_properties(&mut publish, reader.part()?)?;
    }
    if publish.topic.is_empty() && publish.alias.is_none() {
        // [MQTT-4.7.3-1]; in MQTT 5 a protocol error unless an alias stands for it (3.3.2.1).
        return Err(Fault::protocol("a topic is empty and has no alias"));
    }
    publish.payload = reader.slice(reader.rest());
    Ok(publish)
}

/// Takes out the properties that are between two neighbours only and leaves, in wire form and
/// order, those that are passed on [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16]
/// [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20].
fn read_publish_properties(publish: &mut Publish, list: Reader<'_>) -> Result<(), Fault> {
    let place = Place::In(PacketKind::Publish);
    let whole = list.rest();
    let mut list = list;
    let mut seen = Seen::default();
    // Copied only from the first property on that is not passed on.
    let mut kept: Option<Vec<u8>> = None;
    while !list.is_empty() {
        let start = whole.len() - list.rest().len();
        let property = Property::read(&mut list, place)?;
        seen.once(&property, place)?;
        match property {
            Property::TopicAlias(alias) => publish.alias = Some(alias),
            Property::MessageExpiryInterval(s) => publish.expiry_s = Some(s),
            Property::SubscriptionIdentifier(id) => publish.subscription_ids.push(id),
            passed_on => {
                check_passed_on(&passed_on)?;
                if let Some(kept) = &mut kept {
                    kept.extend_from_slice(&whole[start..whole.len() - list.rest().len()]);
                }
                continue;
            }
        }
        kept.get_or_insert_with(|| whole[..start].to_vec());
    }
    publish.properties = kept.map_or_else(|| list.slice(whole), Bytes::from);
    Ok(())
}

fn check_passed_on(property: &Property) -> Result<(), Fault> {
    match property {
        // [MQTT-3.3.2-14]
        Property::ResponseTopic(topic) if topic::has_wildcard(topic) => Err(Fault::protocol(
            "a response topic contains a wildcard character",
        )),
        Property::ResponseTopic(topic) if topic.is_empty() => Err(Fault::new(
            Reason::TopicNameInvalid,
            "a response topic is empty",
        )),
        _ => Ok(()),
    }
}

/// The version that the CONNECT in `frame` asks for, whatever else is wrong with it: it says
/// in which form to refuse. A level that does not exist yet is refused in the form of 5.0.
pub fn connect_version(frame: &[u8]) -> Version {
    let level = || {
        let header = 1 + frame.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 1;
        let name = usize::from(u16::from_be_bytes([
            *frame.get(header)?,
            *frame.get(header + 1)?,
        ]));
        frame.get(header + 2 + name).copied()
    };
    match level() {
        Some(level) if level >= 5 => Version::V5,
        Some(4) => Version::V311,
        _ => Version::V31,
    }
}

fn read_connect(reader: &mut Reader<'_>) -> Result<Connect, Fault> {
    let name = reader.text()?;
    let level = reader.u8()?;
    // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
    let version = match (&*name, level) {
        ("MQIsdp", 3) => Version::V31,
        ("MQTT", 4) => Version::V311,
        ("MQTT", 5) => Version::V5,
        ("MQTT" | "MQIsdp", _) => {
            return Err(Fault::new(
                Reason::UnsupportedProtocolVersion,
                "the protocol version is none of 3.1, 3.1.1 and 5.0",
            ));
        }
        _ => {
            return Err(Fault::new(
                Reason::UnsupportedProtocolVersion,
                "the protocol name is not MQTT",
            ));
        }
    };
    let flags = reader.u8()?;
    if flags & 1 != 0 {
        // [MQTT-3.1.2-3]
        return Err(Fault::malformed("the reserved flag of CONNECT is set"));
    }
    let keep_alive_s = reader.u16()?;
    let properties = if version == Version::V5 {
        let properties = Properties::read(reader, Place::In(PacketKind::Connect))?;
        check_authentication(&properties)?;
        properties
    } else {
        Properties::none()
    };
    // The payload's fields come in this order [MQTT-3.1.3-1]; the client identifier is
    // UTF-8 [MQTT-3.1.3-3] [MQTT-3.1.3-4].
    let client_id = reader.text()?;
    let will = read_will(flags, reader, version)?;
    let login = read_login(flags, reader, version)?;
    Ok(Connect {
        version,
        clean_start: flags & 0b10 != 0,
        keep_alive_s,
        client_id,
        will,
        login,
        properties,
    })
}

/// Data without a method is a protocol error (section 3.1.2.11.10).
fn check_authentication(properties: &Properties) -> Result<(), Fault> {
    let method = properties
        .iter()
        .any(|p| matches!(p, Property::AuthenticationMethod(_)));
    let data = properties
        .iter()
        .any(|p| matches!(p, Property::AuthenticationData(_)));
    if data && !method {
        return Err(Fault::protocol(
            "authentication data comes without an authentication method",
        ));
    }
    Ok(())
}

fn read_will(flags: u8, reader: &mut Reader<'_>, version: Version) -> Result<Option<Will>, Fault> {
    let qos = Qos::from_level(flags >> 3 & 3);
    let retain = flags & 0b10_0000 != 0;
    if flags & 0b100 == 0 {
        // Without a will its QoS and retain flags are 0 [MQTT-3.1.2-11] [MQTT-3.1.2-13].
        return if qos == Some(Qos::AtMostOnce) && !retain {
            Ok(None)
        } else {
            Err(Fault::malformed(
                "there is no will, but a QoS or retain flag for it",
            ))
        };
    }
    // [MQTT-3.1.2-9] [MQTT-3.1.2-12]
    let qos = qos.ok_or(Fault::malformed("a will of QoS 3"))?;
    let mut delay_s = 0;
    let mut expiry_s = None;
    let mut properties = Vec::new();
    if version == Version::V5 {
        for property in Properties::read(reader, Place::Will)?.iter() {
            match property {
                Property::WillDelayInterval(s) => delay_s = *s,
                Property::MessageExpiryInterval(s) => expiry_s = Some(*s),
                passed_on => {
                    check_passed_on(passed_on)?;
                    passed_on.write(&mut properties);
                }
            }
        }
    }
    let topic = reader.text()?; // UTF-8 [MQTT-3.1.3-11]
    if let Err(error) = topic::check_name(&topic) {
        return Err(Fault::new(Reason::TopicNameInvalid, error.what()));
    }
    Ok(Some(Will {
        topic,
        payload: reader.binary()?,
        qos,
        retain,
        delay_s,
        expiry_s,
        properties: properties.into(),
    }))
}

fn read_login(flags: u8, reader: &mut Reader<'_>, version: Version) -> Result<Login, Fault> {
    let has_user_name = flags & 0x80 != 0;
    let has_password = flags & 0x40 != 0;
    if has_password && !has_user_name && version != Version::V5 {
        // [3.1.1 MQTT-3.1.2-22]
        return Err(Fault::malformed("a password comes without a user name"));
    }
    // [MQTT-3.1.2-16] to [MQTT-3.1.2-19]; the user name is UTF-8 [MQTT-3.1.3-12].
    let user_name = has_user_name.then(|| reader.text()).transpose()?;
    let password = has_password.then(|| reader.binary()).transpose()?;
    Ok(Login {
        user_name,
        password,
    })
}

fn read_connack(reader: &mut Reader<'_>, v5: bool) -> Result<ConnAck, Fault> {
    let flags = reader.u8()?;
    if flags > 1 {
        return Err(Fault::malformed("reserved flags of CONNACK are set")); // [MQTT-3.2.2-1]
    }
    let code = reader.u8()?;
    let (reason, properties) = if v5 {
        let reason = Reason::from_code(code).ok_or(Fault::malformed("unknown reason code"))?;
        let properties = Properties::read(reader, Place::In(PacketKind::ConnAck))?;
        (reason, properties)
    } else {
        let reason = match code {
            0 => Reason::Success,
            1 => Reason::UnsupportedProtocolVersion,
            2 => Reason::ClientIdentifierNotValid,
            3 => Reason::ServerUnavailable,
            4 => Reason::BadUserNameOrPassword,
            5 => Reason::NotAuthorized,
            _ => return Err(Fault::malformed("unknown return code in CONNACK")),
        };
        (reason, Properties::none())
    };
    Ok(ConnAck {
        session_present: flags == 1,
        reason,
        properties,
    })
}

fn read_ack(reader: &mut Reader<'_>, kind: PacketKind, v5: bool) -> Result<Ack, Fault> {
    let packet_id = reader.packet_id()?;
    // Reason and properties may be left out (sections 3.4.2.1 and 3.4.2.2.1).
    let (reason, properties) = read_short_tail(reader, kind, v5, Reason::Success)?;
    let fits = match kind {
        // [MQTT-3.4.2-1] [MQTT-3.5.2-1]
        PacketKind::PubAck | PacketKind::PubRec => matches!(
            reason,
            Reason::Success
                | Reason::NoMatchingSubscribers
                | Reason::UnspecifiedError
                | Reason::ImplementationSpecificError
                | Reason::NotAuthorized
                | Reason::TopicNameInvalid
                | Reason::PacketIdentifierInUse
                | Reason::QuotaExceeded
                | Reason::PayloadFormatInvalid
        ),
        // [MQTT-3.6.2-1] [MQTT-3.7.2-1]
        _ => matches!(reason, Reason::Success | Reason::PacketIdentifierNotFound),
    };
    if !fits {
        return Err(Fault::protocol(
            "an acknowledgement carries a reason code that is not for it",
        ));
    }
    Ok(Ack {
        packet_id,
        reason,
        properties,
    })
}

/// A reason code and properties, either or both of which may be left out at the end.
fn read_short_tail(
    reader: &mut Reader<'_>,
    kind: PacketKind,
    v5: bool,
    absent: Reason,
) -> Result<(Reason, Properties), Fault> {
    if !v5 || reader.is_empty() {
        return Ok((absent, Properties::none()));
    }
    let reason = reader.reason()?;
    let properties = if reader.is_empty() {
        Properties::none()
    } else {
        Properties::read(reader, Place::In(kind))?
    };
    Ok((reason, properties))
}

fn read_subscribe(reader: &mut Reader<'_>, version: Version) -> Result<Subscribe, Fault> {
    let packet_id = reader.packet_id()?; // [MQTT-2.2.1-3]
    let properties = if version == Version::V5 {
        Properties::read(reader, Place::In(PacketKind::Subscribe))?
    } else {
        Properties::none()
    };
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let filter = reader.text()?; // UTF-8 [MQTT-3.8.3-1]
        filters.push(read_subscribe_filter(filter, reader.u8()?, version)?);
    }
    if filters.is_empty() {
        // [MQTT-3.8.3-2]
        return Err(Fault::protocol("a SUBSCRIBE names no filter"));
    }
    Ok(Subscribe {
        packet_id,
        properties,
        filters,
    })
}

fn read_subscribe_filter(
    filter: ByteString,
    options: u8,
    version: Version,
) -> Result<SubscribeFilter, Fault> {
    // Bits that the version does not know are 0 [MQTT-3.8.3-5] [3.1.1 MQTT-3-8.3-4].
    let known = if version == Version::V5 {
        0b0011_1111
    } else {
        0b11
    };
    if options & !known != 0 {
        return Err(Fault::malformed("reserved subscription options are set"));
    }
    let qos = Qos::from_level(options & 3).ok_or(Fault::malformed("a maximum QoS of 3"))?;
    let retain_handling = match options >> 4 & 3 {
        0 => RetainHandling::Send,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(Fault::protocol("retain handling 3 does not exist")),
    };
    let no_local = options & 0b100 != 0;
    if no_local && topic::is_shared(&filter) {
        // [MQTT-3.8.3-4]
        return Err(Fault::protocol("no local is set on a shared subscription"));
    }
    Ok(SubscribeFilter {
        filter,
        qos,
        no_local,
        retain_as_published: options & 0b1000 != 0,
        retain_handling,
    })
}

fn read_suback(reader: &mut Reader<'_>, kind: PacketKind, v5: bool) -> Result<SubAck, Fault> {
    let packet_id = reader.packet_id()?;
    let properties = if v5 {
        Properties::read(reader, Place::In(kind))?
    } else {
        Properties::none()
    };
    let mut reasons = Vec::new();
    // Up to 3.1.1 an UNSUBACK has no payload (3.1.1, section 3.11.3).
    while !reader.is_empty() && (v5 || kind == PacketKind::SubAck) {
        let reason = reader.reason()?;
        if !v5 && 2 < reason.code() && reason != Reason::UnspecifiedError {
            // [3.1.1 MQTT-3.9.3-2]
            return Err(Fault::malformed("a return code that SUBACK does not have"));
        }
        reasons.push(reason);
    }
    Ok(SubAck {
        packet_id,
        properties,
        reasons,
    })
}

fn read_unsubscribe(reader: &mut Reader<'_>, v5: bool) -> Result<Unsubscribe, Fault> {
    let packet_id = reader.packet_id()?;
    let properties = if v5 {
        Properties::read(reader, Place::In(PacketKind::Unsubscribe))?
    } else {
        Properties::none()
    };
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(reader.text()?); // UTF-8 [MQTT-3.10.3-1]
    }
    if filters.is_empty() {
        // [MQTT-3.10.3-2]
        return Err(Fault::protocol("an UNSUBSCRIBE names no filter"));
    }
    Ok(Unsubscribe {
        packet_id,
        properties,
        filters,
    })
}

fn read_disconnect(reader: &mut Reader<'_>, v5: bool) -> Result<Disconnect, Fault> {
    let (reason, properties) =
        read_short_tail(reader, PacketKind::Disconnect, v5, Reason::Success)?;
    Ok(Disconnect { reason, properties })
}

fn read_auth(reader: &mut Reader<'_>) -> Result<Auth, Fault> {
    let (reason, properties) = read_short_tail(reader, PacketKind::Auth, true, Reason::Success)?;
    // [MQTT-3.15.2-1]
    if !matches!(
        reason,
        Reason::Success | Reason::ContinueAuthentication | Reason::ReAuthenticate
    ) {
        return Err(Fault::protocol(
            "AUTH carries a reason code that is not for it",
        ));
    }
    Ok(Auth { reason, properties })
}
