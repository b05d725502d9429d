//! One connection: what each side said about itself in CONNECT and CONNACK, and which packets
//! may follow. It ends with the connection; what outlives it is in [`Session`].

use std::{collections::HashMap, sync::Arc};

use bytestring::ByteString;
use quartet_model::{Event, Qos};

use super::{
    Auth, ConnAck, Connect, Disconnect, Fault, Packet, Properties, Property, Publish, Reason,
    Session, Subscribe, Unsubscribe, Version, frame::Alias, frame::encoded,
};
use crate::outbox::Outbox;

/// What this hub offers and demands of every client; part of each CONNACK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// QoS 1 and 2 messages that a client may send before they are acknowledged.
    pub receive_maximum: u16,
    /// The largest packet that it may send, in bytes.
    pub packet_bytes_max: usize,
    /// Topic aliases that it may use.
    pub topic_alias_maximum: u16,
    /// Topic aliases that the hub uses itself, if the client allows as many.
    pub topic_alias_own_max: u16,
    /// The longest silence that it may ask for, in seconds; 0 for no limit.
    pub keep_alive_s_max: u16,
    /// How long its session may outlive its connection, in seconds.
    pub session_expiry_s_max: u32,
}

/// What one connection is about, from CONNACK on.
pub struct Open {
    /// What the client speaks.
    pub version: Version,
    /// QoS 1 and 2 messages that may be sent to it before they are acknowledged.
    pub receive_maximum: u16,
    /// The largest packet that it takes.
    pub packet_bytes_max: usize,
    /// Seconds of silence that it promised not to exceed; 0 for no promise.
    pub keep_alive_s: u16,
    /// How long its session outlives this connection, in seconds.
    pub session_expiry_s: u32,
    problem_information: bool,
    terms_receive_maximum: u16,
    aliases: Option<Box<Aliases>>,
    /// The method of enhanced authentication that it came in with.
    authentication_method: Option<Box<ByteString>>,
}

/// Numbers that stand for topics, in both directions (section 3.3.2.3.4); they end with the
/// connection [MQTT-3.3.2-7].
struct Aliases {
    incoming: HashMap<u16, ByteString>,
    incoming_max: u16,
    outgoing: HashMap<ByteString, u16>,
    outgoing_max: u16,
}

/// What the client asks of the hub.
#[derive(Debug)]
pub enum Request {
    /// Nothing that concerns others.
    Nothing,
    /// To pass on a message; answer with [`Open::answer_publish`].
    Publish(Publish),
    /// To answer again what was passed on before: a QoS 2 message that is not released.
    AnswerAgain(u16),
    /// To receive messages.
    Subscribe(Subscribe),
    /// To receive them no more.
    Unsubscribe(Unsubscribe),
    /// Something was acknowledged: there may be room for what waits. The message that the client
    /// has now, if it is at hand.
    Acknowledged(Option<Arc<Event>>),
    /// To authenticate again.
    Authenticate(Auth),
    /// To end the connection.
    Disconnect(Leave),
}

/// How a client leaves (section 3.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leave {
    /// Its will is to be published all the same.
    pub with_will: bool,
    /// How long its session outlives the connection, if it changed its mind.
    pub session_expiry_s: Option<u32>,
}

