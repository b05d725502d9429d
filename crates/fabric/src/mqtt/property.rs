//! The properties of MQTT 5.0, section 2.2.2: what they are, where they may stand, how they
//! are read and written.

use bytes::{BufMut, Bytes};
use bytestring::ByteString;

use super::{
    codec::{Fault, Reader},
    packet::PacketKind,
};

/// One property with its value.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(
    missing_docs,
    reason = "the names are those of the standard's table 2-4"
)]
pub enum Property {
    PayloadFormatIndicator(bool),
    MessageExpiryInterval(u32),
    ContentType(ByteString),
    ResponseTopic(ByteString),
    CorrelationData(Bytes),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(ByteString),
    ServerKeepAlive(u16),
    AuthenticationMethod(ByteString),
    AuthenticationData(Bytes),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(ByteString),
    ServerReference(ByteString),
    ReasonString(ByteString),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(u8),
    RetainAvailable(bool),
    UserProperty(ByteString, ByteString),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

impl Property {
    /// The identifier on the wire (table 2-4).
    pub const fn identifier(&self) -> u8 {
        match self {
            Self::PayloadFormatIndicator(_) => 1,
            Self::MessageExpiryInterval(_) => 2,
            Self::ContentType(_) => 3,
            Self::ResponseTopic(_) => 8,
            Self::CorrelationData(_) => 9,
            Self::SubscriptionIdentifier(_) => 11,
            Self::SessionExpiryInterval(_) => 17,
            Self::AssignedClientIdentifier(_) => 18,
            Self::ServerKeepAlive(_) => 19,
            Self::AuthenticationMethod(_) => 21,
            Self::AuthenticationData(_) => 22,
            Self::RequestProblemInformation(_) => 23,
            Self::WillDelayInterval(_) => 24,
            Self::RequestResponseInformation(_) => 25,
            Self::ResponseInformation(_) => 26,
            Self::ServerReference(_) => 28,
            Self::ReasonString(_) => 31,
            Self::ReceiveMaximum(_) => 33,
            Self::TopicAliasMaximum(_) => 34,
            Self::TopicAlias(_) => 35,
            Self::MaximumQos(_) => 36,
            Self::RetainAvailable(_) => 37,
            Self::UserProperty(..) => 38,
            Self::MaximumPacketSize(_) => 39,
            Self::WildcardSubscriptionAvailable(_) => 40,
            Self::SubscriptionIdentifierAvailable(_) => 41,
            Self::SharedSubscriptionAvailable(_) => 42,
        }
    }

    /// Whether it may stand in a packet of this kind (table 2-4).
    const fn may_stand_in(identifier: u8, place: Place) -> bool {
        use PacketKind as P;
        match (identifier, place) {
            (1 | 2 | 3 | 8 | 9, Place::Will | Place::In(P::Publish))
            | (24, Place::Will)
            | (11, Place::In(P::Publish | P::Subscribe))
            | (17, Place::In(P::Connect | P::ConnAck | P::Disconnect))
            | (18 | 19 | 26 | 36 | 37 | 40 | 41 | 42, Place::In(P::ConnAck))
            | (21 | 22, Place::In(P::Connect | P::ConnAck | P::Auth))
            | (23 | 25, Place::In(P::Connect))
            | (28, Place::In(P::ConnAck | P::Disconnect))
            | (33 | 34 | 39, Place::In(P::Connect | P::ConnAck))
            | (35, Place::In(P::Publish))
            | (38, _) => true,
            (31, Place::In(kind)) => !matches!(
                kind,
                P::Connect | P::Publish | P::Subscribe | P::Unsubscribe | P::PingReq | P::PingResp
            ),
            _ => false,
        }
    }

    /// Reads one property that stands in `place`.
    pub(super) fn read(reader: &mut Reader<'_>, place: Place) -> Result<Self, Fault> {
        let identifier = reader.varint()?;
        let identifier =
            u8::try_from(identifier).map_err(|_| Fault::malformed("unknown property"))?;
        let property = Self::read_value(identifier, reader)?;
        // A property that is not for this packet is a malformed packet (section 2.2.2.2).
        if !Self::may_stand_in(identifier, place) {
            return Err(Fault::malformed(
                "a property stands in a packet that it is not for",
            ));
        }
        Ok(property)
    }

    fn read_value(identifier: u8, reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match identifier {
            1 => Self::PayloadFormatIndicator(reader.flag("payload format indicator")?),
            2 => Self::MessageExpiryInterval(reader.u32()?),
            3 => Self::ContentType(reader.text()?), // [MQTT-3.3.2-19]
            8 => Self::ResponseTopic(reader.text()?), // [MQTT-3.3.2-13]
            9 => Self::CorrelationData(reader.binary()?),
            11 => match reader.varint()? {
                0 => return Err(Fault::protocol("a subscription identifier is 0")),
                identifier => Self::SubscriptionIdentifier(identifier),
            },
            17 => Self::SessionExpiryInterval(reader.u32()?),
            18 => Self::AssignedClientIdentifier(reader.text()?),
            19 => Self::ServerKeepAlive(reader.u16()?),
            21 => Self::AuthenticationMethod(reader.text()?),
            22 => Self::AuthenticationData(reader.binary()?),
            23 => Self::RequestProblemInformation(reader.flag("request problem information")?),
            24 => Self::WillDelayInterval(reader.u32()?),
            25 => Self::RequestResponseInformation(reader.flag("request response information")?),
            26 => Self::ResponseInformation(reader.text()?),
            28 => Self::ServerReference(reader.text()?),
            31 => Self::ReasonString(reader.text()?),
            33 => match reader.u16()? {
                0 => return Err(Fault::protocol("receive maximum is 0")),
                maximum => Self::ReceiveMaximum(maximum),
            },
            34 => Self::TopicAliasMaximum(reader.u16()?),
            35 => Self::TopicAlias(reader.u16()?),
            36 => Self::MaximumQos(u8::from(reader.flag("maximum QoS")?)),
            37 => Self::RetainAvailable(reader.flag("retain available")?),
            38 => Self::UserProperty(reader.text()?, reader.text()?), // [MQTT-1.5.7-1]
            39 => match reader.u32()? {
                0 => return Err(Fault::protocol("maximum packet size is 0")),
                maximum => Self::MaximumPacketSize(maximum),
            },
            40 => Self::WildcardSubscriptionAvailable(reader.flag("wildcard available")?),
            41 => Self::SubscriptionIdentifierAvailable(
                reader.flag("subscription identifier available")?,
            ),
            42 => Self::SharedSubscriptionAvailable(reader.flag("shared available")?),
            _ => return Err(Fault::malformed("unknown property")),
        })
    }

