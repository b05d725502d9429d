use indexmap::IndexMap;
use quartet_model::{Address, Aspect, Event, EventId};
use serde_json::{Value, json, value::RawValue};

use super::{Outgoing, Response, uuid_of};
use crate::{Invocation, InvocationStatus, identity};

/// What a thing was asked and is not over, by the mark of the request. The hub asks it as a consumer would.
#[derive(Debug, Default)]
pub struct Tasks(IndexMap<String, Task>);

#[derive(Clone, Debug)]
enum Task {
    Write {
        element: String,
        name: String,
        /// The request of whoever wants it, if that is known.
        revision: Option<EventId>,
    },
    Invoke {
        /// Where it is said how far it is.
        status_at: String,
        thing: String,
        /// What the thing calls it.
        action_id: Option<String>,
        /// Nobody wants it any more.
        is_cancelled: bool,
    },
}

/// What follows from an answer.
#[derive(Debug)]
pub enum Done {
    /// The thing says so at a topic.
    Say {
        /// Where.
        topic: String,
        /// What.
        payload: String,
    },
    /// The thing will not be as it was wanted.
    Refuse {
        /// The element's key.
        element: String,
        /// The property.
        name: String,
        /// Which wish.
        revision: Option<EventId>,
        /// Why.
        reason: String,
    },
    /// The thing is asked something more.
    Ask(Box<Outgoing>),
    /// Nothing.
    Nothing,
}

/// What is behind an answer that is not known.
const UNKNOWN: &str =
    "nothing was asked under this `correlationID`, or it is over; take it from the request";

impl Tasks {
    /// So many may be open; the oldest are forgotten.
    pub const MAX: usize = 1000;

    /// Somebody wants a property to be otherwise: what to ask the thing.
    pub fn write(&mut self, event: &Event) -> Option<Outgoing> {
        let Ok(Address {
            aspect: Aspect::Write(name),
            ..
        }) = Address::read(&event.topic)
        else {
            return None;
        };
        if event.payload.is_empty() {
            return None; // It is confirmed, refused or over.
        }
        let element = Address::element_of(&event.topic)?;
        let asked = Outgoing {
            name: Some(name.to_owned()),
            value: Some(raw(&event.payload)?),
            ..Outgoing::request(identity::id_of(element), "writeproperty", uuid_of(event.id))
        };
        let task = Task::Write {
            element: element.to_owned(),
            name: name.to_owned(),
            revision: event.cause,
        };
        self.add(asked.id.clone(), task);
        Some(asked)
    }

    /// Somebody asks for an action: what to ask the thing, once.
    pub fn invoke(
        &mut self,
        element: &str,
        action: &str,
        id: EventId,
        input: Option<Box<RawValue>>,
    ) -> Option<Outgoing> {
        let correlation = uuid_of(id);
        if self.0.contains_key(&correlation) {
            return None;
        }
        let thing = identity::id_of(element);
        let task = Task::Invoke {
            status_at: format!("{element}/actions/{action}/{id}"),
            thing: thing.clone(),
            action_id: None,
            is_cancelled: false,
        };
        self.add(correlation.clone(), task);
        Some(Outgoing {
            name: Some(action.to_owned()),
            input,
            ..Outgoing::request(thing, "invokeaction", correlation)
        })
    }

    /// The same for one that waited for the thing to come.
    pub fn invoke_again(&mut self, element: &str, waiting: &Invocation) -> Option<Outgoing> {
        if waiting.status != InvocationStatus::Pending {
            return None;
        }
        let input = waiting.input.as_ref();
        let input = input.and_then(|input| raw(input.to_string().as_bytes()));
        self.invoke(element, &waiting.action, waiting.id, input)
    }

    /// It is known how far an action is: if it is not wanted any more, the thing is told so as soon as it said
    /// what it calls it.
    pub fn hear_status(&mut self, event: &Event) -> Option<Outgoing> {
        let id: EventId = event.topic.rsplit('/').next()?.parse().ok()?;
        let status: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
        let correlation = uuid_of(id);
        match status["status"].as_str() {
            Some("pending" | "delivered" | "running") => None,
            Some("cancelled") => {
                if let Some(Task::Invoke { is_cancelled, .. }) = self.0.get_mut(&correlation) {
                    *is_cancelled = true;
                }
                self.cancel(&correlation)
            }
            _ => {
                self.0.shift_remove(&correlation);
                None
            }
        }
    }

