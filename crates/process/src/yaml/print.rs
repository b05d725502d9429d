use std::fmt::Write as _;

use super::{Node, What};

/// The same definition as YAML, in one way of writing: block style, two spaces, quotes only where
/// they are needed. [`read`](super::read()) gives the same value again.
pub fn print(node: &Node) -> String {
    let mut out = String::new();
    block(node, 0, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// A value that begins on a line of its own.
fn block(node: &Node, indent: usize, out: &mut String) {
    match &node.what {
        What::Map(map) if !map.entries.is_empty() => {
            for (at, (key, value)) in map.entries.iter().enumerate() {
                if 0 < at {
                    pad(indent, out);
                }
                out.push_str(&scalar(&key.name));
                out.push(':');
                after_name(value, indent, out);
            }
        }
        What::List(list) if !list.is_empty() => {
            for (at, value) in list.iter().enumerate() {
                if 0 < at {
                    pad(indent, out);
                }
                out.push_str("- ");
                block(value, indent + 2, out);
                end_line(out);
            }
        }
        _ => inline(node, indent, out),
    }
}

/// What stands after `name:`.
fn after_name(value: &Node, indent: usize, out: &mut String) {
    let is_empty = match &value.what {
        What::Map(map) => map.entries.is_empty(),
        What::List(list) => list.is_empty(),
        _ => true,
    };
    if is_empty {
        out.push(' ');
        inline(value, indent + 2, out);
    } else {
        out.push('\n');
        let indent = indent + 2;
        pad(indent, out);
        block(value, indent, out);
    }
    end_line(out);
}

fn inline(node: &Node, indent: usize, out: &mut String) {
    match &node.what {
        What::Null => out.push_str("null"),
        What::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
        What::Number(number) => {
            let _ = write!(out, "{number}");
        }
        What::Text(text) => match literal(&text.text, indent) {
            Some(lines) => out.push_str(&lines),
            None => out.push_str(&scalar(&text.text)),
        },
        What::List(_) => out.push_str("[]"),
        What::Map(_) => out.push_str("{}"),
    }
}

/// A text of several lines, kept as they are; `None` if that would not give the same text again.
fn literal(text: &str, indent: usize) -> Option<String> {
    let is_plain = text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|c| c == '\n' || is_printable(c))
        && text.lines().all(|line| line.trim_end() == line);
    if !is_plain || indent == 0 {
        return None;
    }
    let (body, chomping) = match text.strip_suffix('\n') {
        Some(body) if !body.ends_with('\n') => (body, ""),
        Some(_) => return None,
        None => (text, "-"),
    };
    let mut out = format!("|{chomping}");
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
    }
    out.push('\n');
    Some(out)
}

/// Text on one line, in quotes if it would be read as something else.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c if (c as u32) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08X}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

/// Whether text is read as that text without quotes.
fn is_plain(text: &str) -> bool {
    let is_indicator = |c: char| "-?:,[]{}#&*!|>'\"%@` ".contains(c);
    let first_is_good = text
        .chars()
        .next()
        .is_some_and(|c| !is_indicator(c) && c.is_ascii());
    first_is_good
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text
            .chars()
            .all(|c| is_printable(c) && !matches!(c, '{' | '}' | '[' | ']' | ','))
        && super::read(text).is_ok_and(|node| node.text() == Some(text))
}

/// Characters that need no escape; what YAML takes for the end of a line is none of them.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{FEFF}' | '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{FFFE}' | '\u{FFFF}'
        )
}

fn pad(indent: usize, out: &mut String) {
    out.push_str(&" ".repeat(indent));
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::yaml::read;

    #[track_caller]
    fn check(value: &Value) {
        // JSON is YAML.
        let node = read(&value.to_string()).unwrap_or_else(|problem| panic!("{problem}: {value}"));
        let text = print(&node);
        let again = read(&text).unwrap_or_else(|problem| panic!("{problem}\n{text}\n{value}"));
        assert_eq!(&again.to_json(), value, "{text}");
    }

    #[test]
    fn what_is_printed_reads_as_a_person_would_write_it() {
        let value = json!({"document": {"dsl": "1.0.3", "n": "no", "e": "${ {a: 1} }", "t": "one\ntwo\n"}, "do": [{"a": {"set": [[], {}, [1, [2]]]}}]});
        let text = print(&read(&value.to_string()).unwrap());
        // Here the names are in the order of the alphabet, since `json!` sorts them.
        let expected = "\
do:
  - a:
      set:
        - []
        - {}
        - - 1
          - - 2
document:
  dsl: 1.0.3
  e: '${ {a: 1} }'
  n: no
  t: |
    one
    two
";
        assert_eq!(text, expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~]{0,12}",
            "\\PC{0,8}",
            "[a\n #:'\"-]{0,10}",
            any::<String>()
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e6..1e6).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_printed_is_read_back(value in values()) {
            check(&value);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}|[-a:{}\\[\\],#&*!|>'\"%@` \n\t]{0,40}") {
            let _ = read(&text);
        }
    }
}
