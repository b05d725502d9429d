//! Whether signals turn when they should: mistakes in definitions, stories, and random readings
//! with restarts beside naive models.

mod random; // states, restarts and naive models
mod reading; // what is wrong with definitions
mod stories; // what follows from what

use std::collections::HashMap;

use quartet_model::Time;
use serde_json::{Map, Value};

use super::*;

/// Seconds after the beginning of a story.
fn at(seconds: f64) -> Time {
    const BEGINNING_US: u64 = 1_764_000_000_000_000;
    Time::from_micros(BEGINNING_US + (seconds * 1e6).round() as u64)
}

fn seconds(of: Time) -> f64 {
    of.since(at(0.0)).as_secs_f64()
}

/// A signal called `s`.
fn defined(definition: &str) -> Signal {
    let text = format!("signals: {{ s: {definition} }}");
    let read = read_all(&text).unwrap_or_else(|problems| panic!("{definition}: {problems:?}"));
    read.signals.into_iter().next().expect("there is one")
}

/// One signal at one element, whose state is written down and read again before whatever happens.
struct Stage {
    signal: Signal,
    state: State,
    known: Map<String, Value>,
    newest: HashMap<String, Time>,
    restarts: bool,
}

impl Stage {
    fn new(definition: &str) -> Self {
        Self {
            signal: defined(definition),
            state: State::default(),
            known: Map::new(),
            newest: HashMap::new(),
            restarts: true,
        }
    }

    fn restart(&mut self) {
        if !self.restarts {
            return;
        }
        let text = self.state.write().to_string();
        let value = serde_json::from_str(&text).expect("it is JSON");
        let read = State::read(&value).unwrap_or_else(|| panic!("{text} is no state"));
        assert_eq!(read, self.state, "{text}");
        self.state = read;
    }

    fn hear(
        &mut self,
        name: &str,
        is_event: bool,
        value: Value,
        said: Time,
        now: Time,
    ) -> Vec<Edge> {
        self.restart();
        let newest = self.newest.get(name).copied();
        if !is_event && newest.is_none_or(|newest| newest <= said) {
            self.known.insert(name.to_owned(), value.clone());
            self.newest.insert(name.to_owned(), said);
        }
        let heard = Heard {
            name,
            is_event,
            value: &value,
            at: said,
        };
        step(&self.signal, &mut self.state, &heard, &self.known, now)
    }

    fn wake(&mut self, now: Time) -> Vec<Edge> {
        self.restart();
        wake(&self.signal, &mut self.state, &self.known, now)
    }

    fn explained(&self, now: Time) -> Vec<String> {
        explain(&self.signal, &self.state, &self.known, now)
    }

    /// What happens, as a story says it: a reading `name=value`, an event `!name=value`, either
    /// with `@seconds` if it comes late, `after name`, `known`, or nothing at all: time passes.
    fn happens(&mut self, now: f64, what: &str) -> Vec<Edge> {
        let now = at(now);
        if what.is_empty() {
            return self.wake(now);
        }
        if what == "known" {
            self.restart();
            return known(&self.signal, &mut self.state, &self.known, now, now);
        }
        if let Some(other) = what.strip_prefix("after ") {
            self.restart();
            return began(&self.signal, &mut self.state, other, &self.known, now, now);
        }
        let (what, said) = match what.split_once('@') {
            Some((what, said)) => (what, at(said.parse().expect("seconds"))),
            None => (what, now),
        };
        let (name, value) = what.split_once('=').expect("name=value");
        let value = serde_json::from_str(value).expect("JSON");
        match name.strip_prefix('!') {
            Some(name) => self.hear(name, true, value, said, now),
            None => self.hear(name, false, value, said, now),
        }
    }
}

/// Edges as a story says them: `began 600, ended 610 late 5`.
fn told(edges: &[Edge]) -> String {
    let told = edges.iter().map(|edge| {
        let turns = match edge.turns {
            Turns::Began => "began",
            Turns::Ended => "ended",
            Turns::Happened => "happened",
        };
        let late = match edge.late.is_zero() {
            true => String::new(),
            false => format!(" late {}", edge.late.as_micros() as f64 / 1e6),
        };
        format!("{turns} {}{late}", seconds(edge.at))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What follows, line by line: the time, what happens, the edges.
#[track_caller]
fn check(definition: &str, story: &[(f64, &str, &str)]) {
    let mut stage = Stage::new(definition);
    for (now, what, expected) in story {
        let edges = stage.happens(*now, what);
        assert_eq!(
            told(&edges),
            *expected,
            "{definition}: {now} {what}\n{:?}",
            stage.state
        );
        for edge in &edges {
            assert_eq!(edge.failed, None, "{definition}: {now} {what}");
        }
    }
}
