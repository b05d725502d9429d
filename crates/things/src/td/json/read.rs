use std::{borrow::Cow, collections::BTreeSet};

use serde_json::{Map, Number, Value};
use thiserror::Error;

use crate::td::problem::Path;

/// How deep objects and arrays may nest.
pub const DEPTH_MAX: usize = 64;

/// Why bytes are not a JSON document that we keep.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Malformed {
    /// More bytes than a document may have.
    #[error("the document has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        bytes_max: usize,
    },
    /// Not text [RFC 8259 section 8.1].
    #[error("the byte at offset {offset} is not UTF-8; JSON must be")]
    NotUtf8 {
        /// Where the first wrong byte is, from 0.
        offset: usize,
    },
    /// Not the grammar of JSON [RFC 8259 section 2].
    #[error("line {line}, column {column}: expected {expected}, found {found}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// Objects and arrays within each other, beyond [`DEPTH_MAX`].
    #[error("line {line}, column {column}: nested more than {DEPTH_MAX} deep, in `{field}`")]
    TooDeep {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What holds it, as [`Problem::field`](crate::td::Problem::field).
        field: String,
    },
    /// Two members of an object have one name. Readers would disagree on which is meant.
    #[error(
        "line {line}, column {column}: `{key}` stands twice in `{field}`; names must be unique"
    )]
    Duplicate {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The name.
        key: String,
        /// What holds it, as [`Problem::field`](crate::td::Problem::field).
        field: String,
    },
    /// An array, a string, a number…
    #[error("the document is {found}; it must be a JSON object")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
}

