//! How a world goes on.
//!
//! A step computes the new states of all parts from the old ones, so that their order in the file changes nothing. Then each
//! part says what is due: what changed since it was last said, and what is always said.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use quartet_model::Time;
use quartet_process::cloud::value_of;
use serde_json::{Map, Value, json};

use super::{HEARD_BYTES_MAX, Message, Out, Part, STEPS_MAX, Saying, World, fits};
use crate::template::{Known, as_text, name};

impl World {
    /// The story begins: what all clients say first, and then what all parts are.
    pub fn begin(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        self.at = self.begins;
        self.all = Arc::new(self.states());
        let known = self.known(Duration::ZERO);
        for client in 0..self.clients.len() {
            self.say_first(client, &known, &mut out);
        }
        self.say_what_is_due(&mut out);
        out
    }

    /// Goes on until a time of the story. What is said at one time is in order.
    pub fn advance(&mut self, to: Time) -> Vec<Out> {
        let mut out = Vec::new();
        // Whoever slept for a day does not make up for it.
        let behind = to.since(self.at).as_micros() / self.tick.as_micros().max(1);
        if u128::from(STEPS_MAX) < behind {
            let keep = Duration::from_micros(self.tick.as_micros() as u64 * STEPS_MAX);
            self.at = Time::from_micros(to.as_micros().saturating_sub(keep.as_micros() as u64));
        }
        while self.at.after(self.tick) <= to {
            self.at = self.at.after(self.tick);
            self.step();
            self.say_what_is_due(&mut out);
        }
        out
    }

    /// A client heard something.
    pub fn hear(&mut self, client: usize, topic: &str, payload: &[u8]) -> Vec<Out> {
        let mut out = Vec::new();
        if HEARD_BYTES_MAX < payload.len() {
            return out;
        }
        let mut known = self.known(Duration::ZERO);
        known.values[name::SAID] = Arc::new(value_of(payload));
        known.values[name::TOPIC] = Arc::new(topic.into());
        let mut changed = Vec::new();
        for (at, part) in self.parts.iter_mut().enumerate() {
            if part.client != Some(client) {
                continue;
            }
            let hears = part.hears.iter();
            let heard: Vec<_> = hears.filter(|it| fits(&it.filter, topic)).collect();
            for hearing in heard {
                known.values[name::MY] = Arc::clone(&part.my);
                known.values[name::IS] = Arc::clone(&part.is);
                match hearing.state.eval(&known, &part.state) {
                    Ok(state) => part.state = state,
                    Err(why) => self.failed = Some(format!("{}: {why}", part.name)),
                }
                changed.push(at);
            }
        }
        if changed.is_empty() {
            return out;
        }
        self.all = Arc::new(self.states());
        let known = self.known(Duration::ZERO);
        for at in changed {
            self.say_of(at, &known, true, &mut out);
        }
        out
    }

    /// A client is there again: what it says first, and all that its parts are.
    pub fn say_again(&mut self, client: usize) -> Vec<Out> {
        let mut out = Vec::new();
        let known = self.known(Duration::ZERO);
        self.say_first(client, &known, &mut out);
        for at in 0..self.parts.len() {
            if self.parts[at].client == Some(client) {
                for saying in &mut self.parts[at].says {
                    saying.last = None;
                }
                self.say_of(at, &known, true, &mut out);
            }
        }
        out
    }

    fn say_first(&mut self, client: usize, known: &Known, out: &mut Vec<Out>) {
        let mut says = std::mem::take(&mut self.clients[client].begins);
        for saying in &mut says {
            saying.last = None;
            let said = told(saying, known, &Value::Null);
            self.note(client, said, out);
        }
        self.clients[client].begins = says;
    }

    /// The story ends: what the clients say last.
    pub fn end(&mut self) -> Vec<Out> {
        let mut out = Vec::new();
        let known = self.known(Duration::ZERO);
        for client in 0..self.clients.len() {
            let mut says = std::mem::take(&mut self.clients[client].ends);
            for saying in &mut says {
                let said = told(saying, &known, &Value::Null);
                self.note(client, said, &mut out);
            }
            self.clients[client].ends = says;
        }
        out
    }

