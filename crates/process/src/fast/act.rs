use std::{borrow::Cow, sync::Arc, time::Duration};

use quartet_model::{Address, Aspect};
use serde_json::{Map, Value};

use crate::names;

/// A message that does what a run wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Where it is said.
    pub topic: String,
    /// What.
    pub payload: String,
    /// For how long it matters.
    pub expires: Option<Duration>,
}

/// What a run does.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// A property is wanted to be something else.
    Write {
        /// The element's key.
        key: String,
        /// The property.
        property: String,
        /// What it is wanted to be.
        value: Value,
        /// For how long that matters.
        expires: Option<Duration>,
    },
    /// An element is asked to do something.
    Invoke {
        /// The element's key.
        key: String,
        /// The action.
        action: String,
        /// What it is given.
        input: Value,
        /// For how long that matters.
        expires: Option<Duration>,
    },
    /// Something is said.
    Emit {
        /// The CloudEvent, in JSON.
        event: Arc<Value>,
    },
}

impl Act {
    /// The message that does this; what a flow says is said at its own address, unless the event has
    /// a `topic`.
    ///
    /// # Errors
    ///
    /// There is no such address.
    pub fn message(&self, flow: &str) -> Result<Message, String> {
        let request = |key: &str, aspect: Aspect<'_>, value: &Value, expires| {
            let element = Address::read(key).ok();
            let element = element.filter(|element| element.aspect == Aspect::Description);
            let Some(element) = element else {
                return Err(format!("`{key}` is no element"));
            };
            let topic = element.with(aspect).to_string();
            match Address::read(&topic) {
                Ok(address) if address.aspect == aspect => Ok(Message {
                    payload: value.to_string(),
                    expires,
                    topic,
                }),
                _ => Err(format!("`{topic}` is no address: a name has no `/` in it")),
            }
        };
        match self {
            Self::Write {
                key,
                property,
                value,
                expires,
            } => request(key, Aspect::Write(property), value, *expires),
            Self::Invoke {
                key,
                action,
                input,
                expires,
            } => request(key, Aspect::Action(action), input, *expires),
            Self::Emit { event } => {
                let text = |name: &str| event.get(name).and_then(Value::as_str);
                let topic = match (text("topic"), text("type")) {
                    (Some(topic), _) => topic.to_owned(),
                    (None, kind) => {
                        let kind = names::level_of(kind.unwrap_or("event"));
                        format!("{flow}/events/{kind}")
                    }
                };
                Ok(Message {
                    topic,
                    payload: event.get("data").map(Value::to_string).unwrap_or_default(),
                    expires: None,
                })
            }
        }
    }

    /// The attributes of the CloudEvent that is said, but for its data.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let event = match self {
            Self::Emit { event } => event.as_object(),
            _ => None,
        };
        let members = event.into_iter().flatten();
        let members = members.map(|(name, value)| (name.as_str(), value));
        members
            .filter(|(name, _)| !matches!(*name, "data" | "topic"))
            .map(|(name, value)| match value {
                Value::String(text) => (name, text.into()),
                other => (name, other.to_string().into()),
            })
    }

    /// The key of the element that it is done to, if it is to one.
    pub fn to(&self) -> Option<&str> {
        match self {
            Self::Write { key, .. } | Self::Invoke { key, .. } => Some(key),
            Self::Emit { .. } => None,
        }
    }

    /// As a person reads it.
    pub fn told(&self) -> String {
        match self {
            Self::Write {
                key,
                property,
                value,
                ..
            } => format!("write {} = {value} of {}", property, names::name_of(key)),
            Self::Invoke {
                key, action, input, ..
            } => match input {
                Value::Null => format!("invoke {action} of {}", names::name_of(key)),
                input => format!("invoke {action} of {} with {input}", names::name_of(key)),
            },
            Self::Emit { event } => format!(
                "emit {} about {}: {}",
                event["type"].as_str().unwrap_or("?"),
                event["subject"].as_str().unwrap_or("nothing"),
                event["data"]
            ),
        }
    }
}

/// The arguments of a call of one of the hub's functions, computed.
pub(super) struct Arguments<'a>(pub(super) &'a Map<String, Value>);

impl Arguments<'_> {
    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("`{name}` is text; this is {other}")),
        }
    }

    /// Whether it is so; false if nothing is said.
    pub(super) fn is(&self, name: &str) -> Result<bool, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(is)) => Ok(*is),
            Some(other) => Err(format!("`{name}` is true or false; this is {other}")),
        }
    }

    /// Text that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, String> {
        self.text(name)?
            .ok_or_else(|| format!("`{name}` is missing, or nothing was computed for it"))
    }

    /// The keys of the elements that are meant.
    pub(super) fn things(&self) -> Result<Vec<String>, String> {
        let one = self.text("thing")?;
        let names: Vec<&str> = match (one, self.0.get("things")) {
            (Some(one), _) => vec![one],
            (None, Some(Value::Array(list))) => {
                let texts = list.iter().map(|value| value.as_str());
                let texts: Option<Vec<&str>> = texts.collect();
                texts.ok_or("`things` is a list of names")?
            }
            (None, Some(other)) => {
                return Err(format!(
                    "`things` is a list of names; to look for things by {other} is not possible on the message path"
                ));
            }
            (None, None) => return Err("`thing` is missing, or nothing was computed for it".into()),
        };
        names.into_iter().map(key).collect()
    }

    /// The keys of the people and teams that are meant.
    pub(super) fn recipients(&self) -> Result<Vec<String>, String> {
        let names: Vec<&str> = match self.0.get("to") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => {
                let texts: Option<Vec<&str>> = list.iter().map(|value| value.as_str()).collect();
                texts.ok_or("`to` is a list of names")?
            }
            other => {
                let other = other.unwrap_or(&Value::Null);
                return Err(format!("`to` names people or teams; this is {other}"));
            }
        };
        names
            .into_iter()
            .map(|name| match names::is_key(name) {
                true => Ok(name.to_owned()),
                false => Err(format!("`{name}` is nobody; write `people/…` or `teams/…`")),
            })
            .collect()
    }

    /// For how long it matters.
    pub(super) fn expires(&self) -> Result<Option<Duration>, String> {
        let Some(text) = self.text("expires")? else {
            return Ok(None);
        };
        match crate::language::duration::Span::parse(text) {
            Some(span) => Ok(Some(span.roughly())),
            None => Err(format!(
                "`expires` is a duration like `PT3M`; this is `{text}`"
            )),
        }
    }

    /// A value, nothing if it is not there.
    pub(super) fn value(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

fn key(name: &str) -> Result<String, String> {
    names::key_of(name).ok_or_else(|| "the name of an element is empty".to_owned())
}
