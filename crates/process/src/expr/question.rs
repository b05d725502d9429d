use std::sync::Arc;

use quartet_model::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Expression, Failed, Fuel, Names, NotJq, Scope, enclosed};

/// An expression, and what it is asked of: what an editor wants to know while somebody writes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Question {
    /// With or without `${ }` around it.
    pub expression: String,
    /// What it looks at: `.`.
    #[serde(default)]
    pub input: Value,
    /// What it may name beside that, without `$`.
    #[serde(default)]
    pub names: Map<String, Value>,
    /// `now`, as RFC 3339; the beginning of 1970 if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

impl Question {
    /// Says what the expression is, and gives, as JSON: `value`, or `error` and the `column` where it
    /// stands; whether it `isFast`, or else what of it is `beyond` that; and its `parts` with their
    /// values. What is beyond may never end: only for who can be ended.
    pub fn answer(&self) -> Value {
        let names = self.names.keys();
        let names = names.fold(Names::default(), |names, name| names.with(name));
        let text = enclosed(&self.expression).map_or(&*self.expression, |(_, text)| text);
        let before = self.expression.find(text).unwrap_or(0);
        let column = |offset: usize| {
            let before = self.expression.get(..before + offset);
            1 + before.map_or(0, |before| before.chars().count())
        };
        let Some(now) = self.now() else {
            return json!({ "error": "`now` is a time like 2026-11-27T08:00:00Z" });
        };
        let expression = match Expression::compile(text, &names) {
            Ok(expression) => expression,
            Err(NotJq { offset, what }) => {
                return json!({ "error": what, "column": column(offset) });
            }
        };
        let values: Vec<Arc<Value>> = self.names.values().cloned().map(Arc::new).collect();
        let scope = Scope {
            values: &values,
            now,
            fuel: &Fuel::default(),
        };
        let mut told = match expression.eval(&scope, &self.input) {
            Ok(value) => json!({ "value": &*value }),
            Err(Failed { what, .. }) => json!({ "error": what }),
        };
        let beyond = expression.beyond_total();
        told["isFast"] = beyond.is_none().into();
        if let Some(beyond) = beyond {
            told["beyond"] = json!({ "what": beyond.what, "column": column(beyond.offset) });
        }
        // What it takes to tell the parts is not part of what it takes to compute it.
        let scope = Scope {
            fuel: &Fuel::default(),
            ..scope
        };
        let parts = expression.explain(&scope, &self.input).into_iter();
        let parts = parts.map(|(text, value)| match value {
            Ok(value) => json!({ "part": text, "value": value }),
            Err(failed) => json!({ "part": text, "error": failed.what }),
        });
        told["parts"] = parts.collect();
        told
    }

    fn now(&self) -> Option<Time> {
        match &self.now {
            None => Some(Time::ZERO),
            Some(text) => Time::of_rfc3339(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(question: Value, expected: Value) {
        let read: Question = serde_json::from_value(question).expect("it is a question");
        assert_eq!(read.answer(), expected);
    }

    #[test]
    fn an_answer_says_what_an_expression_is_and_gives() {
        check(
            json!({"expression": "${ .a + $b > 2 }", "input": {"a": 1}, "names": {"b": 3}}),
            json!({
                "value": true,
                "isFast": true,
                "parts": [{"part": ".a + $b", "value": 4}, {"part": ".a + $b > 2", "value": true}],
            }),
        );
        check(
            json!({"expression": "[.[] | select(. > 1)]", "input": [1, 2]}),
            json!({
                "value": [2],
                "isFast": false,
                "beyond": {"what": "`.[]` gives many values; `map( )`, `any( )` and `all( )` go through them", "column": 3},
                "parts": [],
            }),
        );
        check(
            json!({"expression": "${ ä | lenght }"}),
            json!({"error": "`ä` is no part of jq", "column": 4}),
        );
    }
}
