//! PUBLISH: from a packet to an event.

use std::{sync::Arc, time::Duration};

use quartet_fabric::{
    mqtt::{Fault, Publish, Reason, Version},
    topic,
};
use quartet_model::{Actor, Address, Event, EventId, Qos, Said, SessionRef, Time};
use quartet_people::role::Deed;
use slotmap::Key;

use super::{
    ClientKey, ConnKey, Flow, Peer, Who,
    conn::Stage,
    elements,
    keep::{self, Answer, Waiting},
};

impl Flow {
    /// A client publishes: make it an event, take it through the hub, answer, whether anybody
    /// gets it or not [MQTT-4.3.3-13].
    pub(super) fn publish(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        mut publish: Publish,
        now: Time,
    ) -> Result<(), Fault> {
        let conn = &self.conns[key];
        let Stage::Open(_, open) = &conn.stage else {
            return Ok(());
        };
        let version = open.version;
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if let Some(element) = Address::element_of(&publish.topic) {
            self.clients[client].speaks |= element.len() < publish.topic.len();
            publish.retain |= elements::is_report(&publish.topic);
        }
        let answer = Answer::Publish(key, qos, packet_id);
        if (qos != Qos::AtMostOnce || publish.retain)
            && let Err(fault) = self.check_room_to_keep(
                publish.topic.len() + publish.properties.len(),
                publish.payload.len(),
            )
        {
            self.figures.refused += 1;
            if version != Version::V5 && qos != Qos::AtMostOnce {
                return Err(fault); // Nothing else says that it is not kept.
            }
            self.wait(Waiting::Answer(answer, fault.reason), now);
            return Ok(());
        }
        let to_be_kept = publish.retain && !publish.payload.is_empty();
        let allowed = self.check_said(&publish.topic, to_be_kept);
        let allowed = allowed
            .and_then(|()| self.may_client_publish(key, client, &publish.topic, now))
            .and_then(|()| {
                let who = &self.conns[key].who;
                self.may_describe(who, &publish.topic, &publish.payload, now)
            });
        if let Err(fault) = allowed {
            self.figures.refused += 1;
            let deed = Deed::of_topic(&publish.topic);
            self.note_client_refused(key, client, deed, &publish.topic, &fault, now);
            // Nothing before MQTT 5, and nothing at QoS 0, can say why: the message is
            // acknowledged and goes nowhere [3.1.1 MQTT-3.3.5-2].
            let reason = match version {
                Version::V5 => fault.reason,
                _ => Reason::Success,
            };
            self.wait(Waiting::Answer(answer, reason), now);
            return Ok(());
        }
        self.figures.published += 1;
        self.figures.published_bytes += publish.payload.len() as u64;
        let event = self.event_of(client, publish, now);
        if !keep::must_be_kept(&event) {
            if self.keep.must_wait(&event.topic) {
                let event = Arc::new(event.detached());
                self.wait(Waiting::Follow(event, Answer::None), now);
            } else {
                self.follow(&event, now);
            }
            return Ok(());
        }
        let there = &mut self.clients[client];
        let (shard, number) = (there.shard, there.number);
        let unreleased = match qos {
            Qos::ExactlyOnce => {
                there.session.receive(packet_id);
                packet_id
            }
            _ => 0,
        };
        let event = self.write_said(shard, number, unreleased, false, &event);
        self.wait(Waiting::Follow(event, answer), now);
        Ok(())
    }

    /// Tells whoever said something what became of it.
    pub(super) fn answer_said(&mut self, answer: Answer, reason: Reason) {
        let (key, qos, packet_id) = match answer {
            Answer::None => return,
            Answer::Api(call) => {
                let anybody = reason == Reason::Success;
                return self.keep.said.push((call, anybody));
            }
            Answer::Publish(key, qos, packet_id) => (key, qos, packet_id),
        };
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        if let Stage::Open(_, open) = &conn.stage {
            let reason = match reason {
                Reason::NoMatchingSubscribers if open.version != Version::V5 => Reason::Success,
                reason => reason,
            };
            open.answer_publish(qos, packet_id, reason, &mut conn.outbox);
            conn.touch(key, &mut self.out.dirty);
        }
    }

    /// Whether a message that must not be lost can be kept now; `head_bytes` are of its topic
    /// and properties.
    pub(super) fn check_room_to_keep(
        &self,
        head_bytes: usize,
        payload_bytes: usize,
    ) -> Result<(), Fault> {
        if !self.has_disk_room(payload_bytes) {
            return Err(Fault::new(
                Reason::QuotaExceeded,
                "the hub's disk has no room for this; it is not kept",
            ));
        }
        if !keep::fits(head_bytes, payload_bytes) {
            return Err(Fault::new(
                Reason::PacketTooLarge,
                "a message that is kept may have at most 256 MiB of payload and 800 KiB of properties",
            ));
        }
        Ok(())
    }