impl Open {
    /// What is agreed when `connect` is accepted on `terms`, and the CONNACK that says so, if no
    /// session was there.
    pub fn accept(
        connect: &Connect,
        terms: &Terms,
        assigned_client_id: Option<&ByteString>,
    ) -> (Self, ConnAck) {
        let asked = |pick: fn(&Property) -> Option<u32>| connect.properties.find(pick);
        let receive_maximum = asked(|p| match p {
            Property::ReceiveMaximum(n) => Some(u32::from(*n)),
            _ => None,
        });
        let alias_max = asked(|p| match p {
            Property::TopicAliasMaximum(n) => Some(u32::from(*n)),
            _ => None,
        });
        let problem_information = connect.properties.find(|p| match p {
            Property::RequestProblemInformation(wanted) => Some(*wanted),
            _ => None,
        });
        let authentication_method = connect.properties.find(|p| match p {
            Property::AuthenticationMethod(method) => Some(method.clone()),
            _ => None,
        });
        let v5 = connect.version == Version::V5;
        let outgoing_max = (alias_max.unwrap_or(0) as u16).min(terms.topic_alias_own_max);
        let asked_keep_alive = connect.keep_alive_s;
        let keep_alive_s = match terms.keep_alive_s_max {
            0 => asked_keep_alive,
            max if v5 && (asked_keep_alive == 0 || max < asked_keep_alive) => max,
            _ => asked_keep_alive, // [MQTT-3.2.2-22]
        };
        let asked_expiry = session_expiry_s(connect);
        let session_expiry_s = asked_expiry.min(terms.session_expiry_s_max);
        let open = Self {
            version: connect.version,
            receive_maximum: receive_maximum.map_or(u16::MAX, |n| n as u16),
            packet_bytes_max: packet_bytes_max(connect),
            keep_alive_s,
            session_expiry_s,
            problem_information: problem_information.unwrap_or(true),
            terms_receive_maximum: terms.receive_maximum,
            aliases: (v5 && (0 < outgoing_max || 0 < terms.topic_alias_maximum)).then(|| {
                Box::new(Aliases {
                    incoming: HashMap::new(),
                    incoming_max: terms.topic_alias_maximum,
                    outgoing: HashMap::new(),
                    outgoing_max,
                })
            }),
            authentication_method: authentication_method.map(Box::new),
        };
        let mut properties = Properties::none();
        if v5 {
            properties.push(Property::ReceiveMaximum(terms.receive_maximum));
            let largest = u32::try_from(terms.packet_bytes_max).unwrap_or(u32::MAX);
            properties.push(Property::MaximumPacketSize(largest));
            if 0 < terms.topic_alias_maximum {
                properties.push(Property::TopicAliasMaximum(terms.topic_alias_maximum));
            }
            if session_expiry_s != asked_expiry {
                properties.push(Property::SessionExpiryInterval(session_expiry_s));
            }
            if keep_alive_s != asked_keep_alive {
                properties.push(Property::ServerKeepAlive(keep_alive_s));
            }
            if let Some(id) = assigned_client_id {
                properties.push(Property::AssignedClientIdentifier(id.clone())); // [MQTT-3.2.2-16]
            }
            if let Some(method) = &open.authentication_method {
                properties.push(Property::AuthenticationMethod((**method).clone()));
            }
        }
        let connack = ConnAck {
            session_present: false,
            reason: Reason::Success,
            properties,
        };
        (open, connack)
    }

