//! Messages as text: for people, and as one JSON object a line.

use std::io::Write as _;

use jiff::Zoned;
use quartet_fabric::mqtt::Publish;
use serde::{Serialize, de::IgnoredAny};

use super::properties::{MessageProperties, base64};

/// JSON up to this length stays on one line.
const ONE_LINE_BYTES: usize = 60;

/// Bytes that are no text are shown up to this many.
const HEX_BYTES_MAX: usize = 32;

const DIM: &str = "\x1b[2m";
const TOPIC: &str = "\x1b[1;36m";
const NOTE: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// What a payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Payload<'b> {
    Json(&'b str),
    Text(&'b str),
    Bytes(&'b [u8]),
}

impl<'b> Payload<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Err(_) => Self::Bytes(bytes),
            Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => Self::Json(text),
            // Control characters could do things to a terminal.
            Ok(text)
                if text
                    .chars()
                    .all(|c| !c.is_control() || "\n\t\r".contains(c)) =>
            {
                Self::Text(text)
            }
            Ok(_) => Self::Bytes(bytes),
        }
    }
}

/// Writes time, topic and payload, with what is unusual about the message.
pub(super) fn readable(publish: &Publish, at: &Zoned, in_colour: bool, out: &mut Vec<u8>) {
    let paint = |colour: &'static str| if in_colour { colour } else { "" };
    let (dim, topic, note, plain) = (paint(DIM), paint(TOPIC), paint(NOTE), paint(PLAIN));
    let time = at.strftime("%H:%M:%S%.3f");
    let name = printable(&publish.topic);
    let mut text = format!("{dim}{time}{plain} {topic}{name}{plain}");
    let notes = notes(publish);
    if !notes.is_empty() {
        text += &format!(" {note}({}){plain}", notes.join(", "));
    }
    match Payload::of(&publish.payload) {
        Payload::Bytes([]) | Payload::Text("") => text += &format!(" {dim}(empty){plain}"),
        Payload::Bytes(bytes) => {
            let shown = &bytes[..bytes.len().min(HEX_BYTES_MAX)];
            let hex: String = shown.iter().map(|byte| format!(" {byte:02x}")).collect();
            let more = if shown.len() < bytes.len() {
                " …"
            } else {
                ""
            };
            text += &format!(" {dim}{} bytes:{plain}{hex}{more}", bytes.len());
        }
        Payload::Json(json) if json.len() <= ONE_LINE_BYTES && !json.contains('\n') => {
            text += &format!(" {json}");
        }
        Payload::Json(json) => text += &format!("\n{}", lay_out(json)),
        Payload::Text(words) if words.contains('\n') => text += &format!("\n{words}"),
        Payload::Text(words) => text += &format!(" {words}"),
    }
    out.extend_from_slice(text.as_bytes());
    out.push(b'\n');
}

fn notes(publish: &Publish) -> Vec<String> {
    let mut notes = Vec::new();
    if publish.retain {
        notes.push("retained".to_owned());
    }
    if publish.qos.level() != 0 {
        notes.push(format!("QoS {}", publish.qos.level()));
    }
    let properties = MessageProperties::of_wire(&publish.properties);
    if let Some(kind) = properties.content_type {
        notes.push(printable(kind));
    }
    if let Some(topic) = properties.response_topic {
        notes.push(format!("answer to {}", printable(topic)));
    }
    if let Some(s) = publish.expiry_s {
        notes.push(format!("expires in {s} s"));
    }
    for (name, value) in properties.user {
        notes.push(format!("{}={}", printable(name), printable(value)));
    }
    notes
}

/// A name without characters that could do things to a terminal.
fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

/// JSON with line breaks and indents. Order and numbers stay as they were written.
fn lay_out(json: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut chars = json.chars().filter(|c| *c != '\r').peekable();
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth + 1));
    };
    out.push_str("  ");
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            c if c.is_ascii_whitespace() => {}
            '{' | '[' => {
                out.push(c);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[derive(Serialize)]
struct Head<'m> {
    time: String,
    topic: &'m str,
    qos: u8,
    retain: bool,
    #[serde(skip_serializing_if = "MessageProperties::is_empty")]
    properties: MessageProperties<'m>,
    /// What the payload is: `json`, `text` or `base64`.
    encoding: &'static str,
}

