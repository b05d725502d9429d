//! What became of runs, and of events that nearly started one: the last few of each flow, for those
//! who ask why.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use quartet_model::{Actor, Event, EventId, Said, Time};
use serde_json::{Value, json};

use crate::{
    cloud::{Attributes, faces},
    fast::{Act, Answers, Attempt, Flow, Outcome, Step, traced},
    step::{Heard, VALUES},
    storm::{GUARD_STARTS, GUARD_STEPS, GUARD_TIME},
    trigger::{self, Miss},
};

/// Runs that are told, of each flow on each lane; and events that started none.
const TOLD_MAX: usize = 8;
/// An event that is longer is told without what it said.
const EVENT_BYTES_MAX: usize = 16 << 10;
/// What takes more steps is not done again for whoever asks.
const AGAIN_STEPS_MAX: usize = 20_000;
/// Of what a run did, so much is told.
const ACTS_MAX: usize = 32;
/// Events that fit no filter are noted so often at most.
const PAUSE: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug, Default)]
pub struct Told {
    /// Runs.
    pub runs: u64,
    /// Those that failed.
    pub failed: u64,
    /// Events that nearly started one.
    pub missed: u64,
    last_runs: VecDeque<Run>,
    last_missed: VecDeque<Missed>,
}

/// A run that is over. How it went is told by doing it again: a run is a function of what started
/// it, and of what it was answered.
#[derive(Debug)]
struct Run {
    id: EventId,
    now: Time,
    how: How,
}

#[derive(Debug)]
enum How {
    /// It can be done again.
    Again(Box<Because>, Answers),
    /// It was told at once, since what started it is long.
    Told(Value),
}

/// What started a run.
#[derive(Debug)]
pub(crate) struct Because {
    event: Event,
    with: With,
}

/// What a run was given.
#[derive(Clone, Debug)]
pub(crate) enum With {
    /// The event.
    Event(Look),
    /// Something else.
    Input(Arc<Value>),
}

/// How an event was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Which of its [faces].
    pub(crate) face: u8,
    /// So many came while the flow could not start.
    pub(crate) grouped: u32,
    /// What it said of itself, as far as the flow sees that.
    pub(crate) attributes: Attributes,
}

#[derive(Debug)]
struct Missed {
    event: Event,
    attributes: Attributes,
    /// When it was noticed.
    at: Time,
    why: Why,
}

/// Why an event did not start a flow that it was shown to.
#[derive(Clone, PartialEq, Debug)]
pub enum Why {
    /// It is not what this filter asks for, looked at in this way.
    Filter {
        /// Which filter, in the order in which they are written.
        filter: u16,
        /// Which of its [faces].
        face: u8,
    },
    /// It is not what a filter asks for: this is why not.
    Miss(Box<Miss>),
    /// The flow may not see it.
    Permission(String),
    /// It started often enough lately; it may again at this time.
    Storm(Time),
    /// It started so often that nothing of the kind can be meant.
    Guard,
    /// It computed so much lately that others would wait for it.
    Work,
    /// A run of the same key was not over.
    Mode,
    /// The event came of what these flows did, one after the other, and would go on so.
    Loop(Vec<String>),
}

impl Told {
    /// Notes how a run ended.
    pub(crate) fn ran(
        &mut self,
        flow: &Flow,
        because: Because,
        (id, now): (EventId, Time),
        outcome: &Outcome,
        answers: Answers,
    ) {
        self.runs += 1;
        self.failed += u64::from(matches!(outcome, Outcome::Failed(_)));
        let is_cheap = because.event.size() <= EVENT_BYTES_MAX && answers.steps <= AGAIN_STEPS_MAX;
        let how = match is_cheap {
            true => How::Again(Box::new(because), answers),
            false => How::Told(because.told(flow, (id, now), &answers)),
        };
        push(&mut self.last_runs, Run { id, now, how });
    }

    /// Whether it is worth while to say now, of an event that fits no filter, why not: later nobody
    /// can, because it is long, or `steps` were taken to tell.
    pub(crate) fn tells_at_once(&self, event: &Event, steps: usize, now: Time) -> bool {
        (EVENT_BYTES_MAX < event.size() || AGAIN_STEPS_MAX < steps) && !self.pauses(now)
    }

