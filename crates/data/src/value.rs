//! What can be noted of a payload: one value, or those of an object's members.

use serde_json::{Map, Value as Json};

/// Longer texts are no values that are compared over time.
pub const TEXT_BYTES_MAX: usize = 64;
/// Members of an object that are looked at.
const MEMBERS_MAX: usize = 16;
/// Longer objects are not looked at.
const OBJECT_BYTES_MAX: usize = 4096;

/// A value that is noted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'t> {
    /// A number, which is finite.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// A short text.
    Text(&'t str),
}

impl Value<'_> {
    /// The same as JSON. Whole numbers have no point.
    pub fn to_json(self) -> Json {
        /// From here on not every whole number is a number of 64 bits.
        const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Number(number) if number.fract() == 0.0 && number.abs() < WHOLE_MAX => {
                (number as i64).into()
            }
            Self::Number(number) => number.into(),
            Self::Bool(is) => is.into(),
            Self::Text(text) => text.into(),
        }
    }

    /// It as a number; a text is none.
    pub(crate) const fn as_number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bool(is) => Some(if is { 1.0 } else { 0.0 }),
            Self::Text(_) => None,
        }
    }
}

/// Gives each value of a payload that can be noted, with the JSON pointer at which it is: of numbers,
/// booleans and texts themselves (then the pointer is empty), of objects the members that are numbers or booleans.
/// What is no JSON is text.
pub(crate) fn each(payload: &[u8], mut note: impl FnMut(&str, Value<'_>)) {
    let payload = payload.trim_ascii();
    match payload {
        [] | [b'[', ..] | b"null" => {}
        b"true" => note("", Value::Bool(true)),
        b"false" => note("", Value::Bool(false)),
        [b'{', ..] => each_member(payload, note),
        [b'"', ..] => {
            // Quotes and escapes may be longer than what they stand for.
            if payload.len() <= 6 * TEXT_BYTES_MAX + 2
                && let Ok(Json::String(text)) = serde_json::from_slice(payload)
                && text.len() <= TEXT_BYTES_MAX
            {
                note("", Value::Text(&text));
            }
        }
        _ => {
            let Ok(text) = std::str::from_utf8(payload) else {
                return;
            };
            let is_number = matches!(payload[0], b'-' | b'0'..=b'9');
            let number = is_number.then(|| text.parse::<f64>().ok()).flatten();
            match number {
                Some(number) if number.is_finite() => note("", Value::Number(number)),
                Some(_) => {}
                None if text.len() <= TEXT_BYTES_MAX => note("", Value::Text(text)),
                None => {}
            }
        }
    }
}

fn each_member(payload: &[u8], mut note: impl FnMut(&str, Value<'_>)) {
    if OBJECT_BYTES_MAX < payload.len() {
        return;
    }
    let Ok(members) = serde_json::from_slice::<Map<String, Json>>(payload) else {
        return;
    };
    for (name, value) in members.iter().take(MEMBERS_MAX) {
        let value = match value {
            Json::Number(number) => number.as_f64().map(Value::Number),
            Json::Bool(is) => Some(Value::Bool(*is)),
            _ => None,
        };
        if let Some(value) = value {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            note(&pointer, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, expected: &[(&str, Json)]) {
        let mut found = Vec::new();
        each(payload.as_bytes(), |pointer, value| {
            found.push((pointer.to_owned(), value.to_json()));
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|(pointer, value)| ((*pointer).to_owned(), value.clone()))
            .collect();
        assert_eq!(found, expected, "{payload}");
    }

    #[test]
    fn numbers_booleans_and_short_texts_are_values() {
        check("21.5", &[("", 21.5.into())]);
        check(" -3\n", &[("", (-3).into())]);
        check("1e3", &[("", 1000.into())]);
        check("true", &[("", true.into())]);
        check(r#""heating""#, &[("", "heating".into())]);
        check(r#""\u00e4""#, &[("", "ä".into())]);
    }

    #[test]
    fn what_is_no_json_is_text() {
        check("ON", &[("", "ON".into())]);
        check("12:30", &[("", "12:30".into())]);
        check(
            &"x".repeat(TEXT_BYTES_MAX),
            &[("", "x".repeat(TEXT_BYTES_MAX).into())],
        );
    }

    #[test]
    fn of_an_object_numbers_and_booleans_are_values() {
        check(
            r#"{"used_bytes": 7, "a/b~c": 1.5, "on": true, "since": "today", "more": {"x": 1}}"#,
            &[
                ("/a~1b~0c", 1.5.into()),
                ("/on", true.into()),
                ("/used_bytes", 7.into()),
            ],
        );
    }

    #[test]
    fn what_is_too_long_or_no_value_is_left_out() {
        for payload in [
            "",
            "null",
            "[1,2]",
            "{",
            r#"{"a": []}"#,
            "1e999",
            "-inf",
            "\"",
        ] {
            check(payload, &[]);
        }
        check(&"x".repeat(TEXT_BYTES_MAX + 1), &[]);
        check(&format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX + 1)), &[]);
        check(
            &format!("{{\"a\": 1, \"b\": \"{}\"}}", "x".repeat(OBJECT_BYTES_MAX)),
            &[],
        );
        let mut found = Vec::new();
        each(&[0xff, 0xfe], |pointer, _| found.push(pointer.to_owned()));
        assert!(found.is_empty());
    }
}
