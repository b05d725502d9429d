//! What makes a document a Thing Description, or a Thing Model.
//!
//! The Recommendation's own JSON Schema judges the shape. The other files judge what no schema can
//! see: names that must be defined elsewhere, variables of URI templates, languages. All of them
//! take any JSON, so that one look finds all problems, whatever else is wrong.

mod branch; // of several schemas that all fail: the one that was meant
mod forms; // where forms are, and to which affordance they belong
mod language; // language tags, and texts in several languages
mod links; // links that may stand only once
mod model; // what only Thing Models have
mod recommendation; // the JSON Schema
mod references; // names that must be defined: security, schemas of responses
mod uri; // URI templates and their variables
mod warnings; // what is allowed, but hardly meant

use serde_json::Value;

use super::problem::Problem;

pub(crate) use warnings::warnings;

type Rule = fn(&Value, &mut Vec<Problem>);

/// What is wrong with a Thing Description.
pub(crate) fn description(td: &Value) -> Vec<Problem> {
    let rules: [Rule; 5] = [
        recommendation::description,
        references::check,
        uri::check,
        links::check,
        language::check,
    ];
    all(&rules, td)
}

/// What is wrong with a Thing Model.
pub(crate) fn model(tm: &Value) -> Vec<Problem> {
    let rules: [Rule; 4] = [
        recommendation::model,
        model::check,
        links::check,
        language::check,
    ];
    all(&rules, tm)
}

fn all(rules: &[Rule], document: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in rules {
        rule(document, &mut problems);
    }
    problems
}

/// The members of a member, if there are any.
fn members<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    json.get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// The elements of a member, with their indices. What is no array counts as an array of one: so
/// says JSON-LD, and so do `op`, `security` and `@type`.
fn elements<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    let value = json.get(name);
    let elements = value.map_or(&[][..], |value| match value {
        Value::Array(elements) => elements,
        one => std::slice::from_ref(one),
    });
    elements.iter().enumerate()
}

/// The strings in a member that is one string or an array of them.
fn strings<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    elements(json, name).filter_map(|(_, value)| value.as_str())
}