    fn pauses(&self, now: Time) -> bool {
        let last = self.last_missed.back();
        last.is_some_and(|last| now.since(last.at) < PAUSE)
    }

    /// Notes that an event started nothing.
    pub fn missed(&mut self, event: &Event, attributes: &Attributes, why: Why, now: Time) {
        self.missed += 1;
        if matches!(why, Why::Filter { .. }) && self.pauses(now) {
            return;
        }
        // What was said at length is not what anybody reads.
        let event = match event.size() <= EVENT_BYTES_MAX {
            true => event.detached(),
            false => {
                let mut head = event.clone();
                head.payload = format!("{} bytes", event.payload.len()).into();
                head.detached()
            }
        };
        let at = now;
        let attributes = attributes.detached();
        let missed = Missed {
            event,
            attributes,
            at,
            why,
        };
        push(&mut self.last_missed, missed);
    }

    /// Notes that something was said that the flow may not see, and that it did not name.
    pub fn hidden(&mut self, event: &Event, now: Time) {
        let mut bare = Event::new(event.id, Actor::Hub, Said::state("(hidden)", ""));
        bare.author = Some("somebody".into());
        let why = Why::Permission("nor may it know what that is".to_owned());
        self.missed(&bare, &Attributes::default(), why, now);
    }

    /// All of it as JSON: `runs` and `missed`, the last first.
    pub fn to_json(&self, flow: &Flow) -> Value {
        let runs = self.last_runs.iter().rev();
        let runs = runs.map(|run| match &run.how {
            How::Again(because, answers) => because.told(flow, (run.id, run.now), answers),
            How::Told(told) => told.clone(),
        });
        let missed = self.last_missed.iter().rev();
        json!({
            "counts": { "runs": self.runs, "failed": self.failed, "missed": self.missed },
            "runs": runs.collect::<Vec<_>>(),
            "missed": missed.map(|missed| missed.to_json(flow)).collect::<Vec<_>>(),
        })
    }

    /// When the last run began.
    pub fn last_run(&self) -> Option<Time> {
        self.last_runs.back().map(|run| run.id.at)
    }
}

fn push<T>(ring: &mut VecDeque<T>, one: T) {
    if TOLD_MAX <= ring.len() {
        ring.pop_front();
    }
    ring.push_back(one);
}

