//! What is written down: the records of a shard, as values and as bytes.
//!
//! A record is a tag and its fields: numbers seven bits a byte, text and bytes behind their
//! length. A tag's fields never change; what must change gets a new tag and a new [`FORMAT`].

use bytes::Bytes;
use bytestring::ByteString;
use quartet_fabric::{mqtt::Will, routes::Wish};
use quartet_model::{Actor, Event, EventId, Place, Qos, SessionRef, Time};

/// The newest format of records that this version writes and reads.
pub const FORMAT: u64 = 6;

/// A durable session's number in its shard; never used again for another one.
pub type SessionNumber = u32;

/// One fact about a shard.
#[derive(Clone, Debug)]
pub enum Record {
    /// A round of [checkpoints](super::round) begins here: all that holds is said anew.
    Basis {
        /// See [`FORMAT`].
        format: u64,
        /// The next session gets this number.
        next_session: SessionNumber,
        /// Everything said up to here has been taken by all who receive it.
        passed: u64,
    },
    /// Somebody said something that must not be lost.
    Said {
        /// See [`Record::Basis`].
        passed: u64,
        /// The durable session that said it; 0 for none.
        session: SessionNumber,
        /// Its packet identifier, if it is not released before PUBREL; else 0.
        packet_id: u16,
        /// It is the session's will, which is spent with it.
        is_will: bool,
        /// What was said. Its place is the record's.
        event: Box<Event>,
    },
    /// Everything said up to here has been taken by all who receive it.
    Passed(u64),
    /// What is retained at a topic of this shard; nothing, if the payload is empty.
    Kept {
        /// Where it was said, if it was not only said anew.
        from: Option<Place>,
        /// It is not what was retained there before. Until format 4 only those told so that were said
        /// elsewhere.
        is_new: bool,
        /// What.
        event: Box<Event>,
    },
    /// Durable sessions received what is at a place.
    Took {
        /// Where.
        from: Place,
        /// How it came to them.
        via: Via,
        /// Who, and how.
        takers: Vec<Taker>,
    },
    /// A durable session's client came in.
    Opened(Box<Opened>),
    /// A durable session, said anew.
    Whole(Box<Whole>),
    /// Messages that wait in a session that is said anew: the [`Record::Whole`] that follows says
    /// how many of these it has, so that it is known whole or not at all.
    Waits {
        /// Which.
        session: SessionNumber,
        /// See `Session::wait_too`.
        part: Bytes,
    },
    /// The client went, or was lost.
    Away {
        /// Which.
        session: SessionNumber,
        /// When.
        at: Time,
        /// How long its session outlives that, in seconds.
        expiry_s: u32,
        /// It said goodbye: its will is not wanted.
        forgets_will: bool,
    },
    /// The session is over.
    Ended(SessionNumber),
    /// A subscription.
    Subscribed {
        /// Which session.
        session: SessionNumber,
        /// To what.
        subscription: Subscription,
    },
    /// The end of a subscription.
    Unsubscribed {
        /// Which session.
        session: SessionNumber,
        /// The shared subscription's name; empty if it is not shared.
        share: ByteString,
        /// Its filter.
        filter: ByteString,
    },
    /// The first message that waited was sent.
    Sent(SessionNumber),
    /// The first message that waited was dropped.
    Dropped(SessionNumber),
    /// What was sent is acknowledged.
    Done(SessionNumber, u16),
    /// What was sent at QoS 2 is received.
    Received(SessionNumber, u16),
    /// What was said at QoS 2 is released.
    Released(SessionNumber, u16),
    /// The will is not wanted any more.
    WillGone(SessionNumber),
}

/// How a message came to a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Via {
    /// By its subscription.
    Route,
    /// It was retained when the session subscribed.
    Scan,
    /// By this share of a subscription.
    Share(u64),
    /// It is what is retained now.
    Retained,
    /// An element of this shard reacted to it.
    Element,
    /// A flow ran because of it: the hash of its key. Since format 6.
    Process(u64),
}

