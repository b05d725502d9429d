//! From an event to those who receive it.

use std::sync::Arc;

use quartet_fabric::{
    mqtt::{Congestion, Delivery, Fanout, Frames, SessionLimits, Settled},
    routes::{Matched, Matches, Wish},
};
use quartet_model::{Actor, Event, Time};

use super::{ClientKey, Flow, Receiver, conn::Stage};

/// What is the same for all deliveries of one event.
pub(super) struct Round<'e> {
    pub(super) fanout: Fanout<'e>,
    limits: SessionLimits,
}

impl Flow {
    /// Passes an event to this lane's own receivers.
    pub(super) fn deliver_own(&mut self, event: &Event, matches: &Matches<Receiver>, now: Time) {
        if matches.own.is_empty() {
            return;
        }
        let mut frames = std::mem::take(&mut self.frames);
        let mut round = self.round(event, &mut frames, now);
        let mut ids = Vec::new();
        for (index, Matched { receiver, wish }) in matches.own.iter().enumerate() {
            match *receiver {
                Receiver::Session(client) => {
                    if wish.id != 0 {
                        ids.clear();
                        ids.extend(matches.ids(index));
                    }
                    let ids: &[u32] = if wish.id == 0 { &[] } else { &ids };
                    self.deliver(client, &mut round, wish, ids, false);
                }
                Receiver::Stream(stream) => self.deliver_to_stream(stream, &mut round.fanout),
                Receiver::Things => self.step_things(event, now),
            }
        }
        drop(round);
        self.frames = frames;
    }

    pub(super) fn round<'e>(
        &self,
        event: &'e Event,
        frames: &'e mut Frames,
        now: Time,
    ) -> Round<'e> {
        Round {
            fanout: Fanout::new(event, frames, now),
            limits: self.session_limits(),
        }
    }

    /// Passes an event to one session, one after the other [MQTT-4.6.0-5]. `was_retained` if it is sent because it stood there when
    /// the client subscribed.
    pub(super) fn deliver(
        &mut self,
        key: ClientKey,
        round: &mut Round<'_>,
        wish: &Wish,
        subscription_ids: &[u32],
        was_retained: bool,
    ) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let event = round.fanout.event();
        if wish.no_local && is_by(event, self.lane, key) {
            return; // [MQTT-3.8.3-3]
        }
        let delivery = Delivery {
            qos: event.qos.min(wish.qos), // [MQTT-3.8.4-8]
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13] [3.1.1 MQTT-3.3.1-8]
            retain: was_retained || wish.retain_as_published && event.retain,
            subscription_ids,
        };
        let size = event.payload.len() as u64;
        let mut conn = client
            .conn
            .and_then(|at| self.conns.get_mut(at).map(|conn| (at, conn)));
        let line = match &mut conn {
            Some((_, conn)) => match &mut conn.stage {
                Stage::Open(_, open) => Some((open, &mut conn.outbox)),
                _ => None,
            },
            None => None,
        };
        // [MQTT-4.5.0-1]
        let settled = client
            .session
            .deliver(line, &mut round.fanout, delivery, &round.limits);
        match settled {
            Settled::Sent => {
                self.figures.delivered += 1;
                self.figures.delivered_bytes += size;
                if let Some((at, conn)) = conn {
                    conn.touch(at, &mut self.out.dirty);
                }
            }
            Settled::Queued => self.figures.queued += 1,
            Settled::Expired => self.figures.expired += 1,
            Settled::TooLarge => self.figures.too_large += 1,
            Settled::Dropped(Congestion::Socket) => self.figures.dropped_socket += 1,
            Settled::Dropped(Congestion::Queue) => self.figures.dropped_queue += 1,
        }
    }

    /// Hands an event to the other lanes that have receivers for it.
    pub(super) fn pass_to_lanes(&mut self, event: &Event, matches: &Matches<Receiver>) {
        let mut lanes = matches.lanes;
        if lanes == 0 {
            return;
        }
        let event = Arc::new(event.clone());
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as u8;
            lanes &= lanes - 1;
            self.out
                .mail
                .push((lane, super::Mail::Event(Arc::clone(&event))));
        }
    }
}

fn is_by(event: &Event, lane: u8, client: ClientKey) -> bool {
    use slotmap::Key;
    event.by
        == Actor::Session(quartet_model::SessionRef {
            lane,
            key: client.data().as_ffi(),
        })
}
