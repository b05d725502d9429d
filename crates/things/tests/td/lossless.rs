use std::{collections::HashMap, fs};

use proptest::{collection::vec, prelude::*};
use quartet_things::td::Document;
use serde_json::value::RawValue;

use super::{playground::examples, vectors};

#[test]
fn every_example_is_kept_term_by_term() {
    let files = examples().into_iter().chain(vectors(""));
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let mut kept = 0;
    for path in files {
        let text = fs::read_to_string(&path).expect("an example is there");
        let document = match Document::parse(&text) {
            Ok(document) => document,
            Err(malformed) => {
                let said = malformed.to_string();
                assert!(
                    said.contains("names must be unique"),
                    "{}: {said}",
                    path.display()
                );
                continue;
            }
        };
        check(&text, &document);
        kept += 1;
    }
    assert_eq!(kept, 118);
}

/// What was read prints as what was said, but for white space, and reads as what it prints.
#[track_caller]
pub(super) fn check(text: &str, document: &Document) {
    assert_eq!(tokens(document.as_str()), tokens(text));
    let again = Document::parse(document.as_str()).expect("what was printed can be read");
    assert_eq!(again.as_str(), document.as_str());
    // Another reader finds the same text for each member.
    let raw: HashMap<String, &RawValue> =
        serde_json::from_str(document.as_str()).expect("a document is JSON");
    for name in document.names() {
        assert_eq!(document.get(&name), Some(raw[&*name].get()));
    }
}

/// The text without white space between tokens, cut most simply.
fn tokens(text: &str) -> String {
    let mut kept = String::new();
    let (mut in_string, mut is_escaped) = (false, false);
    for char in text.trim_start_matches('\u{feff}').chars() {
        if in_string || !char.is_ascii_whitespace() {
            kept.push(char);
        }
        match char {
            '"' if !is_escaped => in_string = !in_string,
            _ => {}
        }
        is_escaped = in_string && char == '\\' && !is_escaped;
    }
    kept
}

/// A name or text in quotes, with escapes that other writers would write otherwise.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z@:é✓ ]{0,6}",
        Just(r"\u00e9".to_owned()),
        Just(r"\ud83d\ude00".to_owned()),
        Just(r#"\"\\\/\b\f\n\r\t"#.to_owned()),
    ];
    vec(part, 0..3).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][-+]?[0-9]{1,4})?",
        Just("1.10".to_owned()),
        Just("1e400".to_owned()),
        Just("1180591620717411303424".to_owned()),
    ]
}

/// White space that may stand between tokens.
fn space() -> impl Strategy<Value = String> {
    "[ \n\t]{0,2}"
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        string(),
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..5), space())
                .prop_map(|(all, space)| format!("[{space}{}{space}]", all.join(","))),
            object(inner),
        ]
    })
}

/// Names have a number in front, so that each stands once.
fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((string(), value, space()), 0..5).prop_map(|members| {
        let members = members.iter().enumerate();
        let members: Vec<String> = members
            .map(|(index, (name, value, space))| {
                format!("{space}\"{index}{}{space}:{value}{space}", &name[1..])
            })
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn any_document_is_kept_term_by_term(text in object(json())) {
        let document = Document::parse(&text).expect("it is JSON");
        check(&text, &document);
    }

    #[test]
    fn what_is_set_is_there_and_the_rest_stays(text in object(json()), value in json()) {
        let before = Document::parse(&text).expect("it is JSON");
        let mut after = before.clone();
        after.set("new", &value).expect("it is small");
        let expected = tokens(&value);
        prop_assert_eq!(after.get("new"), Some(expected.as_str()));
        prop_assert!(after.remove("new"));
        prop_assert_eq!(after.as_str(), before.as_str());
    }

    #[test]
    fn a_merge_does_what_the_rfc_does_with_trees(target in object(json()), patch in object(json())) {
        let (target, patch) = (Document::parse(&target), Document::parse(&patch));
        let (target, patch) = (target.expect("it is JSON"), patch.expect("it is JSON"));
        let merged = target.merged(&patch).expect("it is small");
        let mut tree = target.to_value();
        merge(&mut tree, &patch.to_value());
        prop_assert_eq!(merged.to_value(), tree);
    }
}

/// RFC 7396 section 2, word by word.
fn merge(target: &mut serde_json::Value, patch: &serde_json::Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = serde_json::json!({});
    }
    let target = target.as_object_mut().expect("it was made one");
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(serde_json::Value::Null), value);
        }
    }
}
