//! Forms: how a value is found in the payloads of a native topic, and a payload made of a value.

mod parse;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use quartet_model::Time;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    parts::{BY, HOST},
    pointer::Pointer,
    senml, sparkplug,
    template::Template,
    typed::{Type, cbor_of, json_of, read_cbor, text_of, write_cbor},
};
use crate::td::Problem;
use parse::{content, decoded, ops, qos, text, words};

/// The longest payload that is looked into.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// What a form is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `readproperty`: the device reports here.
    Read = 1,
    /// `observeproperty`: the same.
    Observe = 2,
    /// `writeproperty`: the device is told here.
    Write = 4,
    /// `invokeaction`: the device is asked here.
    Invoke = 8,
    /// `subscribeevent`: the device says here what happened.
    Subscribe = 16,
}

/// All that a form is for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ops(u8);

impl Ops {
    /// These.
    pub fn of(ops: &[Op]) -> Self {
        Self(ops.iter().fold(0, |all, op| all | *op as u8))
    }

    /// Whether `op` is among them.
    pub fn has(self, op: Op) -> bool {
        self.0 & op as u8 != 0
    }

    /// Whether there are none that matter here.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the device speaks here.
    pub fn reports(self) -> bool {
        self.has(Op::Read) || self.has(Op::Observe) || self.has(Op::Subscribe)
    }

    /// Whether the device listens here.
    pub fn tells(self) -> bool {
        self.has(Op::Write) || self.has(Op::Invoke)
    }
}

/// How payloads are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Json,
    Text,
    Cbor,
    SenmlJson,
    SenmlCbor,
    Sparkplug,
    Bytes,
}

/// A form that leads to a native topic of this hub.
#[derive(PartialEq, Debug)]
pub struct Form {
    /// The topic itself, decoded.
    pub topic: Box<str>,
    /// What it is for; empty if the form does not say, and so what its affordance says.
    pub ops: Ops,
    /// `mqv:qos`: how surely the device is told.
    pub qos: u8,
    /// `mqv:retain`: whether what it is told is kept.
    pub retain: bool,
    content: Content,
    path: Place,
    words: Box<[Word]>,
    payload: Option<Box<[u8]>>,
    template: Option<Box<Template>>,
    schema_type: Option<Type>,
}

/// Where in a payload the value is.
#[derive(PartialEq, Debug)]
enum Place {
    Whole,
    At(Pointer),
    Record(Box<str>),
    Metric(sparkplug::At),
}

/// A word of the device and what it stands for.
#[derive(PartialEq, Debug)]
struct Word {
    word: Value,
    value: Value,
}

/// What a payload says.
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    /// The value, of the affordance's type if it has one.
    pub value: Value,
    /// When it was so, in seconds since 1970, if the payload says it. Less than 2^28 is relative to
    /// when the payload came [RFC 8428, section 4.5.3].
    pub at: Option<f64>,
}

/// One of several values in a payload.
pub(super) struct Member {
    pub(super) name: String,
    /// The `quartet:path` that leads to it.
    pub(super) path: String,
    pub(super) unit: Option<String>,
}

/// Why a payload could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unread {
    /// It is too long.
    #[error("has {0} bytes; at most {PAYLOAD_BYTES_MAX} are read")]
    TooLong(usize),
    /// It is not what its content type says.
    #[error("is no {content}: {says}")]
    Malformed {
        /// What it should be: `JSON`.
        content: &'static str,
        /// What is wrong.
        says: String,
    },
    /// The value is of another type.
    #[error("says {is}; must be {must}")]
    Type {
        /// The value, or its beginning.
        is: String,
        /// A type, with its article.
        must: &'static str,
    },
    /// The template does not get along with it.
    #[error("cannot be read by the template: {0}")]
    Template(String),
}

/// Why a value cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Untold {
    /// The template does not get along with it.
    #[error("cannot be told by the template: {0}")]
    Template(String),
    /// It is no base64.
    #[error("must be a string in base64")]
    NotBase64,
    /// The metric has another type.
    #[error("is no value of the data type that the form has")]
    DataType,
}

