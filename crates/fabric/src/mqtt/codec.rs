//! Bytes to packets and back (MQTT 5.0, sections 1.5, 2 and 3).
//!
//! Decoding is strict: what the standard calls malformed is refused with the reason code that
//! it names. Text and payloads are slices of the frame; nothing is copied.

use bytes::{Buf, BufMut, Bytes};
use bytestring::ByteString;
use quartet_model::Qos;

use super::{
    Ack, Auth, ConnAck, Connect, Disconnect, Login, Packet, PacketKind, Properties, Property,
    Publish, Reason, RetainHandling, SubAck, Subscribe, SubscribeFilter, Unsubscribe, Version,
    Will,
    property::{Place, Seen},
};
use crate::topic;

/// The longest remaining length that four bytes can say (section 1.5.5).
pub const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// What is wrong with what the other side sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// The code that the standard gives for it.
    pub reason: Reason,
    /// In words.
    pub what: &'static str,
}

impl Fault {
    /// With the reason code that the standard gives for it.
    pub const fn new(reason: Reason, what: &'static str) -> Self {
        Self { reason, what }
    }

    /// Bytes that are no packet (section 4.13.1).
    pub const fn malformed(what: &'static str) -> Self {
        Self::new(Reason::MalformedPacket, what)
    }

    /// A packet that may not be sent now or like this (section 4.13.1).
    pub const fn protocol(what: &'static str) -> Self {
        Self::new(Reason::ProtocolError, what)
    }
}

/// How long the frame at the start of `bytes` is, or `None` if more bytes are needed to tell.
///
/// A frame of more than `bytes_max` is refused as soon as its length is known, so that
/// nobody has to store what will be refused.
pub fn frame_length(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Fault> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    check_first_byte(first)?;
    let mut length = 0_usize;
    for (i, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            // The encoded value must use the fewest bytes [MQTT-1.5.5-1].
            if byte == 0 && 0 < i {
                return Err(Fault::malformed("a length is written with needless bytes"));
            }
            let total = 2 + i + length;
            if bytes_max < total {
                // [MQTT-3.2.2-15]
                return Err(Fault::new(
                    Reason::PacketTooLarge,
                    "the packet is larger than this hub takes",
                ));
            }
            return Ok(Some(total));
        }
        if i == 3 {
            return Err(Fault::malformed("a length is longer than four bytes"));
        }
    }
    Ok(None)
}

/// The packet type must exist, and flags marked reserved must have the value that the
/// standard lists [MQTT-2.1.3-1]. Known from the first byte, before anything is stored.
fn check_first_byte(first: u8) -> Result<PacketKind, Fault> {
    let kind = PacketKind::from_number(first >> 4)
        .ok_or(Fault::malformed("packet type 0 does not exist"))?;
    let expected = match kind {
        PacketKind::Publish => return Ok(kind),
        // [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
        PacketKind::PubRel | PacketKind::Subscribe | PacketKind::Unsubscribe => 0b0010,
        // [MQTT-3.14.1-1] [MQTT-3.15.1-1]
        _ => 0,
    };
    if first & 0x0F != expected {
        return Err(Fault::malformed("reserved flags of the first byte are set"));
    }
    Ok(kind)
}

