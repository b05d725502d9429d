//! Messages are read strictly where something depends on it, and leniently where nothing does.

use std::collections::BTreeMap;

use serde_json::Value;

use super::message::{
    Body, Head, Message, Notification, Raw, Request, Response, SaidStatus, Unread,
};

type Members = BTreeMap<String, Raw>;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in ".{0,200}") {
            let _ = read(&text);
        }

        #[test]
        fn members_of_any_sort_are_read_or_refused(
            kind in "request|response|notification|",
            operation in "readproperty|writemultipleproperties|observeproperty|invokeaction|queryaction|x",
            odd in prop::collection::btree_map(
                "thingID|messageID|name|names|value|values|status|error|input|actionID|correlationID",
                r#"null|1e999|-0|"a"|"a/b"|\[\]|\{"a":\{\}\}|\["a"\]|\{"state":"running"\}|\{"state":1\}"#,
                0..6,
            ),
        ) {
            let mut members = vec![
                format!(r#""messageType":"{kind}""#),
                format!(r#""operation":"{operation}""#),
            ];
            members.extend(odd.iter().map(|(name, value)| format!("\"{name}\":{value}")));
            if let Err(unread) = read(&format!("{{{}}}", members.join(","))) {
                prop_assert!(!unread.what.is_empty());
            }
        }
    }
}
