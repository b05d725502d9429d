use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    elements,
    forms::affordances,
    language::{holders, texts},
    members, strings, uri,
};
use crate::td::problem::{Problem, distinct};

/// What is allowed, but hardly meant: it cannot be fulfilled, or says too little.
pub(crate) fn warnings(document: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (field, schema) in schemas(document) {
        check_schema(&field, schema, &mut problems);
    }
    for (name, property) in members(document, "properties") {
        check_directions(&format!("properties.{name}"), property, &mut problems);
    }
    for (field, variables) in uri_variables(document) {
        check_variables(&field, variables, &mut problems);
    }
    uri::check_declared(document, &mut problems);
    check_languages(document, &mut problems);
    distinct(problems)
}

/// The data schemas of a thing's affordances, but not those inside of them.
fn schemas(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let properties = members(document, "properties")
        .map(|(name, property)| (format!("properties.{name}"), property));
    let parts = [
        ("actions", &["input", "output"][..]),
        (
            "events",
            &["subscription", "data", "dataResponse", "cancellation"],
        ),
    ];
    let others = parts.into_iter().flat_map(move |(kind, parts)| {
        members(document, kind).flat_map(move |(name, affordance)| {
            parts.iter().filter_map(move |part| {
                let schema = affordance.get(part)?;
                Some((format!("{kind}.{name}.{part}"), schema))
            })
        })
    });
    properties.chain(others)
}

fn check_schema(field: &str, schema: &Value, problems: &mut Vec<Problem>) {
    if schema.get("enum").is_some() && schema.get("const").is_some() {
        let says = "has `enum` and `const`; only `const` can ever be valid, so `enum` is in vain";
        problems.push(Problem::new(field, says));
    }
    if schema["type"] == "object" && schema.get("properties").is_none() {
        let says = "is an object of which nothing is said; name its members in `properties`";
        problems.push(Problem::new(field, says));
    }
    if schema["type"] == "array" && schema.get("items").is_none() {
        let says = "is an array of which nothing is said; describe its elements in `items`";
        problems.push(Problem::new(field, says));
    }
    let ranges = [
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
    ];
    for (low, high) in ranges {
        if let (Some(least), Some(most)) = (schema[low].as_f64(), schema[high].as_f64())
            && least > most
        {
            let says = format!("has a `{low}` above its `{high}`; no value can be valid");
            problems.push(Problem::new(field, says));
        }
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && regex_lite::Regex::new(pattern).is_err()
    {
        let says = "has a `pattern` that this hub cannot evaluate; values are not checked by it";
        problems.push(Problem::new(field, says));
    }
}

/// What is read only is not written, and the reverse.
fn check_directions(field: &str, property: &Value, problems: &mut Vec<Problem>) {
    let is = |name: &str| property[name] == true;
    if is("readOnly") && is("writeOnly") {
        let says = "is `readOnly` and `writeOnly`; nobody could use it";
        problems.push(Problem::new(field, says));
    }
    if is("writeOnly") && is("observable") {
        let says = "is `writeOnly` and `observable`; what cannot be read cannot be observed";
        problems.push(Problem::new(field, says));
    }
    for (index, form) in elements(property, "forms") {
        let field = format!("{field}.forms.{index}");
        // Without `op`, a form reads and writes [TD 1.1, section 5.4].
        let offers = |op: &str| {
            let defaults = ["readproperty", "writeproperty"];
            match form.get("op") {
                Some(_) => strings(form, "op").any(|said| said == op),
                None => defaults.contains(&op),
            }
        };
        let contradictions = [
            ("readOnly", "writeproperty"),
            ("writeOnly", "readproperty"),
            ("writeOnly", "observeproperty"),
        ];
        for (flag, op) in contradictions {
            if is(flag) && offers(op) {
                let how = if form.get("op").is_some() {
                    ""
                } else {
                    ", as forms without `op` do"
                };
                let says = format!("offers `{op}`{how}, but the property is `{flag}`");
                problems.push(Problem::new(&field, says));
            }
        }
    }
}

fn uri_variables(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let own = document.get("uriVariables");
    let own = own.map(|variables| ("uriVariables".to_owned(), variables));
    let others = affordances(document).filter_map(|(field, affordance)| {
        let variables = affordance.get("uriVariables")?;
        Some((format!("{field}.uriVariables"), variables))
    });
    own.into_iter().chain(others)
}

/// A variable becomes a part of a URI, so it is no object and no array [TD 1.1, section 5.3.1.2].
fn check_variables(field: &str, variables: &Value, problems: &mut Vec<Problem>) {
    for (name, schema) in variables.as_object().into_iter().flatten() {
        if let Some(kind @ ("object" | "array")) = schema["type"].as_str() {
            let says = format!("is an {kind}, which has no place in a URI");
            problems.push(Problem::new(format!("{field}.{name}"), says));
        }
    }
}

/// All texts are there in the same languages, and the default text is one of them [section 6.3.2].
fn check_languages(document: &Value, problems: &mut Vec<Problem>) {
    let tags = |texts: &Value| -> BTreeSet<String> {
        let names = texts.as_object().into_iter().flatten();
        names.map(|(tag, _)| tag.clone()).collect()
    };
    let mut texts = texts(document);
    if let Some((first, expected)) = texts.next() {
        let expected = tags(expected);
        for (field, texts) in texts {
            if tags(texts) != expected {
                let says = format!("has other languages than `{first}`; all should have the same");
                problems.push(Problem::new(field, says));
            }
        }
    }
    for (prefix, holder) in holders(document) {
        for (one, many) in [("title", "titles"), ("description", "descriptions")] {
            let (Some(text), Some(texts)) = (holder.get(one), holder[many].as_object()) else {
                continue;
            };
            if !texts.values().any(|other| other == text) {
                let says = format!("is not among `{many}`; it should be there in its language");
                problems.push(Problem::new(format!("{prefix}{one}"), says));
            }
        }
    }
}
