//! What led to what lately: for those who ask what became of an event, and where one came from.
//!
//! A fact is noted where an event gets its cause, so whatever leads to nothing costs nothing. Devices that
//! speak topics of their own make facts all the time, since what they say becomes what an element reports:
//! of these few are kept. What somebody may ask for is kept longer, with all that led to it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use foldhash::fast::FixedState;
use quartet_fabric::mqtt::Seen;
use quartet_model::{Actor, Address, Aspect, Event, EventId, Said, Time};
use quartet_people::role::Deed;
use serde::Deserialize;

use super::{Flow, Who};

/// Facts of interest that are kept, on all lanes together.
const OF_INTEREST: usize = 20_000;
/// Facts of no interest that are kept in case something follows from them, on all lanes together.
const PLAIN: usize = 4096;
/// At least so many on each lane.
const LEAST: usize = 512;
/// Longer payloads are not kept.
const PAYLOAD_BYTES_MAX: usize = 512;
/// Why a run failed, to those who may not know what it saw.
const FAILED: &str = "it failed";
/// No further than this something lies behind another.
const DEPTH_MAX: usize = 64;

/// Something that happened, and what it belongs to.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// The event's, or the run's.
    pub id: EventId,
    /// What led to it; of what became of a request, the request.
    pub because: Option<EventId>,
    /// Who is behind it.
    pub author: Arc<str>,
    /// Where, and what was said, unless that is too long: in one piece, since there are many.
    text: Box<[u8]>,
    topic_bytes: usize,
    /// How long what was said is.
    pub payload_bytes: usize,
    /// A flow ran.
    pub run: Option<Ran>,
    /// Whether it is known here only as what led to something: whoever made it knows more.
    pub is_copy: bool,
    /// Whether somebody may ask for it.
    pub is_of_interest: bool,
}

/// What came of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Ran {
    /// How much it did.
    pub did: usize,
    /// Why it did nothing, if it failed.
    pub failed: Option<String>,
}

/// The facts of a lane.
#[derive(Default)]
pub(super) struct Journeys {
    facts: HashMap<EventId, Arc<Fact>, FixedState>,
    of_interest: VecDeque<EventId>,
    plain: VecDeque<EventId>,
    lanes: usize,
    since: Time,
}

impl Journeys {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes,
            ..Self::default()
        }
    }

    /// Facts are noted from now on.
    pub(super) fn begin(&mut self, now: Time) {
        self.since = now;
    }

    /// All that is known, in no order, and since when nothing of interest is missing.
    pub(super) fn all(&self) -> (Vec<Arc<Fact>>, Time) {
        (self.facts.values().map(Arc::clone).collect(), self.since)
    }

    /// An event led to another one.
    pub(super) fn note(&mut self, cause: Option<&Event>, effect: &Event) {
        if is_hidden(&effect.topic) || cause.is_some_and(|cause| is_hidden(&cause.topic)) {
            return;
        }
        let fact = Fact::of(effect);
        if fact.because.is_none() {
            return; // Should it lead to something it is noted then.
        }
        if let Some(cause) = cause.filter(|cause| fact.because == Some(cause.id)) {
            self.add_cause(cause);
        }
        let is_of_interest = is_of_interest(effect, cause);
        self.add(fact, is_of_interest);
    }

    /// The hub noticed something at what an element reported, or since time passed.
    pub(super) fn note_edge(&mut self, cause: Option<&Event>, edge: &Event) {
        if let Some(cause) = cause {
            self.add_cause(cause);
        }
        self.add(Fact::of(edge), true);
    }

    /// A flow ran because of an event; what it says is noted with the run as what led to it.
    pub(super) fn note_run(&mut self, run: EventId, flow: &Arc<str>, because: &Event, ran: Ran) {
        if is_hidden(&because.topic) {
            return;
        }
        self.add_cause(because);
        let is_of_interest = 0 < ran.did || ran.failed.is_some();
        let mut fact = Fact::new(run, Arc::clone(flow), flow, b"");
        fact.because = Some(because.id);
        fact.run = Some(ran);
        self.add(fact, is_of_interest);
    }

    /// A run said something.
    pub(super) fn note_said(&mut self, run: EventId, said: &Event) {
        if !is_hidden(&said.topic) {
            let mut fact = Fact::of(said);
            fact.because = Some(run);
            self.add(fact, true);
        }
    }

    fn add_cause(&mut self, cause: &Event) {
        if !self.facts.contains_key(&cause.id) {
            let mut fact = Fact::of(cause);
            fact.is_copy = true;
            self.add(fact, false);
        }
    }

    fn add(&mut self, fact: Fact, is_of_interest: bool) {
        let id = fact.id;
        let is_new = self.facts.insert(id, Arc::new(fact)).is_none();
        if is_new {
            self.plain.push_back(id);
        }
        if is_of_interest {
            self.promote(id);
        }
        self.make_room();
    }

    /// A fact and what led to it is of interest.
    fn promote(&mut self, mut id: EventId) {
        for _ in 0..DEPTH_MAX {
            let Some(fact) = self.facts.get_mut(&id).filter(|fact| !fact.is_of_interest) else {
                return;
            };
            Arc::make_mut(fact).is_of_interest = true;
            self.of_interest.push_back(id);
            let Some(because) = fact.because else {
                return;
            };
            id = because;
        }
    }

    fn make_room(&mut self) {
        let share = |all: usize| (all / self.lanes.max(1)).max(LEAST);
        while share(PLAIN) < self.plain.len() {
            let Some(id) = self.plain.pop_front() else {
                return;
            };
            if self.facts.get(&id).is_some_and(|fact| !fact.is_of_interest) {
                self.facts.remove(&id);
            }
        }
        while share(OF_INTEREST) < self.of_interest.len() {
            let Some(id) = self.of_interest.pop_front() else {
                return;
            };
            self.facts.remove(&id);
            self.since = self.since.max(id.at);
        }
    }
}

