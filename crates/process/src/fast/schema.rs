//! A JSON schema in a flow, and how long it takes to hold data against it.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::expr::{Failed, Fuel};

/// A schema looks no more often at the same data.
const LOOKS_MAX: usize = 1000;

/// A schema that was understood.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    /// How often it looks at each value, at most.
    looks: usize,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn new(document: &Value) -> Result<Self, String> {
        let mut looks = Looks {
            whole: document,
            within: Vec::new(),
            count: 1,
        };
        looks.schema(document)?;
        // Patterns whose time grows with the text, not with all ways to read it.
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        let validator = options.build(document);
        let validator = validator.map_err(|error| format!("this is no JSON schema: {error}"))?;
        Ok(Self {
            validator,
            looks: looks.count,
        })
    }

    /// Holds data against it: gives what is wrong with them.
    ///
    /// # Errors
    ///
    /// It would take too long.
    pub(super) fn judge(&self, data: &Value, fuel: &Fuel) -> Result<Result<(), String>, Failed> {
        fuel.go_through(data, self.looks)?;
        let fits = self.validator.validate(data);
        Ok(fits.map_err(|error| format!("{}: {error}", error.instance_path())))
    }
}

/// Counts how often a schema looks at the same value, with what it refers to.
struct Looks<'s> {
    whole: &'s Value,
    /// What it refers to, while that is looked at.
    within: Vec<&'s str>,
    count: usize,
}

impl<'s> Looks<'s> {
    fn more(&mut self, count: usize) -> Result<(), String> {
        self.count += count;
        match self.count <= LOOKS_MAX {
            true => Ok(()),
            false => Err(format!(
                "this schema looks more than {LOOKS_MAX} times at the same data; the message path needs a simpler one"
            )),
        }
    }

    fn again(&mut self, schema: &'s Value) -> Result<(), String> {
        self.more(1)?;
        self.schema(schema)
    }

    fn schema(&mut self, schema: &'s Value) -> Result<(), String> {
        let Value::Object(members) = schema else {
            return Ok(());
        };
        for (keyword, value) in members {
            match (keyword.as_str(), value) {
                // One value is looked at again.
                ("allOf" | "anyOf" | "oneOf", Value::Array(list)) => {
                    list.iter().try_for_each(|schema| self.again(schema))?;
                }
                ("patternProperties" | "dependentSchemas", Value::Object(map)) => {
                    map.values().try_for_each(|schema| self.again(schema))?;
                }
                (
                    "not"
                    | "if"
                    | "then"
                    | "else"
                    | "contains"
                    | "propertyNames"
                    | "unevaluatedItems"
                    | "unevaluatedProperties"
                    | "additionalProperties"
                    | "additionalItems",
                    schema,
                ) => self.again(schema)?,
                // Each member is looked at once.
                ("properties", Value::Object(map)) => {
                    self.more(map.len() / 8)?;
                    map.values().try_for_each(|schema| self.schema(schema))?;
                }
                ("items" | "prefixItems", Value::Array(list)) => {
                    list.iter().try_for_each(|schema| self.schema(schema))?;
                }
                ("items", schema) => self.schema(schema)?,
                ("enum" | "required", Value::Array(list)) => self.more(list.len() / 8)?,
                ("$dynamicRef" | "$recursiveRef", _) => {
                    return Err(format!(
                        "`{keyword}` is not for the message path: how long it takes nobody knows"
                    ));
                }
                ("$ref", Value::String(to)) => self.reference(to)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn reference(&mut self, to: &'s str) -> Result<(), String> {
        let pointer = to.strip_prefix('#').filter(|to| !to.is_empty());
        let Some(schema) = pointer.and_then(|to| self.whole.pointer(to)) else {
            return Err(format!(
                "`$ref: {to}` is not here; a schema refers to its own parts: `#/$defs/…`"
            ));
        };
        if self.within.contains(&to) {
            return Err(format!(
                "`{to}` refers to itself: how long that takes nobody knows, so it is not for the message path"
            ));
        }
        self.within.push(to);
        self.again(schema)?;
        self.within.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: Value, expected: Result<usize, &str>) {
        match (Schema::new(&schema), expected) {
            (Ok(schema), Ok(looks)) => assert_eq!(schema.looks, looks),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (schema, _) => panic!("{schema:?}"),
        }
    }

    #[test]
    fn how_often_a_schema_looks_at_the_same_is_known() {
        check(
            json!({"type": "object", "properties": {"a": {"type": "number"}}}),
            Ok(1),
        );
        check(
            json!({"anyOf": [{"type": "number"}, {"not": {"type": "string"}}]}),
            Ok(4),
        );
        check(
            json!({"$defs": {"t": {"type": "number"}}, "items": {"$ref": "#/$defs/t"}}),
            Ok(2),
        );
        check(json!({"$ref": "#"}), Err("is not here"));
        check(
            json!({"allOf": [{"$ref": "#/allOf/0"}]}),
            Err("refers to itself"),
        );
        check(json!({"type": "nmber"}), Err("no JSON schema"));
        check(json!({"pattern": "(a"}), Err("no JSON schema"));
    }

    #[test]
    fn a_schema_that_doubles_with_each_step_is_refused() {
        let mut defs = serde_json::Map::new();
        for at in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
            defs.insert(format!("d{at}"), json!({"anyOf": [next, next]}));
        }
        defs.insert("d40".to_owned(), json!({"type": "number"}));
        check(
            json!({"$defs": defs, "$ref": "#/$defs/d0"}),
            Err("more than 1000 times"),
        );
    }

    #[test]
    fn a_pattern_that_tries_all_ways_does_not() {
        let schema = Schema::new(&json!({"pattern": "^(a|a)*(b|b)*$"})).unwrap();
        let fits = schema.judge(&json!("a".repeat(100_000) + "c"), &Fuel::default());
        assert!(matches!(fits, Ok(Err(_))), "{fits:?}");
    }
}
