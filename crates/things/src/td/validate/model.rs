use serde_json::Value;

use super::{elements, forms::AFFORDANCES, strings};
use crate::td::{
    model::Reference,
    problem::{Path, Problem},
};

/// Optional affordances are there [TD 1.1, section 9.3.4], and references can be followed
/// [section 9.3.3].
pub(super) fn check(tm: &Value, problems: &mut Vec<Problem>) {
    check_optional(tm, problems);
    check_references(tm, tm, &mut Path::default(), problems);
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

fn check_references(tm: &Value, json: &Value, path: &mut Path, problems: &mut Vec<Problem>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                path.push_name(name);
                match value {
                    Value::String(text) if name == "tm:ref" => {
                        check_reference(tm, text, path, problems);
                    }
                    value => check_references(tm, value, path, problems),
                }
                path.pop();
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                path.push_index(index);
                check_references(tm, value, path, problems);
                path.pop();
            }
        }
        _ => {}
    }
}

fn check_reference(tm: &Value, text: &str, path: &Path, problems: &mut Vec<Problem>) {
    let says = match Reference::parse(text) {
        None => format!(
            "is \"{text}\"; must be the address of a model, `#` and a JSON pointer, such as \
             `http://example.com/lamp.tm.jsonld#/properties/on`"
        ),
        Some(reference) if reference.model.is_empty() && is_missing(tm, &reference) => {
            format!(
                "points to `{}`, which this model does not have",
                reference.pointer
            )
        }
        Some(_) => return,
    };
    problems.push(Problem::new(path, says));
}

/// Whether this model neither has what is meant nor may inherit it.
fn is_missing(tm: &Value, reference: &Reference<'_>) -> bool {
    let extends = elements(tm, "links").any(|(_, link)| link["rel"] == "tm:extends");
    !extends && tm.pointer(&reference.pointer).is_none()
}