    /// Takes a packet of the client, whatever is on its way [MQTT-4.9.0-3] [MQTT-3.3.4-10].
    /// What concerns only the two is answered here; the rest is what the hub is asked to do.
    /// What ends a step of QoS 2 is answered into `held`, if there is one: the hub must note the
    /// step before the client hears of it.
    pub fn handle(
        &mut self,
        packet: Packet,
        session: &mut Session,
        outbox: &mut Outbox,
        held: Option<&mut Outbox>,
    ) -> Result<Request, Fault> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish, session),
            Packet::PubAck(ack) => session.pub_ack(&ack).map(Request::Acknowledged),
            Packet::PubRec(ack) => session
                .pub_rec(&ack, self, held.unwrap_or(outbox))
                .map(Request::Acknowledged),
            Packet::PubComp(ack) => session.pub_comp(&ack).map(|()| Request::Acknowledged(None)),
            Packet::PubRel(ack) => {
                // [MQTT-4.3.3-11]
                let reason = if session.release(ack.packet_id) {
                    Reason::Success
                } else {
                    Reason::PacketIdentifierNotFound
                };
                let outbox = held.unwrap_or(outbox);
                self.write_ack(Packet::PubComp, ack.packet_id, reason, outbox);
                Ok(Request::Nothing)
            }
            Packet::Subscribe(subscribe) => Ok(Request::Subscribe(subscribe)),
            Packet::Unsubscribe(unsubscribe) => Ok(Request::Unsubscribe(unsubscribe)),
            Packet::PingReq => {
                // [MQTT-3.12.4-1]
                outbox.append(|own| Packet::PingResp.encode(self.version, own));
                Ok(Request::Nothing)
            }
            Packet::Disconnect(disconnect) => self.handle_disconnect(&disconnect),
            Packet::Auth(auth) => self.handle_auth(auth),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(Fault::protocol("a second CONNECT on one connection")),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(Fault::protocol("a packet that only a server may send"))
            }
        }
    }

    fn handle_publish(
        &mut self,
        mut publish: Publish,
        session: &Session,
    ) -> Result<Request, Fault> {
        if !publish.subscription_ids.is_empty() {
            // [MQTT-3.3.4-6]
            return Err(Fault::protocol(
                "a subscription identifier in a message that a client publishes",
            ));
        }
        if let Some(alias) = publish.alias {
            self.resolve_alias(alias, &mut publish.topic)?;
        }
        if publish.qos != Qos::ExactlyOnce {
            return Ok(Request::Publish(publish));
        }
        if session.has_received(publish.packet_id) {
            // Seen and not released: acknowledge again, pass on nothing [MQTT-4.3.3-10].
            return Ok(Request::AnswerAgain(publish.packet_id));
        }
        let quota = usize::from(self.terms_receive_maximum);
        if self.version == Version::V5 && quota <= session.unreleased() {
            // [MQTT-3.3.4-7]
            return Err(Fault::new(
                Reason::ReceiveMaximumExceeded,
                "more messages are unacknowledged than the receive maximum allows",
            ));
        }
        Ok(Request::Publish(publish))
    }

    /// Answers a PUBLISH that was handed on with [`Request::Publish`] [MQTT-3.3.4-1]
    /// [MQTT-2.2.1-5]; at QoS 0 there is nothing to answer.
    pub fn answer_publish(&self, qos: Qos, packet_id: u16, reason: Reason, outbox: &mut Outbox) {
        match qos {
            Qos::AtMostOnce => {}
            // [MQTT-4.3.2-4]
            Qos::AtLeastOnce => self.write_ack(Packet::PubAck, packet_id, reason, outbox),
            // [MQTT-4.3.3-8]; what is refused is done with [MQTT-4.3.3-9].
            Qos::ExactlyOnce => self.write_ack(Packet::PubRec, packet_id, reason, outbox),
        }
    }

    fn resolve_alias(&mut self, alias: u16, topic: &mut ByteString) -> Result<(), Fault> {
        let invalid = Fault::new(
            Reason::TopicAliasInvalid,
            "a topic alias is 0, above the agreed maximum, or stands for nothing",
        );
        let aliases = self.aliases.as_mut().ok_or(invalid)?;
        // [MQTT-3.2.2-17] [MQTT-3.2.2-18] [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-12]
        if alias == 0 || aliases.incoming_max < alias {
            return Err(invalid);
        }
        if topic.is_empty() {
            *topic = aliases.incoming.get(&alias).ok_or(invalid)?.clone();
        } else {
            // In memory of its own: it outlives the buffer that it was read into.
            let own = ByteString::from(&**topic);
            aliases.incoming.insert(alias, own);
        }
        Ok(())
    }

    /// The alias under which the client gets this topic. The first topics of a connection get
    /// one, as many as the client allows [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11].
    pub(super) fn alias_for(&mut self, topic: &ByteString) -> Alias {
        let Some(aliases) = &mut self.aliases else {
            return Alias::None;
        };
        if aliases.outgoing_max == 0 {
            return Alias::None;
        }
        if let Some(&alias) = aliases.outgoing.get(topic) {
            return Alias::Only(alias);
        }
        if usize::from(aliases.outgoing_max) <= aliases.outgoing.len() {
            return Alias::None;
        }
        let alias = aliases.outgoing.len() as u16 + 1;
        aliases.outgoing.insert(ByteString::from(&**topic), alias);
        Alias::Announce(alias)
    }

    fn handle_disconnect(&self, disconnect: &Disconnect) -> Result<Request, Fault> {
        let session_expiry_s = disconnect.properties.find(|p| match p {
            Property::SessionExpiryInterval(s) => Some(*s),
            _ => None,
        });
        if self.session_expiry_s == 0 && session_expiry_s.is_some_and(|s| s != 0) {
            // Section 3.14.2.2.2.
            return Err(Fault::protocol(
                "DISCONNECT wants to keep a session that CONNECT gave up",
            ));
        }
        let from_client = matches!(
            disconnect.reason,
            Reason::Success
                | Reason::DisconnectWithWill
                | Reason::UnspecifiedError
                | Reason::MalformedPacket
                | Reason::ProtocolError
                | Reason::ImplementationSpecificError
                | Reason::TopicNameInvalid
                | Reason::ReceiveMaximumExceeded
                | Reason::TopicAliasInvalid
                | Reason::PacketTooLarge
                | Reason::MessageRateTooHigh
                | Reason::QuotaExceeded
                | Reason::AdministrativeAction
                | Reason::PayloadFormatInvalid
        );
        if !from_client {
            // [MQTT-3.14.2-1]
            return Err(Fault::protocol(
                "DISCONNECT carries a reason code that only a server may send",
            ));
        }
        Ok(Request::Disconnect(Leave {
            // [MQTT-3.1.2-10] [MQTT-3.14.4-3]
            with_will: disconnect.reason != Reason::Success,
            session_expiry_s,
        }))
    }

    fn handle_auth(&self, auth: Auth) -> Result<Request, Fault> {
        let method = auth.properties.find(|p| match p {
            Property::AuthenticationMethod(method) => Some(method.clone()),
            _ => None,
        });
        // [MQTT-4.12.0-7] [MQTT-4.12.1-1]
        if method.is_none() || method.as_ref() != self.authentication_method.as_deref() {
            return Err(Fault::protocol(
                "AUTH names another authentication method than CONNECT",
            ));
        }
        if auth.reason != Reason::ReAuthenticate {
            return Err(Fault::protocol(
                "AUTH continues an authentication that nobody began",
            ));
        }
        Ok(Request::Authenticate(auth))
    }

    /// The method of enhanced authentication that CONNECT named.
    pub fn authentication_method(&self) -> Option<&ByteString> {
        self.authentication_method.as_deref()
    }

    /// Whether the client takes packets as large as this one [MQTT-3.1.2-24].
    pub fn takes(&self, packet: &Packet) -> bool {
        self.packet_bytes_max == usize::MAX
            || encoded(packet, self.version).len() <= self.packet_bytes_max
    }

    /// Writes a packet that answers or explains. If it is larger than the client takes, or the
    /// client wants no explanations, they are left out [MQTT-3.1.2-29] [MQTT-3.2.2-19] [MQTT-3.2.2-20]
    /// [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4]; what is still too large is not sent.
    pub fn write(&self, mut packet: Packet, outbox: &mut Outbox) {
        let may_explain = matches!(packet, Packet::ConnAck(_) | Packet::Disconnect(_));
        if !self.problem_information && !may_explain {
            strip(&mut packet);
        }
        let mut bytes = encoded(&packet, self.version);
        if self.packet_bytes_max < bytes.len() {
            strip(&mut packet);
            bytes = encoded(&packet, self.version);
        }
        if bytes.len() <= self.packet_bytes_max {
            outbox.push(&bytes);
        }
    }

    /// Says goodbye [MQTT-3.14.2-2]. A client of MQTT 5 hears why [MQTT-4.13.1-1]; others just see the
    /// connection close, because DISCONNECT is for clients only there.
    pub fn write_disconnect(&self, reason: Reason, why: &str, outbox: &mut Outbox) {
        if self.version != Version::V5 {
            return;
        }
        let properties = Properties::none().with(Property::ReasonString(why.into()));
        self.write(
            Packet::Disconnect(Disconnect { reason, properties }),
            outbox,
        );
    }
}

