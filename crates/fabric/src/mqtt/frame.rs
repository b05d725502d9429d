//! A PUBLISH encoded once for all who receive it.
//!
//! Receivers that speak the same version at the same class of QoS get the same bytes; only the
//! first byte and the packet identifier are patched in each copy. Who has subscription
//! identifiers or topic aliases gets a head of its own; the body is shared all the same.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use quartet_model::{Event, Qos, Time};

use super::{
    Delivery, Open, PacketKind, Property, Settled, Version,
    codec::{put_binary, put_varint, varint_length},
};
use crate::outbox::{Outbox, SHARED_FROM_BYTES};

/// What is particular to one sending of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sending {
    /// 0 at QoS 0.
    pub(super) packet_id: u16,
    /// It may have been sent before [MQTT-3.3.1-1].
    pub(super) dup: bool,
    /// It is written to the socket later than what follows it may be.
    pub(super) is_held: bool,
}

impl Sending {
    /// At QoS 0, where each is the only one.
    pub(super) const FIRST: Self = Self {
        packet_id: 0,
        dup: false,
        is_held: false,
    };
}

/// How one receiver gets the event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Form<'i> {
    version: Version,
    qos: Qos,
    retain: bool,
    dup: bool,
    /// 0 at QoS 0.
    packet_id: u16,
    subscription_ids: &'i [u32],
    alias: Alias,
}

/// Whether a number stands for the topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alias {
    /// The topic is written out.
    None,
    /// The topic is written out and has this number from now on.
    Announce(u16),
    /// The number says it.
    Only(u16),
}

/// An encoded frame: all of it, or all but a large payload.
#[derive(Default)]
struct Frame {
    head: Vec<u8>,
    packet_id_at: usize,
    is_ready: bool,
}

/// The frames that were made of one event. The buffers serve one event after another.
#[derive(Default)]
pub struct Frames {
    frames: [Frame; 4],
}

/// One event on its way to many.
pub struct Fanout<'e> {
    event: &'e Event,
    frames: &'e mut Frames,
    now: Time,
    kept: Option<Arc<Event>>,
}

impl<'e> Fanout<'e> {
    /// Begins to pass on `event`; `kept` is the same in memory of its own, if it has some.
    pub fn new(
        event: &'e Event,
        kept: Option<Arc<Event>>,
        frames: &'e mut Frames,
        now: Time,
    ) -> Self {
        for frame in &mut frames.frames {
            frame.is_ready = false;
        }
        Self {
            event,
            frames,
            now,
            kept,
        }
    }

    /// Begins to pass on an event that is kept already.
    pub fn of_kept(event: &'e Arc<Event>, frames: &'e mut Frames, now: Time) -> Self {
        Self::new(event, Some(Arc::clone(event)), frames, now)
    }

    /// The event.
    pub fn event(&self) -> &Event {
        self.event
    }

    /// The time at which it is passed on.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The event in memory of its own, for those who send it later. All share one.
    pub fn kept(&mut self) -> Arc<Event> {
        Arc::clone(
            self.kept
                .get_or_insert_with(|| Arc::new(self.event.detached())),
        )
    }

    /// Writes the PUBLISH to a connection, if the client takes packets of its size.
    pub(super) fn write(
        &mut self,
        open: &mut Open,
        delivery: &Delivery<'_>,
        Sending {
            packet_id,
            dup,
            is_held,
        }: Sending,
        outbox: &mut Outbox,
    ) -> Settled {
        let v5 = open.version == Version::V5;
        let mut form = Form {
            version: open.version,
            qos: delivery.qos,
            retain: delivery.retain,
            dup,
            packet_id,
            subscription_ids: if v5 { delivery.subscription_ids } else { &[] },
            alias: Alias::None,
        };
        let length = match open.packet_bytes_max {
            usize::MAX => 0,
            _ => self.length(&form),
        };
        if open.packet_bytes_max < length {
            return Settled::TooLarge;
        }
        // An alias takes three bytes, and the two lengths may grow by one each. What is written
        // later than what follows it must not announce one.
        if !is_held && length + 5 <= open.packet_bytes_max {
            form.alias = open.alias_for(&self.event.topic);
        }
        self.put(&form, outbox);
        Settled::Sent
    }

