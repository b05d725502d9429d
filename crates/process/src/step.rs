//! What an event starts: which flows wait for it, whether they may start now, and what of that is
//! told. Whoever runs them looks at what they need, and performs what they do.

use std::{
    cell::OnceCell,
    sync::{Arc, LazyLock},
};

use quartet_model::{Event, EventId, HOPS_MAX, Time};
use serde_json::Value;

use crate::{
    cloud::{Attributes, FACES_MAX, Face, faces},
    expr::{Fuel, Scope},
    fast::{Answers, Flow, NOTHING, Outcome},
    language::NAMES,
    policy::{Overrun, Storm},
    state::{Entry, Flows, Grouped, Trigger},
    storm::{AGAIN_STARTS, GUARD_STARTS, GUARD_STEPS, GUARD_TIME},
    told::{Because, Look, Why, With},
    trigger::{self, Saw},
};

/// The attribute of events that flows say: which flows led to it, the first one first.
pub const VIA: &str = "via";
/// More flows than that are not named.
const VIA_MAX: usize = HOPS_MAX as usize;

/// Before a run there is none of its data.
pub(crate) static VALUES: LazyLock<Vec<Arc<Value>>> =
    LazyLock::new(|| vec![Arc::clone(&NOTHING); NAMES.len()]);

/// An event, as flows see it. What nobody looks at is not read.
#[derive(Debug)]
pub struct Heard<'e> {
    /// What happened.
    pub event: &'e Event,
    /// What it says of itself.
    pub attributes: &'e Attributes,
    faces: [Option<Face<'e>>; FACES_MAX],
    read: [Read; FACES_MAX],
}

/// What was read of one face.
#[derive(Debug, Default)]
struct Read {
    /// Its data, as long as there is no envelope, which has them.
    data: OnceCell<Value>,
    /// A list of its envelope: what runs are given.
    input: OnceCell<Arc<Value>>,
}

impl Read {
    fn envelope(&self) -> Option<&Value> {
        self.input.get()?.get(0)
    }
}

impl<'e> Heard<'e> {
    /// An event that says this of itself.
    pub fn new(event: &'e Event, attributes: &'e Attributes) -> Self {
        Self {
            event,
            attributes,
            faces: faces(event, attributes),
            read: Default::default(),
        }
    }

    /// What the event says, looked at in this way.
    fn data(&self, face: u8) -> &Value {
        let at = usize::from(face);
        if let Some(envelope) = self.read[at].envelope() {
            return &envelope["data"];
        }
        let data = &self.read[at].data;
        data.get_or_init(|| match &self.faces[at] {
            Some(face) => face.data(self.event),
            None => Value::Null,
        })
    }

    /// An attribute of the event, looked at in this way.
    fn saw(&self, face: u8, name: &str) -> Saw<'_> {
        if name == "data" {
            return Saw::Value(self.data(face));
        }
        let of_face = self.faces[usize::from(face)].as_ref();
        match of_face.and_then(|face| face.attribute(name, self.event, self.attributes)) {
            Some(text) => Saw::Text(text),
            None => Saw::Nothing,
        }
    }

    /// A list of the event, looked at in this way.
    fn envelopes(&mut self, face: u8) -> &Arc<Value> {
        let at = usize::from(face);
        self.data(face);
        let data = self.read[at].data.take();
        self.read[at].input.get_or_init(|| {
            let face = self.faces[at].as_ref();
            let envelope = face
                .map(|face| face.envelope(data.unwrap_or_default(), self.event, self.attributes));
            Arc::new(Value::Array(envelope.into_iter().collect()))
        })
    }

    /// What a flow is given that this starts. `grouped` events came while it could not.
    pub(crate) fn input(&mut self, face: u8, flow: &Flow, grouped: u32) -> Arc<Value> {
        if flow.takes_data() {
            return Arc::new(Value::Array(vec![self.data(face).clone()]));
        }
        let mut input = Arc::clone(self.envelopes(face));
        if 0 < grouped
            && let Some(Value::Object(envelope)) = Arc::make_mut(&mut input).get_mut(0)
        {
            envelope.insert("grouped".to_owned(), grouped.into());
        }
        input
    }

    /// The flows that led to it.
    fn via(&self) -> impl Iterator<Item = &str> {
        let via = self.attributes.get(VIA).unwrap_or_default();
        via.split(' ').filter(|flow| !flow.is_empty())
    }
}

/// A flow that an event starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// Which.
    pub flow: Arc<Flow>,
    /// What the run is given.
    pub input: Arc<Value>,
    /// How that is made anew.
    pub(crate) with: With,
    /// The flows that led to it, this one last: for what it says.
    pub via: String,
    /// What its runs are told apart by.
    pub key: String,
}

/// What becomes of an event that a filter of a flow may fit.
#[derive(Debug)]
pub enum Begun {
    /// Nothing; that is noted where somebody may ask for it.
    Missed,
    /// It starts the flow.
    Start(Box<Start>),
    /// It goes in a circle, and that is to be told: these flows, one after the other.
    Loop(Vec<String>),
    /// It started too often, and starts no more until somebody says so.
    Suspend(String),
}

