//! The clock starts flows, on the lane where their elements live. When it did so last is retained at
//! `{flow}/clock`, and written down together with what the run did.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use quartet_model::{Actor, Address, Event, Said, Time};
use quartet_process::{deployment, schedule::Ticks};
use serde_json::{Value, json};

use super::{Flow, home_of_topic};

/// Runs that the clock starts in one turn of the lane.
const TICKS_MAX: usize = 1000;

/// The flows of a lane that the clock starts.
#[derive(Default)]
pub(super) struct Clocks {
    by_key: HashMap<Arc<str>, Clock>,
    due: BTreeSet<(Time, Arc<str>)>,
    /// When the clock last started a flow, as it was known after a start.
    recalled: HashMap<Arc<str>, Time>,
}

struct Clock {
    ticks: Ticks,
    last: Time,
    next: Option<Time>,
}

impl Clocks {
    pub(super) fn wake_at(&self) -> Time {
        self.due.first().map_or(Time::NEVER, |(at, _)| *at)
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, clock)) = self.by_key.remove_entry(key)
            && let Some(at) = clock.next
        {
            self.due.remove(&(at, key));
        }
    }

    /// The next time of a flow, after this one.
    fn go_on(&mut self, key: &Arc<str>, last: Time) {
        let Some(clock) = self.by_key.get_mut(key) else {
            return;
        };
        clock.last = last;
        clock.next = clock.ticks.next(last);
        if let Some(at) = clock.next {
            self.due.insert((at, Arc::clone(key)));
        }
    }
}

/// Where it is retained when the clock last started a flow.
pub fn clock_topic(key: &str) -> String {
    format!("{key}/clock")
}

fn last_of(payload: &[u8]) -> Option<Time> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    Time::of_rfc3339(value["last"].as_str()?)
}

impl Flow {
    /// A flow is deployed, changed or taken back: the clock starts it in its times.
    pub(super) fn set_clock(&mut self, key: &Arc<str>, now: Time) {
        if home_of_topic(key, self.lanes) != self.lane {
            return;
        }
        self.clocks.remove(key);
        let Some(entry) = self.processes.flows.get(key).filter(|entry| entry.is_on()) else {
            return;
        };
        let Some(ticks) = entry.ticks.clone() else {
            return;
        };
        // What was before it was deployed is nothing to it.
        let deployed = Time::of_rfc3339(&entry.deployment.at).unwrap_or(now);
        let kept = self.said_at(&clock_topic(key), now);
        let kept = kept.and_then(|event| last_of(&event.payload));
        let recalled = self.clocks.recalled.get(key).copied();
        let last = [kept, recalled].into_iter().flatten().max();
        let last = last.map_or(deployed, |last| last.max(deployed));
        let clock = Clock {
            ticks,
            last,
            next: None,
        };
        self.clocks.by_key.insert(Arc::clone(key), clock);
        self.clocks.go_on(key, last);
    }

    /// Knows when the clock last started a flow before the hub died, also where that is not
    /// retained yet.
    pub(super) fn recall_clock(&mut self, event: &Event, now: Time) {
        let key = event.topic.strip_suffix("/clock");
        let key = key.filter(|key| deployment::is_flow(key) && event.by == Actor::Hub);
        if let Some(key) = key
            && let Some(last) = last_of(&event.payload)
        {
            let key: Arc<str> = key.into();
            self.clocks.recalled.insert(Arc::clone(&key), last);
            self.set_clock(&key, now);
        }
    }

    /// Starts what is due.
    pub(super) fn wake_clocks(&mut self, now: Time) {
        let mut started = 0;
        while self.clocks.wake_at() <= now && started < TICKS_MAX {
            let Some((_, key)) = self.clocks.due.pop_first() else {
                return;
            };
            let Some(clock) = self.clocks.by_key.get(&key) else {
                continue;
            };
            let policy = self.processes.flows.get(&key);
            let policy = policy.and_then(|entry| entry.flow.as_ref().ok());
            let Some(if_missed) = policy.map(|flow| flow.policy.if_missed) else {
                continue;
            };
            let (times, from) = clock.ticks.due(clock.last, now, if_missed);
            self.clocks.go_on(&key, from);
            started += times.len().max(1);
            let newest = times.len().saturating_sub(1);
            for (number, at) in times.into_iter().enumerate() {
                // Whatever comes after this one is due again if the hub dies in between.
                let last = if number == newest { from } else { at };
                self.tick(&key, at, last, now);
            }
        }
    }

    /// The clock starts a flow, whose time was at `at`; `last` is kept with what it does.
    fn tick(&mut self, key: &Arc<str>, at: Time, last: Time, now: Time) {
        let late_s = now.since(at).as_secs_f64();
        let input = json!({ "at": at.rfc3339(), "late": (late_s * 1000.0).round() / 1000.0 });
        let said = Said {
            retain: false,
            ..Said::kept(format!("{key}/events/tick"), input.to_string())
        };
        let event = Event::new(self.next_id(now), Actor::Hub, said);
        let kept = json!({ "last": last.rfc3339() }).to_string();
        let kept = Said::kept(clock_topic(key), kept);
        self.start_by_clock(key, event, input, kept, now);
    }
}

/// Whether a topic is where that is retained.
pub(super) fn is_clock(topic: &str) -> bool {
    let key = Address::element_of(topic);
    key.is_some_and(|key| topic.len() == key.len() + 6 && topic.ends_with("/clock"))
}
