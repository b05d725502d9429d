use std::sync::LazyLock;

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use super::branch::{self, Finding};
use crate::td::problem::{Problem, excerpt};

static DESCRIPTION: LazyLock<Validator> =
    LazyLock::new(|| compile(include_str!("../../../schema/td-1.1.json")));
static MODEL: LazyLock<Validator> =
    LazyLock::new(|| compile(include_str!("../../../schema/tm-1.1.json")));

/// What the schema of Thing Descriptions says.
pub(super) fn description(td: &Value, problems: &mut Vec<Problem>) {
    check(&DESCRIPTION, td, problems);
}

/// What the schema of Thing Models says.
pub(super) fn model(tm: &Value, problems: &mut Vec<Problem>) {
    check(&MODEL, tm, problems);
}

fn compile(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    // References may hold placeholders and letters of all languages, so they are looked at
    // elsewhere [TD 1.1, section 9.3.3, note on `tm:ref`].
    let options = jsonschema::options().with_format("uri-reference", |_: &str| true);
    options.build(&schema).expect("the schema is a JSON Schema")
}

fn check(validator: &Validator, document: &Value, problems: &mut Vec<Problem>) {
    if validator.is_valid(document) {
        return;
    }
    for error in validator.iter_errors(document) {
        let found = findings(&error).into_iter();
        problems.extend(found.map(Finding::into_problem));
    }
}

/// What an error says in our words. One of several schemas becomes what the one says that was
/// most likely meant.
fn findings(error: &ValidationError<'_>) -> Vec<Finding> {
    let at = error.instance_path().as_str();
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let branches = context
                .iter()
                .map(|branch| branch.iter().flat_map(findings).collect());
            branch::meant(at, branches.collect())
        }
        Kind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default();
            let is = format!("has the name `{name}`");
            vec![Finding::new(at, is, "not have a placeholder in a name")]
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Finding::missing(at, name)]
        }
        kind => vec![says(at, kind, error)],
    }
}

fn says(at: &str, kind: &Kind, error: &ValidationError<'_>) -> Finding {
    let instance = error.instance();
    let is = format!("is {}", excerpt(instance));
    if error
        .schema_path()
        .as_str()
        .contains("/placeholder-pattern/")
    {
        return Finding::no_placeholder(at, is, instance.is_string());
    }
    match kind {
        Kind::Type { kind } => Finding::of_another_type(at, is, must_be(kind)),
        Kind::Constant { expected_value } => {
            Finding::of_another_value(at, is, vec![format!("be {expected_value}")])
        }
        Kind::Enum { options } => {
            let options = options.as_array().into_iter().flatten();
            let must = options.map(|option| format!("be {option}"));
            Finding::of_another_value(at, is, must.collect())
        }
        Kind::Pattern { .. } => {
            let must = match at.rsplit('/').next() {
                _ if at.starts_with("/tm:optional/") => {
                    "be a JSON pointer to a property, action or event, such as `/actions/toggle`"
                }
                Some("scheme") => "be a term of another vocabulary with its prefix and a colon",
                Some("sizes") => "be a width and a height such as `16x16`",
                _ => "be a language tag of BCP 47 such as `en` or `de-CH`",
            };
            Finding::of_another_value(at, is, vec![must.to_owned()])
        }
        Kind::Format { format } => {
            let must = match format.as_str() {
                "uri" => "be a URI with a scheme, such as `urn:uuid:…` or `https://…`",
                "date-time" => "be a date and time of RFC 3339 such as `2026-01-31T12:00:00Z`",
                other => other,
            };
            Finding::new(at, is, must)
        }
        Kind::MinItems { limit: 1 } | Kind::MinProperties { limit: 1 } => {
            Finding::new(at, "is empty", "have at least one element")
        }
        Kind::MinItems { limit } => {
            let has = instance.as_array().map_or(0, Vec::len);
            let must = format!("have at least {limit}");
            Finding::new(at, format!("has too few elements: {has}"), must)
        }
        Kind::UniqueItems => {
            Finding::new(at, "has the same element twice", "have each element once")
        }
        Kind::Minimum { limit } => Finding::new(at, is, format!("be {limit} or more")),
        Kind::ExclusiveMinimum { limit } => Finding::new(at, is, format!("be more than {limit}")),
        Kind::Not { schema } => excluded(at, instance, schema),
        Kind::OneOfMultipleValid { .. } => {
            Finding::new(at, "has both `oneOf` and `allOf`", "have one of them")
        }
        _ => Finding::new(at, error.to_string(), "fit the Recommendation"),
    }
}

/// What a value must not be. The schemas exclude a constant, or a member, or some of its values.
fn excluded(at: &str, instance: &Value, schema: &Value) -> Finding {
    if let Some(constant) = schema.get("const") {
        let is = format!("is {}", excerpt(instance));
        return Finding::excluded(at, is, format!("not be {constant}"));
    }
    let Some(name) = schema["required"][0].as_str() else {
        let is = format!("is {}", excerpt(instance));
        let must = if at.starts_with("/@context/") {
            "come first, before the context of TD 1.1"
        } else {
            "lead to an affordance, not into it"
        };
        return Finding::excluded(at, is, must.to_owned());
    };
    let is = format!("has `{name}`: {}", excerpt(&instance[name]));
    let must = if schema["properties"][name].get("enum").is_some() {
        format!("have another `{name}`")
    } else {
        format!("not have `{name}`")
    };
    Finding::excluded(at, is, must)
}

fn must_be(kind: &TypeKind) -> Vec<String> {
    let must = |kind: &str| match kind {
        "null" => "be null".to_owned(),
        "array" | "integer" | "object" => format!("be an {kind}"),
        _ => format!("be a {kind}"),
    };
    match kind {
        TypeKind::Single(kind) => vec![must(kind.as_str())],
        TypeKind::Multiple(kinds) => kinds.iter().map(|kind| must(kind.as_str())).collect(),
    }
}