impl Flows {
    /// Filters that an event may fit, and which of its faces they look at, flow by flow.
    pub fn candidates(&self, heard: &Heard<'_>, found: &mut Vec<(Trigger, u8)>) {
        let topic = &*heard.event.topic;
        for (face, number) in heard.faces.iter().zip(0..) {
            let Some(Face { kind, subject, .. }) = face else {
                continue;
            };
            let found = &mut |trigger| found.push((trigger, number));
            self.index.candidates(kind, subject, topic, found);
        }
        if 1 < found.len() {
            found.sort_unstable();
            found.dedup();
        }
    }

    /// The flow that a filter is of, if it is still deployed.
    pub fn flow_of(&self, trigger: Trigger) -> Option<(&Arc<Flow>, &Entry)> {
        let entry = self.entries.get(trigger.flow)?;
        Some((entry.flow.as_ref().ok()?, entry))
    }

    /// Notes that a flow may not see an event that it waits for. Which one that is is told to those
    /// only who named it.
    pub fn hidden(&mut self, trigger: Trigger, heard: &Heard<'_>, why: String, now: Time) {
        let Some(entry) = self.of(trigger) else {
            return;
        };
        let flow = entry.flow.as_ref().ok();
        let filter = flow.and_then(|flow| flow.triggers().get(usize::from(trigger.filter)));
        let names = |attribute| {
            let asked = filter.and_then(|filter| trigger::prefix(filter, attribute));
            asked.is_some_and(|(_, is_whole)| is_whole)
        };
        if names("topic") || names("subject") {
            let why = Why::Permission(why);
            entry.told.missed(heard.event, heard.attributes, why, now);
        } else {
            entry.told.hidden(heard.event, now);
        }
    }

    /// Notes that a run of the same key is not over.
    pub fn busy(&mut self, trigger: Trigger, heard: &Heard<'_>, now: Time) {
        if let Some(entry) = self.of(trigger) {
            entry
                .told
                .missed(heard.event, heard.attributes, Why::Mode, now);
        }
    }

    /// Notes how a run ended that began now; it can be told again from what it was answered.
    pub fn ran(
        &mut self,
        trigger: Trigger,
        because: (&Event, Start),
        (id, now): (EventId, Time),
        outcome: &Outcome,
        answers: Answers,
    ) {
        if let Some(entry) = self.of(trigger) {
            let (event, Start { flow, with, .. }) = because;
            let because = Because::of(event, with);
            entry.told.ran(&flow, because, (id, now), outcome, answers);
        }
    }

    /// Shows a flow an event that one of its filters may fit. `grouped` events came while it could
    /// not start.
    pub fn begin(
        &mut self,
        (trigger, face): (Trigger, u8),
        heard: &mut Heard<'_>,
        grouped: u32,
        now: Time,
    ) -> Begun {
        let Some(entry) = self.of(trigger) else {
            return Begun::Missed;
        };
        let Ok(flow) = entry.flow.clone() else {
            return Begun::Missed;
        };
        let (event, attributes) = (heard.event, heard.attributes);
        let Some(filter) = flow.triggers().get(usize::from(trigger.filter)) else {
            return Begun::Missed;
        };
        if heard.faces[usize::from(face)].is_none() {
            let why = Why::Permission("its type is not in the part that it sees".to_owned());
            entry.told.missed(event, attributes, why, now);
            return Begun::Missed;
        }
        if !entry.computed.has_room(GUARD_STEPS, GUARD_TIME, now) {
            entry.told.missed(event, attributes, Why::Work, now);
            return Begun::Missed;
        }
        let fuel = Fuel::default();
        let scope = Scope {
            values: &VALUES,
            now,
            fuel: &fuel,
        };
        let is_meant = trigger::is_meant(filter, |name| heard.saw(face, name), &scope);
        entry.computed.add(fuel.spent(), GUARD_TIME, now);
        if !is_meant {
            let mut why = Why::Filter {
                filter: trigger.filter,
                face,
            };
            if entry.told.tells_at_once(event, fuel.spent(), now) {
                let envelope = &heard.envelopes(face)[0];
                if let Err(miss) = trigger::fits(filter, envelope, &VALUES, now) {
                    why = Why::Miss(Box::new(miss.short()));
                }
                entry.computed.add(fuel.spent(), GUARD_TIME, now);
            }
            entry.told.missed(event, attributes, why, now);
            return Begun::Missed;
        }
        let key = match &flow.policy.key {
            Some(key) => match key.eval(&scope, &heard.envelopes(face)[0]).as_deref() {
                Ok(Value::String(text)) => text.clone(),
                Ok(other) => other.to_string(),
                Err(_) => String::new(),
            },
            None => String::new(),
        };
        // Does it come of what the flow said itself?
        let mut via: Vec<&str> = heard.via().collect();
        let comes_back = via.contains(&&*flow.key);
        let is_too_far = HOPS_MAX <= event.hops;
        let again = comes_back && !entry.again.takes(AGAIN_STARTS, SECOND, now);
        if is_too_far || again {
            via.push(&flow.key);
            let flows: Vec<String> = via.into_iter().map(str::to_owned).collect();
            let why = Why::Loop(flows.clone());
            entry.told.missed(event, attributes, why, now);
            // One word about it is enough for a while.
            return match entry.loops.takes(1, GUARD_TIME, now) {
                true => Begun::Loop(flows),
                false => Begun::Missed,
            };
        }
        if !entry.guard.takes(GUARD_STARTS, GUARD_TIME, now) {
            entry.told.missed(event, attributes, Why::Guard, now);
            return match entry.loops.takes(1, GUARD_TIME, now) {
                true => Begun::Loop(vec![flow.key.to_string()]),
                false => Begun::Missed,
            };
        }
        if let Some(storm) = &flow.policy.storm
            && let Err(at) = entry.starts.start(&key, storm, now)
        {
            let which = (trigger, face);
            let begun = overrun(entry, storm, heard, which, key, at, now);
            if storm.then == Overrun::Group {
                self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
            }
            return begun;
        }
        via.push(&flow.key);
        let from = via.len().saturating_sub(VIA_MAX);
        let via = via[from..].join(" ");
        Begun::Start(Box::new(Start {
            input: heard.input(face, &flow, grouped),
            with: With::Event(Look {
                face,
                grouped,
                attributes: attributes.clone(),
            }),
            flow,
            via,
            key,
        }))
    }