    /// Which expression failed since this was last asked, and why.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failed.take()
    }

    /// What a part is.
    pub fn state(&self, part: &str) -> Option<&Value> {
        let mut parts = self.parts.iter();
        parts.find(|it| it.name == part).map(|it| &it.state)
    }

    fn step(&mut self) {
        let mut known = self.known(self.tick);
        let mut failed = None;
        for part in &mut self.parts {
            let Some(step) = &part.step else { continue };
            known.values[name::MY] = Arc::clone(&part.my);
            known.values[name::IS] = Arc::clone(&part.is);
            match step.eval(&known, &part.state) {
                Ok(state) => part.state = state,
                Err(why) => failed = Some(format!("{}: {why}", part.name)),
            }
        }
        if failed.is_some() {
            self.failed = failed;
        }
        self.all = Arc::new(self.states());
    }

    fn states(&self) -> Value {
        let all = self.parts.iter();
        let all = all.map(|part| (part.name.clone(), part.state.clone()));
        Value::Object(all.collect::<Map<_, _>>())
    }

    /// What every expression sees.
    fn known(&self, dt: Duration) -> Known {
        let nothing = Arc::new(Value::Null);
        Known {
            values: [
                Arc::clone(&nothing),
                Arc::clone(&nothing),
                Arc::clone(&self.all),
                Arc::new(told_time(self.at)),
                Arc::new(dt.as_secs_f64().into()),
                Arc::clone(&nothing),
                nothing,
            ],
            now: self.at,
        }
    }

    fn say_what_is_due(&mut self, out: &mut Vec<Out>) {
        let known = self.known(Duration::ZERO);
        for at in 0..self.parts.len() {
            self.say_of(at, &known, false, out);
        }
    }

    /// What a part has to say; at once if it heard something.
    fn say_of(&mut self, at: usize, known: &Known, at_once: bool, out: &mut Vec<Out>) {
        let now = self.at;
        let part = &mut self.parts[at];
        let Part {
            client: Some(client),
            says,
            state,
            my,
            is,
            name: of,
            ..
        } = part
        else {
            return;
        };
        let client = *client;
        if says.is_empty() {
            return;
        }
        let mut known = known.clone();
        known.values[name::MY] = Arc::clone(my);
        known.values[name::IS] = Arc::clone(is);
        let mut failed = None;
        let mut said = Vec::new();
        for saying in says {
            if now < saying.next && !at_once {
                continue;
            }
            if let Some(every) = saying.every
                && !at_once
            {
                saying.next = now.after(every);
            }
            match told(saying, &known, state) {
                Ok(Some(message)) => said.push(message),
                Ok(None) => {}
                Err(why) => failed = Some(format!("{of}: {why}")),
            }
        }
        for message in said {
            out.push(Out { client, message });
        }
        if failed.is_some() {
            self.failed = failed;
        }
    }

    fn note(&mut self, client: usize, said: Result<Option<Message>, String>, out: &mut Vec<Out>) {
        match said {
            Ok(Some(message)) => out.push(Out { client, message }),
            Ok(None) => {}
            Err(why) => self.failed = Some(format!("{}: {why}", self.clients[client].name)),
        }
    }
}

/// A message, if there is one: what is nothing is not said, nor what was said already.
fn told(saying: &mut Saying, known: &Known, state: &Value) -> Result<Option<Message>, String> {
    let value = saying.payload.eval(known, state)?;
    let is_same = saying.last.as_ref() == Some(&value);
    if value.is_null() {
        saying.last = None;
        return Ok(None);
    }
    if is_same && !saying.always {
        return Ok(None);
    }
    let message = Message {
        topic: saying.topic.clone(),
        payload: as_text(value.clone()).into_bytes(),
        retain: saying.retain,
    };
    saying.last = Some(value);
    Ok(Some(message))
}

/// The time as expressions see it.
fn told_time(at: Time) -> Value {
    let us = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    let civil = Timestamp::from_microsecond(us)
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .datetime();
    let seconds =
        i32::from(civil.hour()) * 3600 + i32::from(civil.minute()) * 60 + i32::from(civil.second());
    json!({
        "text": civil.to_string(),
        // Hours since midnight, and the day of the week: 1 is Monday.
        "hour": f64::from(seconds) / 3600.0,
        "day": civil.weekday().to_monday_one_offset(),
    })
}
