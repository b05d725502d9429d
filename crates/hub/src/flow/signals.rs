//! Signals: what elements report becomes edges, on the lane where the element lives.
//!
//! All lanes know all signals, from what is retained at `$quartet/signals/{name}`. What is remembered
//! of a signal at an element is retained at `{element}/signals/{name}`, and written down together
//! with the edge that it led to: neither is there without the other.

use std::{collections::BTreeSet, sync::Arc};

use quartet_fabric::mqtt::Property;
use quartet_fabric::retained::Retained;
use quartet_model::{Actor, Address, Aspect, Event, EventId, Qos, Said, Time};
use quartet_people::{graph::Graph, role::Deed};
use quartet_process::{
    cloud::value_of,
    names,
    signal::{ENDED, Edge, Heard, Signal, Turns},
    signals::{self, Deployment, Signals, Site, Told},
};
use serde_json::{Map, Value};

use super::{
    Flow, Receiver, Who,
    clock::is_clock,
    dialects::WISH,
    fnv, keep,
    keep::{record::Via, shard_of_topic},
};

/// Edges that are told in one turn of the lane; what is due beyond comes in the next.
const WOKEN_MAX: usize = 1000;

/// The name under which it is noted that signals looked at an event.
pub(super) const TAKEN: &str = "signals";

/// What is to be told at one element.
type OfElement = (Arc<str>, Vec<Told>);

/// What the signals of a lane look at.
struct Elements<'f> {
    retained: &'f Retained,
    graph: &'f Graph,
    now: Time,
}

impl Site for Elements<'_> {
    fn property(&self, key: &str, name: &str) -> Option<Value> {
        let event = self
            .retained
            .at(&format!("{key}/properties/{name}"), self.now)?;
        Some(value_of(&event.payload))
    }

    fn all(&self, key: &str) -> Map<String, Value> {
        let filter = format!("{key}/properties/+");
        let mut found = Vec::new();
        self.retained
            .scan(&filter, None, usize::MAX, self.now, &mut found);
        let known = found.iter().filter_map(|event| {
            let name = event.topic.rsplit('/').next()?;
            Some((name.to_owned(), value_of(&event.payload)))
        });
        known.collect()
    }

    fn is_of_type(&self, key: &str, kind: &str) -> bool {
        let Some(event) = self.retained.at(key, self.now) else {
            return false;
        };
        let td: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
        match &td["@type"] {
            Value::String(one) => one == kind,
            Value::Array(all) => all.iter().any(|one| one == kind),
            _ => false,
        }
    }

    fn is_in(&self, key: &str, place: &str) -> (bool, Time) {
        self.graph.is_in_until(key, place, self.now)
    }

    fn now(&self) -> Time {
        self.now
    }

    fn version(&self) -> u64 {
        self.graph.version()
    }
}

/// Whether the hub alone says what is at a topic: what it remembers of signals, and of the clock.
pub(super) fn is_remembered(topic: &str) -> bool {
    let below = Address::element_of(topic).and_then(|element| topic.strip_prefix(element));
    below.is_some_and(|below| below.starts_with("/signals/")) || is_clock(topic)
}

impl Flow {
    /// Every lane hears which signals there are.
    pub(super) fn begin_signals(&mut self) {
        self.join(&signals::filter(), Receiver::Door, WISH);
    }

    /// All signals that are kept on this lane.
    pub(super) fn all_signals(&self, now: Time) -> Vec<Event> {
        self.all_said_at(&signals::filter(), now)
    }

    /// The signals, as this lane knows them.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Why a signal is as it is at the elements of this lane that it is about.
    pub fn explain_signal(&self, name: &str, most: usize, now: Time) -> Vec<Value> {
        let site = self.site(now);
        let keys = self.elements.keys("").map(str::to_owned);
        let about = keys.filter(|key| self.signals.is_about(name, key, &site));
        // Whoever speaks without being registered is looked at, too.
        let others = self.signals.remembered(name).map(ToString::to_string);
        let about: BTreeSet<String> = others.chain(about).collect();
        let explained = about
            .into_iter()
            .filter_map(|key| self.signals.explain(name, &key, &site, now));
        explained.take(most).collect()
    }

