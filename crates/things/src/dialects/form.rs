//! Forms: how a value is found in the payloads of a native topic, and a payload made of a value.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    pointer::Pointer,
    senml,
    template::Template,
    typed::{Type, cbor_of, json_of, read_cbor, text_of, write_cbor},
};
use crate::td::Problem;

/// The longest payload that is looked into.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The longest topic [MQTT 5.0, section 1.5.4].
const TOPIC_BYTES_MAX: usize = 65_535;

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
}

impl Form {
    /// Reads a form of an affordance whose values are of `schema_type`. `None` if it leads somewhere
    /// else than to a native topic.
    pub fn of(form: &Value, schema_type: Option<&str>) -> Result<Option<Self>, Problem> {
        let Some(topic) = form["href"]
            .as_str()
            .and_then(|href| href.strip_prefix("mqtt:///"))
        else {
            return Ok(None);
        };
        let topic = decoded(topic)?;
        let content = content(form)?;
        let path = match text(form, "quartet:path")? {
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
        let records = match self.content {
            Content::Json => json(payload)?,
            Content::Cbor => json_of(read_cbor(payload).map_err(malformed("CBOR"))?),
            Content::Text => Value::String(utf8(payload)?.to_owned()),
            Content::Bytes => Value::String(STANDARD.encode(payload)),
            Content::SenmlJson => {
                let records = senml::resolve(&json(payload)?).map_err(malformed("SenML"))?;
                return Ok(self.record(records));
            }
            Content::SenmlCbor => {
                let pack = read_cbor(payload).map_err(malformed("CBOR"))?;
                let records = senml::resolve_cbor(pack).map_err(malformed("SenML"))?;
                return Ok(self.record(records));
            }
        };
        let value = match &self.path {
            Place::At(pointer) if self.content == Content::Text => {
                pointer.find(&json(payload)?).cloned()
            }
            Place::At(pointer) => pointer.find(&records).cloned(),
            _ => Some(records),
        };
        Ok((value, None))
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

    /// The payload that tells the device a value.
    pub fn write(&self, value: &Value) -> Result<Vec<u8>, Untold> {
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
        })
    }
}

fn decoded(topic: &str) -> Result<Box<str>, Problem> {
    let wrong = |says: &str| Problem::new("href", format!("leads to `{topic}`; {says}"));
    let mut bytes = Vec::with_capacity(topic.len());
    let mut rest = topic.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let encoded = after.get(..2).filter(|_| first == b'%');
        let byte = encoded.and_then(|digits| {
            let digits = str::from_utf8(digits).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        });
        if first == b'%' && byte.is_none() {
            return Err(wrong("must say %25 for %"));
        }
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    let decoded = String::from_utf8(bytes).map_err(|_| wrong("must be UTF-8"))?;
    if decoded.is_empty() || TOPIC_BYTES_MAX < decoded.len() {
        return Err(wrong("must be a topic"));
    }
    if decoded.contains(['+', '#', '\0']) {
        return Err(wrong("must have no wildcards"));
    }
    Ok(decoded.into())
}

fn content(form: &Value) -> Result<Content, Problem> {
    let said = text(form, "contentType")?.unwrap_or("application/json");
    let kind = said.split(';').next().unwrap_or_default().trim();
    Ok(match kind.to_ascii_lowercase().as_str() {
        "application/json" => Content::Json,
        "text/plain" => Content::Text,
        "application/cbor" => Content::Cbor,
        "application/senml+json" => Content::SenmlJson,
        "application/senml+cbor" => Content::SenmlCbor,
        "application/octet-stream" => Content::Bytes,
        _ => {
            let says = format!(
                "is `{said}`; must be application/json, text/plain, application/cbor, application/senml+json, application/senml+cbor or application/octet-stream"
            );
            return Err(Problem::new("contentType", says));
        }
    })
}

fn ops(form: &Value) -> Result<Ops, Problem> {
    let said = match &form["op"] {
        Value::Null => return Ok(Ops::default()),
        Value::Array(ops) => &ops[..],
        one => std::slice::from_ref(one),
    };
    let known = said.iter().filter_map(|op| match op.as_str()? {
        "readproperty" => Some(Op::Read),
        "observeproperty" => Some(Op::Observe),
        "writeproperty" => Some(Op::Write),
        "invokeaction" => Some(Op::Invoke),
        "subscribeevent" => Some(Op::Subscribe),
        _ => None,
    });
    let ops = Ops::of(&known.collect::<Vec<_>>());
    if ops.is_empty() {
        return Err(Problem::new("op", "has nothing that a native topic is for"));
    }
    Ok(ops)
}

/// A number or, as the binding's older drafts have it, a text.
fn qos(form: &Value) -> Result<u8, Problem> {
    match &form["mqv:qos"] {
        Value::Null => Ok(0),
        said => match text_of(said).as_str() {
            "0" => Ok(0),
            "1" => Ok(1),
            "2" => Ok(2),
            other => Err(Problem::new(
                "mqv:qos",
                format!("is {other}; must be 0, 1 or 2"),
            )),
        },
    }
}

fn words(form: &Value) -> Result<Box<[Word]>, Problem> {
    let words = match &form["quartet:values"] {
        Value::Null => &Map::new(),
        Value::Object(words) => words,
        _ => return Err(Problem::new("quartet:values", "must be an object")),
    };
    let words = words.iter().map(|(word, value)| {
        // What is JSON is told so: `true`, `1`; in quotes, it is a text none the less.
        let word = match serde_json::from_str(word) {
            Ok(scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => {
                scalar
            }
            _ => Value::String(word.clone()),
        };
        Word {
            word,
            value: value.clone(),
        }
    });
    Ok(words.collect())
}

fn text<'f>(form: &'f Value, member: &str) -> Result<Option<&'f str>, Problem> {
    match &form[member] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(Problem::new(member, "must be a string")),
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
