use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

use crate::td::json::DEPTH_MAX;

/// The type that a data schema names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Boolean,
    Integer,
    Number,
    String,
    Object,
    Array,
    Null,
}

impl Type {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::String,
            "object" => Self::Object,
            "array" => Self::Array,
            "null" => Self::Null,
            _ => return None,
        })
    }

    /// As it stands in a sentence.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Null => "null",
        }
    }

    /// The value as one of this type, if it can be taken for one: devices say `"21.5"` and `1`
    /// where `21.5` and `true` are meant.
    pub(super) fn take(self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Boolean, Value::Number(number)) => match number.as_f64()? {
                1.0 => Some(Value::Bool(true)),
                0.0 => Some(Value::Bool(false)),
                _ => None,
            },
            (Self::Boolean, Value::String(text)) => boolean(&text).map(Value::Bool),
            (Self::Integer, Value::Number(number)) => integer(number).map(Value::Number),
            (Self::Integer, Value::String(text)) => {
                number(&text).and_then(integer).map(Value::Number)
            }
            (Self::Number, Value::String(text)) => number(&text).map(Value::Number),
            (Self::String, scalar @ (Value::Bool(_) | Value::Number(_))) => {
                Some(Value::String(scalar.to_string()))
            }
            (Self::Object | Self::Array, Value::String(text)) => {
                let value = serde_json::from_str(&text).ok()?;
                self.is(&value).then_some(value)
            }
            (_, value) => self.is(&value).then_some(value),
        }
    }

    fn is(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Integer | Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Null => value.is_null(),
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| {
        words
            .iter()
            .any(|word| text.trim().eq_ignore_ascii_case(word))
    };
    match () {
        () if is(["true", "on", "yes", "1"]) => Some(true),
        () if is(["false", "off", "no", "0"]) => Some(false),
        () => None,
    }
}

/// The number that a text says.
pub(super) fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    // What Rust would read, too, but no device means: `inf`, `nan`, `infinity`.
    if text.contains(|c: char| c.is_ascii_alphabetic() && !c.eq_ignore_ascii_case(&'e')) {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

fn integer(number: Number) -> Option<Number> {
    /// Above, a float says no integer exactly.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if !number.is_f64() {
        return Some(number);
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then(|| (float as i64).into())
}

/// A scalar as the payload of a text, or a word of it.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// CBOR as JSON [RFC 8949, section 6.1]: bytes as base64url; tags do not matter; what JSON cannot
/// say is null.
pub(super) fn json_of(cbor: Cbor) -> Value {
    match cbor {
        Cbor::Integer(integer) => {
            let integer = i128::from(integer);
            match i64::try_from(integer) {
                Ok(integer) => integer.into(),
                Err(_) => u64::try_from(integer).map_or(Value::Null, Into::into),
            }
        }
        Cbor::Bytes(bytes) => URL_SAFE_NO_PAD.encode(bytes).into(),
        Cbor::Float(float) => Number::from_f64(float).map_or(Value::Null, Value::Number),
        Cbor::Text(text) => text.into(),
        Cbor::Bool(boolean) => boolean.into(),
        Cbor::Tag(_, inner) => json_of(*inner),
        Cbor::Array(elements) => elements.into_iter().map(json_of).collect(),
        Cbor::Map(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (text_of(&json_of(name)), json_of(value)));
            Value::Object(Map::from_iter(members))
        }
        _ => Value::Null,
    }
}

/// JSON as CBOR.
pub(super) fn cbor_of(json: &Value) -> Cbor {
    match json {
        Value::Null => Cbor::Null,
        Value::Bool(boolean) => Cbor::Bool(*boolean),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Cbor::Integer(integer.into()),
            (_, Some(integer)) => Cbor::Integer(integer.into()),
            _ => Cbor::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(elements) => Cbor::Array(elements.iter().map(cbor_of).collect()),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (Cbor::Text(name.clone()), cbor_of(value)));
            Cbor::Map(members.collect())
        }
    }
}

/// One item of CBOR, and nothing after it.
pub(super) fn read_cbor(mut bytes: &[u8]) -> Result<Cbor, String> {
    let read = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH_MAX);
    let item = read.map_err(|error| error.to_string())?;
    if !bytes.is_empty() {
        return Err(format!("{} bytes follow it", bytes.len()));
    }
    Ok(item)
}

/// The bytes of an item of CBOR.
pub(super) fn write_cbor(item: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(item, &mut bytes).expect("a vector takes all that is written");
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, value: Value, expected: Option<Value>) {
        assert_eq!(Type::of(name).unwrap().take(value), expected);
    }

    #[test]
    fn what_can_be_meant_is_taken() {
        check("number", json!(" 21.5\n"), Some(json!(21.5)));
        check("number", json!("-7"), Some(json!(-7)));
        check("integer", json!(3.0), Some(json!(3)));
        check("boolean", json!("Off"), Some(json!(false)));
        check("boolean", json!(1), Some(json!(true)));
        check("string", json!(4.5), Some(json!("4.5")));
        check("object", json!("{\"a\":1}"), Some(json!({ "a": 1 })));
    }

    #[test]
    fn what_cannot_be_meant_is_not() {
        check("number", json!("nan"), None);
        check("number", json!("infinity"), None);
        check("number", json!(true), None);
        check("integer", json!(3.5), None);
        check("boolean", json!(2), None);
        check("boolean", json!("open"), None);
        check("string", json!({}), None);
        check("array", json!("{}"), None);
    }

    #[test]
    fn json_survives_cbor() {
        let value = json!({ "a": [1, -1, 1.5, u64::MAX, "x", null, true] });
        let read = read_cbor(&write_cbor(&cbor_of(&value))).unwrap();
        assert_eq!(json_of(read), value);
        assert!(read_cbor(b"\x01\x02").is_err());
        assert!(read_cbor(&[0x81; 10_000]).is_err());
        assert!(read_cbor(&[0xc1; 10_000]).is_err());
    }
}