    fn put(&mut self, form: &Form<'_>, outbox: &mut Outbox) {
        if is_common(form) {
            let frame = self.frame(form);
            outbox.append(|own| {
                let start = own.len();
                own.extend_from_slice(&frame.head);
                own[start] |=
                    u8::from(form.dup) << 3 | form.qos.level() << 1 | u8::from(form.retain);
                if form.qos != Qos::AtMostOnce {
                    let at = start + frame.packet_id_at;
                    own[at..at + 2].copy_from_slice(&form.packet_id.to_be_bytes());
                }
            });
            if self.event.payload.len() < SHARED_FROM_BYTES {
                return;
            }
        } else {
            outbox.append(|own| put_head(own, self.event, form, self.now));
        }
        outbox.push(&self.event.payload);
    }

    /// How long the PUBLISH is in this form.
    fn length(&mut self, form: &Form<'_>) -> usize {
        if !is_common(form) {
            let mut head = Vec::new();
            put_head(&mut head, self.event, form, self.now);
            return head.len() + self.event.payload.len();
        }
        let inlined = self.event.payload.len() < SHARED_FROM_BYTES;
        let head = self.frame(form).head.len();
        head + if inlined { 0 } else { self.event.payload.len() }
    }

    /// The frame for everyone with this version and class of QoS, encoded at first use.
    fn frame(&mut self, form: &Form<'_>) -> &Frame {
        let v5 = form.version == Version::V5;
        let acknowledged = form.qos != Qos::AtMostOnce;
        let frame = &mut self.frames.frames[usize::from(v5) << 1 | usize::from(acknowledged)];
        if !frame.is_ready {
            frame.head.clear();
            let blank = Form {
                qos: if acknowledged {
                    Qos::AtLeastOnce
                } else {
                    Qos::AtMostOnce
                },
                retain: false,
                dup: false,
                packet_id: 0,
                ..*form
            };
            frame.packet_id_at = put_head(&mut frame.head, self.event, &blank, self.now);
            frame.head[0] = (PacketKind::Publish as u8) << 4;
            if self.event.payload.len() < SHARED_FROM_BYTES {
                frame.head.extend_from_slice(&self.event.payload);
            }
            frame.is_ready = true;
        }
        frame
    }
}

fn is_common(form: &Form<'_>) -> bool {
    form.subscription_ids.is_empty() && form.alias == Alias::None
}

/// Writes everything but the payload. Says at which offset the packet identifier stands.
fn put_head(out: &mut Vec<u8>, event: &Event, form: &Form<'_>, now: Time) -> usize {
    let topic = match form.alias {
        Alias::Only(_) => "",
        Alias::None | Alias::Announce(_) => &event.topic,
    };
    let own = own_properties(event, form, now);
    let properties = own.len() + event.properties.len();
    let v5 = form.version == Version::V5;
    let length = 2
        + topic.len()
        + if form.qos == Qos::AtMostOnce { 0 } else { 2 }
        + if v5 {
            varint_length(properties) + properties
        } else {
            0
        }
        + event.payload.len();
    let start = out.len();
    out.put_u8(
        (PacketKind::Publish as u8) << 4
            | u8::from(form.dup) << 3
            | form.qos.level() << 1
            | u8::from(form.retain),
    );
    put_varint(out, length as u32);
    put_binary(out, topic.as_bytes());
    let packet_id_at = out.len() - start;
    if form.qos != Qos::AtMostOnce {
        out.put_u16(form.packet_id);
    }
    if v5 {
        put_varint(out, properties as u32);
        out.extend_from_slice(&own);
        out.extend_from_slice(&event.properties);
    }
    packet_id_at
}