/// Writes one JSON object and a line break. A payload that is JSON is put in as it is.
pub(super) fn json(publish: &Publish, at: &Zoned, out: &mut Vec<u8>) {
    let payload = Payload::of(&publish.payload);
    let (encoding, payload) = match payload {
        // White space between the parts of JSON may be any; within them there is no line break.
        Payload::Json(json) => ("json", json.replace(['\n', '\r'], " ")),
        Payload::Text(text) => ("text", quoted(text)),
        Payload::Bytes(bytes) => ("base64", quoted(&base64(bytes))),
    };
    let head = Head {
        time: at.timestamp().to_string(),
        topic: &publish.topic,
        qos: publish.qos.level(),
        retain: publish.retain,
        properties: MessageProperties {
            expiry_s: publish.expiry_s,
            ..MessageProperties::of_wire(&publish.properties)
        },
        encoding,
    };
    let head = serde_json::to_string(&head).expect("a head of texts and numbers is always JSON");
    let head = head
        .strip_suffix('}')
        .expect("an object ends with its brace");
    writeln!(out, "{head},\"payload\":{payload}}}").expect("memory takes all bytes");
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is always JSON")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use quartet_fabric::mqtt::Property;
    use quartet_model::Qos;

    use super::*;

    fn message(payload: &'static [u8]) -> Publish {
        let mut properties = Vec::new();
        Property::UserProperty("from".into(), "ana}".into()).write(&mut properties);
        Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: true,
            topic: "ward/3".into(),
            packet_id: 7,
            alias: None,
            expiry_s: None,
            subscription_ids: Vec::new(),
            properties: properties.into(),
            payload: Bytes::from_static(payload),
        }
    }

    fn noon() -> Zoned {
        let at: Timestamp = "2026-01-02T12:00:00.5Z".parse().unwrap();
        at.to_zoned(jiff::tz::TimeZone::UTC)
    }

    #[track_caller]
    fn check_readable(payload: &'static [u8], expected: &str) {
        let mut out = Vec::new();
        readable(&message(payload), &noon(), false, &mut out);
        let text = String::from_utf8(out).unwrap();
        let head = "12:00:00.500 ward/3 (retained, QoS 1, from=ana})";
        assert_eq!(text, format!("{head}{expected}\n"));
    }

    #[test]
    fn people_see_what_a_payload_is() {
        check_readable(b"21.5", " 21.5");
        check_readable(b"all is well", " all is well");
        check_readable(b"", " (empty)");
        check_readable(&[0xFF, 0], " 2 bytes: ff 00");
        check_readable(b"\x1b[2Jgone", " 8 bytes: 1b 5b 32 4a 67 6f 6e 65");
    }

    #[test]
    fn long_json_is_laid_out_with_order_and_numbers_as_they_were() {
        check_readable(
            br#"{"z":1.10,"a":[1,2],"empty":{},"text":"a \"b\", {c}","long":"................"}"#,
            "\n  {\n    \"z\": 1.10,\n    \"a\": [\n      1,\n      2\n    ],\n    \"empty\": {},\n    \"text\": \"a \\\"b\\\", {c}\",\n    \"long\": \"................\"\n  }",
        );
    }

    #[track_caller]
    fn check_json(payload: &'static [u8], encoding: &str, expected: serde_json::Value) {
        let mut out = Vec::new();
        json(&message(payload), &noon(), &mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["encoding"], encoding);
        assert_eq!(value["payload"], expected);
        assert_eq!(value["topic"], "ward/3");
        assert_eq!(value["properties"]["user"][0][1], "ana}");
    }

    #[test]
    fn programs_get_one_object_a_line() {
        check_json(b"{\"a\":\n1}", "json", serde_json::json!({"a": 1}));
        check_json(b"all \"well\"", "text", serde_json::json!("all \"well\""));
        check_json(&[0xFF, 0], "base64", serde_json::json!("/wA="));
    }
}
