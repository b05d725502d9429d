use quartet_model::Time;
use serde_json::{Map, Value, json};

use super::{Signal, read::COUNT_MAX, read::STEPS_MAX, turn};
use crate::expr::is_same;

/// What is remembered of one signal at one element: all that decides about later edges.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct State {
    /// It began, and has not ended.
    pub(super) on: bool,
    /// What is looked at, by itself.
    pub(super) holds: Option<Holds>,
    /// What `when` says.
    pub(super) guard: Option<bool>,
    /// Since when all of it is so: the beginning of `for`.
    pub(super) since: Option<Time>,
    /// When the signal that it comes after began; nothing once it was used up.
    pub(super) armed: Option<Time>,
    /// The newest reading of what is looked at.
    pub(super) heard: Option<Time>,
    /// Nothing happens before this any more.
    pub(super) as_of: Option<Time>,
    /// What `changed` looks at.
    pub(super) value: Option<Kept>,
    /// What `rate` looks at, at [`Self::heard`].
    pub(super) number: Option<f64>,
    /// The last rate.
    pub(super) rate: Option<f64>,
    /// What `count` counts, the oldest first; no more than it needs.
    pub(super) times: Vec<Time>,
    /// The conditions of a `sequence`.
    pub(super) steps: Vec<Step>,
}

/// Whether something is so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holds {
    /// It is.
    Yes,
    /// It is if it was: between the level at which it begins and that at which it ends.
    Between,
    /// It is not.
    No,
}

impl From<bool> for Holds {
    fn from(is: bool) -> Self {
        match is {
            true => Self::Yes,
            false => Self::No,
        }
    }
}

/// A condition of a sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Step {
    /// Whether it was true when it was last looked at.
    pub(super) holds: Option<bool>,
    /// When the latest sequence began that came this far.
    pub(super) from: Option<Time>,
}

/// A value that is remembered, to see whether another is the same.
#[derive(Clone, PartialEq, Debug)]
pub enum Kept {
    /// As it is.
    Whole(Value),
    /// Its length and its hash, because it is long or would be written with less than it has.
    Hash {
        /// Of its text as JSON.
        bytes: usize,
        /// Of its text as JSON (FNV-1a).
        hash: u64,
    },
}

/// Longer values are kept as a hash.
const WHOLE_BYTES_MAX: usize = 256;

impl Kept {
    pub(super) fn of(value: &Value) -> Self {
        let text = value.to_string();
        if text.len() <= WHOLE_BYTES_MAX && serde_json::from_str(&text).ok().as_ref() == Some(value)
        {
            return Self::Whole(value.clone());
        }
        // http://www.isthe.com/chongo/tech/comp/fnv: the same in every version of this program.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::Hash {
            bytes: text.len(),
            hash,
        }
    }

    /// Whether two are the same value.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => is_same(one, other),
            _ => self == other,
        }
    }
}

impl State {
    /// Whether the signal began and has not ended.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// When time alone next changes something; whoever keeps the state calls
    /// [`wake`](super::wake) then. It may be past already.
    pub fn wake_at(&self, signal: &Signal) -> Option<Time> {
        turn::next(&signal.0, self).map(|(at, _)| at)
    }

    /// Whether nothing must be kept: a signal that was never heard of would go on in the same way.
    /// (What is forgotten with it is which reading was the newest.)
    pub fn is_default(&self) -> bool {
        let rest = Self {
            holds: self.holds.filter(|holds| *holds != Holds::No),
            guard: self.guard.filter(|is| *is),
            steps: match self.steps.iter().all(|step| *step == Step::default()) {
                true => Vec::new(),
                false => self.steps.clone(),
            },
            heard: None,
            as_of: None,
            ..self.clone()
        };
        rest == Self::default()
    }

    /// Whether more than the time of the last reading is different from what was kept before: if
    /// not, a hub need not write it down. After a crash only a reading that comes out of order
    /// could tell.
    pub fn differs(&self, kept: &Self) -> bool {
        let bare = |state: &Self| Self {
            // A rate is from the last reading to the next.
            heard: state.heard.filter(|_| state.number.is_some()),
            as_of: None,
            ..state.clone()
        };
        bare(self) != bare(kept)
    }

