use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::td::{
    document::DOCUMENT_BYTES_MAX,
    json::{self, rewrite},
};

/// The names of all placeholders in a text of JSON.
pub(super) fn names(json: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    rewrite(json, &mut |_, value| {
        let text = json::decode(value)?;
        let mut rest = &*text;
        while let Some((_, name, after)) = next(rest) {
            names.insert(name.to_owned());
            rest = after;
        }
        None
    });
    names
}

/// The JSON with all placeholders replaced that have a value. Where a text is nothing but a
/// placeholder, the value takes its place; inside of a text, its text does.
pub(super) fn fill(json: &str, values: &Map<String, Value>) -> String {
    rewrite(json, &mut |_, value| {
        if !value.contains("{{") {
            return None;
        }
        let text = json::decode(value)?;
        if let Some(("", name, "")) = next(&text) {
            return values.get(name).map(Value::to_string);
        }
        Some(json::encode(&fill_text(&text, values)))
    })
}

fn fill_text(text: &str, values: &Map<String, Value>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while filled.len() <= DOCUMENT_BYTES_MAX
        && let Some((before, name, after)) = next(rest)
    {
        filled.push_str(before);
        match values.get(name) {
            Some(Value::String(value)) => filled.push_str(value),
            Some(value) => filled.push_str(&value.to_string()),
            None => filled.push_str(&rest[before.len()..rest.len() - after.len()]),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// What stands before the first placeholder, its name, and what stands behind it. The name is of
/// printable ASCII [TD 1.1, section 9.3.5].
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        let (name, after) = text[open + 2..].split_once("}}")?;
        if !name.is_empty() && name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Some((&text[..open], name, after));
        }
        from = open + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str =
        r#"{"{{KEY}}":"{{A}}","b":["no {{A}}, {{B C}}{{A}}",{"c":"{{}} {{é}} {{D"}],"n":1.10}"#;

    #[test]
    fn placeholders_are_found_in_values() {
        let found: Vec<_> = names(TEXT).into_iter().collect();
        assert_eq!(found, ["A", "B C"]);
    }

    #[test]
    fn a_value_keeps_its_type_where_it_stands_alone() {
        let Value::Object(values) = json!({"A": 7, "B C": "x\"{{A}}"}) else {
            unreachable!("an object");
        };
        let expected = r#"{"{{KEY}}":7,"b":["no 7, x\"{{A}}7",{"c":"{{}} {{é}} {{D"}],"n":1.10}"#;
        assert_eq!(fill(TEXT, &values), expected);
        let untouched = fill(TEXT, &Map::new());
        assert_eq!(untouched, TEXT);
    }
}