/// Reads one JSON value, strictly: its text without white space, and the same as a tree.
///
/// Only the text is faithful. In the tree, what no `f64` can hold became the nearest that one can.
pub(crate) fn read(text: &str) -> Result<(String, Value), Malformed> {
    // A reader may ignore a byte order mark [RFC 8259 section 8.1].
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        text,
        at: 0,
        compact: String::with_capacity(text.len()),
        path: Path::default(),
    };
    let value = reader.value()?;
    reader.skip_space();
    match reader.peek() {
        None => Ok((reader.compact, value)),
        Some(_) => Err(reader.expected("the end of the document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    compact: String,
    path: Path,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value, Malformed> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                let text = self.string()?;
                Ok(Value::String(text.into_owned()))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn object(&mut self) -> Result<Value, Malformed> {
        self.open()?;
        let mut keys = BTreeSet::new();
        let mut members = Map::new();
        while !self.closes(b'}', keys.is_empty(), "`,` or `}`")? {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a name in quotes"));
            }
            let start = self.at;
            let key = self.string()?;
            if keys.contains(&key) {
                return Err(self.duplicate(start, &key));
            }
            self.skip_space();
            self.take(b':', "`:`")?;
            self.path.push_name(&key);
            members.insert(key.clone().into_owned(), self.value()?);
            self.path.pop();
            keys.insert(key);
        }
        Ok(Value::Object(members))
    }

    fn array(&mut self) -> Result<Value, Malformed> {
        self.open()?;
        let mut elements = Vec::new();
        while !self.closes(b']', elements.is_empty(), "`,` or `]`")? {
            self.path.push_index(elements.len());
            elements.push(self.value()?);
            self.path.pop();
        }
        Ok(Value::Array(elements))
    }

    /// Takes the bracket that opens an object or an array.
    fn open(&mut self) -> Result<(), Malformed> {
        if self.path.len() == DEPTH_MAX {
            let (line, column) = self.position(self.at);
            return Err(Malformed::TooDeep {
                line,
                column,
                field: self.path.to_string(),
            });
        }
        self.keep(1);
        Ok(())
    }

    /// Takes what stands after an element: the closing bracket, or the comma before the next.
    fn closes(
        &mut self,
        bracket: u8,
        is_first: bool,
        expected: &'static str,
    ) -> Result<bool, Malformed> {
        self.skip_space();
        if self.peek() == Some(bracket) {
            self.keep(1);
            return Ok(true);
        }
        if !is_first {
            self.take(b',', expected)?;
        }
        Ok(false)
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(self.expected(expected));
        }
        self.keep(1);
        Ok(())
    }

    fn literal(&mut self, word: &'static str, value: Value) -> Result<Value, Malformed> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a JSON value"));
        }
        self.keep(word.len());
        Ok(value)
    }

    /// A string, decoded.
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        let mut is_escaped = false;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_escaped = true;
                    end += self.escape(end)?;
                }
                Some(0x20..) => end += 1,
                Some(_) => return Err(self.expected_at(end, "an escape like `\\n`")),
                None => return Err(self.expected_at(end, "`\"`, the end of the string")),
            }
        }
        let start = self.at;
        self.keep(end + 1 - start);
        if !is_escaped {
            return Ok(Cow::Borrowed(&self.text[start + 1..end]));
        }
        // The escapes are well-formed; what may still be wrong is half of a surrogate pair.
        let decoded = serde_json::from_str(&self.text[start..=end]);
        decoded
            .map(Cow::Owned)
            .map_err(|_| self.expected_at(start, "a string whose surrogates are in pairs"))
    }

    /// How long the escape at an offset is.
    fn escape(&self, at: usize) -> Result<usize, Malformed> {
        let rest = &self.text.as_bytes()[at..];
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') if rest.len() >= 6 && rest[2..6].iter().all(u8::is_ascii_hexdigit) => Ok(6),
            _ => Err(self.expected_at(at, "an escape that JSON knows")),
        }
    }

    fn number(&mut self) -> Result<Value, Malformed> {
        let bytes = self.text.as_bytes();
        let digits = |from: usize| {
            bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut end = self.at + usize::from(bytes[self.at] == b'-');
        let whole = digits(end);
        if whole == 0 || whole > 1 && bytes[end] == b'0' {
            return Err(self.expected("a number without leading zeros"));
        }
        end += whole;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return Err(self.expected_at(end + 1, "a digit"));
            }
            end += 1 + fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits((end + 1 + sign).min(bytes.len()));
            if exponent == 0 {
                return Err(self.expected_at(end + 1 + sign, "a digit"));
            }
            end += 1 + sign + exponent;
        }
        let text = &self.text[self.at..end];
        self.keep(text.len());
        Ok(Value::Number(nearest(text)))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Goes on by some bytes, which stay.
    fn keep(&mut self, bytes: usize) {
        self.compact.push_str(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    fn expected(&self, expected: &'static str) -> Malformed {
        self.expected_at(self.at, expected)
    }

    fn expected_at(&self, at: usize, expected: &'static str) -> Malformed {
        let (line, column) = self.position(at);
        let found = match self.text[at.min(self.text.len())..].chars().next() {
            None => "the end of the document".to_owned(),
            Some(char) if char.is_control() => format!("the control character {:?}", char),
            Some(char) => format!("`{char}`"),
        };
        Malformed::Syntax {
            line,
            column,
            expected,
            found,
        }
    }

    fn duplicate(&self, at: usize, key: &str) -> Malformed {
        let (line, column) = self.position(at);
        Malformed::Duplicate {
            line,
            column,
            key: key.to_owned(),
            field: self.path.to_string(),
        }
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let lines = before.bytes().filter(|&byte| byte == b'\n').count();
        (lines + 1, before[line_start..].chars().count() + 1)
    }
}

/// The number that a program can hold and that is nearest to what a number's text says.
fn nearest(text: &str) -> Number {
    if let Ok(number) = serde_json::from_str(text) {
        return number;
    }
    let float: f64 = text.parse().unwrap_or_default();
    Number::from_f64(float.clamp(f64::MIN, f64::MAX)).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let said = match read(text) {
            Ok((compact, _)) => compact,
            Err(malformed) => malformed.to_string(),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn only_white_space_is_lost() {
        check(
            "\u{feff} {\"b\" : [ 1.10 , 1e400,-0 , 1180591620717411303424 ],\n\t\"a b\":\"\\u00e9 \\/\",\"\":{} }\n",
            r#"{"b":[1.10,1e400,-0,1180591620717411303424],"a b":"\u00e9 \/","":{}}"#,
        );
        check(" null ", "null");
        check("[true,false,{}]", "[true,false,{}]");
    }

    #[test]
    fn a_number_that_no_program_can_hold_becomes_the_nearest_in_the_tree() {
        assert_eq!(read("1e400").unwrap().1, Value::from(f64::MAX));
        assert_eq!(read("-1e400").unwrap().1, Value::from(f64::MIN));
        assert_eq!(
            read("18446744073709551615").unwrap().1,
            Value::from(u64::MAX)
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases = [
            (
                "",
                "line 1, column 1: expected a JSON value, found the end of the document",
            ),
            (
                "{\n  \"a\": 1,\n}",
                "line 3, column 1: expected a name in quotes, found `}`",
            ),
            ("{\"é\" 1}", "line 1, column 6: expected `:`, found `1`"),
            ("[1 2]", "line 1, column 4: expected `,` or `]`, found `2`"),
            (
                "{\"a\":1",
                "line 1, column 7: expected `,` or `}`, found the end of the document",
            ),
            (
                "[01]",
                "line 1, column 2: expected a number without leading zeros, found `0`",
            ),
            (
                "[-]",
                "line 1, column 2: expected a number without leading zeros, found `-`",
            ),
            ("[1.]", "line 1, column 4: expected a digit, found `]`"),
            (
                "1e",
                "line 1, column 3: expected a digit, found the end of the document",
            ),
            (
                "[tru]",
                "line 1, column 2: expected a JSON value, found `t`",
            ),
            ("'a'", "line 1, column 1: expected a JSON value, found `'`"),
            (
                "\"a",
                "line 1, column 3: expected `\"`, the end of the string, found the end of the document",
            ),
            (
                "\"a\nb\"",
                "line 1, column 3: expected an escape like `\\n`, found the control character '\\n'",
            ),
            (
                r#""\x""#,
                "line 1, column 2: expected an escape that JSON knows, found `\\`",
            ),
            (
                r#""\u12""#,
                "line 1, column 2: expected an escape that JSON knows, found `\\`",
            ),
            (
                r#""\ud800""#,
                "line 1, column 1: expected a string whose surrogates are in pairs, found `\"`",
            ),
            (
                "{} {}",
                "line 1, column 4: expected the end of the document, found `{`",
            ),
        ];
        for (text, expected) in cases {
            check(text, expected);
        }
    }

    #[test]
    fn a_name_stands_once_however_it_is_written() {
        check(
            "{\"a\":{\"b\":[{}, {\"c\":1,\"d\":2,\n\"\\u0063\":3}]}}",
            "line 2, column 1: `c` stands twice in `a.b.1`; names must be unique",
        );
        check(
            r#"{"a":1,"a":1}"#,
            "line 1, column 8: `a` stands twice in `(root)`; names must be unique",
        );
        check(r#"{"a":{"a":1}}"#, r#"{"a":{"a":1}}"#);
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(&deep(DEPTH_MAX), &deep(DEPTH_MAX));
        let field = vec!["0"; DEPTH_MAX].join(".");
        check(
            &deep(DEPTH_MAX + 1),
            &format!("line 1, column 65: nested more than 64 deep, in `{field}`"),
        );
        assert!(read(&"[".repeat(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn what_another_reader_takes_is_read_the_same(
            text in r#"([\[\]{}:, ]|"[ab]?(\\[nu"]|\\u00e9)?"|-?[0-9]{1,2}(\.[0-9])?([eE][+-]?[0-9])?|true|null|\t)*"#
        ) {
            let other = serde_json::from_str::<Value>(&text);
            match (read(&text), other) {
                (Ok((compact, tree)), Ok(other)) => {
                    prop_assert_eq!(&tree, &other);
                    prop_assert_eq!(serde_json::from_str::<Value>(&compact).unwrap(), other);
                    prop_assert_eq!(read(&compact).unwrap(), (compact, tree));
                }
                (Err(Malformed::Duplicate { .. }), Ok(_)) | (Err(_), Err(_)) => {}
                (ours, other) => prop_assert!(false, "{ours:?}, but {other:?}"),
            }
        }
    }
}