impl Fact {
    /// Something that was said, or that ran at an element.
    pub fn new(id: EventId, author: Arc<str>, topic: &str, payload: &[u8]) -> Self {
        let kept = match payload.len() {
            ..=PAYLOAD_BYTES_MAX => payload,
            _ => b"",
        };
        Self {
            id,
            because: None,
            author,
            text: [topic.as_bytes(), kept].concat().into(),
            topic_bytes: topic.len(),
            payload_bytes: payload.len(),
            run: None,
            is_copy: false,
            is_of_interest: false,
        }
    }

    fn of(event: &Event) -> Self {
        let author = match &event.author {
            Some(author) => Arc::clone(author),
            None => event.author().into(),
        };
        let payload = match tells_of_a_life(&event.topic) {
            true => b"",
            false => &*event.payload,
        };
        let mut fact = Self::new(event.id, author, &event.topic, payload);
        fact.payload_bytes = event.payload.len();
        fact.because = because(event);
        fact
    }

    /// Where; of a run the flow's element.
    pub fn topic(&self) -> &str {
        str::from_utf8(&self.text[..self.topic_bytes]).expect("a topic is text")
    }

    /// What was said, unless it is too long.
    pub fn payload(&self) -> Option<&[u8]> {
        let kept = &self.text[self.topic_bytes..];
        (kept.len() == self.payload_bytes).then_some(kept)
    }
}

/// Whether one value after the other would tell more than whoever may see the last one may know: then that
/// something was said is kept, and not what.
fn tells_of_a_life(topic: &str) -> bool {
    Address::read(topic).is_ok_and(|address| {
        matches!(address.aspect, Aspect::Property(_)) && !quartet_data::is_noted(&address)
    })
}

/// What an event belongs to: what became of a request is said because of something else, or of nothing.
fn because(event: &Event) -> Option<EventId> {
    #[derive(Deserialize)]
    struct Revision<'r> {
        revision: &'r str,
    }
    let request = match Address::read(&event.topic).map(|address| address.aspect) {
        Ok(Aspect::Desired(_)) => serde_json::from_slice(&event.payload)
            .ok()
            .and_then(|Revision { revision }| revision.parse().ok()),
        Ok(Aspect::Invocation(_, id)) => id.parse().ok(),
        _ => None,
    };
    request.or(event.cause)
}

