//! Messages: read strictly where something depends on it, and leniently where nothing does.

use std::collections::BTreeMap;

use quartet_model::EventId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::Status;

/// A value as it was written, so that nothing of it is lost.
type Raw = Box<RawValue>;
type Members = BTreeMap<String, Raw>;

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

/// The operations of requests, as they are told to whoever names another one.
const OPERATIONS: &str = "readproperty, readmultipleproperties, readallproperties, writeproperty, \
    writemultipleproperties, writeallproperties, observeproperty, observeallproperties, unobserveproperty, \
    unobserveallproperties, invokeaction, queryaction, queryallactions, cancelaction, subscribeevent, \
    subscribeallevents, unsubscribeevent, unsubscribeallevents";
/// Names in one request.
const NAMES_MAX: usize = 1000;

/// Reads a message.
pub fn read(text: &str) -> Result<Message, Unread> {
    let mut head = Head::default();
    match parse(text, &mut head) {
        Ok((thing, body)) => Ok(Message { head, thing, body }),
        Err(what) => Err(Unread {
            head: Box::new(head),
            what,
        }),
    }
}

fn parse(text: &str, head: &mut Head) -> Result<(String, Body), String> {
    let members: Members = serde_json::from_str(text)
        .map_err(|error| format!("the message is no JSON object: {error}"))?;
    let mut members = Reader(members);
    *head = members.head();
    members.text("messageID")?;
    members.text("correlationID")?;
    let kind = members.required_text("messageType", "request, response or notification")?;
    let thing = members.required_text(
        "thingID",
        "the element's identifier or key, such as urn:quartet:things:lamp",
    )?;
    let body = match &*kind {
        "request" => Body::Request(members.request()?),
        "response" => Body::Response(members.response()?),
        "notification" => Body::Notification(members.notification()?),
        other => {
            return Err(format!(
                "`messageType` is `{other}`; it must be request, response or notification"
            ));
        }
    };
    Ok((thing, body))
}

/// Takes members out of a message.
struct Reader(Members);

