use serde_json::{Map, Value};

use crate::td::Problem;

/// How deep a pointer may lead: no deeper than JSON that is read.
const STEPS_MAX: usize = 64;

/// A place in JSON [RFC 6901].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pointer(Box<str>);

impl Pointer {
    /// Reads a pointer that stands in a member `field`.
    pub(super) fn parse(field: &str, text: &str) -> Result<Self, Problem> {
        let wrong = |says: &str| Err(Problem::new(field, format!("is `{text}`; {says}")));
        if !text.is_empty() && !text.starts_with('/') {
            return wrong("must be a JSON Pointer, such as /state");
        }
        if STEPS_MAX < text.matches('/').count() {
            return wrong("leads too deep");
        }
        let mut after_tildes = text.split('~').skip(1);
        if after_tildes.any(|after| !after.starts_with(['0', '1'])) {
            return wrong("must say ~0 for ~ and ~1 for /");
        }
        Ok(Self(text.into()))
    }

    /// The pointer to a member.
    pub(super) fn to(names: &[&str]) -> String {
        let escaped = names
            .iter()
            .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        escaped.collect()
    }

    /// What is at the place.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        value.pointer(&self.0)
    }

    /// An object with the value at the place, and nothing else; the value itself if the pointer is
    /// empty.
    pub(super) fn place(&self, value: Value) -> Value {
        let steps = self.0.rsplit('/');
        let steps = steps.take(self.0.matches('/').count());
        steps.fold(value, |inner, step| {
            let name = step.replace("~1", "/").replace("~0", "~");
            Value::Object(Map::from_iter([(name, inner)]))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(pointer: &str, expected: Value) {
        let pointer = Pointer::parse("p", pointer).unwrap();
        let placed = pointer.place(json!(7));
        assert_eq!(placed, expected);
        assert_eq!(pointer.find(&placed), Some(&json!(7)));
    }

    #[test]
    fn a_value_is_found_where_it_was_put() {
        check("", json!(7));
        check("/state", json!({ "state": 7 }));
        check("/a/0/b", json!({ "a": { "0": { "b": 7 } } }));
        check("/", json!({ "": 7 }));
        check(&Pointer::to(&["a/b", "~1"]), json!({ "a/b": { "~1": 7 } }));
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for wrong in ["state", "/a~2", "/a~", &"/a".repeat(65)] {
            assert!(Pointer::parse("p", wrong).is_err(), "{wrong}");
        }
    }
}
