//! Signals: streams of readings made edges. A signal says when something began and when it ended
//! at an element, once each, however many readings come: `office.room.too-warm` begins when a room
//! was above 24 °C for ten minutes, and ends at 23.5 °C.
//!
//! Pure: a definition, what is remembered, a reading and the time go in; edges come out. All that
//! decides about later edges stands in the [`State`], which survives restarts as JSON. What is not
//! known decides nothing: a signal stays as it is until it is known better.

mod defined; // what a signal is
mod explain; // why it is as it is
mod read; // from text
mod state; // what is remembered of it at one element
mod turn; // a reading, or the time, and what follows

use std::{borrow::Cow, time::Duration};

use quartet_model::Time;
use serde_json::{Map, Value};

pub use self::{
    defined::{Condition, Inputs, Kind, Name, Signal, Whom},
    explain::explain,
    read::{COUNT_MAX, ENDED, EXPRESSION_BYTES_MAX, Read, STEPS_MAX, WINDOW_MAX, read, read_all},
    state::{Kept, State},
    turn::{began, known, step, wake},
};

/// One reading of a property, or one event.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The name of the property or event.
    pub name: &'a str,
    /// Whether it is an event.
    pub is_event: bool,
    /// What the property is, or the data of the event.
    pub value: &'a Value,
    /// When.
    pub at: Time,
}

/// The element that a signal looks at, with all that was heard of it so far: what a
/// [`Heard`] says is in it already.
pub trait Look {
    /// The value of a property; `None` if it is not known.
    fn property(&self, name: &str) -> Option<Cow<'_, Value>>;
    /// All properties that are known, by name.
    fn all(&self) -> Map<String, Value>;
}

impl Look for Map<String, Value> {
    fn property(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.get(name).map(Cow::Borrowed)
    }

    fn all(&self) -> Map<String, Value> {
        self.clone()
    }
}

/// What an edge is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Turns {
    /// It began to be so.
    Began,
    /// It ended.
    Ended,
    /// It was so for a moment: it has no end.
    Happened,
}

/// What came of a signal.
#[derive(Clone, PartialEq, Debug)]
pub struct Edge {
    /// Whether it began, ended or just happened.
    pub turns: Turns,
    /// When it was so: when a reading was made, or when a time was over.
    pub at: Time,
    /// How much later that was found out.
    pub late: Duration,
    /// What is told with it: what the definition says, or `{value, property}` of what was looked
    /// at.
    pub data: Value,
    /// Why `data` could not be computed; it is what it is without a definition then.
    pub failed: Option<String>,
}

#[cfg(test)]
mod tests;
