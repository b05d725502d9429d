//! Things made known to Home Assistant, once it says that it is there: a hub that has none beside it
//! keeps nothing for it.

use std::time::Duration;

use quartet_fabric::routes::Lane;
use quartet_model::{Actor, Effect, Event, Time};
use quartet_things::dialects::homeassistant;

use super::{Flow, Mail};

/// Things that it is told of in one go, and how long it has to take that in: what it cannot take is
/// lost to it.
const THINGS: usize = 32;
const PAUSE: Duration = Duration::from_millis(20);

/// What Home Assistant was told of the things of this lane.
#[derive(Debug)]
pub(super) struct Told {
    /// Whether it is told anything at all.
    is_wanted: bool,
    /// It was there once, and so is told what changes.
    is_known: bool,
    /// While it is told of all: the last thing it was told of, and when it is told of the next.
    last: Option<(Box<str>, Time)>,
}

impl Told {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self {
            is_wanted,
            is_known: false,
            last: None,
        }
    }

    pub(super) fn wake_at(&self) -> Time {
        self.last.as_ref().map_or(Time::NEVER, |(_, at)| *at)
    }
}

impl Flow {
    /// Home Assistant may have said that it is there; or what it was told before the hub started
    /// is found again. One lane hears that, and lets the others know.
    pub(super) fn meet_home_assistant(&mut self, event: &Event, now: Time) {
        let told = &self.home_assistant;
        let is_born = homeassistant::is_birth(&event.topic, &event.payload);
        let is_own = event.by == Actor::Hub && homeassistant::is_told(&event.topic);
        let is_own = is_own && !told.is_known;
        if !told.is_wanted || !(is_born || is_own) {
            return;
        }
        for lane in 1..self.lanes as Lane {
            self.out
                .mail_last
                .push((lane, Mail::HomeAssistant { is_born }));
        }
        self.tell_home_assistant(is_born, now);
    }

    /// Tells it what changes from now on, and of all that there is if it was just born.
    pub(super) fn tell_home_assistant(&mut self, is_born: bool, now: Time) {
        let told = &mut self.home_assistant;
        told.is_known = true;
        if is_born {
            told.last = Some(("".into(), now));
        }
    }

    /// Tells it of some more things.
    pub(super) fn go_on_telling(&mut self, now: Time) {
        let Some((last, at)) = &self.home_assistant.last else {
            return;
        };
        if now < *at {
            return;
        }
        let keys = self.elements.keys(last).take(THINGS);
        let keys: Vec<Box<str>> = keys.map(Into::into).collect();
        for key in &keys {
            let description = self.said_at(key, now).map(|event| event.payload);
            let told = homeassistant::tell(key, None, description.as_deref());
            self.settle(told.into_iter().map(Effect::Emit).collect(), None, now);
        }
        let is_all = keys.len() < THINGS;
        let last = keys.into_iter().last().filter(|_| !is_all);
        self.home_assistant.last = last.map(|key| (key, now.after(PAUSE)));
    }

    /// What it is told of an element that is described anew.
    pub(super) fn told_of(&self, event: &Event, before: Option<&Event>) -> Vec<Effect> {
        let before = before.map(|event| &*event.payload);
        let after = Some(&*event.payload).filter(|description| !description.is_empty());
        let told = homeassistant::tell(&event.topic, before, after);
        told.into_iter().map(Effect::Emit).collect()
    }

    pub(super) fn knows_home_assistant(&self) -> bool {
        self.home_assistant.is_known
    }
}