/// Whether somebody may ask for this: what is wanted and asked for, and what became of it. What a device
/// says becoming what an element reports is not, nor what becomes of a description.
fn is_of_interest(effect: &Event, cause: Option<&Event>) -> bool {
    fn aspect(event: &Event) -> Option<Aspect<'_>> {
        Address::read(&event.topic).ok().map(|one| one.aspect)
    }
    let is_told = effect.payload.is_empty() && effect.retain;
    match aspect(effect) {
        Some(Aspect::Property(_) | Aspect::Description | Aspect::Event(_)) => false,
        Some(
            Aspect::Write(_) | Aspect::Desired(_) | Aspect::Action(_) | Aspect::Invocation(..),
        ) => !is_told,
        // A device is told at a topic of its own.
        None => cause.is_some_and(|cause| aspect(cause) != Some(Aspect::Description)),
    }
}

/// What opens doors is nobody's business, and what the hub keeps for itself is no journey.
fn is_hidden(topic: &str) -> bool {
    topic.starts_with('$')
}

impl Flow {
    /// What led to what lately on this lane, in no order, and since when nothing of interest is missing.
    pub fn facts(&self) -> (Vec<Arc<Fact>>, Time) {
        self.journeys.all()
    }

    /// What `who` sees of a fact. Who may see a flow may know that it ran; why it failed tells of what it saw.
    pub fn see_fact(&self, who: &Who, fact: Arc<Fact>, now: Time) -> Option<Arc<Fact>> {
        if fact.run.is_some() {
            self.may(who, Deed::Read, fact.topic(), now).ok()?;
            let is_silent = fact.run.as_ref().is_none_or(|ran| ran.failed.is_none());
            if is_silent || self.may(who, Deed::Manage, fact.topic(), now).is_ok() {
                return Some(fact);
            }
            let mut part = Fact::clone(&fact);
            part.run = part.run.map(|ran| Ran {
                failed: Some(FAILED.to_owned()),
                ..ran
            });
            return Some(Arc::new(part));
        }
        let payload = fact.payload().unwrap_or_default().to_vec();
        let said = Said::state(fact.topic().to_owned(), payload);
        match self.see(who, &Event::new(fact.id, Actor::Hub, said), now) {
            Seen::Whole => Some(fact),
            Seen::Nothing => None,
            Seen::Part(less) => {
                let author = Arc::clone(&fact.author);
                let part = Fact::new(fact.id, author, fact.topic(), &less.payload);
                Some(Arc::new(Fact {
                    because: fact.because,
                    ..part
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(s: u64, topic: &str, payload: &str) -> Event {
        let id = EventId {
            at: Time::from_micros(s * 1_000_000),
            serial: s as u32,
        };
        let said = Said::state(topic.to_owned(), payload.to_owned());
        Event::new(id, Actor::Api, said)
    }

    fn led_to(cause: &Event, s: u64, topic: &str, payload: &str) -> Event {
        said(s, topic, payload).because_of(cause)
    }

    /// The topics that are known, and whether somebody may ask for them.
    fn known(journeys: &Journeys) -> Vec<(u64, String, bool)> {
        let (facts, _) = journeys.all();
        let mut known: Vec<_> = facts
            .iter()
            .map(|fact| {
                let s = fact.id.at.as_micros() / 1_000_000;
                (s, fact.topic().to_owned(), fact.is_of_interest)
            })
            .collect();
        known.sort();
        known
    }

    #[test]
    fn what_a_report_leads_to_makes_it_interesting() {
        let mut journeys = Journeys::new(1);
        let raw = said(1, "zigbee2mqtt/door", "{\"contact\":false}");
        let report = led_to(&raw, 2, "things/door/properties/contact", "false");
        journeys.note(Some(&raw), &report);
        let of = |s: u64, topic: &str, is: bool| (s, topic.to_owned(), is);
        assert_eq!(
            known(&journeys),
            [
                of(1, "zigbee2mqtt/door", false),
                of(2, "things/door/properties/contact", false)
            ]
        );
        let ran = Ran {
            did: 1,
            failed: None,
        };
        let run = said(3, "-", "").id;
        journeys.note_run(run, &"processes/lights".into(), &report, ran);
        journeys.note_said(
            run,
            &led_to(&report, 4, "things/lamp/properties/on/write", "true"),
        );
        assert_eq!(
            known(&journeys),
            [
                of(1, "zigbee2mqtt/door", true),
                of(2, "things/door/properties/contact", true),
                of(3, "processes/lights", true),
                of(4, "things/lamp/properties/on/write", true),
            ]
        );
    }

    #[test]
    fn what_became_of_a_wish_belongs_to_it_whatever_told_so() {
        let mut journeys = Journeys::new(1);
        let wish = said(1, "things/lamp/properties/on/write", "true");
        let desired = |status: &str| {
            let revision = wish.id;
            format!("{{\"value\":true,\"status\":\"{status}\",\"revision\":\"{revision}\"}}")
        };
        let at = "things/lamp/properties/on/desired";
        journeys.note(Some(&wish), &led_to(&wish, 2, at, &desired("pending")));
        let report = said(3, "things/lamp/properties/on", "true");
        journeys.note(
            Some(&report),
            &led_to(&report, 4, at, &desired("confirmed")),
        );
        let (facts, _) = journeys.all();
        let below: Vec<_> = facts
            .iter()
            .filter(|fact| fact.because == Some(wish.id))
            .collect();
        assert_eq!((facts.len(), below.len()), (3, 2), "{facts:?}");
        // It is said again that nothing is wanted: that is nothing new.
        journeys.note(None, &led_to(&wish, 5, at, ""));
        assert!(
            journeys
                .all()
                .0
                .iter()
                .filter(|fact| fact.is_of_interest)
                .count()
                == 3
        );
    }

    #[test]
    fn where_somebody_was_is_not_kept() {
        let mut journeys = Journeys::new(1);
        let ran = Ran {
            did: 1,
            failed: None,
        };
        let position = "things/helmet/properties/position";
        let heart = "people/ana/properties/heart_rate";
        for (s, topic) in [(1, position), (2, heart), (3, "things/a/properties/t")] {
            let run = said(10 + s, "-", "").id;
            journeys.note_run(
                run,
                &"processes/p".into(),
                &said(s, topic, "71"),
                ran.clone(),
            );
        }
        let (facts, _) = journeys.all();
        let kept = facts
            .iter()
            .filter(|fact| fact.run.is_none() && fact.payload().is_some());
        let kept: Vec<_> = kept.map(|fact| fact.topic()).collect();
        assert_eq!(kept, ["things/a/properties/t"]);
    }

    #[test]
    fn reports_go_soon_and_what_is_of_interest_stays_within_bounds() {
        let mut journeys = Journeys::new(1);
        let wish = said(1, "things/lamp/properties/on/write", "true");
        journeys.note(Some(&wish), &led_to(&wish, 2, "lamp/set", "on"));
        for s in 0..2 * PLAIN as u64 {
            let raw = said(10 + 2 * s, "meter", "1");
            let report = led_to(&raw, 11 + 2 * s, "things/meter/properties/power", "1");
            journeys.note(Some(&raw), &report);
        }
        let (facts, since) = journeys.all();
        assert!(facts.len() <= PLAIN + 2, "{}", facts.len());
        assert!(facts.iter().any(|fact| fact.id == wish.id));
        assert_eq!(since, Time::ZERO, "nothing of interest is missing");
        for s in 0..OF_INTEREST as u64 {
            let wish = said(100_000 + 2 * s, "things/lamp/properties/on/write", "true");
            journeys.note(
                Some(&wish),
                &led_to(&wish, 100_001 + 2 * s, "lamp/set", "on"),
            );
        }
        let (facts, since) = journeys.all();
        assert!(facts.len() <= OF_INTEREST + PLAIN, "{}", facts.len());
        assert!(
            Time::from_micros(100_000_000_000) < since,
            "it says what is missing"
        );
    }

    #[test]
    fn what_opens_doors_and_what_leads_to_nothing_is_not_noted() {
        let mut journeys = Journeys::new(1);
        let asked = said(1, "$quartet/credentials/things/lamp", "{}");
        journeys.note(
            Some(&asked),
            &led_to(&asked, 2, "things/lamp/properties/x/desired", "{}"),
        );
        journeys.note(None, &said(3, "things/lamp/properties/connectivity", "{}"));
        assert_eq!(known(&journeys), []);
    }
}