    /// Asks the thing to let go of what is cancelled, if that is possible.
    fn cancel(&mut self, correlation: &str) -> Option<Outgoing> {
        let Some(Task::Invoke {
            action_id: Some(id),
            is_cancelled: true,
            thing,
            ..
        }) = self.0.get(correlation)
        else {
            return None;
        };
        let asked = Outgoing {
            action_id: Some(id.clone()),
            ..Outgoing::request(thing.clone(), "cancelaction", correlation.to_owned())
        };
        self.0.shift_remove(correlation);
        Some(asked)
    }

    /// A thing answers, or says how far it is.
    pub fn hear(
        &mut self,
        correlation: Option<&str>,
        response: Response,
    ) -> Result<Done, &'static str> {
        let correlation = correlation.ok_or(UNKNOWN)?;
        match self.0.get_mut(correlation).ok_or(UNKNOWN)? {
            Task::Write { .. } => {
                let Some(Task::Write {
                    element,
                    name,
                    revision,
                }) = self.0.shift_remove(correlation)
                else {
                    return Err(UNKNOWN);
                };
                Ok(match (response.error, response.value) {
                    (Some(error), _) => Done::Refuse {
                        element,
                        name,
                        revision,
                        reason: reason_of(&error),
                    },
                    // That it is so confirms the wish, as every report does.
                    (None, Some(value)) => Done::Say {
                        topic: format!("{element}/properties/{name}"),
                        payload: value.get().to_owned(),
                    },
                    (None, None) => Done::Nothing,
                })
            }
            Task::Invoke {
                status_at,
                action_id,
                is_cancelled,
                ..
            } => {
                let topic = status_at.clone();
                let was_cancelled = *is_cancelled;
                let progress = progress_of(&response);
                if let Some(status) = response.status {
                    *action_id = status.action_id.or(action_id.take());
                }
                if was_cancelled {
                    let asked = self.cancel(correlation);
                    self.0.shift_remove(correlation);
                    return Ok(asked.map_or(Done::Nothing, |asked| Done::Ask(Box::new(asked))));
                }
                if !matches!(progress["status"].as_str(), Some("running" | "pending")) {
                    self.0.shift_remove(correlation);
                }
                if progress["status"] == "pending" {
                    return Ok(Done::Nothing); // The hub knows.
                }
                Ok(Done::Say {
                    topic,
                    payload: progress.to_string(),
                })
            }
        }
    }

    fn add(&mut self, correlation: String, task: Task) {
        if Self::MAX <= self.0.len() {
            self.0.shift_remove_index(0);
        }
        self.0.insert(correlation, task);
    }
}

/// What a thing says at the topic of an invocation (`Progress`).
fn progress_of(response: &Response) -> Value {
    if let Some(error) = &response.error {
        return json!({ "status": "failed", "error": reason_of(error) });
    }
    if let Some(status) = &response.status {
        let mut said = json!({ "status": status.state });
        if let Some(output) = &status.output {
            said["output"] = output.clone();
        }
        if let Some(error) = &status.error {
            said["error"] = reason_of(error).into();
        }
        return said;
    }
    let mut said = json!({ "status": "completed" });
    if let Some(output) = &response.output {
        said["output"] = serde_json::from_str(output.get()).unwrap_or_default();
    }
    said
}

/// What a problem says to people.
fn reason_of(error: &Value) -> String {
    let said = ["detail", "title"].map(|member| error[member].as_str());
    let said = said.into_iter().flatten().next().or(error.as_str());
    said.map_or_else(|| error.to_string(), str::to_owned)
}

