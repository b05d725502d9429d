//! PUBLISH: from a packet to an event.

use std::time::Duration;

use quartet_fabric::{
    mqtt::{Fault, Publish, Reason, Version},
    topic,
};
use quartet_model::{Actor, Event, Qos, Said, SessionRef, Time};
use slotmap::Key;

use super::{ClientKey, ConnKey, Flow, Peer, Who, conn::Stage, may};

impl Flow {
    /// A client publishes: make it an event, take it through the hub, answer, whether anybody
    /// gets it or not [MQTT-4.3.3-13].
    pub(super) fn publish(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        publish: Publish,
        now: Time,
    ) -> Result<(), Fault> {
        let conn = &self.conns[key];
        let Stage::Open(_, open) = &conn.stage else {
            return Ok(());
        };
        let version = open.version;
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        let to_be_kept = publish.retain && !publish.payload.is_empty();
        let reason = match self.check_said(who(conn.peer), &publish.topic, to_be_kept) {
            Ok(()) => {
                self.figures.published += 1;
                self.figures.published_bytes += publish.payload.len() as u64;
                let event = self.event_of(client, publish, now);
                if self.follow(&event, now) || version != Version::V5 {
                    Reason::Success
                } else {
                    Reason::NoMatchingSubscribers
                }
            }
            Err(fault) => {
                self.figures.refused += 1;
                // Nothing before MQTT 5, and nothing at QoS 0, can say why: the message is
                // acknowledged and goes nowhere [3.1.1 MQTT-3.3.5-2].
                if version == Version::V5 && qos != Qos::AtMostOnce {
                    fault.reason
                } else {
                    Reason::Success
                }
            }
        };
        if qos != Qos::AtMostOnce {
            let conn = &mut self.conns[key];
            if let Stage::Open(_, open) = &conn.stage {
                let session = &mut self.clients[client].session;
                open.settle_publish(qos, packet_id, reason, session, &mut conn.outbox);
                conn.touch(key, &mut self.out.dirty);
            }
        }
        Ok(())
    }

    /// Whether something may be said at a topic, and kept there if `to_be_kept`.
    pub(super) fn check_said(&self, who: Who, topic: &str, to_be_kept: bool) -> Result<(), Fault> {
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
        may::may_publish(who, topic)
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
        Event::new(self.next_id(now), by, said)
    }

    pub(super) fn session_ref(&self, client: ClientKey) -> SessionRef {
        SessionRef {
            lane: self.lane,
            key: client.data().as_ffi(),
        }
    }

    /// Somebody says something through the HTTP API. Tells whether anybody gets it.
    pub fn say(&mut self, who: Who, said: Said, now: Time) -> Result<bool, Fault> {
        topic::check_name(&said.topic)
            .map_err(|error| Fault::new(Reason::TopicNameInvalid, error.what()))?;
        self.check_said(who, &said.topic, said.retain && !said.payload.is_empty())?;
        self.figures.published += 1;
        self.figures.published_bytes += said.payload.len() as u64;
        let event = Event::new(self.next_id(now), Actor::Api, said);
        Ok(self.follow(&event, now))
    }

    /// The hub says something about itself.
    pub fn announce(&mut self, said: Said, now: Time) {
        let event = Event::new(self.next_id(now), Actor::Hub, said);
        self.follow(&event, now);
    }
}

/// Who somebody at the other end of a connection is.
pub fn who(peer: Peer) -> Who {
    if peer.is_open && peer.is_local {
        Who::Anyone
    } else {
        Who::Guest
    }
}

/// When a message that is of interest for so many seconds expires.
pub(super) fn expires(expiry_s: Option<u32>, now: Time) -> Time {
    expiry_s.map_or(Time::NEVER, |s| now.after(Duration::from_secs(s.into())))
}
