//! The elements as receivers: what happens at their addresses reaches the crates that know
//! them, and what follows from it takes the same path.

use std::sync::Arc;

use bytes::Bytes;
use quartet_fabric::{
    mqtt::{Properties, Property},
    routes::Lane,
};
use quartet_model::{
    Actor, Address, Aspect, Effect, Event, EventId, HOPS_MAX, Said, SessionRef, Time,
};
use quartet_things::{
    Elements, Heard, Reach,
    computer::{self, Sample},
    liveness, places,
    td::Affordances,
};
use slotmap::KeyData;

use super::{
    Carried, ClientKey, Flow, Mail, home_of_topic,
    keep::{Answer, record::Via, shard_of_topic},
};

/// Whether a topic says what a property is: that stays until something else is said.
pub(super) fn is_report(topic: &str) -> bool {
    Address::element_of(topic).is_some_and(|element| element.len() < topic.len())
        && Address::read(topic).is_ok_and(|address| matches!(address.aspect, Aspect::Property(_)))
}

/// Whether something is said to an element or of it, and it matters by whom.
pub(super) fn is_request(topic: &str) -> bool {
    Address::element_of(topic).is_some()
        && Address::read(topic).is_ok_and(|address| {
            matches!(
                address.aspect,
                Aspect::Description | Aspect::Write(_) | Aspect::Action(_) | Aspect::Invocation(..)
            )
        })
}

/// What is known of who is there.
#[derive(Clone, Debug)]
pub enum Presence {
    /// A session speaks for elements of other lanes.
    Speaks {
        /// Which.
        session: SessionRef,
    },
    /// A session that spoke for elements is there again.
    Came {
        /// Which.
        session: SessionRef,
    },
    /// A session that spoke for elements is away.
    Went {
        /// Which.
        session: SessionRef,
        /// It was not simply lost.
        said_goodbye: bool,
        /// Why.
        why: String,
    },
    /// A session has what was said to an element.
    Has {
        /// Which.
        session: SessionRef,
        /// What.
        event: Arc<Event>,
    },
    /// An element through which others may be reached is away, or there again.
    Through {
        /// The element's key.
        key: Box<str>,
        /// Whether it is away.
        is_away: bool,
    },
}

