use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use quartet_model::{Address, Aspect, Event, EventId, SessionRef, Time};

use crate::{
    CONNECTIVITY, Desired, Invocation,
    computer::Sample,
    identity::id_of,
    liveness::Reach,
    places::{self, Fences, Occupancy, Whereabouts},
    presence::Presence,
    refusal::{Refusal, Refusals},
    td::{Affordances, Description, Interner, Problem},
    translate::{Follow, Natives},
};

/// The elements of one lane: those that have a Thing Description.
///
/// What they report and what they are is not in here: it is retained at their addresses. Here
/// is what is under way.
#[derive(Default, Debug)]
pub struct Elements {
    /// By the first two levels of their addresses.
    pub(crate) by_key: BTreeMap<Box<str>, Element>,
    /// The same elements by the identifiers in their descriptions, in the order of these.
    pub(crate) ids: BTreeSet<Box<str>>,
    /// The last event that changed which elements there are, and how they are described.
    pub(crate) changed: Option<EventId>,
    /// What elements of one type have in common.
    pub(crate) interner: Interner,
    /// Which elements a session speaks for.
    pub(crate) speakers: BTreeSet<(SessionRef, Box<str>)>,
    /// Which elements speak at a native topic.
    pub(crate) by_native: BTreeMap<Box<str>, Vec<Box<str>>>,
    /// Native topics that are to be heard from now on, or not any more.
    pub(crate) follows: Vec<Follow>,
    /// Which elements are reached through another.
    pub(crate) children: BTreeSet<(Box<str>, Box<str>)>,
    /// When something is over by itself, and the topic that says so.
    pub(crate) deadlines: BTreeSet<(Time, Box<str>)>,
    /// The outlines of all places of the hub.
    pub(crate) fences: Fences,
    /// What other lanes do not know of them yet.
    pub(crate) fence_news: Vec<places::News>,
    /// How many elements say their position with a property of another name.
    pub(crate) located_elsewhere: usize,
    pub(crate) look: places::Look,
    /// Work that nobody has heard of yet, in messages passed on.
    pub(crate) work: usize,
    pub(crate) refusals: Refusals,
    /// What this computer was last reported to be.
    pub(crate) last_sample: Option<Sample>,
}

/// One element.
#[derive(Debug)]
pub(crate) struct Element {
    /// When its description expires.
    expires: Time,
    /// What it can be asked and told, if that was needed since it was described.
    pub(crate) affordances: Option<Arc<Affordances>>,
    /// What its properties are wanted to be.
    pub(crate) desired: BTreeMap<Box<str>, Desired>,
    /// What it was asked to do.
    pub(crate) invocations: BTreeMap<EventId, Invocation>,
    /// Whether it is there.
    pub(crate) presence: Presence,
    /// Its native topics.
    pub(crate) natives: Option<Natives>,
    /// The element that it is reached through.
    pub(crate) through: Option<Box<str>>,
    /// Whether it is there is a property of its own.
    pub(crate) says_so_itself: bool,
    /// Where it is, if it was said.
    pub(crate) whereabouts: Option<Box<Whereabouts>>,
    /// Who is in it, if it is a place with a fence.
    pub(crate) occupancy: Option<Box<Occupancy>>,
    /// How much it was asked to do that is not in there yet, since it is not safe.
    pub(crate) asked: usize,
}

impl Element {
    /// Whether it is heard for the first time since it is there again.
    pub(crate) fn take_back(&mut self) -> bool {
        std::mem::take(&mut self.presence.is_back)
    }
}

impl Default for Element {
    fn default() -> Self {
        Self {
            expires: Time::NEVER,
            affordances: None,
            desired: BTreeMap::new(),
            invocations: BTreeMap::new(),
            presence: Presence::default(),
            natives: None,
            through: None,
            says_so_itself: false,
            whereabouts: None,
            occupancy: None,
            asked: 0,
        }
    }
}

impl Elements {
    /// How much there was to do since this was asked last, beside what each event costs: as many messages
    /// could have been passed on.
    pub fn take_work(&mut self) -> usize {
        std::mem::take(&mut self.work)
    }

    /// Keeps what was not taken, for people to look at.
    pub fn refuse(&mut self, event: &Event, problems: Vec<Problem>) {
        self.refusals.push(Refusal::new(event, problems));
    }

    /// Knows again what is retained at an element's address, after a start. What is retained at
    /// `things/lamp` must come before what stands below it.
    pub fn recall(&mut self, event: &Event) {
        if let Ok(address) = Address::read(&event.topic) {
            self.remember(address, event);
            self.recall_places(event);
        }
    }