    /// Whether something may be said at a topic, and kept there if `to_be_kept`.
    pub(super) fn check_said(&self, topic: &str, to_be_kept: bool) -> Result<(), Fault> {
        if to_be_kept && self.is_full {
            return Err(Fault::new(
                Reason::QuotaExceeded,
                "the hub's memory is used up; nothing more is retained",
            ));
        }
        if self.limits.topic_levels_max < topic::levels(topic).count() {
            return Err(Fault::new(
                Reason::TopicNameInvalid,
                "the topic has more levels than this hub allows",
            ));
        }
        Ok(())
    }

    fn event_of(&mut self, client: ClientKey, publish: Publish, now: Time) -> Event {
        let said = Said {
            topic: publish.topic,
            payload: publish.payload,
            properties: publish.properties,
            qos: publish.qos,
            retain: publish.retain,
            expires: expires(publish.expiry_s, now),
        };
        let by = Actor::Session(self.session_ref(client));
        let author = Arc::clone(self.clients[client].name());
        Event::new(self.next_id(now), by, said).said_by(author)
    }

    pub(super) fn session_ref(&self, client: ClientKey) -> SessionRef {
        SessionRef {
            lane: self.lane,
            key: client.data().as_ffi(),
        }
    }

    /// Somebody says something through the HTTP API; gives the event's identity. Whether anybody
    /// gets it is told under `call` once it is safe ([`Self::take_said`]).
    pub fn say(
        &mut self,
        who: Who,
        mut said: Said,
        call: u64,
        now: Time,
    ) -> Result<EventId, Fault> {
        said.retain |= elements::is_report(&said.topic);
        topic::check_name(&said.topic)
            .map_err(|error| Fault::new(Reason::TopicNameInvalid, error.what()))?;
        self.check_said(&said.topic, said.retain && !said.payload.is_empty())?;
        self.may_publish(&who, &said.topic, now)?;
        self.may_describe(&who, &said.topic, &said.payload, now)?;
        self.figures.published += 1;
        self.figures.published_bytes += said.payload.len() as u64;
        if said.qos != Qos::AtMostOnce || said.retain {
            self.check_room_to_keep(said.topic.len() + said.properties.len(), said.payload.len())?;
        }
        let id = self.next_id(now);
        let by = match who {
            Who::Hub(_) => Actor::Hub,
            Who::Nobody | Who::Certified | Who::Anyone | Who::Holder(_) => Actor::Api,
        };
        let event = Event::new(id, by, said).said_by(who.name());
        self.set_out(event, None, Answer::Api(call), now);
        Ok(id)
    }

    /// Lets what no session said take its way: what must not be lost when it is safe, the rest
    /// behind what was said before. It is written down in a shard of this lane: in the one that is
    /// given, with what else belongs together there, else in its topic's, if that is this lane's.
    pub(super) fn set_out(
        &mut self,
        mut event: Event,
        shard: Option<u8>,
        answer: Answer,
        now: Time,
    ) {
        event.retain |= elements::is_report(&event.topic);
        let event = if keep::must_be_kept(&event) {
            let shard = shard.unwrap_or_else(|| {
                let of_topic = keep::shard_of_topic(&event.topic);
                let is_own = usize::from(of_topic) % self.lanes == usize::from(self.lane);
                // The shard with a lane's own number is always its own.
                if is_own { of_topic } else { self.lane }
            });
            self.write_said(shard, 0, 0, false, &event)
        } else {
            Arc::new(event)
        };
        self.wait(Waiting::Follow(event, answer), now);
    }

    /// The hub says something about itself.
    pub fn announce(&mut self, said: Said, now: Time) {
        let event = Event::new(self.next_id(now), Actor::Hub, said);
        self.set_out(event, None, Answer::None, now);
    }
}

/// Who somebody at the other end of a connection is.
pub fn who(peer: Peer) -> Who {
    if peer.is_open && peer.is_local {
        Who::Anyone
    } else if peer.is_certified {
        Who::Certified
    } else {
        Who::Nobody
    }
}

/// When a message that is of interest for so many seconds expires.
pub(super) fn expires(expiry_s: Option<u32>, now: Time) -> Time {
    expiry_s.map_or(Time::NEVER, |s| now.after(Duration::from_secs(s.into())))
}