/// A session that received a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taker {
    /// Which.
    pub session: SessionNumber,
    /// How surely.
    pub qos: Qos,
    /// The retain flag that it sees.
    pub retain: bool,
    /// It was sent at once.
    pub was_sent: bool,
    /// Its identifiers of the subscriptions that match.
    pub ids: Box<[u32]>,
}

/// A durable session as its CONNECT described it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its number.
    pub session: SessionNumber,
    /// The client's name.
    pub id: ByteString,
    /// The element that it came in as; empty if it is none.
    pub owner: ByteString,
    /// How long it outlives its connection, in seconds.
    pub expiry_s: u32,
    /// What is published when the client is lost.
    pub will: Option<Will>,
}

/// A durable session with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Whole {
    /// As for CONNECT.
    pub opened: Opened,
    /// Since when the client is away.
    pub away_at: Option<Time>,
    /// What it asked for.
    pub subscriptions: Vec<Subscription>,
    /// It asked for more, which is said behind this; what was known of it stays.
    pub has_more_subscriptions: bool,
    /// How many [`Record::Waits`] directly before this belong to it.
    pub parts: u32,
    /// See `Session::read_back`.
    pub state: Bytes,
}

/// A subscription of a durable session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// The shared subscription's name; empty if it is not shared.
    pub share: ByteString,
    /// Which topics.
    pub filter: ByteString,
    /// How.
    pub wish: Wish,
}

/// Why bytes are not a record that this version knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotARecord {
    /// The bytes end too soon, or a field has no such value.
    #[error("the record's fields cannot be read")]
    Malformed,
    /// A newer version wrote it.
    #[error("a newer version of the hub wrote this (format {0})")]
    Newer(u64),
}

const BASIS: u8 = 1;
const SAID: u8 = 2;
const PASSED: u8 = 3;
const KEPT: u8 = 4;
const TOOK: u8 = 5;
const OPENED: u8 = 6;
const WHOLE: u8 = 7;
const WAITS: u8 = 8;
const AWAY: u8 = 9;
const ENDED: u8 = 10;
const SUBSCRIBED: u8 = 11;
const UNSUBSCRIBED: u8 = 12;
const SENT: u8 = 13;
const DROPPED: u8 = 14;
const DONE: u8 = 15;
const RECEIVED: u8 = 16;
const RELEASED: u8 = 17;
const WILL_GONE: u8 = 18;
const OPENED_BY: u8 = 19;
const WHOLE_BY: u8 = 20;
const KEPT_NEW: u8 = 21;

