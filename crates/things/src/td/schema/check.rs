use std::cmp::Ordering;

use serde_json::Value;

use super::{
    Check, Schema, Type,
    number::{compare, is_integer, is_multiple},
};
use crate::td::problem::{PROBLEMS_MAX, Path, Problem, excerpt, one_of};

impl Schema {
    /// Whether a value is what the schema says; if not, what is wrong with it, and what would be
    /// right.
    pub fn check(&self, value: &Value) -> Result<(), Vec<Problem>> {
        let mut found = Found::default();
        self.look(value, &mut found);
        if found.problems.is_empty() {
            Ok(())
        } else {
            Err(found.problems)
        }
    }

    fn look(&self, value: &Value, found: &mut Found) {
        for check in &self.checks {
            if found.problems.len() == PROBLEMS_MAX {
                return;
            }
            check.look(value, found);
        }
    }
}

/// What is wrong so far, and where we are.
#[derive(Default)]
struct Found {
    path: Path,
    problems: Vec<Problem>,
}

impl Found {
    fn say(&mut self, says: String) {
        self.problems.push(Problem::new(&self.path, says));
    }

    fn in_member(&mut self, name: &str, schema: &Schema, value: &Value) {
        self.path.push_name(name);
        schema.look(value, self);
        self.path.pop();
    }

    fn in_element(&mut self, index: usize, schema: &Schema, value: &Value) {
        self.path.push_index(index);
        schema.look(value, self);
        self.path.pop();
    }
}

impl Check {
    fn look(&self, value: &Value, found: &mut Found) {
        match (self, value) {
            (Self::OneOf(schemas), _) => one_of_schemas(schemas, value, found),
            (Self::Items(schema), Value::Array(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    found.in_element(index, schema, element);
                }
            }
            (Self::Tuple(schemas), Value::Array(elements)) => {
                for (index, (schema, element)) in schemas.iter().zip(elements).enumerate() {
                    found.in_element(index, schema, element);
                }
            }
            (Self::Properties(schemas), Value::Object(members)) => {
                for (name, schema) in schemas {
                    if let Some(member) = members.get(&**name) {
                        found.in_member(name, schema, member);
                    }
                }
            }
            (Self::Required(names), Value::Object(members)) => {
                for name in names.iter().filter(|name| !members.contains_key(&***name)) {
                    found.say(format!("`{name}` is missing"));
                }
            }
            _ => {
                if let Some(must) = self.misses(value) {
                    found.say(format!("is {}; must {must}", excerpt(value)));
                }
            }
        }
    }

    /// What the value must be and is not. Of what is inside of it, this says nothing.
    fn misses(&self, value: &Value) -> Option<String> {
        use Ordering::{Greater, Less};
        match (self, value) {
            (Self::Type(kind), _) => (!kind.has(value)).then(|| kind.must().to_owned()),
            (Self::Const(constant), _) => {
                (!is_equal(value, constant)).then(|| format!("be {}", excerpt(constant)))
            }
            (Self::Enum(options), _) => {
                let is_there = options.iter().any(|option| is_equal(value, option));
                (!is_there).then(|| must_be_one_of(options))
            }
            (Self::Minimum(least), Value::Number(number)) => {
                (compare(number, least) == Less).then(|| format!("be {least} or more"))
            }
            (Self::ExclusiveMinimum(least), Value::Number(number)) => {
                (compare(number, least) != Greater).then(|| format!("be more than {least}"))
            }
            (Self::Maximum(most), Value::Number(number)) => {
                (compare(number, most) == Greater).then(|| format!("be {most} or less"))
            }
            (Self::ExclusiveMaximum(most), Value::Number(number)) => {
                (compare(number, most) != Less).then(|| format!("be less than {most}"))
            }
            (Self::MultipleOf(factor), Value::Number(number)) => {
                (!is_multiple(number, factor)).then(|| format!("be a multiple of {factor}"))
            }
            (Self::MinLength(least), Value::String(text)) => {
                (length(text) < *least).then(|| format!("have at least {least} characters"))
            }
            (Self::MaxLength(most), Value::String(text)) => {
                (length(text) > *most).then(|| format!("have at most {most} characters"))
            }
            (Self::Pattern(pattern), Value::String(text)) => (!pattern.regex.is_match(text))
                .then(|| format!("match the pattern `{}`", pattern.regex.as_str())),
            (Self::MinItems(least), Value::Array(elements)) => {
                let must = || format!("have at least {least}, not {}", elements.len());
                ((elements.len() as u64) < *least).then(must)
            }
            (Self::MaxItems(most), Value::Array(elements)) => {
                let must = || format!("have at most {most}, not {}", elements.len());
                (elements.len() as u64 > *most).then(must)
            }
            _ => None,
        }
    }
}