    /// Takes note of what the hub says of an element.
    pub(crate) fn remember(&mut self, address: Address<'_>, event: &Event) {
        let key = address.with(Aspect::Description).to_string();
        if address.aspect == Aspect::Description {
            self.changed = self.changed.max(Some(event.id));
            if event.payload.is_empty() {
                self.lose(&key);
                if let Some(gone) = self.by_key.remove(&*key) {
                    self.ids.remove(&*id_of(&key));
                    self.forget_deadlines(address, &gone);
                    self.reached(&key, gone.through, None);
                    let topics = gone.natives.iter().flat_map(Natives::topics);
                    let topics: Vec<Box<str>> = topics.map(Into::into).collect();
                    self.speak_at(&key, &topics, &[]);
                    if let Some(speaker) = gone.presence.speaker {
                        self.speakers.remove(&(speaker, key.into()));
                    }
                }
            } else {
                self.ids.insert(id_of(&key).into());
                let reach = Reach::of(&event.payload);
                let element = self.by_key.entry(key.as_str().into()).or_default();
                element.affordances = None;
                element.presence.expected = reach.expected;
                element.says_so_itself = reach.says_so_itself;
                let before = std::mem::replace(&mut element.through, reach.through.clone());
                let expires = std::mem::replace(&mut element.expires, event.expires);
                let deadline = |at| (at, Box::from(&*event.topic));
                self.deadlines.remove(&deadline(expires));
                if event.expires != Time::NEVER {
                    self.deadlines.insert(deadline(event.expires));
                }
                self.reached(&key, before, reach.through);
                self.speak(&key, Natives::of(&event.payload));
                self.locate(&key, &event.payload);
            }
            return;
        }
        let Some(element) = self.by_key.get_mut(&*key) else {
            return;
        };
        let deadline = |until| (until, Box::from(&*event.topic));
        match address.aspect {
            Aspect::Property(CONNECTIVITY) => {
                element.presence.recall(&event.payload);
                if element.presence.is_recalled {
                    element.presence.look_at = Some(Time::ZERO);
                    self.deadlines.insert(deadline(Time::ZERO));
                }
            }
            Aspect::Desired(name) => {
                let wish = Desired::of_json(&event.payload);
                let until = wish.as_ref().map_or(Time::NEVER, Desired::deadline);
                let before = match wish {
                    Some(wish) => element.desired.insert(name.into(), wish),
                    None => element.desired.remove(name),
                };
                if let Some(before) = before {
                    self.deadlines.remove(&deadline(before.deadline()));
                }
                if until != Time::NEVER {
                    self.deadlines.insert(deadline(until));
                }
            }
            Aspect::Invocation(action, id) => {
                let Ok(number) = id.parse() else { return };
                let invocation = Invocation::of_json(action, id, &event.payload);
                let until = invocation
                    .as_ref()
                    .map_or(Time::NEVER, Invocation::deadline);
                let before = match invocation {
                    Some(invocation) => element.invocations.insert(number, invocation),
                    None => element.invocations.remove(&number),
                };
                match before {
                    Some(before) => {
                        self.deadlines.remove(&deadline(before.deadline()));
                    }
                    None => element.asked = element.asked.saturating_sub(1),
                }
                if until != Time::NEVER {
                    self.deadlines.insert(deadline(until));
                }
            }
            _ => {}
        }
    }

    /// An element is reached through another one from now on.
    fn reached(&mut self, key: &str, before: Option<Box<str>>, now: Option<Box<str>>) {
        if let Some(before) = before {
            self.children.remove(&(before, key.into()));
        }
        if let Some(now) = now {
            self.children.insert((now, key.into()));
        }
    }

    fn forget_deadlines(&mut self, address: Address<'_>, element: &Element) {
        self.deadlines
            .remove(&(element.expires, address.to_string().into()));
        if let Some(at) = element.presence.look_at {
            let topic = address.with(Aspect::Property(CONNECTIVITY));
            self.deadlines.remove(&(at, topic.to_string().into()));
        }
        for (name, wish) in &element.desired {
            let topic = address.with(Aspect::Desired(name)).to_string();
            self.deadlines.remove(&(wish.deadline(), topic.into()));
        }
        for (id, invocation) in &element.invocations {
            let id = id.to_string();
            let topic = address.with(Aspect::Invocation(&invocation.action, &id));
            self.deadlines
                .remove(&(invocation.deadline(), topic.to_string().into()));
        }
    }

    /// What an element can be asked and told, read from what is retained if it is not at hand.
    pub fn affordances(
        &mut self,
        key: &str,
        said: &dyn Fn(&str) -> Option<Event>,
    ) -> Option<Arc<Affordances>> {
        let element = self.by_key.get_mut(key)?;
        if let Some(affordances) = &element.affordances {
            return Some(Arc::clone(affordances));
        }
        let described = Description::recall(&said(key)?.payload, &mut self.interner).ok()?;
        let affordances = described.into_affordances();
        element.affordances = Some(Arc::clone(&affordances));
        Some(affordances)
    }
}
