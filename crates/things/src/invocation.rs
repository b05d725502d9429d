//! What an element is asked to do, and what became of it (ActionStatus of WoT Profile).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use quartet_model::{EventId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long it can be asked what became of a request.
const KEPT: Duration = Duration::from_secs(3600);

/// One request to an element to do something.
#[derive(Clone, PartialEq, Debug)]
pub struct Invocation {
    /// Which action.
    pub action: String,
    /// Names it: the event that asked.
    pub id: EventId,
    /// With what.
    pub input: Option<Value>,
    /// How far it is.
    pub status: InvocationStatus,
    /// What it brought.
    pub output: Option<Value>,
    /// Why it failed, or was cancelled.
    pub error: Option<String>,
    /// Who asked.
    pub by: String,
    /// It is of no use later, unless it runs by then.
    pub until: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// What whoever asked calls the request, so that it is not done twice.
    pub idempotency_key: Option<String>,
    /// Who is to be answered: the topic, and what the answer carries.
    pub answer: Option<(String, Bytes)>,
}

/// How far an invocation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InvocationStatus {
    /// The element has not said anything of it yet.
    Pending,
    /// The session that speaks for the element has it.
    Delivered,
    /// The element is at it.
    Running,
    /// It was told to a device that says nothing of what becomes of it.
    Told,
    /// It is done.
    Completed,
    /// It was not possible.
    Failed,
    /// It is not wanted any more.
    Cancelled,
    /// Nothing was heard of it in time.
    Expired,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    status: InvocationStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    by: String,
    time_requested: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ended: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
}

/// What an element says of an invocation.
#[derive(Deserialize)]
pub(crate) struct Progress {
    pub(crate) status: InvocationStatus,
    pub(crate) output: Option<Value>,
    pub(crate) error: Option<Value>,
}

impl InvocationStatus {
    /// Whether nothing more is to come.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Delivered | Self::Running)
    }
}

impl Invocation {
    /// As JSON: what is said at `…/actions/{action}/{invocation}`.
    pub fn to_json(&self) -> Value {
        let written = Written {
            status: self.status,
            input: self.input.clone(),
            output: self.output.clone(),
            error: self.error.clone(),
            by: self.by.clone(),
            time_requested: self.id.at.rfc3339(),
            until: (self.until != Time::NEVER).then(|| self.until.rfc3339()),
            time_ended: self.ended.map(Time::rfc3339),
            idempotency_key: self.idempotency_key.clone(),
            answer_at: self.answer.as_ref().map(|(topic, _)| topic.clone()),
            correlation: self
                .answer
                .as_ref()
                .map(|(_, bytes)| STANDARD.encode(bytes)),
        };
        serde_json::to_value(written).expect("it has nothing that JSON has not")
    }

    /// What [`to_json`](Self::to_json) wrote, of the invocation with this name.
    pub(crate) fn of_json(action: &str, id: &str, text: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(text).ok()?;
        let answer = match (written.answer_at, written.correlation) {
            (Some(topic), Some(bytes)) => Some((topic, STANDARD.decode(bytes).ok()?.into())),
            _ => None,
        };
        Some(Self {
            action: action.to_owned(),
            id: id.parse().ok()?,
            input: written.input,
            status: written.status,
            output: written.output,
            error: written.error,
            by: written.by,
            until: match written.until {
                None => Time::NEVER,
                Some(until) => Time::of_rfc3339(&until)?,
            },
            ended: written.time_ended.as_deref().and_then(Time::of_rfc3339),
            idempotency_key: written.idempotency_key,
            answer,
        })
    }

    /// When something happens by itself: it is over if nothing was heard of it, or it is not
    /// kept any longer. What runs may take its time.
    pub(crate) fn deadline(&self) -> Time {
        match self.status {
            InvocationStatus::Pending | InvocationStatus::Delivered => self.until,
            InvocationStatus::Running => Time::NEVER,
            _ => self.ended.unwrap_or(Time::ZERO).after(KEPT),
        }
    }
}

impl Progress {
    /// What an element says: a status with what belongs to it, or simply what came out.
    pub(crate) fn of_payload(payload: &[u8]) -> Self {
        if let Ok(progress) = serde_json::from_slice(payload) {
            return progress;
        }
        let output = match serde_json::from_slice(payload) {
            Ok(value) => Some(value),
            Err(_) if payload.is_empty() => None,
            Err(_) => Some(String::from_utf8_lossy(payload).into_owned().into()),
        };
        Self {
            status: InvocationStatus::Completed,
            output,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_invocation_is_written_and_read_back() {
        let invocation = Invocation {
            action: "fade".to_owned(),
            id: EventId {
                at: Time::from_micros(1_764_100_800_000_000),
                serial: 7,
            },
            input: Some(json!({ "to": 20 })),
            status: InvocationStatus::Failed,
            output: None,
            error: Some("the bulb is out".to_owned()),
            by: "ana".to_owned(),
            until: Time::from_micros(1_764_100_860_000_000),
            ended: Some(Time::from_micros(1_764_100_801_000_000)),
            idempotency_key: Some("tap-7".to_owned()),
            answer: Some(("ana/inbox".to_owned(), Bytes::from_static(b"\0\x01"))),
        };
        let text = invocation.to_json();
        assert_eq!(text["timeRequested"], "2025-11-25T20:00:00Z");
        let id = invocation.id.to_string();
        let read = Invocation::of_json("fade", &id, text.to_string().as_bytes());
        assert_eq!(read, Some(invocation));
    }

    #[test]
    fn an_element_may_say_a_status_or_simply_what_came_out() {
        let check = |payload: &[u8], status, output: Option<Value>| {
            let progress = Progress::of_payload(payload);
            assert_eq!((progress.status, progress.output), (status, output));
        };
        check(br#"{"status":"running"}"#, InvocationStatus::Running, None);
        check(
            br#"{"status":"completed","output":3}"#,
            InvocationStatus::Completed,
            Some(json!(3)),
        );
        check(b"3", InvocationStatus::Completed, Some(json!(3)));
        check(b"", InvocationStatus::Completed, None);
        check(b"done", InvocationStatus::Completed, Some(json!("done")));
        let odd = br#"{"status":"half"}"#;
        check(
            odd,
            InvocationStatus::Completed,
            Some(json!({ "status": "half" })),
        );
    }
}