    /// Writes identifier and value.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u8(self.identifier());
        match self {
            Self::PayloadFormatIndicator(flag)
            | Self::RequestProblemInformation(flag)
            | Self::RequestResponseInformation(flag)
            | Self::RetainAvailable(flag)
            | Self::WildcardSubscriptionAvailable(flag)
            | Self::SubscriptionIdentifierAvailable(flag)
            | Self::SharedSubscriptionAvailable(flag) => out.put_u8(u8::from(*flag)),
            Self::MaximumQos(level) => out.put_u8(*level),
            Self::ServerKeepAlive(number)
            | Self::ReceiveMaximum(number)
            | Self::TopicAliasMaximum(number)
            | Self::TopicAlias(number) => out.put_u16(*number),
            Self::MessageExpiryInterval(number)
            | Self::SessionExpiryInterval(number)
            | Self::WillDelayInterval(number)
            | Self::MaximumPacketSize(number) => out.put_u32(*number),
            Self::SubscriptionIdentifier(number) => super::codec::put_varint(out, *number),
            Self::ContentType(text)
            | Self::ResponseTopic(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => super::codec::put_binary(out, text.as_bytes()),
            Self::CorrelationData(data) | Self::AuthenticationData(data) => {
                super::codec::put_binary(out, data);
            }
            Self::UserProperty(name, value) => {
                super::codec::put_binary(out, name.as_bytes());
                super::codec::put_binary(out, value.as_bytes());
            }
        }
    }

    /// Writes a [`Self::UserProperty`].
    pub fn write_user(name: &str, value: &str, out: &mut Vec<u8>) {
        out.put_u8(0x26);
        super::codec::put_binary(out, name.as_bytes());
        super::codec::put_binary(out, value.as_bytes());
    }
}

/// Where a property stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In a packet's own property list.
    In(PacketKind),
    /// In the Will Properties of a CONNECT.
    Will,
}

/// The properties of a control packet, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Properties(Vec<Property>);

impl Properties {
    /// None at all.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads the property length and all properties of `place`.
    pub(super) fn read(reader: &mut Reader<'_>, place: Place) -> Result<Self, Fault> {
        let mut list = reader.part()?;
        let mut seen = Seen::default();
        let mut properties = Vec::new();
        while !list.is_empty() {
            let property = Property::read(&mut list, place)?;
            seen.once(&property, place)?;
            properties.push(property);
        }
        Ok(Self(properties))
    }

    /// The properties that an event carries in wire form; none, if they are not readable.
    pub fn of_wire(bytes: &Bytes) -> Self {
        let mut list = Reader::of(bytes);
        let mut properties = Vec::new();
        while !list.is_empty() {
            match Property::read(&mut list, Place::In(PacketKind::Publish)) {
                Ok(property) => properties.push(property),
                Err(_) => return Self::none(),
            }
        }
        Self(properties)
    }

    /// Writes the property length, 0 if there are none [MQTT-2.2.2-1], and all properties.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut list = Vec::new();
        for property in &self.0 {
            property.write(&mut list);
        }
        let length =
            u32::try_from(list.len()).expect("the lists that we write are shorter than 4 GiB");
        super::codec::put_varint(out, length);
        out.extend_from_slice(&list);
    }

    /// The first value that `pick` picks.
    pub fn find<T>(&self, pick: impl Fn(&Property) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(pick)
    }

    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Property> {
        self.0.iter()
    }

    /// Adds one at the end.
    pub fn push(&mut self, property: Property) {
        self.0.push(property);
    }

    /// Adds one at the end.
    #[must_use]
    pub fn with(mut self, property: Property) -> Self {
        self.0.push(property);
        self
    }

    /// Takes out what only explains: reason string and user properties. For clients that
    /// asked for no problem information, or have no room for it.
    pub fn without_explanation(&mut self) {
        self.0.retain(|property| {
            !matches!(
                property,
                Property::ReasonString(_) | Property::UserProperty(..)
            )
        });
    }

    /// How many bytes they take on the wire, without their length.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        Self(properties.into_iter().collect())
    }
}

/// Which properties came already: all but a few may come only once (section 2.2.2.2).
#[derive(Default)]
pub(super) struct Seen(u64);

impl Seen {
    pub(super) fn once(&mut self, property: &Property, place: Place) -> Result<(), Fault> {
        let repeatable = match property {
            Property::UserProperty(..) => true,
            // The server sends one per matching subscription [MQTT-3.3.4-4].
            Property::SubscriptionIdentifier(_) => place == Place::In(PacketKind::Publish),
            _ => false,
        };
        let bit = 1 << property.identifier();
        if self.0 & bit != 0 && !repeatable {
            return Err(Fault::protocol("a property comes twice"));
        }
        self.0 |= bit;
        Ok(())
    }
}
