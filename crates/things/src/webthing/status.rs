use quartet_model::{Address, Aspect, Event};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Invocation, InvocationStatus};

/// An ActionStatus as the draft has it. The hub knows more states; it says its own word beside.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Status {
    #[serde(rename = "actionID")]
    action_id: String,
    state: &'static str,
    #[serde(rename = "quartet:status")]
    own: InvocationStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    #[serde(rename = "timeRequested")]
    requested: String,
    #[serde(rename = "timeEnded", skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
}

/// What became of an invocation.
pub fn status_of(invocation: &Invocation) -> Status {
    let state = match invocation.status {
        InvocationStatus::Pending | InvocationStatus::Delivered => "pending",
        InvocationStatus::Running => "running",
        InvocationStatus::Told | InvocationStatus::Completed => "completed",
        InvocationStatus::Failed | InvocationStatus::Cancelled | InvocationStatus::Expired => {
            "failed"
        }
    };
    Status {
        action_id: invocation.id.to_string(),
        state,
        own: invocation.status,
        output: invocation.output.clone(),
        error: (state == "failed").then(|| problem(invocation)),
        requested: invocation.id.at.rfc3339(),
        ended: invocation.ended.map(quartet_model::Time::rfc3339),
    }
}

/// What is said at the address of an invocation.
pub fn status_said(event: &Event) -> Option<Status> {
    let address = Address::read(&event.topic).ok()?;
    let Aspect::Invocation(action, id) = address.aspect else {
        return None;
    };
    Invocation::of_json(action, id, &event.payload).map(|invocation| status_of(&invocation))
}

/// Why it was not done (RFC 9457).
fn problem(invocation: &Invocation) -> Value {
    let how = match invocation.status {
        InvocationStatus::Cancelled => "it was cancelled",
        InvocationStatus::Expired => "nothing was heard of it in time",
        _ => "it was not possible",
    };
    json!({
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": invocation.error.as_deref().unwrap_or(how),
    })
}

impl Status {
    /// Whether nothing more is to come.
    pub fn is_over(&self) -> bool {
        self.own.is_over()
    }

    /// What came out.
    pub fn output(&self) -> Option<&Value> {
        self.output.as_ref()
    }

    /// Why it was not done.
    pub fn error(&self) -> Option<&Value> {
        self.error.as_ref()
    }
}