/// The properties that are not passed on unaltered but are between this hub and the receiver.
fn own_properties(event: &Event, form: &Form<'_>, now: Time) -> Vec<u8> {
    let mut out = Vec::new();
    if form.version != Version::V5 {
        return out;
    }
    if event.expires != Time::NEVER {
        // What was received, minus the time that it waited here [MQTT-3.3.2-6].
        let left = event.expires.since(now).as_micros().div_ceil(1_000_000);
        Property::MessageExpiryInterval(u32::try_from(left).unwrap_or(u32::MAX)).write(&mut out);
    }
    if let Alias::Announce(alias) | Alias::Only(alias) = form.alias {
        Property::TopicAlias(alias).write(&mut out);
    }
    for &id in form.subscription_ids {
        Property::SubscriptionIdentifier(id).write(&mut out);
    }
    out
}

/// Encodes a packet by itself, for what is not sent to many.
pub(super) fn encoded(packet: &super::Packet, version: Version) -> Bytes {
    let mut out = Vec::new();
    packet.encode(version, &mut out);
    out.into()
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId};

    use super::*;
    use crate::mqtt::{Packet, Publish, decode, frame_length};

    fn event(payload: usize) -> Event {
        Event {
            id: EventId {
                at: Time::ZERO,
                serial: 0,
            },
            by: Actor::Hub,
            author: None,
            topic: "ward/3".into(),
            payload: vec![b'x'; payload].into(),
            properties: Bytes::from_static(&[1, 1]),
            qos: Qos::ExactlyOnce,
            retain: false,
            expires: Time::from_micros(9_500_000),
            cause: None,
            hops: 0,
            place: None,
        }
    }

    fn receive(fanout: &mut Fanout<'_>, form: &Form<'_>) -> Publish {
        let mut outbox = Outbox::default();
        fanout.put(form, &mut outbox);
        let mut bytes = Vec::new();
        while !outbox.is_empty() {
            bytes.extend_from_slice(outbox.first());
            outbox.advance(outbox.first().len());
        }
        assert_eq!(fanout.length(form), bytes.len());
        let bytes = Bytes::from(bytes);
        assert_eq!(frame_length(&bytes, usize::MAX), Ok(Some(bytes.len())));
        match decode(&bytes, form.version) {
            Ok(Packet::Publish(publish)) => publish,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_form_says_the_same_event() {
        for payload in [10, SHARED_FROM_BYTES] {
            let event = event(payload);
            let mut frames = Frames::default();
            let mut fanout = Fanout::new(&event, None, &mut frames, Time::from_micros(500_000));
            for version in [Version::V31, Version::V311, Version::V5] {
                for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
                    for (ids, alias) in [(&[][..], Alias::None), (&[7, 8][..], Alias::Announce(3))]
                    {
                        let v5 = version == Version::V5;
                        let acknowledged = qos != Qos::AtMostOnce;
                        let form = Form {
                            version,
                            qos,
                            retain: acknowledged,
                            dup: acknowledged,
                            packet_id: if acknowledged { 258 } else { 0 },
                            subscription_ids: if v5 { ids } else { &[] },
                            alias: if v5 { alias } else { Alias::None },
                        };
                        let publish = receive(&mut fanout, &form);
                        assert_eq!((&*publish.topic, publish.qos), ("ward/3", qos));
                        assert_eq!(publish.payload, event.payload);
                        assert_eq!(publish.packet_id, form.packet_id);
                        assert_eq!((publish.retain, publish.dup), (form.retain, form.dup));
                        assert_eq!(publish.subscription_ids, form.subscription_ids);
                        // [MQTT-3.3.2-6]
                        assert_eq!(publish.expiry_s, v5.then_some(9));
                        assert_eq!(publish.properties.is_empty(), !v5);
                    }
                }
            }
        }
    }
}