/// The name under which a request carries what whoever asks calls it.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl Flow {
    /// What an event at an element's address does to it. The element lives on this lane.
    pub(super) fn step_element(&mut self, event: Carried<'_>, now: Time) -> Reach {
        if Address::element_of(&event.topic).is_none() {
            return Reach::Everyone;
        }
        let shard = shard_of_topic(&event.topic);
        let properties = Properties::of_wire(&event.properties);
        let answer_at = properties.find(|property| match property {
            Property::ResponseTopic(topic) => Some(topic.clone()),
            _ => None,
        });
        let correlation = properties.find(|property| match property {
            Property::CorrelationData(bytes) => Some(bytes.clone()),
            _ => None,
        });
        let correlation = correlation.unwrap_or_default();
        let idempotency_key = properties.find(|property| match property {
            Property::UserProperty(name, value) if **name == *IDEMPOTENCY_KEY => {
                Some(value.clone())
            }
            _ => None,
        });
        let event = &*event;
        if let Some((key, is_away)) = liveness::presence_in(event) {
            let key = key.into();
            self.say_presence(Presence::Through { key, is_away }, now);
        }
        let heard = Heard {
            event,
            answer: answer_at.as_deref().map(|topic| (topic, &correlation)),
            idempotency_key: idempotency_key.as_deref(),
            is_again: self.keep.follows_again(),
            is_known: self.keep.has_taken(shard, event.place, Via::Element),
        };
        let mut effects = Vec::new();
        let retained = &self.retained;
        let said = |topic: &str| retained.at(topic, now);
        let is_described =
            self.knows_home_assistant() && Address::element_of(&event.topic) == Some(&event.topic);
        let before = is_described.then(|| said(&event.topic)).flatten();
        let is_gone =
            event.payload.is_empty() && Address::element_of(&event.topic) == Some(&event.topic);
        let reach = quartet_things::step(&mut self.elements, &heard, &said, now, &mut effects);
        self.work += self.elements.take_work();
        if reach == Reach::Everyone {
            self.note_value(event, now);
        }
        if is_described && reach == Reach::Everyone {
            effects.extend(self.told_of(event, before.as_ref()));
        }
        // What goes by itself, or takes its own description back, may come again.
        if is_gone && event.by != Actor::Hub && *event.author() != *event.topic {
            effects.extend(self.without_credentials(&event.topic, now));
        }
        // Whoever forgot a place, its picture goes once the hub says that the place is gone.
        if is_gone && event.by == Actor::Hub {
            effects.extend(self.without_plan(&event.topic, now));
        }
        // What followed from it before the hub died is known already.
        if !effects.is_empty() && !heard.is_known {
            // All of it is safe, or nothing.
            self.keep.begin_whole(shard);
            self.settle(effects, Some((event, shard)), now);
            self.write_reaction(shard, event.place, Via::Element);
        }
        self.follow_natives(now);
        self.tell_fences();
        reach
    }

    /// A client has what it was sent. If that was said to an element, the element wants to know.
    pub(super) fn note_delivery(&mut self, event: &Arc<Event>, client: ClientKey, now: Time) {
        if event.by == Actor::Hub && is_request(&event.topic) {
            let session = self.session_ref(client);
            let event = Arc::clone(event);
            self.say_presence(Presence::Has { session, event }, now);
        }
    }

    /// Tells the lanes that may want to know.
    pub(super) fn say_presence(&mut self, news: Presence, now: Time) {
        let only = match &news {
            Presence::Has { event, .. } => Some(home_of_topic(&event.topic, self.lanes)),
            Presence::Speaks { session } => Some(session.lane),
            _ => None,
        };
        for lane in 0..self.lanes as Lane {
            if lane != self.lane && only.is_none_or(|only| only == lane) {
                self.out
                    .mail_last
                    .push((lane, Mail::Presence(news.clone())));
            }
        }
        if only.is_none_or(|only| only == self.lane) {
            self.hear_presence(&news, now);
        }
    }

    pub(super) fn hear_presence(&mut self, news: &Presence, now: Time) {
        if let Presence::Went { session, .. } = news {
            self.dialects.forget(*session);
        }
        let elements = &mut self.elements;
        let mut effects = Vec::new();
        match news {
            Presence::Speaks { session } => {
                let key = KeyData::from_ffi(session.key).into();
                if let Some(client) = self.clients.get_mut(key) {
                    client.speaks = true;
                }
            }
            Presence::Came { session } => liveness::came(elements, *session, now, &mut effects),
            Presence::Went {
                session,
                said_goodbye,
                why,
            } => liveness::went(elements, *session, *said_goodbye, why, now, &mut effects),
            Presence::Has { session, event } => {
                liveness::delivered(elements, event, *session, now, &mut effects);
            }
            Presence::Through { key, is_away } => {
                liveness::reached_through(elements, key, *is_away, now, &mut effects);
            }
        }
        self.settle(effects, None, now);
    }

    /// Somebody without a session serves an element of this lane.
    pub fn served(&mut self, key: &str, now: Time) {
        let mut effects = Vec::new();
        liveness::served(&mut self.elements, key, now, &mut effects);
        self.settle(effects, None, now);
    }

    /// It serves it no more.
    pub fn left(&mut self, key: &str, said_goodbye: bool, why: &str, now: Time) {
        let mut effects = Vec::new();
        let elements = &mut self.elements;
        liveness::left(elements, key, said_goodbye, why, now, &mut effects);
        self.settle(effects, None, now);
    }

    /// An element of this lane will not be as it was wanted.
    pub fn refuse_wish(
        &mut self,
        key: &str,
        name: &str,
        revision: Option<EventId>,
        reason: String,
        now: Time,
    ) {
        let mut effects = Vec::new();
        let elements = &self.elements;
        quartet_things::refuse_wish(elements, key, name, revision, reason, now, &mut effects);
        self.settle(effects, None, now);
    }

    /// What is over by itself.
    pub(super) fn wake_elements(&mut self, now: Time) {
        if now < self.elements.wake_at() {
            return;
        }
        let mut effects = Vec::new();
        quartet_things::wake(&mut self.elements, now, &mut effects);
        self.settle(effects, None, now);
    }

    /// This computer was looked at.
    pub fn sample(&mut self, sample: &Sample, now: Time) {
        let mut effects = Vec::new();
        computer::step(&mut self.elements, sample, now, &mut effects);
        self.settle(effects, None, now);
    }

    /// Performs what follows from a step. An event that is further from its first cause than
    /// allowed is going in a circle; it is cut, and that is counted. What has a cause is written
    /// down in the shard of the element that it happened to.
    pub(super) fn settle(&mut self, effects: Vec<Effect>, cause: Option<(&Event, u8)>, now: Time) {
        for effect in effects {
            let said = match effect {
                Effect::Emit(said) => said,
                Effect::Ask {
                    said,
                    answer_at,
                    correlation,
                } => with(
                    said,
                    &[
                        Property::ResponseTopic(answer_at),
                        Property::CorrelationData(correlation),
                    ],
                ),
                Effect::Answer { said, correlation } => {
                    with(said, &[Property::CorrelationData(correlation)])
                }
                Effect::Forget(filter) => {
                    self.forget_retained(&filter, now);
                    continue;
                }
            };
            let mut event = Event::new(self.next_id(now), Actor::Hub, said);
            if let Some((cause, _)) = cause {
                event = event.because_of(cause);
            }
            if HOPS_MAX < event.hops {
                self.figures.loops_cut += 1;
                continue;
            }
            self.journeys.note(cause.map(|(cause, _)| cause), &event);
            let shard = cause.map(|(_, shard)| shard);
            self.set_out(event, shard, Answer::None, now);
        }
    }

    /// What is retained at topics of this lane that match is let go; nobody is told.
    fn forget_retained(&mut self, filter: &str, now: Time) {
        let mut from = None;
        loop {
            let mut found = Vec::new();
            from = self.retained.scan(filter, from, 64, now, &mut found);
            for event in &mut found {
                event.payload = Bytes::new();
                self.retain(event);
            }
            if from.is_none() {
                return;
            }
        }
    }

    /// Knows the elements again by what is retained on this lane.
    pub(super) fn recall_elements(&mut self) {
        for kind in quartet_model::Kind::ALL {
            let folder = kind.folder();
            // What an element is comes before what it is to do.
            for below in [
                "+",
                "+/properties/connectivity",
                "+/properties/inside",
                "+/properties/occupants",
                "+/properties/+/desired",
                "+/actions/+/+",
            ] {
                let filter = format!("{folder}/{below}");
                let mut from = None;
                loop {
                    let mut found = Vec::new();
                    from = self
                        .retained
                        .scan(&filter, from, 256, Time::ZERO, &mut found);
                    for event in &found {
                        self.elements.recall(event);
                    }
                    if from.is_none() {
                        break;
                    }
                }
            }
        }
        self.tell_fences();
    }

    /// Knows what the hub said of who is where before it died, also where that is not retained yet.
    pub(super) fn recall_places(&mut self, event: &Event) {
        if event.by == Actor::Hub {
            self.elements.recall_places(event);
        }
    }

    /// Lets the other lanes know which fences there are, for the elements that live there.
    pub(super) fn tell_fences(&mut self) {
        for (place, fence) in self.elements.take_fences() {
            self.tell_others(|_| Mail::Fence {
                place: place.clone(),
                fence: fence.clone(),
            });
        }
    }

    /// Looks where some more elements are, since fences changed.
    pub(super) fn look_at_positions(&mut self, now: Time) {
        for key in self.elements.take_to_look_at(now) {
            let position = topic_of_position(&key);
            let mut effects = Vec::new();
            match self.said_at(&position, now) {
                Some(event) => {
                    // What cannot be read was refused when it was said.
                    let _ = places::look(&mut self.elements, &key, &event, &mut effects);
                    let shard = shard_of_topic(&key);
                    self.keep.begin_whole(shard);
                    self.settle(effects, Some((&event, shard)), now);
                }
                None if self.elements.is_inside(&key) => {
                    places::lost(&mut self.elements, &key, now, &mut effects);
                    self.settle(effects, None, now);
                }
                None => {}
            }
        }
        self.work += self.elements.take_work();
    }

    /// The elements that live on this lane.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// What an element of this lane can be asked and told.
    pub fn affordances(&mut self, key: &str, now: Time) -> Option<Arc<Affordances>> {
        let retained = &self.retained;
        let said = |topic: &str| retained.at(topic, now);
        self.elements.affordances(key, &said)
    }

    /// The names of the properties that an element of this lane has reported.
    pub fn reported(&self, key: &str, now: Time) -> Vec<String> {
        let reported = self.all_said_at(&format!("{key}/properties/+"), now);
        let last = |event: &Event| event.topic.rsplit('/').next().map(str::to_owned);
        reported.iter().filter_map(last).collect()
    }

    /// All that is retained on this lane at topics that match: few, as those who ask know.
    pub(super) fn all_said_at(&self, filter: &str, now: Time) -> Vec<Event> {
        let mut all = Vec::new();
        let mut from = None;
        loop {
            from = self.retained.scan(filter, from, usize::MAX, now, &mut all);
            if from.is_none() {
                return all;
            }
        }
    }

    /// So many topics of this lane at which something is retained.
    pub fn topics(&self, most: usize, now: Time) -> Vec<String> {
        let mut found = Vec::new();
        self.retained.scan("#", None, most, now, &mut found);
        found.iter().map(|event| event.topic.to_string()).collect()
    }

    /// What is retained at a topic of this lane.
    pub fn said_at(&self, topic: &str, now: Time) -> Option<Event> {
        self.retained.at(topic, now)
    }
}

fn topic_of_position(key: &str) -> String {
    format!("{key}/properties/position")
}

fn with(mut said: Said, properties: &[Property]) -> Said {
    let mut bytes = said.properties.to_vec();
    for property in properties {
        property.write(&mut bytes);
    }
    said.properties = bytes.into();
    said
}