impl Reader {
    /// As much as there is for an answer.
    fn head(&self) -> Head {
        let text = |name: &str| serde_json::from_str(self.0.get(name)?.get()).ok();
        Head {
            thing: text("thingID"),
            operation: text("operation"),
            name: text("name"),
            correlation: text("correlationID").or_else(|| text("messageID")),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, String> {
        let Some(raw) = self.0.get(name) else {
            return Ok(None);
        };
        let read = serde_json::from_str(raw.get());
        read.map(Some)
            .map_err(|_| format!("`{name}` must be a string"))
    }

    fn required_text(&self, name: &str, what: &str) -> Result<String, String> {
        self.text(name)?
            .ok_or_else(|| format!("`{name}` is missing: {what}"))
    }

    /// The name of an affordance: it must fit into an address.
    fn name(&self) -> Result<String, String> {
        let name = self.required_text("name", "the affordance, by its key in the description")?;
        check_name(&name)?;
        Ok(name)
    }

    fn names(&self) -> Result<Vec<String>, String> {
        let wrong = || "`names` must be a list of names of properties".to_owned();
        let raw = self.0.get("names").ok_or_else(wrong)?;
        let names: Vec<String> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
        check_count(names.len(), "names")?;
        for name in &names {
            check_name(name)?;
        }
        Ok(names)
    }

    fn values(&self) -> Result<Vec<(String, Raw)>, String> {
        let wrong = || "`values` must be an object: a value for each property by name".to_owned();
        let raw = self.0.get("values").ok_or_else(wrong)?;
        let values: Members = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
        check_count(values.len(), "values")?;
        for name in values.keys() {
            check_name(name)?;
        }
        Ok(values.into_iter().collect())
    }

    fn value(&mut self) -> Result<Raw, String> {
        let value = self.0.remove("value");
        value.ok_or_else(|| "`value` is missing".to_owned())
    }

    fn action_id(&self) -> Result<String, String> {
        self.required_text("actionID", "as the answer to invokeaction said it")
    }

    fn operation(&self) -> Result<String, String> {
        self.required_text("operation", "what is to be done, such as readproperty")
    }

    fn request(&mut self) -> Result<Request, String> {
        Ok(match &*self.operation()? {
            "readproperty" => Request::Read(self.name()?),
            "readmultipleproperties" => Request::ReadSome(self.names()?),
            "readallproperties" => Request::ReadAll,
            "writeproperty" => Request::Write(self.name()?, self.value()?),
            "writemultipleproperties" => Request::WriteSome(self.values()?),
            "writeallproperties" => Request::WriteAll(self.values()?),
            "observeproperty" => Request::Observe(self.name()?),
            "observeallproperties" => Request::ObserveAll,
            "unobserveproperty" => Request::Unobserve(self.name()?),
            "unobserveallproperties" => Request::UnobserveAll,
            "invokeaction" => Request::Invoke(self.name()?, self.0.remove("input")),
            "queryaction" => Request::Query(self.action_id()?),
            "queryallactions" => Request::QueryAll,
            "cancelaction" => Request::Cancel(self.action_id()?),
            "subscribeevent" => Request::Subscribe(self.name()?),
            "subscribeallevents" => Request::SubscribeAll,
            "unsubscribeevent" => Request::Unsubscribe(self.name()?),
            "unsubscribeallevents" => Request::UnsubscribeAll,
            other => {
                return Err(format!("`{other}` is no operation; there are {OPERATIONS}"));
            }
        })
    }

    fn response(&mut self) -> Result<Response, String> {
        Ok(Response {
            value: self.0.remove("value"),
            output: self.0.remove("output"),
            status: self.status()?,
            error: self.json("error")?,
        })
    }

    fn notification(&mut self) -> Result<Notification, String> {
        Ok(match &*self.operation()? {
            "observeproperty" | "observeallproperties" => {
                Notification::Reading(self.name()?, self.value()?)
            }
            "subscribeevent" | "subscribeallevents" => {
                Notification::Event(self.name()?, self.0.remove("data"))
            }
            "invokeaction" => {
                let response = self.response()?;
                if response.status.is_none() {
                    return Err("`status` is missing: an ActionStatus with its `state`".to_owned());
                }
                Notification::Progress(response)
            }
            other => {
                return Err(format!(
                    "nothing is reported by `{other}`, but by observeproperty (with `value`), \
                     subscribeevent (with `data`) and invokeaction (with `status`)"
                ));
            }
        })
    }

    fn status(&self) -> Result<Option<SaidStatus>, String> {
        let Some(raw) = self.0.get("status") else {
            return Ok(None);
        };
        let status: SaidStatus = serde_json::from_str(raw.get())
            .map_err(|error| format!("`status` is no ActionStatus: {error}"))?;
        match &*status.state {
            "pending" | "running" | "completed" | "failed" => Ok(Some(status)),
            other => Err(format!(
                "`status.state` is `{other}`; it must be pending, running, completed or failed"
            )),
        }
    }

    fn json(&self, name: &str) -> Result<Option<Value>, String> {
        let read = self.0.get(name).map(|raw| serde_json::from_str(raw.get()));
        read.transpose()
            .map_err(|error| format!("`{name}` cannot be read: {error}"))
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_odd = |c: char| matches!(c, '/' | '+' | '#') || c.is_control();
    if name.is_empty() || name.contains(is_odd) {
        return Err(format!(
            "`{}` is no name of an affordance: it must not be empty or have / + # in it",
            name.escape_debug()
        ));
    }
    Ok(())
}

fn check_count(count: usize, what: &str) -> Result<(), String> {
    match count {
        0 => Err(format!("`{what}` must not be empty")),
        1..=NAMES_MAX => Ok(()),
        _ => Err(format!(
            "`{what}` has {count} entries; at most {NAMES_MAX} are taken"
        )),
    }
}

/// What the hub says, to be written as JSON.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the members are the draft's")]
pub struct Outgoing {
    #[serde(rename = "thingID", skip_serializing_if = "Option::is_none")]
    pub thing: Option<String>,
    #[serde(rename = "messageID")]
    pub id: String,
    #[serde(rename = "messageType")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Members>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(rename = "actionID", skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<BTreeMap<String, Vec<Status>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// So many notifications came faster than they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    #[serde(rename = "correlationID", skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

impl Outgoing {
    /// An answer. `id` names it.
    pub fn response(head: &Head, id: String) -> Self {
        Self {
            kind: "response",
            ..Self::of(head, id)
        }
    }

    /// Something that was not asked for just now.
    pub fn notification(head: &Head, id: String) -> Self {
        Self {
            kind: "notification",
            ..Self::of(head, id)
        }
    }

    /// What a thing is asked. Said again, it has the same name.
    pub(super) fn request(thing: String, operation: &str, id: String) -> Self {
        Self {
            thing: Some(thing),
            kind: "request",
            operation: Some(operation.to_owned()),
            correlation: Some(id.clone()),
            id,
            ..Self::default()
        }
    }

    fn of(head: &Head, id: String) -> Self {
        let Head {
            thing,
            operation,
            name,
            correlation,
        } = head.clone();
        Self {
            thing,
            id,
            operation,
            name,
            correlation,
            ..Self::default()
        }
    }

    /// As JSON.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("it has nothing that JSON has not")
    }
}

/// The name of an event as a message: the same event has the same one, in the form of a UUID of
/// version 4 (RFC 9562, section 5.4).
pub fn uuid_of(id: EventId) -> String {
    let at = id.at.as_micros();
    let (upper, lower) = (at >> 8, at & 0xFF);
    format!(
        "{:08x}-{:04x}-40{lower:02x}-8000-0000{:08x}",
        (upper >> 16) & 0xFFFF_FFFF,
        upper & 0xFFFF,
        id.serial,
    )
}

#[cfg(test)]
mod tests {
    use quartet_model::Time;
    use serde_json::json;

    use super::*;

    fn message(more: Value) -> String {
        let mut message = json!({
            "thingID": "urn:quartet:things:lamp", "messageID": "m1", "messageType": "request",
        });
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        message.to_string()
    }

    #[track_caller]
    fn wrong(more: Value, says: &str) {
        let unread = read(&message(more)).unwrap_err();
        assert!(unread.what.contains(says), "{}", unread.what);
        assert_eq!(unread.head.correlation.as_deref(), Some("m1"));
    }

    #[test]
    fn each_operation_is_read_with_what_belongs_to_it() {
        for operation in OPERATIONS.split(", ") {
            let all = json!({
                "operation": operation.trim(), "name": "on", "names": ["on"], "values": { "on": true },
                "value": true, "actionID": "a1",
            });
            let read = read(&message(all)).unwrap();
            assert!(matches!(read.body, Body::Request(_)), "{operation}");
            assert_eq!(read.head.operation.as_deref(), Some(operation.trim()));
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let text = r#"{"thingID":"things/a","messageType":"notification","operation":"observeproperty","name":"n","value":12345678901234567890123.10}"#;
        let Body::Notification(Notification::Reading(_, value)) = read(text).unwrap().body else {
            panic!("it is a reading");
        };
        assert_eq!(value.get(), "12345678901234567890123.10");
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for no_object in ["", "hello", "[]", "1", "{\"thingID\":", "\u{0}"] {
            let unread = read(no_object).unwrap_err();
            assert!(unread.what.contains("no JSON object"), "{}", unread.what);
        }
        wrong(json!({}), "`operation` is missing");
        wrong(
            json!({ "messageType": "hello" }),
            "request, response or notification",
        );
        wrong(json!({ "messageType": 3 }), "must be a string");
        wrong(json!({ "operation": "dance" }), "there are readproperty");
        wrong(json!({ "operation": "readproperty" }), "`name` is missing");
        wrong(
            json!({ "operation": "readproperty", "name": "a/b" }),
            "no name",
        );
        wrong(
            json!({ "operation": "readproperty", "name": "" }),
            "no name",
        );
        wrong(
            json!({ "operation": "writeproperty", "name": "on" }),
            "`value` is missing",
        );
        wrong(
            json!({ "operation": "readmultipleproperties", "names": [] }),
            "must not be empty",
        );
        wrong(
            json!({ "operation": "readmultipleproperties", "names": "on" }),
            "a list",
        );
        wrong(
            json!({ "operation": "writemultipleproperties", "values": [1] }),
            "an object",
        );
        wrong(
            json!({ "operation": "queryaction" }),
            "`actionID` is missing",
        );
        let news = |more: Value| {
            let mut news = json!({ "messageType": "notification" });
            for (name, value) in more.as_object().unwrap() {
                news[name] = value.clone();
            }
            news
        };
        wrong(
            news(json!({ "operation": "readproperty" })),
            "nothing is reported by",
        );
        wrong(
            news(json!({ "operation": "invokeaction" })),
            "`status` is missing",
        );
        let half = json!({ "operation": "invokeaction", "status": { "state": "half" } });
        wrong(news(half), "pending, running");
        let unread = read(r#"{"messageType":"request","correlationID":"c"}"#).unwrap_err();
        assert!(
            unread.what.contains("`thingID` is missing"),
            "{}",
            unread.what
        );
        assert_eq!(unread.head.correlation.as_deref(), Some("c"));
    }

    #[test]
    fn an_event_has_one_name_and_its_own() {
        let id = |at, serial| EventId {
            at: Time::from_micros(at),
            serial,
        };
        let name = uuid_of(id(0x0006_4123_4567_89AB, 0x0100_0007));
        assert_eq!(name, "06412345-6789-40ab-8000-000001000007");
        assert_ne!(name, uuid_of(id(0x0006_4123_4567_89AC, 0x0100_0007)));
    }
}