/// A payload as a value: JSON as it is, anything else as text.
pub fn raw(payload: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(payload).ok();
    let json = text.and_then(|text| RawValue::from_string(text.to_owned()).ok());
    json.or_else(|| {
        let text = String::from_utf8_lossy(payload);
        serde_json::value::to_raw_value(&text).ok()
    })
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, Said, Time};

    use super::*;
    use crate::webthing::{Body, read};

    fn id(serial: u32) -> EventId {
        EventId {
            at: Time::from_micros(1_764_100_800_000_000),
            serial,
        }
    }

    fn event(topic: &str, payload: &str) -> Event {
        let said = Said::state(topic.to_owned(), payload.to_owned());
        Event::new(id(7), Actor::Hub, said)
    }

    fn response(more: &Value) -> Response {
        let mut message =
            json!({ "thingID": "things/lamp", "messageType": "response", "operation": "x" });
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        match read(&message.to_string()).unwrap().body {
            Body::Response(response) => response,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_write_is_confirmed_by_a_value_and_refused_by_an_error() {
        let wish = event("things/lamp/properties/on/write", "true");
        let mut tasks = Tasks::default();
        let asked = tasks.write(&wish).unwrap();
        assert_eq!(asked.thing.as_deref(), Some("urn:quartet:things:lamp"));
        let mark = asked.correlation.clone();
        match tasks.hear(mark.as_deref(), response(&json!({ "value": true }))) {
            Ok(Done::Say { topic, payload }) => {
                assert_eq!((&*topic, &*payload), ("things/lamp/properties/on", "true"));
            }
            other => panic!("{other:?}"),
        }
        let again = tasks.hear(mark.as_deref(), response(&json!({ "value": true })));
        assert!(again.is_err(), "it is over");
        tasks.write(&wish).unwrap();
        let no = json!({ "error": { "status": 500, "detail": "the bulb is out" } });
        match tasks.hear(mark.as_deref(), response(&no)) {
            Ok(Done::Refuse { reason, .. }) => assert_eq!(reason, "the bulb is out"),
            other => panic!("{other:?}"),
        }
        assert!(
            tasks
                .write(&event("things/lamp/properties/on/write", ""))
                .is_none()
        );
    }

    #[track_caller]
    fn says(done: Result<Done, &str>, expected: &Value) {
        match done {
            Ok(Done::Say { payload, .. }) => {
                let payload: Value = serde_json::from_str(&payload).unwrap();
                assert_eq!(payload, *expected);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_action_is_said_to_run_and_then_to_be_done() {
        let mut tasks = Tasks::default();
        let asked = tasks
            .invoke("things/lamp", "fade", id(9), raw(b"20"))
            .unwrap();
        assert!(
            tasks.invoke("things/lamp", "fade", id(9), None).is_none(),
            "it is asked once"
        );
        let mark = asked.correlation.as_deref();
        let running = json!({ "status": { "actionID": "a", "state": "running" } });
        says(
            tasks.hear(mark, response(&running)),
            &json!({ "status": "running" }),
        );
        let done = json!({ "status": { "state": "completed", "output": 3 } });
        says(
            tasks.hear(mark, response(&done)),
            &json!({ "status": "completed", "output": 3 }),
        );
        assert!(tasks.hear(mark, response(&done)).is_err());
    }

    #[test]
    fn what_is_cancelled_is_told_to_the_thing_as_soon_as_it_has_a_name() {
        let status_at = format!("things/lamp/actions/fade/{}", id(9));
        let cancelled = event(&status_at, r#"{"status":"cancelled"}"#);
        let mut tasks = Tasks::default();
        let asked = tasks.invoke("things/lamp", "fade", id(9), None).unwrap();
        assert!(tasks.hear_status(&cancelled).is_none());
        let running = json!({ "status": { "actionID": "a", "state": "running" } });
        match tasks.hear(asked.correlation.as_deref(), response(&running)) {
            Ok(Done::Ask(asked)) => {
                assert_eq!(asked.operation.as_deref(), Some("cancelaction"));
                assert_eq!(asked.action_id.as_deref(), Some("a"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_answered_is_forgotten_at_last() {
        let mut tasks = Tasks::default();
        for serial in 0..=Tasks::MAX as u32 {
            tasks
                .invoke("things/lamp", "fade", id(serial), None)
                .unwrap();
        }
        let first = uuid_of(id(0));
        assert!(tasks.hear(Some(&first), Response::default()).is_err());
        assert!(
            tasks
                .hear(Some(&uuid_of(id(1))), Response::default())
                .is_ok()
        );
    }
}