impl Record {
    /// Appends the record's bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Basis {
                format,
                next_session,
                passed,
            } => {
                out.push(BASIS);
                put_number(out, *format);
                put_number(out, (*next_session).into());
                put_number(out, *passed);
            }
            Self::Said {
                passed,
                session,
                packet_id,
                is_will,
                event,
            } => {
                write_said(out, *passed, *session, *packet_id, *is_will, event);
                out.extend_from_slice(&event.payload);
            }
            Self::Passed(seq) => {
                out.push(PASSED);
                put_number(out, *seq);
            }
            Self::Kept {
                from,
                is_new,
                event,
            } => {
                write_kept(out, *from, *is_new, event);
                out.extend_from_slice(&event.payload);
            }
            Self::Took { from, via, takers } => write_took(out, *from, *via, takers.iter()),
            Self::Opened(opened) => {
                out.push(OPENED_BY);
                put_opened(out, opened);
            }
            Self::Whole(whole) => {
                out.push(WHOLE_BY);
                put_opened(out, &whole.opened);
                put_time(out, whole.away_at.unwrap_or(Time::NEVER));
                put_number(out, whole.subscriptions.len() as u64);
                for subscription in &whole.subscriptions {
                    put_subscription(out, subscription);
                }
                out.push(u8::from(whole.has_more_subscriptions));
                put_number(out, whole.parts.into());
                put_bytes(out, &whole.state);
            }
            Self::Waits { session, part } => {
                out.push(WAITS);
                put_number(out, (*session).into());
                put_bytes(out, part);
            }
            Self::Away {
                session,
                at,
                expiry_s,
                forgets_will,
            } => {
                out.push(AWAY);
                put_number(out, (*session).into());
                put_time(out, *at);
                put_number(out, (*expiry_s).into());
                out.push(u8::from(*forgets_will));
            }
            Self::Subscribed {
                session,
                subscription,
            } => {
                out.push(SUBSCRIBED);
                put_number(out, (*session).into());
                put_subscription(out, subscription);
            }
            Self::Unsubscribed {
                session,
                share,
                filter,
            } => {
                out.push(UNSUBSCRIBED);
                put_number(out, (*session).into());
                put_bytes(out, share.as_bytes());
                put_bytes(out, filter.as_bytes());
            }
            Self::Ended(session) => put_short(out, ENDED, *session, None),
            Self::Sent(session) => put_short(out, SENT, *session, None),
            Self::Dropped(session) => put_short(out, DROPPED, *session, None),
            Self::WillGone(session) => put_short(out, WILL_GONE, *session, None),
            Self::Done(session, id) => put_short(out, DONE, *session, Some(*id)),
            Self::Received(session, id) => put_short(out, RECEIVED, *session, Some(*id)),
            Self::Released(session, id) => put_short(out, RELEASED, *session, Some(*id)),
        }
    }

    /// Whether a record tells of sessions or of what is retained; most tell of messages on their
    /// way. Looks at its first bytes only.
    pub fn tells_of_state(bytes: &[u8]) -> bool {
        let mut fields = Fields { rest: bytes };
        let is_will = |fields: &mut Fields<'_>| {
            let head = [fields.number()?, fields.number()?, fields.number()?];
            fields.byte().map(|is_will| is_will != 0 && head[1] != 0)
        };
        match fields.byte() {
            // What cannot be read is to be found out by reading it.
            Ok(SAID) => is_will(&mut fields).unwrap_or(true),
            Ok(PASSED | TOOK | WAITS | SENT | DROPPED | DONE | RECEIVED | RELEASED) => false,
            _ => true,
        }
    }

    /// Whether a record tells what the hub itself says that stays at a topic. Looks at its first bytes only.
    pub fn tells_of_the_hubs_word(bytes: &[u8]) -> bool {
        let mut fields = Fields { rest: bytes };
        let flags = |fields: &mut Fields<'_>| {
            fields.maybe_place()?;
            fields.event_id()?;
            fields.byte()
        };
        // What cannot be read is to be found out by reading it.
        matches!(fields.byte(), Ok(KEPT | KEPT_NEW))
            && flags(&mut fields).is_ok_and(|flags| flags >> 3 & 3 == 0)
    }

    /// Reads a record.
    pub fn read(bytes: &[u8]) -> Result<Self, NotARecord> {
        let mut fields = Fields { rest: bytes };
        let tag = fields.byte()?;
        Ok(match tag {
            BASIS => {
                let format = fields.number()?;
                if FORMAT < format {
                    return Err(NotARecord::Newer(format));
                }
                Self::Basis {
                    format,
                    next_session: fields.small()?,
                    passed: fields.number()?,
                }
            }
            SAID => {
                let passed = fields.number()?;
                let session = fields.small()?;
                let packet_id = fields.small()?;
                let is_will = fields.byte()? != 0;
                Self::Said {
                    passed,
                    session,
                    packet_id,
                    is_will,
                    event: Box::new(fields.event()?),
                }
            }
            PASSED => Self::Passed(fields.number()?),
            KEPT | KEPT_NEW => {
                let from = fields.maybe_place()?;
                Self::Kept {
                    from,
                    is_new: tag == KEPT_NEW || from.is_some(),
                    event: Box::new(fields.event()?),
                }
            }
            TOOK => Self::Took {
                from: fields.place()?,
                via: fields.via()?,
                takers: fields.takers()?,
            },
            OPENED | OPENED_BY => Self::Opened(Box::new(fields.opened(tag == OPENED_BY)?)),
            WHOLE | WHOLE_BY => Self::Whole(Box::new(fields.whole(tag == WHOLE_BY)?)),
            WAITS => Self::Waits {
                session: fields.small()?,
                part: Bytes::copy_from_slice(fields.bytes()?),
            },
            AWAY => Self::Away {
                session: fields.small()?,
                at: fields.time()?,
                expiry_s: fields.small()?,
                forgets_will: fields.byte()? != 0,
            },
            ENDED => Self::Ended(fields.small()?),
            SUBSCRIBED => Self::Subscribed {
                session: fields.small()?,
                subscription: fields.subscription()?,
            },
            UNSUBSCRIBED => Self::Unsubscribed {
                session: fields.small()?,
                share: fields.text()?,
                filter: fields.text()?,
            },
            SENT => Self::Sent(fields.small()?),
            DROPPED => Self::Dropped(fields.small()?),
            DONE => Self::Done(fields.small()?, fields.small()?),
            RECEIVED => Self::Received(fields.small()?, fields.small()?),
            RELEASED => Self::Released(fields.small()?, fields.small()?),
            WILL_GONE => Self::WillGone(fields.small()?),
            _ => return Err(NotARecord::Malformed),
        })
    }
}

