use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value;

use super::json::{self, Malformed, Object};

/// How many bytes a document may have, before and after white space is dropped.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// A JSON object that is kept as it was said: every member, known or not, in its order, numbers
/// digit by digit. Only white space between tokens is dropped. A clone shares the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Document {
    text: Arc<str>,
}

impl Document {
    /// Reads a document strictly: see [`Malformed`] for what it must not be.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, Malformed> {
        Self::read(bytes.as_ref()).map(|(document, _)| document)
    }

    /// The same, and as a tree, which is good to look at but not faithful.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Value), Malformed> {
        bounded(bytes.len())?;
        let text = str::from_utf8(bytes).map_err(|error| Malformed::NotUtf8 {
            offset: error.valid_up_to(),
        })?;
        let (text, value) = json::read(text)?;
        let found = match value {
            Value::Object(_) => return Ok((Self { text: text.into() }, value)),
            Value::Array(_) => "an array",
            Value::String(_) => "a string",
            Value::Number(_) => "a number",
            Value::Bool(_) => "a boolean",
            Value::Null => "null",
        };
        Err(Malformed::NotAnObject { found })
    }

    /// The document as JSON without white space.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it says, as a tree: for programs, since it may say large numbers less exactly.
    pub fn to_value(&self) -> Value {
        let (_, value) = json::read(&self.text).expect("a document was read before");
        value
    }

    /// The value of a top-level member, as JSON.
    pub fn get(&self, name: &str) -> Option<&str> {
        json::member(&self.text, name)
    }

    /// The text of a top-level member that is a string.
    pub fn get_str(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).and_then(json::decode)
    }

    /// The names of the top-level members, in their order.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        json::members(&self.text).filter_map(|(key, _)| json::decode(key))
    }

    /// Gives a top-level member a value, said as JSON: in its place if it is there, or as the last.
    pub fn set(&mut self, name: &str, json: &str) -> Result<(), Malformed> {
        let (value, _) = json::read(json)?;
        let mut object = Object::of(&self.text);
        object.set(name, value);
        let text = object.print();
        // Inside the document, the value lies one deeper than by itself.
        *self = Self::parse(text)?;
        Ok(())
    }

    /// Takes a top-level member out. Whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let mut object = Object::of(&self.text);
        let is_removed = object.remove(name);
        if is_removed {
            self.text = object.print().into();
        }
        is_removed
    }

    /// The document after a merge patch [RFC 7396].
    pub fn merged(&self, patch: &Self) -> Result<Self, Malformed> {
        Self::assembled(json::merge(&self.text, &patch.text))
    }

    /// Of a text that was put together from documents, and so needs only to be small enough.
    pub(crate) fn assembled(text: String) -> Result<Self, Malformed> {
        bounded(text.len())?;
        Ok(Self { text: text.into() })
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn bounded(bytes: usize) -> Result<(), Malformed> {
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(Malformed::TooLarge {
            bytes,
            bytes_max: DOCUMENT_BYTES_MAX,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    #[test]
    fn members_are_read_changed_and_removed() {
        let mut lamp = document(r#"{ "title": "Lämp", "x:y": 1.10, "id": "urn:a\u0062" }"#);
        assert_eq!(lamp.get("x:y"), Some("1.10"));
        assert_eq!(lamp.get_str("id").unwrap(), "urn:ab");
        assert_eq!(lamp.get_str("x:y"), None);
        assert_eq!(lamp.names().collect::<Vec<_>>(), ["title", "x:y", "id"]);
        lamp.set("title", r#" { "en" : "Lamp" } "#).unwrap();
        lamp.set("last", "2e1").unwrap();
        assert!(lamp.remove("id") && !lamp.remove("id"));
        assert_eq!(
            lamp.as_str(),
            r#"{"title":{"en":"Lamp"},"x:y":1.10,"last":2e1}"#
        );
        assert_eq!(lamp.to_value()["last"], 20.0);
    }

    #[test]
    fn what_is_set_must_be_json_and_fit() {
        let mut lamp = document("{}");
        assert!(lamp.set("a", "1,\"b\":2").is_err());
        let deep = format!(
            "{}{}",
            "[".repeat(json::DEPTH_MAX),
            "]".repeat(json::DEPTH_MAX)
        );
        assert!(lamp.set("a", &deep).is_err());
        let long = format!("\"{}\"", "x".repeat(DOCUMENT_BYTES_MAX - 8));
        assert!(lamp.set("a", &long).is_ok());
        assert_eq!(
            lamp.set("b", "\"\"").unwrap_err().to_string(),
            "the document has 1048583 bytes; at most 1048576 are allowed"
        );
        let patch = document(r#"{"b":[1,2,3]}"#);
        assert!(matches!(
            lamp.merged(&patch),
            Err(Malformed::TooLarge { .. })
        ));
    }

    #[test]
    fn what_is_no_object_is_no_document() {
        let said = |text: &[u8]| Document::parse(text).unwrap_err().to_string();
        assert_eq!(
            said(b"[]"),
            "the document is an array; it must be a JSON object"
        );
        assert_eq!(
            said(b"{\"a\":\"\xff\"}"),
            "the byte at offset 6 is not UTF-8; JSON must be"
        );
        assert_eq!(
            said(&vec![b' '; 5_000_000]),
            "the document has 5000000 bytes; at most 1048576 are allowed"
        );
    }
}