fn strip(packet: &mut Packet) {
    match packet {
        Packet::ConnAck(connack) => connack.properties.without_explanation(),
        Packet::SubAck(suback) | Packet::UnsubAck(suback) => {
            suback.properties.without_explanation();
        }
        Packet::Disconnect(disconnect) => disconnect.properties.without_explanation(),
        Packet::Auth(auth) => auth.properties.without_explanation(),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.properties.without_explanation();
        }
        _ => {}
    }
}

/// The largest packet that the client takes.
pub fn packet_bytes_max(connect: &Connect) -> usize {
    let asked = connect.properties.find(|p| match p {
        Property::MaximumPacketSize(n) => Some(*n as usize),
        _ => None,
    });
    asked.unwrap_or(usize::MAX)
}

/// How long the session is to outlive the connection, in seconds; `u32::MAX` for ever. Up to
/// 3.1.1, a session that is not clean lives for ever (5.0, section 3.1.2.11.2).
pub fn session_expiry_s(connect: &Connect) -> u32 {
    if connect.version != Version::V5 {
        return if connect.clean_start { 0 } else { u32::MAX };
    }
    connect
        .properties
        .find(|p| match p {
            Property::SessionExpiryInterval(s) => Some(*s),
            _ => None,
        })
        .unwrap_or(0)
}

/// The CONNACK that refuses a connection, in the client's own form [MQTT-3.2.2-7]. Up to 3.1.1
/// what has no return code is refused without words.
///
/// The reason is left out if the client would not take a packet of that size
/// [MQTT-3.2.2-19].
pub fn refuse_connection(
    version: Version,
    reason: Reason,
    why: &str,
    packet_bytes_max: usize,
    outbox: &mut Outbox,
) {
    let speechless = matches!(
        reason,
        Reason::MalformedPacket | Reason::ProtocolError | Reason::PacketTooLarge
    );
    if version != Version::V5 && speechless {
        return;
    }
    let mut packet = Packet::ConnAck(ConnAck {
        session_present: false, // [MQTT-3.2.2-6]
        reason,
        properties: Properties::none().with(Property::ReasonString(why.into())),
    });
    let mut bytes = encoded(&packet, version);
    if packet_bytes_max < bytes.len() {
        strip(&mut packet);
        bytes = encoded(&packet, version);
    }
    if bytes.len() <= packet_bytes_max {
        outbox.push(&bytes);
    }
}
