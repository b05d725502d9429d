use std::{fmt, num::NonZeroU64, str::FromStr, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;

use crate::Time;

/// How many causes may lie behind an event. One that is further from its first
/// cause is going in a circle and is cut.
pub const HOPS_MAX: u8 = 16;

/// A fact: what happened, when, by whom, at which topic, and what led to it.
///
/// An event is never changed after it was made; whatever follows from it names
/// it as its cause. Text and bytes are slices of the buffer that they were read
/// into, so that a clone copies nothing.
#[derive(Clone, Debug)]
pub struct Event {
    /// Unique and ordered by time; its first part is when the event happened.
    pub id: EventId,
    /// Who made it happen.
    pub by: Actor,
    /// What that is called: the key of an element, or what a client calls itself. What the hub does
    /// because of something has the author of that. See [`Event::author`].
    pub author: Option<Arc<str>>,
    /// Where: a topic without wildcards. Often the text of an [`Address`](crate::Address).
    pub topic: ByteString,
    /// What was said, uninterpreted.
    pub payload: Bytes,
    /// What else was said, as MQTT 5 properties in wire form, in the order they came
    /// (content type, response topic, correlation data, user properties).
    pub properties: Bytes,
    /// How surely it is to be passed on.
    pub qos: Qos,
    /// Whether it stays at its topic for those who ask later.
    pub retain: bool,
    /// From when on nobody needs it any more; [`Time::NEVER`] if it stays true.
    pub expires: Time,
    /// The event that led to this one.
    pub cause: Option<EventId>,
    /// How many causes lie behind it.
    pub hops: u8,
    /// Where the journal keeps it, if it does.
    pub place: Option<Place>,
}

/// What somebody says, before it is an event: whoever takes it in adds when, by whom and why.
#[derive(Clone, Debug)]
pub struct Said {
    /// Where.
    pub topic: ByteString,
    /// What.
    pub payload: Bytes,
    /// What else, as [`Event::properties`].
    pub properties: Bytes,
    /// How surely it is to be passed on.
    pub qos: Qos,
    /// Whether it stays at its topic.
    pub retain: bool,
    /// From when on nobody needs it any more.
    pub expires: Time,
}

impl Said {
    /// A value that stays at its topic until there is a newer one.
    pub fn state(topic: impl Into<ByteString>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            properties: Bytes::new(),
            qos: Qos::AtMostOnce,
            retain: true,
            expires: Time::NEVER,
        }
    }

    /// The same, which must not be lost.
    pub fn kept(topic: impl Into<ByteString>, payload: impl Into<Bytes>) -> Self {
        Self {
            qos: Qos::AtLeastOnce,
            ..Self::state(topic, payload)
        }
    }
}

impl Event {
    /// The fact that `by` said something.
    pub fn new(id: EventId, by: Actor, said: Said) -> Self {
        let Said {
            topic,
            payload,
            properties,
            qos,
            retain,
            expires,
        } = said;
        Self {
            id,
            by,
            author: None,
            topic,
            payload,
            properties,
            qos,
            retain,
            expires,
            cause: None,
            hops: 0,
            place: None,
        }
    }

    /// The same event, said by one who is called so.
    #[must_use]
    pub fn said_by(mut self, author: Arc<str>) -> Self {
        self.author = Some(author);
        self
    }

    /// Who is behind it, by name.
    pub fn author(&self) -> &str {
        self.author.as_deref().unwrap_or(match self.by {
            Actor::Hub => "hub",
            Actor::Api => "api",
            Actor::Session(_) => "somebody",
        })
    }

    /// The same event as one that `cause` led to.
    #[must_use]
    pub fn because_of(mut self, cause: &Self) -> Self {
        self.cause = Some(cause.id);
        self.author.clone_from(&cause.author);
        self.hops = cause.hops.saturating_add(1);
        self
    }

    /// The same event in memory of its own: it no longer holds on to the (larger) buffer
    /// that it was read into. For whoever keeps events.
    #[must_use]
    pub fn detached(&self) -> Self {
        let properties_at = self.topic.len();
        let payload_at = properties_at + self.properties.len();
        let mut memory = Vec::with_capacity(self.size());
        memory.extend_from_slice(self.topic.as_bytes());
        memory.extend_from_slice(&self.properties);
        memory.extend_from_slice(&self.payload);
        let body = Bytes::from(memory);
        let Self { id, by, qos, .. } = *self;
        Self {
            id,
            by,
            author: self.author.clone(),
            topic: ByteString::try_from(body.slice(..properties_at))
                .expect("a copy of text is text"),
            properties: body.slice(properties_at..payload_at),
            payload: body.slice(payload_at..),
            qos,
            retain: self.retain,
            expires: self.expires,
            cause: self.cause,
            hops: self.hops,
            place: self.place,
        }
    }

