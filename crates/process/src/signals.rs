//! The signals of a hub, and what is remembered of them at the elements of one lane.
//!
//! Whoever keeps what is [told](Told) of one turn keeps it together: the edges, and what is
//! remembered since. Then nothing is told twice, and nothing is missed, whenever the hub dies.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use quartet_model::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    problem::Problem,
    signal::{self, ENDED, Edge, Heard, Look, Signal, State, Turns, Whom},
    yaml,
};

/// Where definitions are kept: below this, at their names.
const FOLDER: &str = "$quartet/signals";
const VERSION: u32 = 1;
/// Signals that others set going in one turn.
const AFTER_MAX: usize = 64;
/// Elements of which it is remembered which signals are about them.
const LOOKED_AT_MAX: usize = 100_000;

/// The topic at which a signal is kept.
pub fn topic_of(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The name of the signal that is kept at a topic.
pub fn name_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(FOLDER)?.strip_prefix('/')
}

/// Where all of them are.
pub fn filter() -> String {
    format!("{FOLDER}/+")
}

/// The topic at which the hub keeps what it remembers of a signal at an element.
pub fn state_topic(key: &str, name: &str) -> String {
    format!("{key}/signals/{name}")
}

/// The element and the signal of which a topic keeps what is remembered.
pub fn state_at(topic: &str) -> Option<(&str, &str)> {
    let (rest, name) = topic.rsplit_once('/')?;
    let key = rest.strip_suffix("/signals")?;
    (quartet_model::Address::element_of(key) == Some(key)).then_some((key, name))
}

/// A signal as the hub keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    version: u32,
    /// What was written.
    pub definition: Value,
    /// Who deployed it.
    pub by: String,
    /// When (RFC 3339).
    pub at: String,
}

