//! From an event to those who receive it.

use std::sync::Arc;

use quartet_fabric::{
    mqtt::{Delivery, Fanout, Frames, Line, Seen, Settled},
    outbox::Outbox,
    routes::{Matched, Matches},
};
use quartet_model::{Actor, Event, Qos, SessionRef, Time};

use super::{
    ClientKey, Flow, Receiver,
    conn::Stage,
    keep::record::{Taker, Via},
};

/// An event on its way, and the same in memory of its own, if it has some: then nobody who keeps
/// it needs a copy.
#[derive(Clone, Copy)]
pub(super) struct Carried<'e> {
    event: &'e Event,
    kept: Option<&'e Arc<Event>>,
}

impl<'e> Carried<'e> {
    /// An event that is only read, and may be a part of what a client sent.
    pub(super) fn passing(event: &'e Event) -> Self {
        Self { event, kept: None }
    }

    /// An event that others have, too. What the journal keeps has memory of its own.
    pub(super) fn shared_by(event: &'e Arc<Event>) -> Self {
        Self {
            event,
            kept: event.place.is_some().then_some(event),
        }
    }

    /// The event for another lane.
    pub(super) fn shared(self) -> Arc<Event> {
        self.kept
            .map_or_else(|| Arc::new(self.event.clone()), Arc::clone)
    }
}

impl std::ops::Deref for Carried<'_> {
    type Target = Event;

    fn deref(&self) -> &Event {
        self.event
    }
}

/// Of a session with more subscriptions each message is looked at by itself.
const FILTERS_MAX: usize = 8;

impl Flow {
    /// Passes an event to receivers of this lane, one after the other [MQTT-4.6.0-5]. Who is
    /// durable is written down with it.
    pub(super) fn deliver(
        &mut self,
        event: Carried<'_>,
        matches: &Matches<Receiver>,
        via: Via,
        now: Time,
    ) {
        if matches.own.is_empty() {
            return;
        }
        let limits = self.session_limits();
        let mut frames = std::mem::take(&mut self.frames);
        let kept = event.kept.map(Arc::clone);
        let mut fanout = Fanout::new(event.event, kept, &mut frames, now);
        let mut ids = Vec::new();
        let mut held = Vec::new();
        for (index, &Matched { receiver, wish }) in matches.own.iter().enumerate() {
            let key = match receiver {
                Receiver::Session(key) => key,
                Receiver::Stream(stream) => {
                    self.deliver_to_stream(stream, &mut fanout, now);
                    continue;
                }
                Receiver::Elements => {
                    self.translate(event, now);
                    continue;
                }
                Receiver::Dialects => {
                    self.hear_announcement(event, now);
                    continue;
                }
                Receiver::Door => {
                    self.hear_credentials(&event, now);
                    self.hear_relations(&event, now);
                    self.hear_flows(&event, now);
                    self.hear_signals(&event, now);
                    continue;
                }
            };
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            if wish.no_local && is_by(event.event, self.lane, key) {
                continue; // [MQTT-3.8.3-3]
            }
            let graph = &self.known.graph;
            let seen = match &mut client.sight {
                None => Seen::Whole,
                Some(_) if client.sees_whole_at == graph.version() => Seen::Whole,
                Some(sight) => {
                    let shares = client.more.iter().flat_map(|more| &more.shares);
                    let shares = shares.map(|(_, filter, _)| filter.to_string());
                    let own = client.subscriptions.iter();
                    let filters = own.map(|&node| self.routes.filter_at(node)).chain(shares);
                    let few = client.subscriptions.len() <= FILTERS_MAX;
                    if few && sight.sees_whole(graph, filters, now) {
                        if sight.sees_whole_for_ever() {
                            client.sees_whole_at = graph.version();
                        }
                        Seen::Whole
                    } else {
                        sight.see(graph, event.event, now)
                    }
                }
            };
            let part = match seen {
                Seen::Whole => None,
                Seen::Part(part) => Some(part),
                Seen::Nothing => {
                    self.figures.hidden += 1;
                    continue;
                }
            };
            ids.clear();
            if wish.id != 0 {
                ids.extend(matches.ids(index));
            }
            let delivery = Delivery {
                qos: event.qos.min(wish.qos), // [MQTT-3.8.4-8]
                // [MQTT-3.3.1-9] [MQTT-3.3.1-12] [MQTT-3.3.1-13] [3.1.1 MQTT-3.3.1-8]
                retain: via == Via::Scan || wish.retain_as_published && event.retain,
                subscription_ids: &ids,
            };
            let (number, shard) = (client.number, client.shard);
            let is_durable = number != 0 && delivery.qos != Qos::AtMostOnce;
            if is_durable && self.keep.has_taken(shard, event.place, via) {
                continue;
            }
            let mut held_here = Outbox::default();
            let mut conn = client
                .conn
                .and_then(|at| self.conns.get_mut(at).map(|conn| (at, conn)));
            let line = match &mut conn {
                Some((_, conn)) => match &mut conn.stage {
                    Stage::Open(_, open) => Some(Line {
                        open,
                        outbox: &mut conn.outbox,
                        held: is_durable.then_some(&mut held_here),
                        holds_all: conn.held != 0,
                        view: None, // It was looked at.
                    }),
                    _ => None,
                },
                None => None,
            };
            // [MQTT-4.5.0-1]
            let session = &mut client.session;
            let settled = match &part {
                None => session.deliver(line, &mut fanout, delivery, &limits),
                Some(part) => {
                    let mut frames = Frames::default();
                    let mut fanout = Fanout::of_kept(part, &mut frames, now);
                    session.deliver(line, &mut fanout, delivery, &limits)
                }
            };
            if is_durable && matches!(settled, Settled::Sent | Settled::Queued) {
                let taker = Taker {
                    session: number,
                    qos: delivery.qos,
                    retain: delivery.retain,
                    was_sent: settled == Settled::Sent,
                    ids: (&*ids).into(),
                };
                self.keep.take(shard, taker);
            }
            if settled == Settled::Sent
                && let Some((at, conn)) = conn
            {
                conn.touch(at, &mut self.out.dirty);
                if !held_here.is_empty() {
                    held.push((at, held_here));
                }
            }
            self.figures.note(settled, event.payload.len());
        }
        self.frames = frames;
        self.write_took(event.place, via);
        for (at, bytes) in held {
            self.write_when_safe(at, bytes, now);
        }
    }

    /// Hands an event to the other lanes that have receivers for it.
    pub(super) fn pass_to_lanes(
        &mut self,
        event: Carried<'_>,
        matches: &Matches<Receiver>,
        step: u64,
    ) {
        let mut lanes = matches.lanes;
        if lanes == 0 {
            return;
        }
        let event = event.shared();
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as u8;
            lanes &= lanes - 1;
            self.one_more(step);
            let event = Arc::clone(&event);
            let from = self.lane;
            let mail = super::Mail::Event { from, step, event };
            self.out.mail.push((lane, mail));
        }
    }
}

fn is_by(event: &Event, lane: u8, client: ClientKey) -> bool {
    use slotmap::Key;
    let key = client.data().as_ffi();
    event.by == Actor::Session(SessionRef { lane, key })
}
