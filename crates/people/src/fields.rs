//! Which fields of a payload somebody gets.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// All fields of a payload, or those at some JSON pointers (RFC 6901).
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, Debug)]
#[serde(untagged)]
pub enum Fields {
    /// All.
    #[serde(skip)]
    #[default]
    All,
    /// These, in order.
    Some(Arc<BTreeSet<Box<str>>>),
}

impl Fields {
    /// Those at these pointers.
    pub fn of<'p>(pointers: impl IntoIterator<Item = &'p str>) -> Self {
        Self::Some(Arc::new(pointers.into_iter().map(Box::from).collect()))
    }

    /// Whether nothing is left out.
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// The pointers, if not all.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let some = match self {
            Self::All => None,
            Self::Some(some) => Some(some.iter().map(|pointer| &**pointer)),
        };
        some.into_iter().flatten()
    }

    /// The fields of either.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Some(one), Self::Some(two)) => {
                Self::Some(Arc::new(one.union(two).cloned().collect()))
            }
            _ => Self::All,
        }
    }

    /// What of a payload is in these fields; `None` if nothing is, as of one that is no JSON. What
    /// an array has at a pointer keeps its place: what is left out before it is `null`.
    pub fn of_payload(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let Self::Some(some) = self else {
            return Some(payload.to_vec());
        };
        let whole: Value = serde_json::from_slice(payload).ok()?;
        let mut part = None;
        for pointer in some.iter() {
            if let Some(value) = whole.pointer(pointer) {
                put(part.get_or_insert(Value::Null), &whole, pointer, value);
            }
        }
        serde_json::to_vec(&part?).ok()
    }
}

/// Puts a value where a pointer says, with all that is around it as it is in the whole.
fn put(part: &mut Value, whole: &Value, pointer: &str, value: &Value) {
    let (mut at, mut model) = (part, whole);
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        match model {
            Value::Object(members) => {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                let Some((below, object)) = members.get(&token).zip(at.as_object_mut()) else {
                    return;
                };
                model = below;
                at = object.entry(token).or_insert(Value::Null);
            }
            Value::Array(items) => {
                let Ok(index) = token.parse::<usize>() else {
                    return;
                };
                if !at.is_array() {
                    *at = Value::Array(Vec::new());
                }
                let Some((below, array)) = items.get(index).zip(at.as_array_mut()) else {
                    return;
                };
                if array.len() <= index {
                    array.resize(index + 1, Value::Null);
                }
                model = below;
                at = &mut array[index];
            }
            _ => return,
        }
    }
    *at = value.clone();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pointers: &[&str], payload: &str, expected: Option<&str>) {
        let part = Fields::of(pointers.iter().copied()).of_payload(payload.as_bytes());
        let part = part.map(|part| serde_json::from_slice::<Value>(&part).unwrap());
        let expected = expected.map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(part, expected, "{pointers:?} of {payload}");
    }

    #[test]
    fn only_the_fields_that_are_named_are_left() {
        let payload = r#"{"name": "Ana", "position": {"lat": 1.5, "lon": 2}, "tags": ["a", "b"]}"#;
        check(&["/name"], payload, Some(r#"{"name": "Ana"}"#));
        check(
            &["/position/lat"],
            payload,
            Some(r#"{"position": {"lat": 1.5}}"#),
        );
        check(
            &["/position/lon", "/position/lat"],
            payload,
            Some(r#"{"position": {"lat": 1.5, "lon": 2}}"#),
        );
        check(&["/tags/1"], payload, Some(r#"{"tags": [null, "b"]}"#));
        check(
            &["/position", "/position/lat"],
            payload,
            Some(r#"{"position": {"lat": 1.5, "lon": 2}}"#),
        );
    }

    #[test]
    fn of_what_has_no_such_field_nothing_is_left() {
        check(&["/name"], r#"{"age": 3}"#, None);
        check(&["/name"], "21.5", None);
        check(&["/name"], "not JSON", None);
        check(&["/0/a"], "[1]", None);
    }

    #[test]
    fn names_with_slashes_are_written_as_the_standard_says() {
        check(
            &["/a~1b/~0c"],
            r#"{"a/b": {"~c": 1, "d": 2}}"#,
            Some(r#"{"a/b": {"~c": 1}}"#),
        );
    }
}