/// A [`Record::Said`] but for its event's payload, which follows.
pub fn write_said(
    out: &mut Vec<u8>,
    passed: u64,
    session: SessionNumber,
    packet_id: u16,
    is_will: bool,
    event: &Event,
) {
    out.push(SAID);
    put_number(out, passed);
    put_number(out, session.into());
    put_number(out, packet_id.into());
    out.push(u8::from(is_will));
    put_event_head(out, event);
}

/// A [`Record::Kept`] but for its event's payload, which follows.
pub fn write_kept(out: &mut Vec<u8>, from: Option<Place>, is_new: bool, event: &Event) {
    out.push(if is_new { KEPT_NEW } else { KEPT });
    put_maybe_place(out, from);
    put_event_head(out, event);
}

/// See [`Record::Took`].
pub fn write_took<'t>(
    out: &mut Vec<u8>,
    from: Place,
    via: Via,
    takers: impl ExactSizeIterator<Item = &'t Taker>,
) {
    out.push(TOOK);
    put_maybe_place(out, Some(from));
    match via {
        Via::Route => out.push(0),
        Via::Scan => out.push(1),
        Via::Share(share) => {
            out.push(2);
            out.extend_from_slice(&share.to_le_bytes());
        }
        Via::Retained => out.push(3),
        Via::Element => out.push(4),
        Via::Process(flow) => {
            out.push(5);
            out.extend_from_slice(&flow.to_le_bytes());
        }
    }
    put_number(out, takers.len() as u64);
    for taker in takers {
        put_number(out, taker.session.into());
        let has_ids = !taker.ids.is_empty();
        out.push(
            taker.qos.level()
                | u8::from(taker.retain) << 2
                | u8::from(taker.was_sent) << 3
                | u8::from(has_ids) << 4,
        );
        if has_ids {
            put_number(out, taker.ids.len() as u64);
            for &id in &taker.ids {
                put_number(out, id.into());
            }
        }
    }
}

