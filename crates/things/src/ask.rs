use std::{ops::Bound, time::Duration};

use quartet_model::{Address, Aspect, Event, EventId, Time};

use crate::{Desired, Elements, Invocation, Refusal};

/// How long it may take until a request is known.
const UNKNOWN_YET: Duration = Duration::from_secs(60);

impl Elements {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Whether there is an element with these first two levels of its address.
    pub fn has(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    /// The last event that changed which elements there are, and how they are described.
    pub fn changed(&self) -> Option<EventId> {
        self.changed
    }

    /// The identifiers of the elements behind `after`, in the order of their code points.
    pub fn ids(&self, after: &str) -> impl Iterator<Item = &str> {
        let range = (Bound::Excluded(after), Bound::Unbounded);
        self.ids.range::<str, _>(range).map(|id| &**id)
    }

    /// Whether elements speak at this topic.
    pub fn is_native(&self, topic: &str) -> bool {
        self.by_native.contains_key(topic)
    }

    /// The keys of the elements behind `after`, in their order.
    pub fn keys(&self, after: &str) -> impl Iterator<Item = &str> {
        let range = (Bound::Excluded(after), Bound::Unbounded);
        self.by_key.range::<str, _>(range).map(|(key, _)| &**key)
    }

    /// What a property of an element was last wanted to be.
    pub fn desired(&self, key: &str, name: &str) -> Option<&Desired> {
        self.by_key.get(key)?.desired.get(name)
    }

    /// What an element was asked to do, the last first.
    pub fn invocations(&self, key: &str) -> impl Iterator<Item = &Invocation> {
        let element = self.by_key.get(key);
        element
            .into_iter()
            .flat_map(|element| element.invocations.values().rev())
    }

    /// How many requests to an element to do something are not over.
    pub fn waiting(&self, key: &str) -> usize {
        let asked = self.by_key.get(key).map_or(0, |element| element.asked);
        let known = self.invocations(key);
        asked + known.filter(|one| !one.status.is_over()).count()
    }

    /// One request to do something.
    pub fn invocation(&self, key: &str, id: EventId) -> Option<&Invocation> {
        self.by_key.get(key)?.invocations.get(&id)
    }

    /// Whether what the hub once said to an element is of no use any more: it was carried out, or
    /// something else is wanted by now. What was kept for an element that was away is looked at
    /// before it is sent, so that nothing is done twice that is known to be done.
    pub fn is_void(&self, event: &Event, now: Time) -> bool {
        let (Ok(address), Some(cause)) = (Address::read(&event.topic), event.cause) else {
            return false;
        };
        let key = Address::element_of(&event.topic).unwrap_or_default();
        match address.aspect {
            Aspect::Action(_) => match self.invocation(key, cause) {
                Some(asked) => asked.status.is_over(),
                // What is not over is known, as soon as it is safe.
                None => event.id.at.after(UNKNOWN_YET) < now,
            },
            Aspect::Write(name) => self
                .desired(key, name)
                .is_some_and(|wish| wish.revision != cause || !wish.is_pending()),
            _ => false,
        }
    }

    /// What was said to elements and not taken lately, the oldest first.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.iter()
    }

    /// When something is over by itself.
    pub fn wake_at(&self) -> Time {
        self.deadlines.first().map_or(Time::NEVER, |(at, _)| *at)
    }
}