/// Exactly one schema must fit. If none does, the one that fits best says why not.
fn one_of_schemas(schemas: &[Schema], value: &Value, found: &mut Found) {
    let mut fitting = 0;
    let mut nearest: Option<Vec<Problem>> = None;
    for schema in schemas {
        let mut tried = Found {
            path: found.path.clone(),
            problems: Vec::new(),
        };
        schema.look(value, &mut tried);
        if tried.problems.is_empty() {
            fitting += 1;
        } else if nearest
            .as_ref()
            .is_none_or(|best| nearness(&tried.problems) > nearness(best))
        {
            nearest = Some(tried.problems);
        }
    }
    match fitting {
        1 => {}
        0 => found.problems.extend(nearest.into_iter().flatten()),
        _ => found.say(format!(
            "is {}, which fits {fitting} of the schemas in `oneOf`; must fit only one",
            excerpt(value)
        )),
    }
}

/// The deeper the first problem and the fewer there are, the nearer.
fn nearness(problems: &[Problem]) -> (usize, std::cmp::Reverse<usize>) {
    let depth = |problem: &Problem| match problem.field.as_str() {
        "(root)" => 0,
        field => 1 + field.matches('.').count(),
    };
    let shallowest = problems.iter().map(depth).min().unwrap_or_default();
    (shallowest, std::cmp::Reverse(problems.len()))
}

/// Equal as JSON: numbers by their value, so that 1 is 1.0.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Ordering::Equal,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let is_same = |(name, a)| b.get(name).is_some_and(|b| is_equal(a, b));
            a.len() == b.len() && a.iter().all(is_same)
        }
        _ => a == b,
    }
}

fn must_be_one_of(options: &[Value]) -> String {
    const SHOWN_MAX: usize = 16;
    let shown = options.iter().take(SHOWN_MAX);
    let mut must: Vec<String> = shown
        .map(|option| format!("be {}", excerpt(option)))
        .collect();
    if options.len() > SHOWN_MAX {
        must.push(format!("{} others", options.len() - SHOWN_MAX));
    }
    one_of(&must)
}

/// In characters [JSON Schema, section 6.3.1].
fn length(text: &str) -> u64 {
    text.chars().count() as u64
}

