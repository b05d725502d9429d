use std::sync::Arc;

use quartet_model::{EventId, Time};
use serde_json::Value;

use super::{Flow, Look, NOTHING, Outcome, Step, traced};
use crate::{
    language::{NAMES, event::ReadAs},
    trigger::{self, Miss},
};

/// What became of an event that a flow was shown.
#[derive(Clone, PartialEq, Debug)]
pub enum Attempt {
    /// It starts the flow: how that ended, step by step.
    Started(Outcome, Vec<Step>),
    /// It does not: why not, for each event that would.
    Missed(Vec<Miss>),
}

/// Shows a flow a CloudEvent. Nothing is performed: what it would do comes out.
pub fn attempt(flow: &Flow, event: &Value, id: EventId, now: Time, look: &dyn Look) -> Attempt {
    let values = vec![Arc::clone(&NOTHING); NAMES.len()];
    let mut missed = Vec::new();
    for filter in flow.triggers() {
        match trigger::fits(filter, event, &values, now) {
            Ok(()) => {
                let (outcome, steps) = traced(flow, id, flow.input(event), now, look);
                return Attempt::Started(outcome, steps);
            }
            Err(miss) => missed.push(miss),
        }
    }
    Attempt::Missed(missed)
}

impl Flow {
    /// What a run is given that this event starts: a list of what is read of it; all of it, if
    /// `schedule.read` says nothing (the standard left that open until 1.0.3).
    pub fn input(&self, event: &Value) -> Arc<Value> {
        let read = match self.takes_data() {
            false => event.clone(),
            true => event["data"].clone(),
        };
        Arc::new(Value::Array(vec![read]))
    }

    /// Whether of an event only the data are read.
    pub(crate) fn takes_data(&self) -> bool {
        let schedule = self.workflow.schedule.as_ref();
        match schedule.and_then(|schedule| schedule.read) {
            None | Some(ReadAs::Envelope) => false,
            Some(ReadAs::Data | ReadAs::Raw) => true,
        }
    }
}

impl Miss {
    /// As a person reads it, a line for each part.
    pub fn told(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "`{}` is {}; wanted is {}",
            self.attribute, self.saw, self.wanted
        )];
        lines.extend(self.parts.iter().map(|(text, value)| match value {
            Ok(value) => format!("  {text} is {value}"),
            Err(why) => format!("  {text} gives no value: {why}"),
        }));
        lines
    }
}
