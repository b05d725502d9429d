//! What messages mean.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// A value as it was written, so that nothing of it is lost.
pub(super) type Raw = Box<RawValue>;

/// What all messages have, as far as an answer repeats it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Which element, as it was called.
    pub thing: Option<String>,
    /// What is done with it.
    pub operation: Option<String>,
    /// Which of its affordances.
    pub name: Option<String>,
    /// What belongs together. What has no such mark is known by the name of the message.
    pub correlation: Option<String>,
}

/// A message that was understood.
#[derive(Clone, Debug)]
pub struct Message {
    /// What an answer repeats.
    pub head: Head,
    /// Which element, as it was called.
    pub thing: String,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug)]
pub enum Body {
    /// A consumer asks.
    Request(Request),
    /// A thing answers what it was asked.
    Response(Response),
    /// A thing reports.
    Notification(Notification),
}

/// What a consumer asks for, by the draft's names of operations.
#[derive(Clone, Debug)]
pub enum Request {
    /// `readproperty`
    Read(String),
    /// `readmultipleproperties`
    ReadSome(Vec<String>),
    /// `readallproperties`
    ReadAll,
    /// `writeproperty`
    Write(String, Raw),
    /// `writemultipleproperties`
    WriteSome(Vec<(String, Raw)>),
    /// `writeallproperties`
    WriteAll(Vec<(String, Raw)>),
    /// `observeproperty`
    Observe(String),
    /// `observeallproperties`
    ObserveAll,
    /// `unobserveproperty`
    Unobserve(String),
    /// `unobserveallproperties`
    UnobserveAll,
    /// `invokeaction`
    Invoke(String, Option<Raw>),
    /// `queryaction`
    Query(String),
    /// `queryallactions`
    QueryAll,
    /// `cancelaction`
    Cancel(String),
    /// `subscribeevent`
    Subscribe(String),
    /// `subscribeallevents`
    SubscribeAll,
    /// `unsubscribeevent`
    Unsubscribe(String),
    /// `unsubscribeallevents`
    UnsubscribeAll,
}

/// What a thing reports.
#[derive(Clone, Debug)]
pub enum Notification {
    /// What a property is.
    Reading(String, Raw),
    /// An event, with its data.
    Event(String, Option<Raw>),
    /// How far an action is that it was asked for.
    Progress(Response),
}

/// What a thing answers.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// What a property is now.
    pub value: Option<Raw>,
    /// What came out of an action.
    pub output: Option<Raw>,
    /// How far an action is.
    pub status: Option<SaidStatus>,
    /// Why not.
    pub error: Option<Value>,
}

/// How far an action is, as a thing says it.
#[derive(Clone, Debug, Deserialize)]
pub struct SaidStatus {
    /// What the thing calls it.
    #[serde(rename = "actionID")]
    pub action_id: Option<String>,
    /// `pending`, `running`, `completed` or `failed`.
    pub state: String,
    /// What came out.
    pub output: Option<Value>,
    /// Why it failed.
    pub error: Option<Value>,
}

/// Why a message was not understood, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Unread {
    /// As much of it as was understood.
    pub head: Box<Head>,
    /// What was wrong.
    pub what: String,
}
