//! What is simulated: parts with a state each, that step with the time, hear messages and say some.
//!
//! A model says in expressions what a part does: how its state goes on, what it makes of a message, and what it says when.
//! The physics of a room and the words of a lamp are both files, so that another world needs no other program. A
//! [`World`] reads no clock and has no socket: it is told the time and what was heard, and gives what is to be said. The same
//! world with the same times and messages says the same.

mod read; // files to a world
mod spec; // what the files say
mod step; // how it goes on

use std::{sync::Arc, time::Duration};

use quartet_fabric::topic;
use quartet_model::Time;
use quartet_process::problem::Place;
use serde_json::Value;

use crate::template::{Computed, Template};

/// The most parts.
pub const PARTS_MAX: usize = 1000;
/// The most steps that are made up for at once; what is more is left out.
pub const STEPS_MAX: u64 = 10_000;
/// No payload that is heard is longer.
pub const HEARD_BYTES_MAX: usize = 256 << 10;

/// What is simulated, and how far it is.
#[derive(Clone, Debug)]
pub struct World {
    /// When the story begins.
    begins: Time,
    tick: Duration,
    /// Until when it is.
    at: Time,
    clients: Vec<Client>,
    parts: Vec<Part>,
    /// The states of all parts by name, as of the last step.
    all: Arc<Value>,
    /// What of the expressions failed last, told once.
    failed: Option<String>,
}

/// Who speaks to the broker, over a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    /// What the files call it.
    pub name: String,
    /// As which element it comes in.
    pub element: String,
    /// What it may use beside the element's own address.
    pub topics: Vec<String>,
    /// What the broker says for it when it is lost.
    pub will: Option<Message>,
    /// What it listens to.
    pub hears: Vec<String>,
    /// Where in the files it stands.
    pub place: (String, Place),
    begins: Vec<Saying>,
    ends: Vec<Saying>,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether it stays for those who come later.
    pub retain: bool,
}

/// What a world wants said, and by whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Out {
    /// Which of [`World::clients`].
    pub client: usize,
    /// What.
    pub message: Message,
}

#[derive(Clone, Debug)]
struct Part {
    name: String,
    client: Option<usize>,
    my: Arc<Value>,
    is: Arc<Value>,
    state: Value,
    step: Option<Computed>,
    hears: Vec<Hearing>,
    says: Vec<Saying>,
}

/// What becomes of a part with a message.
#[derive(Clone, Debug)]
struct Hearing {
    filter: String,
    state: Computed,
}

/// Something that is said.
#[derive(Clone, Debug)]
struct Saying {
    topic: String,
    payload: Template,
    retain: bool,
    /// It is looked at as often; with each step if nothing is said.
    every: Option<Duration>,
    /// It is said again if it is the same.
    always: bool,
    /// When it is looked at next.
    next: Time,
    /// What was said last.
    last: Option<Value>,
}

impl World {
    /// Who speaks.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// When the story begins.
    pub fn begins(&self) -> Time {
        self.begins
    }

    /// How much time a step takes.
    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// Topics at which something stays retained unless it is taken back.
    pub fn retained(&self) -> Vec<&str> {
        let of_clients = self.clients.iter().flat_map(|client| {
            let said = client.begins.iter().chain(&client.ends);
            let will = client.will.iter().filter(|will| will.retain);
            let said = said.filter(|one| one.retain).map(|one| &*one.topic);
            said.chain(will.map(|will| &*will.topic))
        });
        let of_parts = self.parts.iter().flat_map(|part| {
            let said = part.says.iter().filter(|one| one.retain);
            said.map(|one| &*one.topic)
        });
        let mut topics: Vec<&str> = of_clients.chain(of_parts).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}

/// Whether a client may use a topic, by what it asked for.
fn may_use(client: &Client, topic: &str) -> bool {
    let own = client.element.as_str();
    let rest = topic.strip_prefix(own);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || client.topics.iter().any(|filter| fits(filter, topic))
}

/// Whether a topic, or another filter, is among those that a filter means.
fn fits(filter: &str, topic: &str) -> bool {
    let mut wanted = filter.split('/');
    let mut levels = topic.split('/');
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

/// Whether a topic is one to publish at.
fn check_topic(topic: &str) -> Result<(), String> {
    topic::check_name(topic).map_err(|error| format!("`{topic}`: {}", error.what()))
}

#[cfg(test)]
mod tests;