impl Form {
    /// Reads a form of an affordance whose values are of `schema_type`. `None` if it leads somewhere
    /// else than to a native topic, or if the hub looks after it in another way.
    pub fn of(form: &Value, schema_type: Option<&str>) -> Result<Option<Self>, Problem> {
        let Some(topic) = form["href"]
            .as_str()
            .and_then(|href| href.strip_prefix("mqtt:///"))
        else {
            return Ok(None);
        };
        if form[BY] == HOST {
            return Ok(None);
        }
        let topic = decoded(topic)?;
        let content = content(form)?;
        let path = match text(form, "quartet:path")? {
            _ if content == Content::Sparkplug => Place::Metric(sparkplug::At::of(form)?),
            None => Place::Whole,
            Some(name) if matches!(content, Content::SenmlJson | Content::SenmlCbor) => {
                Place::Record(name.into())
            }
            Some(pointer) => Place::At(Pointer::parse("quartet:path", pointer)?),
        };
        let template = text(form, "quartet:template")?.map(Template::parse);
        let template = template
            .transpose()
            .map_err(|says| Problem::new("quartet:template", says))?;
        if template.is_some() && path != Place::Whole {
            let says = "stands beside quartet:template, which finds the value by itself";
            return Err(Problem::new("quartet:path", says));
        }
        let payload = form.get("quartet:payload");
        Ok(Some(Self {
            topic,
            ops: ops(form)?,
            qos: qos(form)?,
            retain: form["mqv:retain"] == true,
            content,
            path,
            words: words(form)?,
            payload: payload.map(|payload| text_of(payload).into_bytes().into()),
            template: template.map(Box::new),
            schema_type: schema_type.and_then(Type::of),
        }))
    }

    /// What a payload says of the affordance. `None` if it says nothing of it: devices report
    /// changes alone.
    pub fn read(&self, payload: &[u8]) -> Result<Option<Reading>, Unread> {
        if PAYLOAD_BYTES_MAX < payload.len() {
            return Err(Unread::TooLong(payload.len()));
        }
        if payload.is_empty() && self.schema_type != Some(Type::String) {
            return Ok(None);
        }
        let (value, at) = if let Some(template) = &self.template {
            (self.read_template(template, payload)?, None)
        } else {
            self.find(payload)?
        };
        let Some(value) = value.filter(|value| self.means(value)) else {
            return Ok(None);
        };
        let value = self.typed(value)?;
        Ok(Some(Reading { value, at }))
    }

    /// Null is how devices say that they do not know, if it is not a value by itself.
    fn means(&self, value: &Value) -> bool {
        let is_number = matches!(self.schema_type, Some(Type::Number | Type::Integer));
        if is_number
            && value
                .as_str()
                .is_some_and(|text| text.trim().eq_ignore_ascii_case("nan"))
        {
            return self.meant(value).is_some(); // So does firmware that has measured nothing yet.
        }
        !value.is_null() || self.schema_type == Some(Type::Null) || self.meant(value).is_some()
    }

    fn read_template(&self, template: &Template, payload: &[u8]) -> Result<Option<Value>, Unread> {
        let text = utf8(payload)?;
        let json = serde_json::from_str(text).ok();
        let read = template
            .read(text, json.as_ref())
            .map_err(Unread::Template)?;
        Ok(read.map(Value::String))
    }

    fn find(&self, payload: &[u8]) -> Result<(Option<Value>, Option<f64>), Unread> {
        let whole = match self.content {
            Content::Json => json(payload)?,
            Content::Cbor => json_of(read_cbor(payload).map_err(malformed("CBOR"))?),
            Content::Text => Value::String(utf8(payload)?.to_owned()),
            Content::Bytes => Value::String(STANDARD.encode(payload)),
            Content::Sparkplug => return self.metric(payload),
            Content::SenmlJson | Content::SenmlCbor => {
                return Ok(self.record(self.records(payload)?));
            }
        };
        let value = match &self.path {
            Place::At(pointer) if self.content == Content::Text => {
                pointer.find(&json(payload)?).cloned()
            }
            Place::At(pointer) => pointer.find(&whole).cloned(),
            _ => Some(whole),
        };
        Ok((value, None))
    }

    fn metric(&self, payload: &[u8]) -> Result<(Option<Value>, Option<f64>), Unread> {
        let Place::Metric(at) = &self.path else {
            return Ok((None, None));
        };
        let read = at.read(payload).map_err(malformed("Sparkplug B"))?;
        Ok(read.map_or((None, None), |(value, at)| (Some(value), at)))
    }

    fn records(&self, payload: &[u8]) -> Result<Vec<senml::Record>, Unread> {
        if self.content == Content::SenmlJson {
            return senml::resolve(&json(payload)?).map_err(malformed("SenML"));
        }
        let pack = read_cbor(payload).map_err(malformed("CBOR"))?;
        senml::resolve_cbor(pack).map_err(malformed("SenML"))
    }

