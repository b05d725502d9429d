use serde_json::Value;

use super::{elements, forms::AFFORDANCES, strings};
use crate::td::{
    model::Reference,
    problem::{Path, Problem},
};

/// Optional affordances are there [TD 1.1, section 9.3.4], and references are ones [section 9.3.3].
/// Whether they lead anywhere is seen when they are followed.
pub(super) fn check(tm: &Value, problems: &mut Vec<Problem>) {
    check_optional(tm, problems);
    check_references(tm, &mut Path::default(), problems);
}

fn check_optional(tm: &Value, problems: &mut Vec<Problem>) {
    // What a model inherits is known only when the other model is.
    if elements(tm, "links").any(|(_, link)| link["rel"] == "tm:extends") {
        return;
    }
    for (index, pointer) in strings(tm, "tm:optional").enumerate() {
        let kind = pointer.split('/').nth(1).unwrap_or_default();
        let is_affordance = AFFORDANCES.contains(&kind) && pointer.matches('/').count() == 2;
        if !is_affordance || tm.pointer(pointer).is_none() {
            let says = format!(
                "points to `{pointer}`, where no affordance is; it must be a JSON pointer to a \
                 property, action or event of this model, such as `/actions/toggle`"
            );
            problems.push(Problem::new(format!("tm:optional.{index}"), says));
        }
    }
}

fn check_references(json: &Value, path: &mut Path, problems: &mut Vec<Problem>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                path.push_name(name);
                match value {
                    Value::String(text) if name == "tm:ref" => {
                        check_reference(text, path, problems);
                    }
                    value => check_references(value, path, problems),
                }
                path.pop();
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                path.push_index(index);
                check_references(value, path, problems);
                path.pop();
            }
        }
        _ => {}
    }
}

fn check_reference(text: &str, path: &Path, problems: &mut Vec<Problem>) {
    if Reference::parse(text).is_none() {
        let says = format!(
            "is \"{text}\"; must be the address of a model, `#` and a JSON pointer, such as \
             `http://example.com/lamp.tm.jsonld#/properties/on`"
        );
        problems.push(Problem::new(path, says));
    }
}