    /// The signals about an element of this lane of whose edges `who` may hear: name, title, whether it is
    /// on.
    pub fn signals_about(&self, who: &Who, key: &str, now: Time) -> Vec<(String, String, bool)> {
        let site = self.site(now);
        let may_hear = |(signal, _): &(&Signal, bool)| {
            let at = format!("{key}/events/{}", names::level_of(signal.name()));
            self.may(who, Deed::Read, &at, now).is_ok()
        };
        let about = self.signals.about(key, &site).filter(may_hear);
        about
            .map(|(signal, is_on)| {
                let title = signal.title().unwrap_or(signal.name());
                (signal.name().to_owned(), title.to_owned(), is_on)
            })
            .collect()
    }

    fn signals_and_site(&mut self, now: Time) -> (&mut Signals, Elements<'_>) {
        let site = Elements {
            retained: &self.retained,
            graph: &self.known.graph,
            now,
        };
        (&mut self.signals, site)
    }

    fn site(&self, now: Time) -> Elements<'_> {
        Elements {
            retained: &self.retained,
            graph: &self.known.graph,
            now,
        }
    }

    /// A signal is defined, changed or taken back, if that is what an event says.
    pub(super) fn hear_signals(&mut self, event: &Event, now: Time) {
        let Some((name, told)) = self.define_signal(event, now) else {
            return;
        };
        for (key, told) in told {
            let via = Via::Process(fnv(&key));
            if !self.keep.has_taken(shard_of_topic(&key), event.place, via) {
                self.tell(&key, told, Some((event, via)), now);
            }
        }
        if self.signals.is_defined(name) {
            self.look_at_all(name, event, now);
        }
    }

    /// The same after a start, when what was told of it is known already.
    pub(super) fn recall_definition(&mut self, event: &Event, now: Time) {
        self.define_signal(event, now);
    }

    /// Takes a definition; gives its name, and what is to be told, if it is new.
    fn define_signal<'e>(
        &mut self,
        event: &'e Event,
        now: Time,
    ) -> Option<(&'e str, Vec<OfElement>)> {
        let name = signals::name_at(&event.topic)?;
        let deployed = Deployment::read(&event.payload);
        let signal = deployed.and_then(|deployed| match deployed.signal(name) {
            Ok(signal) => Some((signal, deployed.definition)),
            Err(problems) => {
                tracing::warn!(name, ?problems, "this is no signal");
                None
            }
        });
        let told = self.signals.set(name, signal, now)?;
        Some((name, told))
    }

    /// A new signal looks at what is known of elements.
    fn look_at_all(&mut self, name: &str, defined: &Event, now: Time) {
        let site = self.site(now);
        let keys = self.elements.keys("").map(str::to_owned);
        let about: Vec<String> = keys
            .filter(|key| self.signals.is_about(name, key, &site))
            .collect();
        for key in about {
            let via = Via::Process(fnv(&key));
            if self
                .keep
                .has_taken(shard_of_topic(&key), defined.place, via)
            {
                continue;
            }
            let reports = self.all_said_at(&format!("{key}/properties/+"), now);
            let (signals, site) = self.signals_and_site(now);
            let mut told = signals.known(&key, &site, now);
            for event in &reports {
                let Some(property) = event.topic.rsplit('/').next() else {
                    continue;
                };
                let value = value_of(&event.payload);
                let heard = Heard {
                    name: property,
                    is_event: false,
                    value: &value,
                    at: event.id.at,
                };
                told.extend(signals.heard_by(name, &key, &heard, &site, now));
            }
            self.tell(&key, told, Some((defined, via)), now);
        }
    }

    /// What something that is heard of an element of this lane does to its signals.
    pub(super) fn step_signals(&mut self, event: &Event, now: Time) {
        if self.signals.is_empty() {
            return;
        }
        let Some(key) = Address::element_of(&event.topic) else {
            return;
        };
        let Ok(address) = Address::read(&event.topic) else {
            return;
        };
        let (name, is_event) = match address.aspect {
            Aspect::Property(name) => (name, false),
            Aspect::Event(name) => (name, true),
            Aspect::Description => ("", false),
            _ => return,
        };
        // The hub tells of signals there; they are not about themselves.
        if is_event && event.by == Actor::Hub && self.signals.tells(name) {
            return;
        }
        let shard = shard_of_topic(key);
        let via = Via::Process(fnv(TAKEN));
        // A reading that led to nothing is not noted; once a later one was heard it must not be heard
        // again, or what has ended would begin anew.
        if self.keep.has_taken(shard, event.place, via) || self.keep.has_gone_on(shard, event.place)
        {
            return;
        }
        let (signals, site) = self.signals_and_site(now);
        let told = match (address.aspect, event.payload.is_empty()) {
            (Aspect::Description, true) => signals.gone(key, now),
            (Aspect::Description, false) => signals.known(key, &site, now),
            (_, true) => return, // It is forgotten.
            // The usual case costs no look at what is said.
            _ if !signals.hear(key, name, is_event, &site) => return,
            (_, false) => {
                let value = value_of(&event.payload);
                let heard = Heard {
                    name,
                    is_event,
                    value: &value,
                    at: event.id.at,
                };
                signals.heard(key, &heard, &site, now)
            }
        };
        let key = key.to_owned();
        self.tell(&key, told, Some((event, via)), now);
    }

    /// What time alone brings about.
    pub(super) fn wake_signals(&mut self, now: Time) {
        for _ in 0..WOKEN_MAX {
            let (signals, site) = self.signals_and_site(now);
            let Some((key, told)) = signals.wake(&site, now) else {
                return;
            };
            self.tell(&key, told, None, now);
        }
    }

    /// Knows what the hub remembered of a signal before it died, also where that is not retained yet.
    pub(super) fn recall_signals(&mut self, event: &Event) {
        if event.by == Actor::Hub
            && let Some((key, name)) = signals::state_at(&event.topic)
        {
            self.signals.recall(key, name, &event.payload);
        }
    }

    /// What is retained of signals at the elements of this lane is known again.
    pub(super) fn recall_all_signals(&mut self, now: Time) {
        for kind in quartet_model::Kind::ALL {
            for event in self.all_said_at(&format!("{}/+/signals/+", kind.folder()), now) {
                if let Some((key, name)) = signals::state_at(&event.topic) {
                    self.signals.recall(key, name, &event.payload);
                }
            }
        }
    }

    /// Says what came of signals at an element; all of it is safe, or nothing.
    fn tell(&mut self, key: &str, told: Vec<Told>, cause: Option<(&Event, Via)>, now: Time) {
        if told.is_empty() {
            return;
        }
        let shard = shard_of_topic(key);
        self.keep.begin_whole(shard);
        for told in told {
            let id = self.next_id(now);
            let is_edge = matches!(told, Told::Edge(..));
            let said = match told {
                Told::Edge(name, edge) => edge_said(key, &name, &edge, id),
                Told::State(name, state) => {
                    let state = state.map(|state| state.to_string()).unwrap_or_default();
                    Said::kept(signals::state_topic(key, &name), state)
                }
            };
            let mut event = Event::new(id, Actor::Hub, said);
            if let Some((cause, _)) = cause {
                event = event.because_of(cause);
            }
            if is_edge {
                self.journeys
                    .note_edge(cause.map(|(cause, _)| cause), &event);
            }
            self.set_out(event, Some(shard), keep::Answer::None, now);
        }
        if let Some((cause, via)) = cause {
            self.write_reaction(shard, cause.place, via);
        }
    }
}

/// An edge as a CloudEvent of the element: its type is the signal's name; its end has another. By its
/// id whoever gets it again after the hub died, as QoS 1 has it, knows that it is the same.
fn edge_said(key: &str, name: &str, edge: &Edge, id: EventId) -> Said {
    let kind = match edge.turns {
        Turns::Began | Turns::Happened => name.to_owned(),
        Turns::Ended => format!("{name}{ENDED}"),
    };
    let mut properties = Vec::new();
    let mut put = |name: &str, value: &str| {
        Property::UserProperty(name.into(), value.into()).write(&mut properties);
    };
    put("specversion", "1.0");
    put("id", &id.to_string());
    put("type", &kind);
    put("source", &format!("/signals/{name}"));
    put("subject", &names::name_of(key));
    put("since", &edge.at.rfc3339());
    if !edge.late.is_zero() {
        put("late", &format!("{:.3}", edge.late.as_secs_f64()));
    }
    if let Some(failed) = &edge.failed {
        put("failed", failed);
    }
    Said {
        topic: format!("{key}/events/{}", names::level_of(&kind)).into(),
        payload: edge.data.to_string().into(),
        properties: properties.into(),
        qos: Qos::AtLeastOnce,
        retain: false,
        expires: Time::NEVER,
    }
}