    /// The values that a payload has: the members of an object, or the records of SenML.
    pub(super) fn members(&self, payload: &[u8]) -> Result<Vec<Member>, Unread> {
        if PAYLOAD_BYTES_MAX < payload.len() {
            return Err(Unread::TooLong(payload.len()));
        }
        if matches!(self.content, Content::SenmlJson | Content::SenmlCbor) {
            let records = self.records(payload)?.into_iter();
            let members = records.map(|record| {
                let name = record.short_name().to_owned();
                Member {
                    path: name.clone(),
                    name,
                    unit: record.unit,
                }
            });
            return Ok(members.collect());
        }
        let read = self.read(payload)?;
        let members = read.as_ref().and_then(|reading| reading.value.as_object());
        let names = members.into_iter().flat_map(Map::keys);
        let members = names.map(|name| Member {
            name: name.clone(),
            path: Pointer::to(&[name]),
            unit: None,
        });
        Ok(members.collect())
    }

    /// The last of the records that are meant; all, if no name is said and there are several.
    fn record(&self, records: Vec<senml::Record>) -> (Option<Value>, Option<f64>) {
        let meant = |record: &&senml::Record| match &self.path {
            Place::Record(name) => record.is_called(name),
            _ => true,
        };
        if self.path == Place::Whole && 1 < records.len() {
            let all = records.iter().map(senml::Record::to_json);
            return (Some(all.collect()), None);
        }
        let time = |record: &senml::Record| record.time_s.unwrap_or_default();
        let last = records
            .iter()
            .filter(meant)
            .max_by(|a, b| time(a).total_cmp(&time(b)));
        match last {
            Some(record) => (Some(record.value.clone()), record.time_s),
            None => (None, None),
        }
    }

    /// What a word of the device stands for.
    fn meant(&self, value: &Value) -> Option<&Value> {
        if self.words.is_empty() || value.is_object() || value.is_array() {
            return None;
        }
        let said = text_of(value);
        let said = said.trim();
        let mut words = self.words.iter();
        let word = words.find(|word| text_of(&word.word) == said)?;
        Some(&word.value)
    }

    fn typed(&self, value: Value) -> Result<Value, Unread> {
        let value = match self.meant(&value) {
            Some(meant) => return Ok(meant.clone()),
            None => value,
        };
        let Some(must) = self.schema_type else {
            return Ok(value);
        };
        let is = crate::td::excerpt(&value);
        let must_be = must.said();
        let taken = must.take(value);
        taken.ok_or(Unread::Type { is, must: must_be })
    }

    /// The payload that tells the device a value. `now` is for payloads that say when they were made.
    pub fn write_at(&self, value: &Value, now: Time) -> Result<Vec<u8>, Untold> {
        if let Some(payload) = &self.payload {
            return Ok(payload.to_vec());
        }
        let word = self.words.iter().find(|word| word.value == *value);
        let value = word.map_or(value, |word| &word.word);
        if let Some(template) = &self.template {
            let text = template.write(value).map_err(Untold::Template)?;
            return Ok(text.into_bytes());
        }
        let placed = match &self.path {
            Place::At(pointer) => pointer.place(value.clone()),
            _ => value.clone(),
        };
        let name = match &self.path {
            Place::Record(name) => Some(&**name),
            _ => None,
        };
        Ok(match self.content {
            Content::Json => placed.to_string().into_bytes(),
            Content::Text => text_of(&placed).into_bytes(),
            Content::Cbor => write_cbor(&cbor_of(&placed)),
            Content::SenmlJson => senml::pack(name, value).to_string().into_bytes(),
            Content::SenmlCbor => write_cbor(&senml::pack_cbor(name, value)),
            Content::Bytes => {
                let text = placed.as_str().ok_or(Untold::NotBase64)?;
                STANDARD.decode(text).map_err(|_| Untold::NotBase64)?
            }
            Content::Sparkplug => {
                let Place::Metric(at) = &self.path else {
                    return Err(Untold::DataType);
                };
                at.write(value, now).ok_or(Untold::DataType)?
            }
        })
    }
}

fn json(payload: &[u8]) -> Result<Value, Unread> {
    serde_json::from_slice(payload).map_err(malformed("JSON"))
}

fn utf8(payload: &[u8]) -> Result<&str, Unread> {
    str::from_utf8(payload).map_err(malformed("text"))
}

fn malformed<E: fmt::Display>(content: &'static str) -> impl Fn(E) -> Unread {
    move |error| Unread::Malformed {
        content,
        says: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