    /// Notes how many steps a run of a flow computed.
    pub fn computed(&mut self, trigger: Trigger, steps: usize, now: Time) {
        if let Some(entry) = self.of(trigger) {
            entry.computed.add(steps, GUARD_TIME, now);
        }
    }

    /// The clock starts a flow with this.
    pub fn by_clock(&mut self, key: &str, input: Value) -> Option<(Start, Trigger)> {
        let trigger = Trigger {
            flow: self.key_of(key)?,
            filter: 0,
        };
        let flow = Arc::clone(self.flow_of(trigger)?.0);
        let via = flow.key.to_string();
        let input = Arc::new(input);
        let start = Start {
            flow,
            with: With::Input(Arc::clone(&input)),
            input,
            via,
            key: String::new(),
        };
        Some((start, trigger))
    }

    /// When something that was grouped may start.
    pub fn wake_at(&self) -> Time {
        self.due_at.unwrap_or(Time::NEVER)
    }

    /// What was grouped and may start now: the last event of each key, and for how many it stands.
    pub fn due(&mut self, now: Time) -> Vec<Due> {
        if now < self.wake_at() {
            return Vec::new();
        }
        let mut due = Vec::new();
        let mut next: Option<Time> = None;
        for entry in self.entries.values_mut() {
            entry.grouped.retain(|_, grouped| {
                if now < grouped.at {
                    next = Some(next.map_or(grouped.at, |next| next.min(grouped.at)));
                    return true;
                }
                due.push(Due {
                    event: Arc::clone(&grouped.event),
                    attributes: grouped.attributes.clone(),
                    which: (grouped.trigger, grouped.face),
                    count: grouped.count,
                });
                false
            });
        }
        self.due_at = next;
        due.sort_by_key(|due| due.event.id);
        due
    }
}

/// An event that stands for all that came while its flow could not start.
#[derive(Debug)]
pub struct Due {
    /// The last of them.
    pub event: Arc<Event>,
    /// What it says of itself.
    pub attributes: Attributes,
    /// The filter and the face.
    pub which: (Trigger, u8),
    /// How many came.
    pub count: u32,
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
/// Keys of one flow for which events are kept until it may start.
const GROUPED_MAX: usize = 1000;

/// What becomes of an event that comes too often.
fn overrun(
    entry: &mut Entry,
    storm: &Storm,
    heard: &Heard<'_>,
    (trigger, face): (Trigger, u8),
    key: String,
    at: Time,
    now: Time,
) -> Begun {
    let (event, attributes) = (heard.event, heard.attributes);
    entry.told.missed(event, attributes, Why::Storm(at), now);
    match storm.then {
        Overrun::Suspend => Begun::Suspend(format!(
            "it was to start more than {} times in {} s",
            storm.limit,
            storm.per.roughly().as_secs()
        )),
        Overrun::Group => {
            if GROUPED_MAX <= entry.grouped.len() && !entry.grouped.contains_key(&key) {
                return Begun::Missed;
            }
            let before = entry.grouped.get(&key).map_or(0, |grouped| grouped.count);
            let grouped = Grouped {
                event: Arc::new(event.detached()),
                attributes: attributes.detached(),
                trigger,
                face,
                count: before.saturating_add(1),
                at,
            };
            entry.grouped.insert(key, grouped);
            Begun::Missed
        }
    }
}