impl Type {
    fn has(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.as_number().is_some_and(is_integer),
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Null => value.is_null(),
        }
    }

    fn must(self) -> &'static str {
        match self {
            Self::Boolean => "be a boolean",
            Self::Integer => "be an integer",
            Self::Number => "be a number",
            Self::String => "be a string",
            Self::Object => "be an object",
            Self::Array => "be an array",
            Self::Null => "be null",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Value, value: Value, expected: &[&str]) {
        let said = Schema::read(schema).check(&value);
        let said = said.err().unwrap_or_default();
        let said: Vec<String> = said.iter().map(ToString::to_string).collect();
        assert_eq!(said, expected, "{value} by {schema}");
    }

    #[test]
    fn types_are_those_of_json_and_an_integer_has_no_fraction() {
        let types = [
            "boolean", "integer", "number", "string", "object", "array", "null",
        ];
        let values = [
            (json!(true), "boolean"),
            (json!(1), "integer number"),
            (json!(1.0), "integer number"),
            (json!(1e300), "integer number"),
            (json!(1.5), "number"),
            (json!("1"), "string"),
            (json!({}), "object"),
            (json!([]), "array"),
            (json!(null), "null"),
        ];
        for (value, fitting) in values {
            for kind in types {
                let is_fine = Schema::read(&json!({"type": kind})).check(&value).is_ok();
                assert_eq!(is_fine, fitting.contains(kind), "{value} as {kind}");
            }
        }
        check(
            &json!({"type": "integer"}),
            json!(1.5),
            &["(root): is 1.5; must be an integer"],
        );
        check(
            &json!({"type": "null"}),
            json!([]),
            &["(root): is an array; must be null"],
        );
    }

    #[test]
    fn numbers_have_limits_and_steps() {
        let schema = json!({"minimum": -10, "exclusiveMaximum": 40.5, "multipleOf": 0.1});
        for value in [json!(-10), json!(0.3), json!(40.4), json!(7), json!("any")] {
            check(&schema, value, &[]);
        }
        check(
            &schema,
            json!(-10.05),
            &[
                "(root): is -10.05; must be -10 or more",
                "(root): is -10.05; must be a multiple of 0.1",
            ],
        );
        check(
            &schema,
            json!(40.5),
            &["(root): is 40.5; must be less than 40.5"],
        );
        let schema = json!({"maximum": u64::MAX - 1, "exclusiveMinimum": 0});
        check(&schema, json!(u64::MAX - 1), &[]);
        check(
            &schema,
            json!(u64::MAX),
            &["(root): is 18446744073709551615; must be 18446744073709551614 or less"],
        );
        check(&schema, json!(0), &["(root): is 0; must be more than 0"]);
        check(&json!({"multipleOf": 3}), json!(-9), &[]);
        check(
            &json!({"multipleOf": 3}),
            json!(8),
            &["(root): is 8; must be a multiple of 3"],
        );
    }

    #[test]
    fn strings_are_counted_in_characters_and_matched_anywhere() {
        let schema =
            json!({"minLength": 2, "maxLength": 3, "pattern": "^[a-zäöü]+$", "format": "uri"});
        check(&schema, json!("äöü"), &[]);
        check(
            &schema,
            json!("ä"),
            &["(root): is \"ä\"; must have at least 2 characters"],
        );
        check(
            &schema,
            json!("ABCD"),
            &[
                "(root): is \"ABCD\"; must have at most 3 characters",
                "(root): is \"ABCD\"; must match the pattern `^[a-zäöü]+$`",
            ],
        );
        check(&json!({"pattern": "b"}), json!("abc"), &[]);
        check(&json!({"pattern": "(?=b)"}), json!("a"), &[]);
    }

    #[test]
    fn objects_and_arrays_are_looked_into() {
        let schema = json!({
            "type": "object",
            "properties": {
                "on": {"type": "boolean"},
                "rgb": {"type": "array", "items": {"maximum": 255}, "minItems": 3, "maxItems": 3},
                "pair": {"items": [{"type": "string"}, {"type": "number"}]},
            },
            "required": ["on", "rgb"],
        });
        check(
            &schema,
            json!({"on": true, "rgb": [1, 2, 3], "pair": ["a", 1, null], "x": 1}),
            &[],
        );
        check(
            &schema,
            json!({"on": 1, "rgb": [0, 256], "pair": [1]}),
            &[
                "on: is 1; must be a boolean",
                "pair.0: is 1; must be a string",
                "rgb.1: is 256; must be 255 or less",
                "rgb: is an array; must have at least 3, not 2",
            ],
        );
        check(
            &schema,
            json!({}),
            &["(root): `on` is missing", "(root): `rgb` is missing"],
        );
        check(
            &schema,
            json!([]),
            &["(root): is an array; must be an object"],
        );
    }

    #[test]
    fn constants_are_compared_by_value() {
        let schema = json!({"enum": ["off", 1, {"a": [1.0]}]});
        for value in [json!("off"), json!(1.0), json!({"a": [1]})] {
            check(&schema, value, &[]);
        }
        check(
            &schema,
            json!("on"),
            &["(root): is \"on\"; must be \"off\", 1 or an object"],
        );
        check(
            &json!({"const": null}),
            json!(0),
            &["(root): is 0; must be null"],
        );
        let many: Vec<u32> = (0..20).collect();
        let said = Schema::read(&json!({"enum": many}))
            .check(&json!("x"))
            .unwrap_err();
        assert!(
            said[0].description.ends_with("14, 15 or 4 others"),
            "{}",
            said[0]
        );
    }

    #[test]
    fn one_of_means_exactly_one() {
        let schema = json!({"oneOf": [
            {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]},
            {"type": "integer"},
            {"type": "number", "minimum": 0},
        ]});
        check(&schema, json!(0.5), &[]);
        check(&schema, json!(-1), &[]);
        check(
            &schema,
            json!(1),
            &["(root): is 1, which fits 2 of the schemas in `oneOf`; must fit only one"],
        );
        check(
            &schema,
            json!({"x": "1"}),
            &["x: is \"1\"; must be a number"],
        );
        check(
            &schema,
            json!("1"),
            &["(root): is \"1\"; must be an object"],
        );
    }

    #[test]
    fn what_is_wrong_many_times_is_not_told_forever() {
        let said =
            Schema::read(&json!({"items": {"type": "string"}})).check(&json!(vec![1; 10_000]));
        assert_eq!(said.unwrap_err().len(), PROBLEMS_MAX);
    }
}