    /// Bytes that the event holds: what limits on queues count.
    pub fn size(&self) -> usize {
        self.topic.len() + self.properties.len() + self.payload.len()
    }
}

/// Identifies an event: when it happened, and its number on the lane that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// When the event happened.
    pub at: Time,
    /// Lane in the upper 8 bits, a count in the lower 24.
    pub serial: u32,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}-{:08x}", self.at.as_micros(), self.serial)
    }
}

impl FromStr for EventId {
    type Err = NotAnEventId;

    fn from_str(text: &str) -> Result<Self, NotAnEventId> {
        let wrong = || NotAnEventId(text.to_owned());
        let (at, serial) = text.split_once('-').ok_or_else(wrong)?;
        let at = u64::from_str_radix(at, 16).map_err(|_| wrong())?;
        let id = Self {
            at: Time::from_micros(at),
            serial: u32::from_str_radix(serial, 16).map_err(|_| wrong())?,
        };
        // One name each.
        (id.to_string() == text).then_some(id).ok_or_else(wrong)
    }
}

/// A text that names no event.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no event's identity; expected 14 hexadecimal digits, a hyphen and 8 more")]
pub struct NotAnEventId(String);

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the journal keeps something: the shard, and the record's number in it. In one word, so
/// that queues of millions of places are small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(NonZeroU64);

impl Place {
    const SEQ_BITS: u32 = 56;

    /// Record `seq` of `shard`. Records are counted from 1.
    pub fn new(shard: u8, seq: u64) -> Self {
        let seq = seq.clamp(1, (1 << Self::SEQ_BITS) - 1);
        let word = u64::from(shard) << Self::SEQ_BITS | seq;
        Self(NonZeroU64::new(word).expect("the sequence is at least 1"))
    }

    /// The shard.
    pub const fn shard(self) -> u8 {
        (self.0.get() >> Self::SEQ_BITS) as u8
    }

    /// The record's number in the shard.
    pub const fn seq(self) -> u64 {
        self.0.get() & ((1 << Self::SEQ_BITS) - 1)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shard(), self.seq())
    }
}

/// Who acts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Actor {
    /// The hub itself, or an element that it speaks for.
    Hub,
    /// Whoever is behind a session.
    Session(SessionRef),
    /// Whoever called the HTTP API.
    Api,
}

/// A session, wherever it lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionRef {
    /// The lane that owns it.
    pub lane: u8,
    /// Its key among the lane's sessions; never used again for another one.
    pub key: u64,
}

/// How surely a message is passed on (MQTT 5.0, section 4.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Qos {
    /// 0: it may get lost.
    #[default]
    AtMostOnce,
    /// 1: it arrives, perhaps twice.
    AtLeastOnce,
    /// 2: it arrives once.
    ExactlyOnce,
}

impl Qos {
    /// The level with this number, if there is one.
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The level's number: 0, 1 or 2.
    pub const fn level(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_and_printed_back() {
        let id = EventId {
            at: Time::from_micros(0x0006_4411_2233_4455),
            serial: 0x0100_00ff,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [
            "",
            "12",
            "12-34",
            "00064411223344-0100 00ff",
            "+0006441122334-010000ff",
        ] {
            assert!(other.parse::<EventId>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_detached_event_says_the_same() {
        let buffer = Bytes::from_static(b"....a/b...props...21 C...");
        let event = Event {
            id: EventId {
                at: Time::from_micros(7),
                serial: 1,
            },
            by: Actor::Hub,
            author: Some("things/lamp".into()),
            topic: ByteString::try_from(buffer.slice(4..7)).unwrap(),
            payload: buffer.slice(18..22),
            properties: buffer.slice(10..15),
            qos: Qos::AtLeastOnce,
            retain: false,
            expires: Time::NEVER,
            cause: None,
            hops: 0,
            place: None,
        };
        let own = event.detached();
        assert_eq!(
            (&*own.topic, &own.payload[..], &own.properties[..]),
            ("a/b", &b"21 C"[..], &b"props"[..])
        );
        assert_eq!(own.size(), event.size());
        assert_eq!(own.author(), "things/lamp");
    }
}