/// Reads the one packet that `frame` holds, from its first byte to its last.
///
/// `version` is what the connection speaks; a CONNECT says its own.
pub fn decode(frame: &Bytes, version: Version) -> Result<Packet, Fault> {
    let mut reader = Reader::of_frame(frame)?;
    let first = frame[0];
    let kind = check_first_byte(first)?;
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

fn read_publish(first: u8, mut reader: Reader, v5: bool) -> Result<Publish, Fault> {
    let dup = first & 0b1000 != 0;
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
    publish.payload = reader.rest;
    Ok(publish)
}

/// Takes out the properties that are between two neighbours only and leaves, in wire form and
/// order, those that are passed on [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16]
/// [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20].
fn read_publish_properties(publish: &mut Publish, list: Reader) -> Result<(), Fault> {
    let place = Place::In(PacketKind::Publish);
    let whole = list.rest.clone();
    let mut list = list;
    let mut seen = Seen::default();
    // Copied only from the first property on that is not passed on.
    let mut kept: Option<Vec<u8>> = None;
    while !list.is_empty() {
        let start = whole.len() - list.rest.len();
        let property = Property::read(&mut list, place)?;
        seen.once(&property, place)?;
        match property {
            Property::TopicAlias(alias) => publish.alias = Some(alias),
            Property::MessageExpiryInterval(s) => publish.expiry_s = Some(s),
            Property::SubscriptionIdentifier(id) => publish.subscription_ids.push(id),
            passed_on => {
                check_passed_on(&passed_on)?;
                if let Some(kept) = &mut kept {
                    kept.extend_from_slice(&whole[start..whole.len() - list.rest.len()]);
                }
                continue;
            }
        }
        kept.get_or_insert_with(|| whole[..start].to_vec());
    }
    publish.properties = kept.map_or(whole, Bytes::from);
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

fn read_connect(reader: &mut Reader) -> Result<Connect, Fault> {
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

fn read_will(flags: u8, reader: &mut Reader, version: Version) -> Result<Option<Will>, Fault> {
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

fn read_login(flags: u8, reader: &mut Reader, version: Version) -> Result<Login, Fault> {
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

fn read_connack(reader: &mut Reader, v5: bool) -> Result<ConnAck, Fault> {
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

fn read_ack(reader: &mut Reader, kind: PacketKind, v5: bool) -> Result<Ack, Fault> {
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
    reader: &mut Reader,
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

fn read_subscribe(reader: &mut Reader, version: Version) -> Result<Subscribe, Fault> {
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

fn read_suback(reader: &mut Reader, kind: PacketKind, v5: bool) -> Result<SubAck, Fault> {
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

fn read_unsubscribe(reader: &mut Reader, v5: bool) -> Result<Unsubscribe, Fault> {
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

fn read_disconnect(reader: &mut Reader, v5: bool) -> Result<Disconnect, Fault> {
    let (reason, properties) =
        read_short_tail(reader, PacketKind::Disconnect, v5, Reason::Success)?;
    Ok(Disconnect { reason, properties })
}

fn read_auth(reader: &mut Reader) -> Result<Auth, Fault> {
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

/// Reads the fields of a frame, front to back.
pub(super) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    fn of_frame(frame: &Bytes) -> Result<Self, Fault> {
        let header = frame
            .iter()
            .skip(1)
            .position(|byte| byte & 0x80 == 0)
            .ok_or(Fault::malformed("the packet has no length"))?;
        Ok(Self {
            rest: frame.slice(header + 2..),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn need(&self, bytes: usize) -> Result<(), Fault> {
        if self.rest.len() < bytes {
            return Err(Fault::malformed("the packet ends in the middle of a field"));
        }
        Ok(())
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.need(1)?;
        Ok(self.rest.get_u8())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.need(2)?;
        Ok(self.rest.get_u16())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.need(4)?;
        Ok(self.rest.get_u32())
    }

    /// A byte that is 0 or 1; anything else is a protocol error.
    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, Fault> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::protocol(what)),
        }
    }

    fn reason(&mut self) -> Result<Reason, Fault> {
        Reason::from_code(self.u8()?).ok_or(Fault::malformed("unknown reason code"))
    }

    fn packet_id(&mut self) -> Result<u16, Fault> {
        match self.u16()? {
            // [MQTT-2.2.1-3] [MQTT-2.2.1-4]
            0 => Err(Fault::protocol("a packet identifier is 0")),
            id => Ok(id),
        }
    }

    pub(super) fn varint(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        for i in 0..4 {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << (7 * i);
            if byte & 0x80 == 0 {
                if byte == 0 && 0 < i {
                    return Err(Fault::malformed("a number is written with needless bytes"));
                }
                return Ok(value);
            }
        }
        Err(Fault::malformed("a number is longer than four bytes"))
    }

    /// Bytes with a length in front (section 1.5.6).
    pub(super) fn binary(&mut self) -> Result<Bytes, Fault> {
        let length = usize::from(self.u16()?);
        self.need(length)?;
        Ok(self.rest.split_to(length))
    }

    /// UTF-8 text without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]; a byte order mark stays
    /// where it is [MQTT-1.5.4-3].
    pub(super) fn text(&mut self) -> Result<ByteString, Fault> {
        let text = ByteString::try_from(self.binary()?)
            .map_err(|_| Fault::malformed("a text is not UTF-8"))?;
        if text.as_bytes().contains(&0) {
            return Err(Fault::malformed("a text contains U+0000"));
        }
        Ok(text)
    }

    /// The bytes that a variable length in front counts: a list of properties.
    pub(super) fn part(&mut self) -> Result<Self, Fault> {
        let length = self.varint()? as usize;
        self.need(length)?;
        Ok(Self {
            rest: self.rest.split_to(length),
        })
    }
}

/// Writes a variable byte integer with the fewest bytes (section 1.5.5).
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value > 0x7F {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// How many bytes [`put_varint`] writes.
pub(super) const fn varint_length(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Writes a 16-bit length and the bytes. What is longer than 65,535 is cut: callers hold
/// texts that came over the wire or are checked for length.
pub(super) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
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

#[cfg(test)]
mod tests;
