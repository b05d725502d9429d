//! The members of a form, one by one, or what is wrong with them.

use serde_json::{Map, Value};

use super::{Content, Op, Ops, Word};
use crate::{
    dialects::{sparkplug, typed::text_of},
    td::Problem,
};

/// The longest topic [MQTT 5.0, section 1.5.4].
const TOPIC_BYTES_MAX: usize = 65_535;

pub(super) fn decoded(topic: &str) -> Result<Box<str>, Problem> {
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

pub(super) fn content(form: &Value) -> Result<Content, Problem> {
    let said = text(form, "contentType")?.unwrap_or("application/json");
    let kind = said.split(';').next().unwrap_or_default().trim();
    Ok(match kind.to_ascii_lowercase().as_str() {
        "application/json" => Content::Json,
        "text/plain" => Content::Text,
        "application/cbor" => Content::Cbor,
        "application/senml+json" => Content::SenmlJson,
        "application/senml+cbor" => Content::SenmlCbor,
        "application/octet-stream" => Content::Bytes,
        sparkplug::CONTENT_TYPE => Content::Sparkplug,
        _ => {
            let says = format!(
                "is `{said}`; must be application/json, text/plain, application/cbor, application/senml+json, application/senml+cbor, application/octet-stream or {}",
                sparkplug::CONTENT_TYPE
            );
            return Err(Problem::new("contentType", says));
        }
    })
}

pub(super) fn ops(form: &Value) -> Result<Ops, Problem> {
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
pub(super) fn qos(form: &Value) -> Result<u8, Problem> {
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

pub(super) fn words(form: &Value) -> Result<Box<[Word]>, Problem> {
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

pub(super) fn text<'f>(form: &'f Value, member: &str) -> Result<Option<&'f str>, Problem> {
    match &form[member] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(Problem::new(member, "must be a string")),
    }
}
