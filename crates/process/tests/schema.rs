//! Our reader against the language's official schema: on every definition here, whole and with each
//! of its parts changed, both say the same.

use quartet_process::{language, yaml};
use serde_json::{Value, json};

const FLOWS: [(&str, &str); 7] = [
    (
        "1a-office-switch",
        include_str!("flows/1a-office-switch.yaml"),
    ),
    (
        "1b-office-comfort",
        include_str!("flows/1b-office-comfort.yaml"),
    ),
    ("2-drip-alarm", include_str!("flows/2-drip-alarm.yaml")),
    ("3-crash", include_str!("flows/3-crash.yaml")),
    ("4-best-before", include_str!("flows/4-best-before.yaml")),
    ("4b-pull-lot", include_str!("flows/4b-pull-lot.yaml")),
    ("whole", include_str!("flows/whole.yaml")),
];

fn json_of(text: &str) -> Value {
    yaml::read(text).expect("it is YAML").to_json()
}

fn schema() -> jsonschema::Validator {
    let schema = json_of(include_str!("workflow.schema.yaml"));
    jsonschema::draft202012::new(&schema).expect("the schema is one")
}

fn problems(text: &str) -> Vec<String> {
    match language::read(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_sample_is_read_and_printed_back() {
    for (name, text) in FLOWS {
        assert_eq!(problems(text), Vec::<String>::new(), "{name}");
        assert!(schema().is_valid(&json_of(text)), "{name}");
        let printed = yaml::print(&yaml::read(text).unwrap());
        assert_eq!(
            yaml::read(&printed).unwrap(),
            yaml::read(text).unwrap(),
            "{printed}"
        );
        assert_eq!(problems(&printed), Vec::<String>::new(), "{name}");
    }
}

/// Where we are stricter than the schema, and why.
fn is_stricter(path: &str, changed: &Value) -> bool {
    let last = path.rsplit('/').next().unwrap_or("");
    let is_text = changed.as_str().is_some();
    // What nobody reads is a mistake: the schema leaves the root open.
    (path.matches('/').count() == 1 && last == "new")
        // Names of values must be such that an expression can name them.
        || (matches!(last, "each" | "at" | "as" | "item") && is_text)
        // Another version of the language is another language.
        || (last == "dsl" && is_text)
        || (last == "language" && path.contains("evaluate"))
        // Time does not go back.
        || changed.as_f64().is_some_and(|number| number < 0.0)
        // Formats, which the schema names and validators do not assert.
        || (matches!(last, "time" | "instance") && is_text)
        // An event without a type is none (CloudEvents 1.0, section 3.1).
        || path.ends_with("/emit/event")
        || path.ends_with("/emit/event/with")
        || path.ends_with("/emit/event/new")
        // One name, two readings: `asyncapi` and `mcp` are open where a name that nobody knows would be lost.
        || (last == "new" && (path.contains("/emit/event") || path.contains("/errors/")))
        // The schema has no `unevaluatedProperties` there; a wrong name would be lost.
        || (last == "new" && ["with", "transport", "client", "message", "request", "endpoints", "authentications", "subject", "stdio", "http", "until", "on", "correlate", "id", "two", "one", "three", "four", "five", "authentication", "schema"].iter().any(|open| path.ends_with(&format!("/{open}/new"))))
}

/// Where the schema refuses what the language has: an expression is text as well, so that exactly one
/// of "any text" and "an expression" never holds.
fn is_looser(path: &str, changed: &Value) -> bool {
    changed == &json!("${ .x }") && (path.ends_with("/time") || path.ends_with("/instance"))
}

fn changes(value: &Value, path: &str, each: &mut dyn FnMut(String, Change)) {
    let replacements = [
        json!(null),
        json!(true),
        json!(7),
        json!(1.5),
        json!(".x"),
        json!("${ .x }"),
        json!([]),
        json!({}),
        json!({"x": 1}),
        json!([{"x": {}}]),
    ];
    for replacement in replacements {
        each(path.to_owned(), Change::Replace(replacement));
    }
    match value {
        Value::Object(map) => {
            each(format!("{path}/new"), Change::Add);
            for (name, value) in map {
                let path = format!("{path}/{name}");
                each(path.clone(), Change::Remove);
                changes(value, &path, each);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                changes(value, &format!("{path}/{at}"), each);
            }
        }
        _ => {}
    }
}

enum Change {
    Replace(Value),
    Add,
    Remove,
}

fn apply(whole: &Value, path: &str, change: &Change) -> Value {
    let mut changed = whole.clone();
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", ""));
    if path.is_empty() {
        if let Change::Replace(value) = change {
            return value.clone();
        }
        return changed;
    }
    let mut at = &mut changed;
    for part in parent.split('/').skip(1) {
        at = match at {
            Value::Object(map) => map.get_mut(part).expect("the path is one"),
            Value::Array(list) => &mut list[part.parse::<usize>().expect("a number")],
            _ => unreachable!("only objects and lists have parts"),
        };
    }
    match (at, change) {
        (Value::Object(map), Change::Remove) => {
            map.remove(name);
        }
        (Value::Object(map), Change::Add) => {
            map.insert("new".to_owned(), json!("x"));
        }
        (Value::Object(map), Change::Replace(value)) => {
            map.insert(name.to_owned(), value.clone());
        }
        (Value::Array(list), Change::Replace(value)) => {
            list[name.parse::<usize>().expect("a number")] = value.clone();
        }
        _ => {}
    }
    changed
}

#[test]
fn whatever_is_changed_the_schema_and_the_reader_agree() {
    let schema = schema();
    let mut differences = Vec::new();
    let mut count = 0;
    for (name, text) in FLOWS {
        let whole = json_of(text);
        // Names with a slash are rare enough to leave out.
        changes(&whole, "", &mut |path, change| {
            let changed = apply(&whole, &path, &change);
            count += 1;
            let is_valid = schema.is_valid(&changed);
            let problems = problems(&changed.to_string());
            let new = match &change {
                Change::Replace(value) => value.clone(),
                _ => Value::Null,
            };
            // A name that goes missing goes missing where it is used: no schema sees that.
            let is_good = problems
                .iter()
                .all(|problem| problem.contains("there is no `$"));
            let is_excused = match is_valid {
                true => is_stricter(&path, &new),
                false => is_looser(&path, &new),
            };
            if is_good != is_valid && !is_excused {
                let what = match change {
                    Change::Replace(value) => format!("= {value}"),
                    Change::Add => "added".to_owned(),
                    Change::Remove => "removed".to_owned(),
                };
                let who = if is_valid {
                    "only we refuse"
                } else {
                    "only the schema refuses"
                };
                differences.push(format!("{name}{path} {what}: {who} {problems:?}"));
            }
        });
    }
    let shown = differences
        .iter()
        .take(40)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        differences.is_empty(),
        "{} of {count} differ:\n{shown}",
        differences.len()
    );
    assert!(1_000 < count, "there is something to compare: {count}");
}