/// A text in which nobody gets lost.
fn cut(text: String) -> String {
    const LENGTH_MAX: usize = 300;
    match text.char_indices().nth(LENGTH_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A value in which nobody gets lost.
pub fn short(value: &Value) -> Value {
    match value {
        Value::String(text) if 300 < text.len() => cut(text.clone()).into(),
        Value::Array(list) if 20 < list.len() => format!("a list of {}", list.len()).into(),
        Value::Array(list) => list.iter().map(short).collect::<Vec<_>>().into(),
        Value::Object(map) if 40 < map.len() => format!("an object of {}", map.len()).into(),
        Value::Object(map) => {
            let members = map.iter().map(|(name, value)| (name.clone(), short(value)));
            members.collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

impl Because {
    /// An event, and what the run was given.
    pub(crate) fn of(event: &Event, mut with: With) -> Self {
        // Nothing is to hold what it was read into.
        if let With::Event(look) = &mut with {
            look.attributes = look.attributes.detached();
        }
        let event = event.detached();
        Self { event, with }
    }

    fn input(&self, flow: &Flow) -> Arc<Value> {
        match &self.with {
            With::Event(look) => {
                let mut heard = Heard::new(&self.event, &look.attributes);
                heard.input(look.face, flow, look.grouped)
            }
            With::Input(input) => Arc::clone(input),
        }
    }

    /// How a run of this went.
    fn told(&self, flow: &Flow, (id, now): (EventId, Time), answers: &Answers) -> Value {
        let (outcome, steps) = traced(flow, id, self.input(flow), now, &answers.again());
        let event = &self.event;
        let mut told = how(&outcome, &steps);
        told["run"] = id.to_string().into();
        told["at"] = id.at.rfc3339().into();
        told["because"] = json!({
            "topic": &*event.topic,
            "by": event.author(),
            "at": event.id.at.rfc3339(),
        });
        told
    }
}

/// How a run went, as JSON: its `steps`, its `output`, what it `did` and `to` which elements, or why
/// it `failed`.
fn how(outcome: &Outcome, steps: &[Step]) -> Value {
    let steps = steps.iter().map(|step| {
        let reference = &*step.reference;
        match (&step.gave, step.is_skipped) {
            (_, true) => json!({ "step": reference, "skipped": true }),
            (Ok(value), false) => json!({ "step": reference, "gave": short(value) }),
            (Err(fault), false) => json!({ "step": reference, "failed": fault.to_json() }),
        }
    });
    let mut told = json!({ "steps": steps.collect::<Vec<_>>() });
    match outcome {
        Outcome::Done { output, acts } => {
            let did = acts.iter().take(ACTS_MAX).map(Act::told).map(cut);
            told["output"] = short(output);
            told["did"] = did.collect();
            let to: BTreeSet<&str> = acts.iter().filter_map(Act::to).collect();
            told["to"] = to.into_iter().take(ACTS_MAX).collect();
            if ACTS_MAX < acts.len() {
                told["didMore"] = (acts.len() - ACTS_MAX).into();
            }
        }
        Outcome::Failed(fault) => told["failed"] = fault.to_json(),
        Outcome::Needs(_) => {}
    }
    told
}

impl Attempt {
    /// As JSON: how the run `would` go; or what was `missed`, for each filter: `why`, and the
    /// `values` of what was asked.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Started(outcome, steps) => json!({ "would": how(outcome, steps) }),
            Self::Missed(missed) => {
                let missed = missed.iter().map(Miss::to_json);
                json!({ "missed": missed.collect::<Vec<_>>() })
            }
        }
    }
}

impl Miss {
    fn to_json(&self) -> Value {
        let mut lines = self.told().into_iter().map(cut);
        let why = lines.next();
        let values: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
        json!({ "why": why, "values": values })
    }
}

impl Missed {
    fn to_json(&self, flow: &Flow) -> Value {
        let event = &self.event;
        let mut told = json!({
            "at": self.at.rfc3339(),
            "topic": &*event.topic,
            "by": event.author(),
            "why": self.why.told(),
        });
        let mut tell = |miss: &Miss| {
            let miss = miss.to_json();
            for part in ["why", "values"] {
                told[part] = miss[part].clone();
            }
        };
        if let Why::Miss(miss) = &self.why {
            tell(miss);
        }
        if let Why::Filter { filter, face } = &self.why
            && let Some(filter) = flow.triggers().get(usize::from(*filter))
        {
            let attributes = &self.attributes;
            if let Some(Some(face)) = faces(event, attributes).get(usize::from(*face)) {
                let envelope = face.envelope(face.data(event), event, attributes);
                if let Err(miss) = trigger::fits(filter, &envelope, &VALUES, self.at) {
                    tell(&miss);
                }
            }
        }
        told
    }
}

impl Why {
    /// As a person reads it.
    pub fn told(&self) -> String {
        match self {
            Self::Filter { .. } | Self::Miss(_) => "it is not what the flow waits for".to_owned(),
            Self::Permission(why) => format!("the flow may not see it: {why}"),
            Self::Storm(at) => format!(
                "it started as often as its `storm` allows; it may again at {}",
                at.rfc3339()
            ),
            Self::Guard => format!(
                "it started {GUARD_STARTS} times in {} s; more is taken for a loop",
                GUARD_TIME.as_secs()
            ),
            Self::Work => format!(
                "it computed more than {GUARD_STEPS} steps in {} s; with more, others would wait for it",
                GUARD_TIME.as_secs()
            ),
            Self::Mode => "a run of the same key was not over, and its `mode` is single".to_owned(),
            Self::Loop(flows) => format!("this goes in a circle: {}", flows.join(" → ")),
        }
    }
}