fn put_short(out: &mut Vec<u8>, tag: u8, session: SessionNumber, packet_id: Option<u16>) {
    out.push(tag);
    put_number(out, session.into());
    if let Some(id) = packet_id {
        put_number(out, id.into());
    }
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while 0x7F < number {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// 0 stands for never: no event is from the first microsecond of the epoch.
fn put_time(out: &mut Vec<u8>, time: Time) {
    put_number(
        out,
        if time == Time::NEVER {
            0
        } else {
            time.as_micros()
        },
    );
}

fn put_maybe_place(out: &mut Vec<u8>, place: Option<Place>) {
    out.push(place.map_or(0, Place::shard));
    put_number(out, place.map_or(0, Place::seq));
}

/// An event but for its payload, which follows.
fn put_event_head(out: &mut Vec<u8>, event: &Event) {
    put_number(out, event.id.at.as_micros());
    out.extend_from_slice(&event.id.serial.to_le_bytes());
    let by = match event.by {
        Actor::Hub => 0_u8,
        Actor::Session(_) => 1,
        Actor::Api => 2,
    };
    let has_cause = event.cause.is_some();
    out.push(
        event.qos.level()
            | u8::from(event.retain) << 2
            | by << 3
            | u8::from(has_cause) << 5
            | u8::from(event.author.is_some()) << 6,
    );
    if let Some(author) = &event.author {
        put_bytes(out, author.as_bytes());
    }
    put_time(out, event.expires);
    if let Some(cause) = event.cause {
        put_number(out, cause.at.as_micros());
        out.extend_from_slice(&cause.serial.to_le_bytes());
        out.push(event.hops);
    }
    put_bytes(out, event.topic.as_bytes());
    put_bytes(out, &event.properties);
    put_number(out, event.payload.len() as u64);
}

fn put_opened(out: &mut Vec<u8>, opened: &Opened) {
    put_number(out, opened.session.into());
    put_bytes(out, opened.id.as_bytes());
    put_bytes(out, opened.owner.as_bytes());
    put_number(out, opened.expiry_s.into());
    let Some(will) = &opened.will else {
        return out.push(0);
    };
    out.push(1);
    put_bytes(out, will.topic.as_bytes());
    put_bytes(out, &will.payload);
    out.push(will.qos.level() | u8::from(will.retain) << 2);
    put_number(out, will.delay_s.into());
    put_number(out, will.expiry_s.map_or(0, |s| u64::from(s) + 1));
    put_bytes(out, &will.properties);
}

fn put_subscription(out: &mut Vec<u8>, subscription: &Subscription) {
    put_bytes(out, subscription.share.as_bytes());
    put_bytes(out, subscription.filter.as_bytes());
    let wish = subscription.wish;
    out.push(
        wish.qos.level() | u8::from(wish.no_local) << 2 | u8::from(wish.retain_as_published) << 3,
    );
    put_number(out, wish.id.into());
}

/// The fields of a record, front to back.
struct Fields<'r> {
    rest: &'r [u8],
}

impl<'r> Fields<'r> {
    fn take(&mut self, length: usize) -> Result<&'r [u8], NotARecord> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(NotARecord::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotARecord> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, NotARecord> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, NotARecord> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(NotARecord::Malformed)
    }

    fn small<N: TryFrom<u64>>(&mut self) -> Result<N, NotARecord> {
        N::try_from(self.number()?).map_err(|_| NotARecord::Malformed)
    }

    fn bytes(&mut self) -> Result<&'r [u8], NotARecord> {
        let length = self.small()?;
        self.take(length)
    }

    fn str(&mut self) -> Result<&'r str, NotARecord> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NotARecord::Malformed)
    }

    fn text(&mut self) -> Result<ByteString, NotARecord> {
        self.str().map(Into::into)
    }

    fn time(&mut self) -> Result<Time, NotARecord> {
        Ok(match self.number()? {
            0 => Time::NEVER,
            us => Time::from_micros(us),
        })
    }

    fn maybe_place(&mut self) -> Result<Option<Place>, NotARecord> {
        let (shard, seq) = (self.byte()?, self.number()?);
        Ok((seq != 0).then(|| Place::new(shard, seq)))
    }

    fn place(&mut self) -> Result<Place, NotARecord> {
        self.maybe_place()?.ok_or(NotARecord::Malformed)
    }

    fn qos(flags: u8) -> Result<Qos, NotARecord> {
        Qos::from_level(flags & 3).ok_or(NotARecord::Malformed)
    }

    fn event_id(&mut self) -> Result<EventId, NotARecord> {
        Ok(EventId {
            at: Time::from_micros(self.number()?),
            serial: u32::from_le_bytes(self.array()?),
        })
    }

    fn event(&mut self) -> Result<Event, NotARecord> {
        let id = self.event_id()?;
        let flags = self.byte()?;
        // Before format 4 no event had one.
        let author = match flags & 1 << 6 {
            0 => None,
            _ => Some(self.str()?.into()),
        };
        let expires = self.time()?;
        let (mut cause, mut hops) = (None, 0);
        if flags & 1 << 5 != 0 {
            cause = Some(self.event_id()?);
            hops = self.byte()?;
        }
        let topic = self.bytes()?;
        let properties = self.bytes()?;
        let payload = self.bytes()?;
        let body = Bytes::from([topic, properties, payload].concat());
        let payload_at = topic.len() + properties.len();
        Ok(Event {
            id,
            by: match flags >> 3 & 3 {
                0 => Actor::Hub,
                1 => Actor::Session(SessionRef {
                    lane: u8::MAX,
                    key: 0,
                }),
                _ => Actor::Api,
            },
            author,
            topic: ByteString::try_from(body.slice(..topic.len()))
                .map_err(|_| NotARecord::Malformed)?,
            properties: body.slice(topic.len()..payload_at),
            payload: body.slice(payload_at..),
            qos: Self::qos(flags)?,
            retain: flags & 1 << 2 != 0,
            expires,
            cause,
            hops,
            place: None,
        })
    }

    fn via(&mut self) -> Result<Via, NotARecord> {
        Ok(match self.byte()? {
            0 => Via::Route,
            1 => Via::Scan,
            2 => Via::Share(u64::from_le_bytes(self.array()?)),
            3 => Via::Retained,
            4 => Via::Element,
            5 => Via::Process(u64::from_le_bytes(self.array()?)),
            _ => return Err(NotARecord::Malformed),
        })
    }

    fn takers(&mut self) -> Result<Vec<Taker>, NotARecord> {
        let count = self.number()?;
        (0..count)
            .map(|_| {
                let session = self.small()?;
                let flags = self.byte()?;
                let ids = if flags & 1 << 4 == 0 {
                    0
                } else {
                    self.number()?
                };
                Ok(Taker {
                    session,
                    qos: Self::qos(flags)?,
                    retain: flags & 1 << 2 != 0,
                    was_sent: flags & 1 << 3 != 0,
                    ids: (0..ids).map(|_| self.small()).collect::<Result<_, _>>()?,
                })
            })
            .collect()
    }

    /// Before format 3 no session had an owner.
    fn opened(&mut self, has_owner: bool) -> Result<Opened, NotARecord> {
        Ok(Opened {
            session: self.small()?,
            id: self.text()?,
            owner: match has_owner {
                true => self.text()?,
                false => ByteString::new(),
            },
            expiry_s: self.small()?,
            will: match self.byte()? {
                0 => None,
                _ => Some(self.will()?),
            },
        })
    }

    fn will(&mut self) -> Result<Will, NotARecord> {
        let topic = self.text()?;
        let payload = Bytes::copy_from_slice(self.bytes()?);
        let flags = self.byte()?;
        Ok(Will {
            topic,
            payload,
            qos: Self::qos(flags)?,
            retain: flags & 1 << 2 != 0,
            delay_s: self.small()?,
            expiry_s: match self.number()? {
                0 => None,
                s => Some(u32::try_from(s - 1).map_err(|_| NotARecord::Malformed)?),
            },
            properties: Bytes::copy_from_slice(self.bytes()?),
        })
    }

    fn whole(&mut self, has_owner: bool) -> Result<Whole, NotARecord> {
        let opened = self.opened(has_owner)?;
        let away_at = Some(self.time()?).filter(|&at| at != Time::NEVER);
        let count = self.number()?;
        Ok(Whole {
            opened,
            away_at,
            subscriptions: (0..count)
                .map(|_| self.subscription())
                .collect::<Result<_, _>>()?,
            has_more_subscriptions: self.byte()? != 0,
            parts: self.small()?,
            state: Bytes::copy_from_slice(self.bytes()?),
        })
    }

    fn subscription(&mut self) -> Result<Subscription, NotARecord> {
        let (share, filter) = (self.text()?, self.text()?);
        let flags = self.byte()?;
        Ok(Subscription {
            share,
            filter,
            wish: Wish {
                qos: Self::qos(flags)?,
                no_local: flags & 1 << 2 != 0,
                retain_as_published: flags & 1 << 3 != 0,
                id: self.small()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::Said;

    use super::*;

    fn event(retain: bool) -> Box<Event> {
        let id = EventId {
            at: Time::from_micros(1_700_000_000_000_001),
            serial: 0x0100_0002,
        };
        let said = Said {
            topic: "ward/3".into(),
            payload: Bytes::from_static(b"\0payload"),
            properties: Bytes::from_static(&[1, 1]),
            qos: Qos::ExactlyOnce,
            retain,
            expires: Time::from_micros(1_800_000_000_000_000),
        };
        let cause = Event::new(id, Actor::Hub, Said::state("cause", "x"));
        Box::new(
            Event::new(id, Actor::Api, said)
                .because_of(&cause)
                .said_by("people/ana".into()),
        )
    }

    fn subscription(share: &str) -> Subscription {
        Subscription {
            share: share.into(),
            filter: "ward/#".into(),
            wish: Wish {
                qos: Qos::AtLeastOnce,
                no_local: true,
                retain_as_published: true,
                id: 268_435_455,
            },
        }
    }

    fn opened() -> Opened {
        Opened {
            session: u32::MAX,
            id: "ana".into(),
            owner: "things/lamp".into(),
            expiry_s: u32::MAX,
            will: Some(Will {
                topic: "ana/status".into(),
                payload: Bytes::from_static(b"lost"),
                qos: Qos::AtLeastOnce,
                retain: true,
                delay_s: 30,
                expiry_s: Some(0),
                properties: Bytes::from_static(&[1, 0]),
            }),
        }
    }

    fn one_of_each() -> Vec<Record> {
        let taker = |ids: &[u32]| Taker {
            session: 7,
            qos: Qos::ExactlyOnce,
            retain: true,
            was_sent: true,
            ids: ids.into(),
        };
        let took = |via| Record::Took {
            from: Place::new(63, 1 << 40),
            via,
            takers: vec![taker(&[]), taker(&[1, u32::MAX])],
        };
        vec![
            Record::Basis {
                format: FORMAT,
                next_session: 9,
                passed: 1 << 40,
            },
            Record::Said {
                passed: 3,
                session: 7,
                packet_id: u16::MAX,
                is_will: true,
                event: event(false),
            },
            Record::Passed(0),
            Record::Kept {
                from: Some(Place::new(1, 2)),
                is_new: true,
                event: event(true),
            },
            Record::Kept {
                from: None,
                is_new: true,
                event: event(true),
            },
            Record::Kept {
                from: None,
                is_new: false,
                event: event(true),
            },
            took(Via::Route),
            took(Via::Scan),
            took(Via::Share(u64::MAX)),
            took(Via::Retained),
            took(Via::Element),
            took(Via::Process(u64::MAX)),
            Record::Opened(Box::new(opened())),
            Record::Whole(Box::new(Whole {
                opened: opened(),
                away_at: Some(Time::from_micros(5)),
                subscriptions: vec![subscription(""), subscription("share")],
                has_more_subscriptions: true,
                parts: 3,
                state: Bytes::from_static(b"state"),
            })),
            Record::Waits {
                session: 7,
                part: Bytes::from_static(b"part"),
            },
            Record::Away {
                session: 7,
                at: Time::from_micros(5),
                expiry_s: 60,
                forgets_will: true,
            },
            Record::Ended(7),
            Record::Subscribed {
                session: 7,
                subscription: subscription("share"),
            },
            Record::Unsubscribed {
                session: 7,
                share: "".into(),
                filter: "ward/#".into(),
            },
            Record::Sent(7),
            Record::Dropped(7),
            Record::Done(7, 1),
            Record::Received(7, 2),
            Record::Released(7, 3),
            Record::WillGone(7),
        ]
    }

    #[test]
    fn each_record_is_read_as_it_was_written() {
        for record in one_of_each() {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            let read = Record::read(&bytes).unwrap();
            assert_eq!(format!("{read:?}"), format!("{record:?}"));
        }
    }

    #[test]
    fn a_record_that_ends_too_soon_is_none() {
        for record in one_of_each() {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            for end in 0..bytes.len() {
                assert_eq!(
                    Record::read(&bytes[..end]).unwrap_err(),
                    NotARecord::Malformed,
                    "{record:?}"
                );
            }
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_refused() {
        let mut bytes = Vec::new();
        let newer = Record::Basis {
            format: FORMAT + 1,
            next_session: 1,
            passed: 0,
        };
        newer.write(&mut bytes);
        assert_eq!(
            Record::read(&bytes).unwrap_err(),
            NotARecord::Newer(FORMAT + 1)
        );
    }
}