    /// As JSON that a person can read. What is as in the beginning is left out.
    pub fn write(&self) -> Value {
        let mut map = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value);
            }
        };
        put("on", self.on.then_some(Value::Bool(true)));
        put(
            "holds",
            self.holds.map(|holds| match holds {
                Holds::Yes => Value::Bool(true),
                Holds::No => Value::Bool(false),
                Holds::Between => json!("between"),
            }),
        );
        put("when", self.guard.map(Value::Bool));
        put("since", self.since.map(time));
        put("after", self.armed.map(time));
        put("heard", self.heard.map(time));
        put("asOf", self.as_of.map(time));
        match &self.value {
            Some(Kept::Whole(value)) => put("value", Some(value.clone())),
            Some(Kept::Hash { bytes, hash }) => put(
                "hash",
                Some(json!({"bytes": bytes, "fnv": format!("{hash:016x}")})),
            ),
            None => {}
        }
        put("number", self.number.map(number));
        put("rate", self.rate.map(number));
        if let Some(first) = self.times.first() {
            let us = self.times.iter().map(|at| micros(*at, *first)).collect();
            put(
                "times",
                Some(json!({"from": time(*first), "us": Value::Array(us)})),
            );
        }
        if !self.steps.is_empty() {
            let steps = self.steps.iter().map(|step| {
                let mut map = Map::new();
                if let Some(is) = step.holds {
                    map.insert("holds".to_owned(), Value::Bool(is));
                }
                if let Some(from) = step.from {
                    map.insert("from".to_owned(), time(from));
                }
                Value::Object(map)
            });
            put("steps", Some(Value::Array(steps.collect())));
        }
        Value::Object(map)
    }

    /// What [`Self::write`] wrote; `None` if it is something else.
    pub fn read(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let is = |name: &str| match map.get(name) {
            None => Some(None),
            Some(value) => value.as_bool().map(Some),
        };
        let at = |name: &str| match map.get(name) {
            None => Some(None),
            Some(value) => read_time(value).map(Some),
        };
        let float = |name: &str| match map.get(name) {
            None => Some(None),
            Some(value) => read_number(value).map(Some),
        };
        Some(Self {
            on: is("on")?.unwrap_or(false),
            holds: match map.get("holds") {
                None => None,
                Some(Value::Bool(is)) => Some(Holds::from(*is)),
                Some(Value::String(text)) if text == "between" => Some(Holds::Between),
                Some(_) => return None,
            },
            guard: is("when")?,
            since: at("since")?,
            armed: at("after")?,
            heard: at("heard")?,
            as_of: at("asOf")?,
            value: match (map.get("value"), map.get("hash")) {
                (Some(value), None) => Some(Kept::Whole(value.clone())),
                (None, Some(hash)) => Some(Kept::Hash {
                    bytes: usize::try_from(hash.get("bytes")?.as_u64()?).ok()?,
                    hash: u64::from_str_radix(hash.get("fnv")?.as_str()?, 16).ok()?,
                }),
                (None, None) => None,
                (Some(_), Some(_)) => return None,
            },
            number: float("number")?,
            rate: float("rate")?,
            times: map.get("times").map_or(Some(Vec::new()), read_times)?,
            steps: map.get("steps").map_or(Some(Vec::new()), read_steps)?,
        })
    }
}

/// A time as text, or as microseconds if no calendar has it.
fn time(at: Time) -> Value {
    let text = at.rfc3339();
    match Time::of_rfc3339(&text) == Some(at) {
        true => text.into(),
        false => at.as_micros().into(),
    }
}

fn read_time(value: &Value) -> Option<Time> {
    match value {
        Value::String(text) => Time::of_rfc3339(text),
        value => value.as_u64().map(Time::from_micros),
    }
}

fn micros(at: Time, first: Time) -> Value {
    at.as_micros().saturating_sub(first.as_micros()).into()
}

/// A number; as text if reading it as a number of JSON would lose its last bits.
fn number(of: f64) -> Value {
    let number = json!(of);
    let read = serde_json::from_str::<Value>(&number.to_string());
    match read.ok().and_then(|read| read.as_f64()) == Some(of) {
        true => number,
        false => of.to_string().into(),
    }
}

fn read_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_f64()?,
    };
    number.is_finite().then_some(number)
}

fn read_times(value: &Value) -> Option<Vec<Time>> {
    let first = read_time(value.get("from")?)?.as_micros();
    let list = value.get("us")?.as_array()?;
    if COUNT_MAX < list.len() {
        return None;
    }
    let times = list.iter().map(|us| first.checked_add(us.as_u64()?));
    let mut times: Vec<Time> = times
        .map(|us| us.map(Time::from_micros))
        .collect::<Option<_>>()?;
    times.sort_unstable();
    Some(times)
}

fn read_steps(value: &Value) -> Option<Vec<Step>> {
    let list = value.as_array()?;
    if STEPS_MAX < list.len() {
        return None;
    }
    let steps = list.iter().map(|step| {
        let step = step.as_object()?;
        Some(Step {
            holds: match step.get("holds") {
                None => None,
                Some(is) => Some(is.as_bool()?),
            },
            from: match step.get("from") {
                None => None,
                Some(from) => Some(read_time(from)?),
            },
        })
    });
    steps.collect()
}
