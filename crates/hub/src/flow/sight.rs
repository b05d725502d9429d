//! What one receiver may see: looked at anew for each message, unless it may see everything.
//!
//! Nobody is told of what it may not see: a message is passed on whole, in part or not at all.

use std::sync::Arc;

use quartet_fabric::mqtt::Seen;
use quartet_model::{Address, Affordance, Aspect, Event, Time};
use quartet_people::{
    decisions::Decisions, fields::Fields, graph::Graph, holder::Holder, is_secret, role::Deed,
};
use serde_json::{Map, Value};

/// One receiver's sight, with what was decided for it.
pub(super) struct Sight {
    holder: Arc<Holder>,
    decisions: Decisions,
}

impl Sight {
    pub(super) fn of(holder: Arc<Holder>) -> Self {
        Self {
            holder,
            decisions: Decisions::default(),
        }
    }

    /// The same one, as what it may by itself is now.
    pub(super) fn is_of(&mut self, holder: Arc<Holder>) {
        if self.holder.element() != holder.element() {
            self.decisions = Decisions::default();
        }
        self.holder = holder;
    }

    /// Which fields it may have of what is at a topic, or may say there.
    pub(super) fn may(
        &mut self,
        graph: &Graph,
        deed: Deed,
        topic: &str,
        now: Time,
    ) -> Option<Fields> {
        may(graph, &mut self.decisions, &self.holder, deed, topic, now)
    }

    /// What it sees of an event.
    pub(super) fn see(&mut self, graph: &Graph, event: &Event, now: Time) -> Seen {
        if self.decisions.sees_all(graph, self.holder.element(), now) && !is_secret(&event.topic) {
            return Seen::Whole;
        }
        see(event, |topic| {
            may(
                graph,
                &mut self.decisions,
                &self.holder,
                Deed::Read,
                topic,
                now,
            )
        })
    }
}

fn may(
    graph: &Graph,
    decisions: &mut Decisions,
    holder: &Holder,
    deed: Deed,
    topic: &str,
    now: Time,
) -> Option<Fields> {
    if is_secret(topic) {
        return None;
    }
    match holder.may_do(deed, topic) {
        true => Some(Fields::All),
        false => decisions.may(graph, holder.element(), deed, topic, now),
    }
}

/// What somebody sees of an event who may see these fields of topics.
pub(super) fn see(event: &Event, mut may: impl FnMut(&str) -> Option<Fields>) -> Seen {
    match may(&event.topic) {
        Some(Fields::All) => Seen::Whole,
        Some(_) if event.payload.is_empty() => Seen::Whole, // It is forgotten.
        Some(fields) => match fields.of_payload(&event.payload) {
            Some(part) => Seen::Part(Arc::new(in_part(event, part))),
            None => Seen::Nothing,
        },
        None => match Address::read(&event.topic) {
            Ok(address) if address.aspect == Aspect::Description => {
                describe_in_part(event, &address, may)
            }
            _ => Seen::Nothing,
        },
    }
}

/// The same event with less of a payload. What came with it may tell more, and goes.
fn in_part(event: &Event, payload: Vec<u8>) -> Event {
    let mut part = event.clone();
    part.payload = payload.into();
    part.properties = bytes::Bytes::new();
    part
}

/// A description with what may be seen of it: whoever may see a property may know that it is there.
fn describe_in_part(
    event: &Event,
    address: &Address<'_>,
    mut may: impl FnMut(&str) -> Option<Fields>,
) -> Seen {
    let mut sees = |affordance, name: &str| {
        let aspect = match affordance {
            Affordance::Property => Aspect::Property(name),
            Affordance::Action => Aspect::Action(name),
            Affordance::Event => Aspect::Event(name),
        };
        may(&address.with(aspect).to_string()).is_some()
    };
    let Ok(Value::Object(mut described)) = serde_json::from_slice(&event.payload) else {
        return Seen::Nothing;
    };
    let mut is_any = false;
    for (member, affordance) in [
        ("properties", Affordance::Property),
        ("actions", Affordance::Action),
        ("events", Affordance::Event),
    ] {
        if let Some(Value::Object(all)) = described.get_mut(member) {
            all.retain(|name, _| sees(affordance, name));
            is_any |= !all.is_empty();
        }
    }
    if !is_any {
        return Seen::Nothing;
    }
    const TOLD: [&str; 12] = [
        "@context",
        "@type",
        "id",
        "title",
        "titles",
        "description",
        "descriptions",
        "properties",
        "actions",
        "events",
        "security",
        "securityDefinitions",
    ];
    let told: Map<String, Value> = described
        .into_iter()
        .filter(|(member, _)| TOLD.contains(&&**member))
        .collect();
    Seen::Part(Arc::new(in_part(
        event,
        Value::from(told).to_string().into(),
    )))
}
