//! The control packets, as values (MQTT 5.0, section 3). A field that a version does not
//! have is empty in it.

use bytes::Bytes;
use bytestring::ByteString;
use quartet_model::Qos;

use super::{Properties, Reason};

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// 3.1 (protocol name `MQIsdp`, level 3).
    V31,
    /// 3.1.1 (level 4).
    V311,
    /// 5.0 (level 5).
    V5,
}

impl Version {
    /// The protocol level in CONNECT.
    pub const fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }
}

/// The type of a control packet, with its number (table 2-1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "the names are those of the standard's table")]
#[repr(u8)]
pub enum PacketKind {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketKind {
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }
}

/// A control packet.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the names are those of the standard's table")]
pub enum Packet {
    Connect(Box<Connect>),
    ConnAck(ConnAck),
    Publish(Publish),
    PubAck(Ack),
    PubRec(Ack),
    PubRel(Ack),
    PubComp(Ack),
    Subscribe(Subscribe),
    SubAck(SubAck),
    Unsubscribe(Unsubscribe),
    UnsubAck(SubAck),
    PingReq,
    PingResp,
    Disconnect(Disconnect),
    Auth(Auth),
}

/// Section 3.1.
#[derive(Clone, PartialEq, Debug)]
pub struct Connect {
    /// What the client speaks.
    pub version: Version,
    /// Clean Start; `clean session` up to 3.1.1.
    pub clean_start: bool,
    /// Seconds of silence that the client promises not to exceed; 0 for no promise.
    pub keep_alive_s: u16,
    /// Empty if the server is to choose one.
    pub client_id: ByteString,
    /// What to publish when the connection is lost.
    pub will: Option<Will>,
    /// User name and password, as far as given.
    pub login: Login,
    /// MQTT 5 properties.
    pub properties: Properties,
}

/// User name and password of a CONNECT, as far as given.
#[derive(Clone, PartialEq, Default)]
pub struct Login {
    /// The user name.
    pub user_name: Option<ByteString>,
    /// The password; any bytes.
    pub password: Option<Bytes>,
}

impl std::fmt::Debug for Login {
    // Secrets are never shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user_name", &self.user_name)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish()
    }
}

/// What a client wants published when its connection is lost (section 3.1.2.5).
#[derive(Clone, PartialEq, Debug)]
pub struct Will {
    /// Where.
    pub topic: ByteString,
    /// What.
    pub payload: Bytes,
    /// How surely.
    pub qos: Qos,
    /// Whether it stays.
    pub retain: bool,
    /// How long after the loss, unless the client is back by then.
    pub delay_s: u32,
    /// How long it is of interest once published.
    pub expiry_s: Option<u32>,
    /// The properties that are published with it, in wire form.
    pub properties: Bytes,
}

impl Will {
    /// The same will in memory of its own.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            topic: ByteString::from(&*self.topic),
            payload: Bytes::copy_from_slice(&self.payload),
            properties: Bytes::copy_from_slice(&self.properties),
            ..self.clone()
        }
    }
}

/// Section 3.2.
#[derive(Clone, PartialEq, Debug)]
pub struct ConnAck {
    /// Whether the server still had the session.
    pub session_present: bool,
    /// The reason code. Up to 3.1.1: the return code's number, put into words of MQTT 5.
    pub reason: Reason,
    /// MQTT 5 properties.
    pub properties: Properties,
}

/// Section 3.3.
#[derive(Clone, PartialEq, Debug)]
pub struct Publish {
    /// Sent before, perhaps.
    pub dup: bool,
    /// How surely.
    pub qos: Qos,
    /// To be kept, or was kept.
    pub retain: bool,
    /// Where; empty if the alias says it.
    pub topic: ByteString,
    /// Identifies it until it is acknowledged; 0 at QoS 0.
    pub packet_id: u16,
    /// A number that stands for the topic.
    pub alias: Option<u16>,
    /// For how long it is of interest.
    pub expiry_s: Option<u32>,
    /// Which of the receiver's subscriptions it matches.
    pub subscription_ids: Vec<u32>,
    /// The other properties, which are passed on unaltered, in wire form.
    pub properties: Bytes,
    /// What is said.
    pub payload: Bytes,
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7).
#[derive(Clone, PartialEq, Debug)]
pub struct Ack {
    /// Of the PUBLISH that it is about.
    pub packet_id: u16,
    /// How it went.
    pub reason: Reason,
    /// MQTT 5 properties.
    pub properties: Properties,
}

/// Section 3.8.
#[derive(Clone, PartialEq, Debug)]
pub struct Subscribe {
    /// Identifies it until it is acknowledged.
    pub packet_id: u16,
    /// MQTT 5 properties.
    pub properties: Properties,
    /// At least one.
    pub filters: Vec<SubscribeFilter>,
}

/// One filter of a SUBSCRIBE, with its options (section 3.8.3.1).
#[derive(Clone, PartialEq, Debug)]
pub struct SubscribeFilter {
    /// The topic filter, as sent.
    pub filter: ByteString,
    /// The highest QoS that the client wants.
    pub qos: Qos,
    /// Not what I publish myself.
    pub no_local: bool,
    /// Leave the retain flag as it was published.
    pub retain_as_published: bool,
    /// Whether retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// Whether a new subscription gets the retained messages (section 3.8.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RetainHandling {
    /// 0: at each SUBSCRIBE.
    #[default]
    Send,
    /// 1: only if the subscription is new.
    SendIfNew,
    /// 2: never.
    DoNotSend,
}

/// SUBACK and UNSUBACK (sections 3.9 and 3.11).
#[derive(Clone, PartialEq, Debug)]
pub struct SubAck {
    /// Of the SUBSCRIBE or UNSUBSCRIBE that it answers.
    pub packet_id: u16,
    /// MQTT 5 properties.
    pub properties: Properties,
    /// One for each filter, in order; empty in an UNSUBACK up to 3.1.1.
    pub reasons: Vec<Reason>,
}

/// Section 3.10.
#[derive(Clone, PartialEq, Debug)]
pub struct Unsubscribe {
    /// Identifies it until it is acknowledged.
    pub packet_id: u16,
    /// MQTT 5 properties.
    pub properties: Properties,
    /// At least one.
    pub filters: Vec<ByteString>,
}

/// Section 3.14.
#[derive(Clone, PartialEq, Debug)]
pub struct Disconnect {
    /// Why.
    pub reason: Reason,
    /// MQTT 5 properties.
    pub properties: Properties,
}

/// Section 3.15.
#[derive(Clone, PartialEq, Debug)]
pub struct Auth {
    /// Continue or authenticate again.
    pub reason: Reason,
    /// Method and data.
    pub properties: Properties,
}
