//! What one receiver may see: looked at anew for each message, unless it may see everything.
//!
//! Nobody is told of what it may not see: a message is passed on whole, in part or not at all.

use std::sync::Arc;

use quartet_fabric::{mqtt::Seen, topic::has_wildcard};
use quartet_model::{Address, Affordance, Aspect, Event, Kind, Time};
use quartet_people::{
    decisions::Decisions,
    fields::Fields,
    graph::{Graph, Verdict},
    holder::Holder,
    is_secret,
    relation::HUB,
    role::Deed,
};
use quartet_things::{CONNECTIVITY, places::POSITION};
use serde_json::{Map, Value};

use super::{Flow, Who};

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
        if self.holder.element() != holder.element() || self.holder.scope() != holder.scope() {
            self.decisions = Decisions::default();
        }
        self.decisions.forget_whole();
        self.holder = holder;
    }

    /// Whether it said something at a topic last, and still may.
    pub(super) fn may_say_again(&self, graph: &Graph, topic: &str, now: Time) -> bool {
        self.decisions.may_say_again(graph, topic, now)
    }

    /// Whether it may say something at a topic, where it needs a relation for that.
    pub(super) fn may_say(&mut self, graph: &Graph, deed: Deed, topic: &str, now: Time) -> bool {
        let Self { holder, decisions } = self;
        match holder.scope() {
            None => decisions.may_say(graph, holder.element(), deed, topic, now),
            Some(_) => may(graph, decisions, holder, deed, topic, now) == Some(Fields::All),
        }
    }

    /// Whether it sees all that comes to it by these filters as it is.
    pub(super) fn sees_whole(
        &mut self,
        graph: &Graph,
        filters: impl IntoIterator<Item = String>,
        now: Time,
    ) -> bool {
        if self.holder.scope().is_some() {
            return false;
        }
        if let Some(holds) = self.decisions.sees_whole(graph, now) {
            return holds;
        }
        let (holder, who) = (&self.holder, self.holder.element());
        let all = filters.into_iter().map(|filter| {
            if holder.may_use(&filter) {
                return (EVERYTHING, HUB.to_owned());
            }
            let (verdict, on) = all_of(graph, who, &filter, now);
            (verdict, on.to_owned())
        });
        self.decisions.look_at_whole(graph, who, all)
    }

    /// Whether that holds until something changes, whatever the time.
    pub(super) fn sees_whole_for_ever(&self) -> bool {
        self.decisions.sees_whole_for_ever()
    }

    /// It asked for something else.
    pub(super) fn forget_whole(&mut self) {
        self.decisions.forget_whole();
    }

    /// What it sees of an event.
    pub(super) fn see(&mut self, graph: &Graph, event: &Event, now: Time) -> Seen {
        if self.holder.scope().is_none()
            && self.decisions.sees_all(graph, self.holder.element(), now)
            && !is_secret(&event.topic)
        {
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

const EVERYTHING: Verdict = Verdict {
    fields: Some(Fields::All),
    until: Time::NEVER,
};

/// What somebody sees of all that matches a filter, and of which element that is.
pub(super) fn all_of<'f>(
    graph: &Graph,
    who: &str,
    filter: &'f str,
    now: Time,
) -> (Verdict, &'f str) {
    match scope_of(filter) {
        Scope::Plain => (graph.may_do(who, Deed::Read, filter, now), HUB),
        Scope::Element(on) if !has_wildcard(filter) => {
            (graph.may_do(who, Deed::Read, filter, now), on)
        }
        Scope::Element(on) => (graph.may_all_of(who, Deed::Read, on, now), on),
        Scope::Elements => (graph.sees_all(who, now), HUB),
    }
}

/// Whether somebody may see all of what matches a filter, at least in part.
pub(super) fn sees_all_of(graph: &Graph, who: &str, filter: &str, now: Time) -> bool {
    all_of(graph, who, filter, now).0.is_allowed()
}

/// What a filter is about.
pub(super) enum Scope<'f> {
    /// Topics that are of no element.
    Plain,
    /// One element.
    Element(&'f str),
    /// Several, and perhaps plain topics, too.
    Elements,
}

pub(super) fn scope_of(filter: &str) -> Scope<'_> {
    let first = filter.split('/').next().unwrap_or(filter);
    match Address::element_of(filter) {
        Some(on) if !has_wildcard(on) => Scope::Element(on),
        Some(_) => Scope::Elements,
        None if has_wildcard(first) || Kind::of_folder(first).is_some() => Scope::Elements,
        None => Scope::Plain,
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
    if is_secret(topic) || !holder.is_good_for(graph, deed, topic, now) {
        return None;
    }
    match holder.may_do(deed, topic) {
        true => Some(Fields::All),
        false => decisions.may(graph, holder.element(), deed, topic, now),
    }
}

/// What somebody sees of an element in a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ElementSeen {
    /// All of its description.
    pub is_whole: bool,
    /// Where it is.
    pub has_position: bool,
    /// Whether it is there.
    pub has_connectivity: bool,
}

impl Flow {
    /// What `who` sees of an element of this lane; nothing if that is neither its description nor any
    /// affordance that it has. A role may be about affordances that an element has not: that it is there
    /// is then nobody's business.
    pub fn sight_of(&mut self, who: &Who, key: &str, now: Time) -> Option<ElementSeen> {
        let sees = |flow: &Self, aspect: Aspect<'_>| {
            let at = Address::read(key).ok()?.with(aspect).to_string();
            flow.may(who, Deed::Read, &at, now).ok()
        };
        let sees_all = |flow: &Self, name| {
            sees(flow, Aspect::Property(name)).is_some_and(|fields| fields.is_all())
        };
        let description = self.may(who, Deed::Read, key, now).ok();
        if description.is_none() && !self.sees_any_affordance(who, key, now) {
            return None;
        }
        Some(ElementSeen {
            is_whole: description.is_some_and(|fields| fields.is_all()),
            has_position: sees_all(self, POSITION),
            has_connectivity: sees_all(self, CONNECTIVITY),
        })
    }

    /// Whether `who` may read any affordance that an element of this lane is described with, or has
    /// reported.
    fn sees_any_affordance(&mut self, who: &Who, key: &str, now: Time) -> bool {
        // Most see nothing of most: that is soon known.
        if self.may_hear(who, &format!("{key}/#"), now).is_err() {
            return false;
        }
        let Some(affordances) = self.affordances(key, now) else {
            return false;
        };
        let properties = affordances.properties().iter();
        let properties = properties.map(|one| Aspect::Property(&one.name));
        let actions = affordances.actions().iter();
        let actions = actions.map(|one| Aspect::Action(&one.name));
        let events = affordances.events().iter();
        let events = events.map(|one| Aspect::Event(&one.name));
        let may = |aspect: Aspect<'_>| {
            let address = Address::read(key).map(|address| address.with(aspect));
            address.is_ok_and(|at| self.may(who, Deed::Read, &at.to_string(), now).is_ok())
        };
        if properties.chain(actions).chain(events).any(may) {
            return true;
        }
        let reported = self.reported(key, now);
        reported.iter().any(|name| may(Aspect::Property(name)))
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