impl Deployment {
    /// A definition that is deployed now.
    pub fn new(definition: Value, by: String, now: Time) -> Self {
        Self {
            version: VERSION,
            definition,
            by,
            at: now.rfc3339(),
        }
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Self::to_text`] wrote; `None` if it is something else, or of a newer version.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (read.version == VERSION).then_some(read)
    }

    /// The signal.
    ///
    /// # Errors
    ///
    /// This version of the hub finds it wrong.
    pub fn signal(&self, name: &str) -> Result<Signal, Vec<Problem>> {
        let text = json!({ "signals": { name: self.definition } }).to_string();
        let mut signals = signal::read(&text)?;
        signals
            .pop()
            .ok_or_else(|| vec![Problem::error(Default::default(), "there is no signal")])
    }
}

/// A signal, and its definition as JSON.
pub type Written = (Signal, Value);

/// Reads the signals of a text, each with its definition as JSON; and what is most likely not what
/// was meant.
///
/// # Errors
///
/// All that is wrong with them.
pub fn read(text: &str) -> Result<(Vec<Written>, Vec<Problem>), Vec<Problem>> {
    let signal::Read { signals, warnings } = signal::read_all(text)?;
    let all = yaml::read(text).map(|node| node.to_json());
    let all = all.map_err(|problem| vec![problem])?;
    let with_text = signals.into_iter().map(|signal| {
        let definition = all["signals"][signal.name()].clone();
        (signal, definition)
    });
    Ok((with_text.collect(), warnings))
}

/// What a lane knows of its elements.
pub trait Site {
    /// What a property is.
    fn property(&self, key: &str, name: &str) -> Option<Value>;
    /// All properties that are known, by name.
    fn all(&self, key: &str) -> Map<String, Value>;
    /// Whether an element is of this `@type`.
    fn is_of_type(&self, key: &str, kind: &str) -> bool;
    /// Whether an element is in a place, and until when that is so if its version stays.
    fn is_in(&self, key: &str, place: &str) -> (bool, Time);
    /// What `is_in` depends on has this version.
    fn version(&self) -> u64;
    /// When all this is asked.
    fn now(&self) -> Time;
}

/// What came of a turn.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// A signal began, ended or happened.
    Edge(Arc<str>, Edge),
    /// This is remembered of a signal from now on; nothing if there is nothing.
    State(Arc<str>, Option<Value>),
}

/// See the module.
#[derive(Default)]
pub struct Signals {
    all: BTreeMap<Arc<str>, (Signal, Value)>,
    /// Those of an element, as far as it was looked at.
    of_key: HashMap<Arc<str>, Of>,
    states: HashMap<Arc<str>, HashMap<Arc<str>, Held>>,
    due: BTreeSet<(Time, Arc<str>, Arc<str>)>,
    version: u64,
    /// Whether any is about what is in a place.
    uses_places: bool,
}

/// The signals of one element.
#[derive(Clone)]
struct Of {
    signals: Arc<[Signal]>,
    /// When that was found out.
    version: (u64, u64),
    /// Until when that is so.
    until: Time,
}

impl Of {
    fn has(&self, name: &str) -> bool {
        self.signals.iter().any(|signal| signal.name() == name)
    }
}

#[derive(Default)]
struct Held {
    state: State,
    /// As it was kept last.
    kept: State,
    due: Option<Time>,
}

/// An element, with what is just heard of it.
struct View<'v> {
    site: &'v dyn Site,
    key: &'v str,
    heard: Option<&'v Heard<'v>>,
}

impl Look for View<'_> {
    fn property(&self, name: &str) -> Option<Cow<'_, Value>> {
        match self.heard {
            Some(heard) if !heard.is_event && heard.name == name => {
                Some(Cow::Borrowed(heard.value))
            }
            _ => self.site.property(self.key, name).map(Cow::Owned),
        }
    }

    fn all(&self) -> Map<String, Value> {
        let mut all = self.site.all(self.key);
        if let Some(heard) = self.heard
            && !heard.is_event
        {
            all.insert(heard.name.to_owned(), heard.value.clone());
        }
        all
    }
}

/// What happens to the signals of an element.
#[derive(Clone, Copy)]
enum Turn<'t> {
    Heard(&'t Heard<'t>),
    HeardBy(&'t str, &'t Heard<'t>),
    Known(Time),
    /// The time of this one has come.
    Wake(&'t str),
}

/// A signal of an element, by its place among them, and which other one began when, if that is why.
type Work = (usize, Option<(Arc<str>, Time)>);

impl Signals {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, by name, with their definitions.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, &Signal, &Value)> {
        let all = self.all.iter();
        all.map(|(name, (signal, definition))| (name, signal, definition))
    }

    /// Whether there is one of this name.
    pub fn is_defined(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Whether events of this type are told by the hub alone.
    pub fn tells(&self, kind: &str) -> bool {
        let name = kind.strip_suffix(ENDED).unwrap_or(kind);
        self.all.contains_key(name) || self.all.contains_key(kind)
    }

    /// A signal is defined, or is no more; `None` if it was so before. Says of which elements of
    /// this lane something is to be told: what was on ends.
    pub fn set(
        &mut self,
        name: &str,
        signal: Option<(Signal, Value)>,
        now: Time,
    ) -> Option<Vec<(Arc<str>, Vec<Told>)>> {
        let before = self.all.get(name).map(|(_, definition)| definition);
        if before == signal.as_ref().map(|(_, definition)| definition) {
            return None;
        }
        self.version += 1;
        self.of_key.clear();
        let name: Arc<str> = name.into();
        match signal {
            Some(signal) => {
                self.all.insert(Arc::clone(&name), signal);
            }
            None => {
                self.all.remove(&name);
            }
        }
        let mut all = self.all.values();
        self.uses_places = all.any(|(signal, _)| matches!(signal.of(), Whom::In(_)));
        let mut told = Vec::new();
        for (key, states) in &mut self.states {
            let Some(held) = states.remove(&name) else {
                continue;
            };
            if let Some(at) = held.due {
                self.due.remove(&(at, Arc::clone(key), Arc::clone(&name)));
            }
            told.push((Arc::clone(key), forgotten(&name, &held, now)));
        }
        self.states.retain(|_, states| !states.is_empty());
        told.sort_by(|(one, _), (other, _)| one.cmp(other));
        Some(told)
    }

    /// Knows again what was kept of a signal at an element.
    pub fn recall(&mut self, key: &str, name: &str, payload: &[u8]) {
        let (key, name): (Arc<str>, Arc<str>) = (key.into(), name.into());
        let states = self.states.entry(Arc::clone(&key)).or_default();
        if let Some(held) = states.remove(&name)
            && let Some(at) = held.due
        {
            self.due.remove(&(at, Arc::clone(&key), Arc::clone(&name)));
        }
        let value: Option<Value> = serde_json::from_slice(payload).ok();
        if let Some(state) = value.as_ref().and_then(State::read) {
            let held = Held {
                kept: state.clone(),
                state,
                due: None,
            };
            states.insert(Arc::clone(&name), held);
        }
        if states.is_empty() {
            self.states.remove(&key);
        } else if let Some((signal, _)) = self.all.get(&name) {
            let signal = signal.clone();
            self.schedule(&key, &name, &signal);
        }
    }

    /// Something is heard of an element.
    pub fn heard(&mut self, key: &str, heard: &Heard<'_>, site: &dyn Site, now: Time) -> Vec<Told> {
        self.turn(key, Turn::Heard(heard), site, now)
    }

    /// The same for one signal alone.
    pub fn heard_by(
        &mut self,
        name: &str,
        key: &str,
        heard: &Heard<'_>,
        site: &dyn Site,
        now: Time,
    ) -> Vec<Told> {
        self.turn(key, Turn::HeardBy(name, heard), site, now)
    }

    /// An element is known since now.
    pub fn known(&mut self, key: &str, site: &dyn Site, now: Time) -> Vec<Told> {
        // It may be of another type.
        self.of_key.remove(key);
        self.turn(key, Turn::Known(now), site, now)
    }

    /// An element is no more: nothing is remembered of it, and what was on ends.
    pub fn gone(&mut self, key: &str, now: Time) -> Vec<Told> {
        self.of_key.remove(key);
        let Some((key, states)) = self.states.remove_entry(key) else {
            return Vec::new();
        };
        let mut told = Vec::new();
        for (name, held) in states {
            if let Some(at) = held.due {
                self.due.remove(&(at, Arc::clone(&key), Arc::clone(&name)));
            }
            told.extend(forgotten(&name, &held, now));
        }
        told
    }

    /// When time alone next changes something.
    pub fn wake_at(&self) -> Time {
        self.due.first().map_or(Time::NEVER, |(at, ..)| *at)
    }

    /// Does the next thing that is due; says at which element, and what came of it.
    pub fn wake(&mut self, site: &dyn Site, now: Time) -> Option<(Arc<str>, Vec<Told>)> {
        if now < self.wake_at() {
            return None;
        }
        let (_, key, name) = self.due.pop_first()?;
        if let Some(states) = self.states.get_mut(&key)
            && let Some(held) = states.get_mut(&name)
        {
            held.due = None;
        }
        let told = self.turn(&key, Turn::Wake(&name), site, now);
        Some((key, told))
    }

    /// Why a signal is as it is at an element of this lane.
    pub fn explain(&self, name: &str, key: &str, site: &dyn Site, now: Time) -> Option<Value> {
        let (signal, _) = self.all.get(name)?;
        let none = State::default();
        let held = self.states.get(key).and_then(|states| states.get(name));
        let state = held.map_or(&none, |held| &held.state);
        let view = View {
            site,
            key,
            heard: None,
        };
        Some(json!({
            "element": key,
            "on": state.is_on(),
            "says": signal::explain(signal, state, &view, now),
            "state": state.write(),
        }))
    }

    /// The elements of which something is remembered for a signal.
    pub fn remembered(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        let states = self.states.iter();
        states.filter_map(move |(key, states)| states.contains_key(name).then_some(key))
    }

    /// Whether a signal is about an element.
    pub fn is_about(&self, name: &str, key: &str, site: &dyn Site) -> bool {
        let signal = self.all.get(name);
        signal.is_some_and(|(signal, _)| is_about(signal, key, site).0)
    }

    /// The signals that are about an element, and whether each is on there.
    pub fn about(&self, key: &str, site: &dyn Site) -> impl Iterator<Item = (&Signal, bool)> {
        let states = self.states.get(key);
        let is_on = move |name: &str| {
            let held = states.and_then(|states| states.get(name));
            held.is_some_and(|held| held.state.is_on())
        };
        let all = self.all.iter();
        all.filter(move |(_, (signal, _))| is_about(signal, key, site).0)
            .map(move |(name, (signal, _))| (signal, is_on(name)))
    }

    /// Whether any signal of an element looks at a property, or an event, of this name.
    pub fn hear(&mut self, key: &str, name: &str, is_event: bool, site: &dyn Site) -> bool {
        let of = self.of(key, site);
        let is_left = self.states.get(key).is_some_and(|states| {
            let mut held = states.keys();
            held.any(|held| self.all.contains_key(held) && !of.has(held))
        });
        let mut signals = of.signals.iter();
        is_left || signals.any(|signal| signal.inputs().has(name, is_event))
    }

    /// The signals of an element.
    fn of(&mut self, key: &str, site: &dyn Site) -> Of {
        let places = match self.uses_places {
            true => site.version(),
            false => 0,
        };
        let version = (self.version, places);
        if let Some(of) = self.of_key.get(key)
            && of.version == version
            && site.now() < of.until
        {
            return of.clone();
        }
        let signals = self.all.values().map(|(signal, _)| signal);
        let mut until = Time::NEVER;
        let signals = signals.filter(|signal| {
            let (is, as_long_as) = is_about(signal, key, site);
            until = until.min(as_long_as);
            is
        });
        let of = Of {
            signals: signals.cloned().collect(),
            version,
            until,
        };
        if LOOKED_AT_MAX <= self.of_key.len() {
            self.of_key.clear();
        }
        self.of_key.insert(key.into(), of.clone());
        of
    }

    /// What is told of signals that are not about an element any more.
    fn leave(&mut self, key: &str, of: &Of, now: Time) -> Vec<Told> {
        let Some((known, states)) = self.states.get_key_value(key) else {
            return Vec::new();
        };
        let key = Arc::clone(known);
        let left = states.keys();
        let left = left.filter(|name| self.all.contains_key(*name) && !of.has(name));
        let left: Vec<Arc<str>> = left.cloned().collect();
        let mut told = Vec::new();
        for name in left {
            let states = self.states.get_mut(&key);
            if let Some(held) = states.and_then(|states| states.remove(&name)) {
                if let Some(at) = held.due {
                    self.due.remove(&(at, Arc::clone(&key), Arc::clone(&name)));
                }
                told.extend(forgotten(&name, &held, now));
            }
        }
        told
    }

    fn turn(&mut self, key: &str, turn: Turn<'_>, site: &dyn Site, now: Time) -> Vec<Told> {
        let of = self.of(key, site);
        let mut told = self.leave(key, &of, now);
        let heard = match turn {
            Turn::Heard(heard) | Turn::HeardBy(_, heard) => Some(heard),
            _ => None,
        };
        let is_concerned = |signal: &Signal| match turn {
            Turn::Heard(heard) => signal.inputs().has(heard.name, heard.is_event),
            Turn::HeardBy(name, heard) => {
                signal.name() == name && signal.inputs().has(heard.name, heard.is_event)
            }
            Turn::Known(_) => true,
            Turn::Wake(name) => signal.name() == name,
        };
        let view = View { site, key, heard };
        let key: Arc<str> = match self.states.get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None => key.into(),
        };
        let states = self.states.entry(Arc::clone(&key)).or_default();
        let concerned = (0..of.signals.len()).filter(|at| is_concerned(&of.signals[*at]));
        // What is to be looked at; some because another one began.
        let mut work: VecDeque<Work> = concerned.map(|at| (at, None)).collect();
        let mut left = work.len() + AFTER_MAX;
        let mut touched = BTreeSet::new();
        while let Some((at, after)) = work.pop_front().filter(|_| 0 < left) {
            left -= 1;
            touched.insert(at);
            let signal = &of.signals[at];
            let name: Arc<str> = signal.name().into();
            let state = &mut states.entry(Arc::clone(&name)).or_default().state;
            let edges = match (after, turn) {
                (Some((other, since)), _) => {
                    signal::began(signal, state, &other, &view, since, now)
                }
                (None, Turn::Heard(heard) | Turn::HeardBy(_, heard)) => {
                    signal::step(signal, state, heard, &view, now)
                }
                (None, Turn::Known(since)) => signal::known(signal, state, &view, since, now),
                (None, Turn::Wake(_)) => signal::wake(signal, state, &view, now),
            };
            for edge in edges {
                if edge.turns != Turns::Ended {
                    let others = of.signals.iter().enumerate();
                    let others = others.filter(|(_, other)| other.after() == Some(&*name));
                    let since = edge.at;
                    work.extend(others.map(|(other, _)| (other, Some((Arc::clone(&name), since)))));
                }
                told.push(Told::Edge(Arc::clone(&name), edge));
            }
        }
        if touched.is_empty() && states.is_empty() {
            self.states.remove(&key);
        }
        for at in touched {
            let signal = &of.signals[at];
            let name: Arc<str> = signal.name().into();
            let Some(held) = self
                .states
                .get_mut(&key)
                .and_then(|states| states.get_mut(&name))
            else {
                continue;
            };
            if held.state.is_default() {
                if !held.kept.is_default() {
                    told.push(Told::State(Arc::clone(&name), None));
                }
                held.kept = State::default();
            } else if held.state.differs(&held.kept) {
                held.kept = held.state.clone();
                let state = Some(held.state.write());
                told.push(Told::State(Arc::clone(&name), state));
            }
            self.schedule(&key, &name, signal);
        }
        told
    }

    /// A signal at an element wakes when it says.
    fn schedule(&mut self, key: &Arc<str>, name: &Arc<str>, signal: &Signal) {
        let Some(states) = self.states.get_mut(key) else {
            return;
        };
        let Some(held) = states.get_mut(name) else {
            return;
        };
        let due = held.state.wake_at(signal);
        if due != held.due {
            let entry = |at: Time| (at, Arc::clone(key), Arc::clone(name));
            if let Some(at) = held.due {
                self.due.remove(&entry(at));
            }
            if let Some(at) = due {
                self.due.insert(entry(at));
            }
            held.due = due;
        }
        let is_nothing = held.state == State::default();
        if is_nothing {
            states.remove(name);
            if states.is_empty() {
                self.states.remove(key);
            }
        }
    }
}

/// Whether a signal is about an element, and until when.
fn is_about(signal: &Signal, key: &str, site: &dyn Site) -> (bool, Time) {
    match signal.of() {
        Whom::Named(_) => (signal.is_of(key), Time::NEVER),
        Whom::Type(kind) => (site.is_of_type(key, kind), Time::NEVER),
        Whom::In(place) => site.is_in(key, place),
    }
}

/// What is told of a signal that is forgotten at an element.
fn forgotten(name: &Arc<str>, held: &Held, now: Time) -> Vec<Told> {
    let mut told = Vec::new();
    if held.state.is_on() {
        let edge = Edge {
            turns: Turns::Ended,
            at: now,
            late: std::time::Duration::ZERO,
            data: json!({ "because": "it is not looked at any more" }),
            failed: None,
        };
        told.push(Told::Edge(Arc::clone(name), edge));
    }
    if !held.kept.is_default() {
        told.push(Told::State(Arc::clone(name), None));
    }
    told
}
