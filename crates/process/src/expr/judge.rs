use serde_json::Value;

use super::{
    Scope,
    eval::{Env, holds},
    functions::kind,
    term::{Compare, Math, Node, Term},
};

/// See [`super::Expression::judge`].
pub(super) fn judge(
    node: &Node,
    text: &str,
    scope: &Scope<'_>,
    input: &Value,
) -> Result<bool, String> {
    let env = Env::new(*scope);
    Judge { text, env }.judge(node, input)
}

struct Judge<'a> {
    text: &'a str,
    env: Env<'a>,
}

impl Judge<'_> {
    fn judge(&self, node: &Node, input: &Value) -> Result<bool, String> {
        match &node.term {
            Term::And(left, right) => match (self.judge(left, input), self.judge(right, input)) {
                (Ok(false), _) | (_, Ok(false)) => Ok(false),
                (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
                _ => Ok(true),
            },
            Term::Or(left, right) => match (self.judge(left, input), self.judge(right, input)) {
                (Ok(true), _) | (_, Ok(true)) => Ok(true),
                (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
                _ => Ok(false),
            },
            Term::Pipe(left, right) if matches!(right.term, Term::Not) => {
                self.judge(left, input).map(|is| !is)
            }
            _ => {
                self.look(node, input)?;
                match self.value(node, input)? {
                    Value::Null => Err(format!("`{}` is not known", self.written(node))),
                    value => Ok(holds(&value)),
                }
            }
        }
    }

    /// Whether all that it compares and adds up is known.
    fn look(&self, node: &Node, input: &Value) -> Result<(), String> {
        match &node.term {
            Term::Compare(how, left, right) => {
                self.look(left, input)?;
                self.look(right, input)?;
                self.compared(*how, left, right, input)
            }
            Term::Math(how, left, right) => {
                for node in [left, right] {
                    self.look(node, input)?;
                    // jq adds nothing to a number, and has the number.
                    if *how == Math::Add && self.value(node, input)?.is_null() {
                        return Err(format!("`{}` is not known", self.written(node)));
                    }
                }
                Ok(())
            }
            Term::Pipe(left, right) => {
                self.look(left, input)?;
                match right.term {
                    Term::Compare(..) | Term::Math(..) | Term::Pipe(..) => {
                        self.look(right, &self.value(left, input)?)
                    }
                    _ => Ok(()),
                }
            }
            Term::And(..) | Term::Or(..) => self.judge(node, input).map(|_| ()),
            Term::If(cases, other) => {
                for (condition, value) in cases {
                    if self.judge(condition, input)? {
                        return self.look(value, input);
                    }
                }
                other.as_ref().map_or(Ok(()), |node| self.look(node, input))
            }
            Term::Minus(of) => self.look(of, input),
            Term::Call(_, arguments) => {
                let mut arguments = arguments.iter();
                arguments.try_for_each(|node| self.look(node, input))
            }
            _ => Ok(()),
        }
    }

    /// Whether two sides can be compared. For jq nothing is less than any number, and any text more.
    fn compared(
        &self,
        how: Compare,
        left: &Node,
        right: &Node,
        input: &Value,
    ) -> Result<(), String> {
        let is_order = !matches!(how, Compare::Equal | Compare::Unequal);
        let is_nothing = |node: &Node| matches!(node.term, Term::Literal(Value::Null));
        // Whoever asks whether something is null gets an answer.
        if !is_order && (is_nothing(left) || is_nothing(right)) {
            return Ok(());
        }
        let (one, other) = (self.value(left, input)?, self.value(right, input)?);
        for (value, node) in [(&one, left), (&other, right)] {
            if value.is_null() {
                return Err(format!("`{}` is not known", self.written(node)));
            }
        }
        if is_order && rank(&one) != rank(&other) {
            return Err(format!(
                "`{}` is {}, which is not to be compared with {}",
                self.written(left),
                kind(&one),
                kind(&other)
            ));
        }
        Ok(())
    }

    fn value(&self, node: &Node, input: &Value) -> Result<Value, String> {
        let value = node.eval(&self.env, input);
        let value = value.and_then(|value| self.env.own(value));
        value.map_err(|failed| match failed.what.is_empty() {
            true => format!("`{}` has no value", self.written(node)),
            false => failed.what,
        })
    }

    fn written(&self, node: &Node) -> &str {
        let text = self.text.get(node.span.clone());
        text.unwrap_or_default().trim()
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::Time;
    use serde_json::{Value, json};

    use crate::expr::{Expression, Fuel, Names, Scope};

    #[track_caller]
    fn check(text: &str, input: Value, expected: Option<bool>) {
        let expression = Expression::compile(text, &Names::default()).expect(text);
        let scope = Scope {
            values: &[],
            now: Time::ZERO,
            fuel: &Fuel::default(),
        };
        let is = expression.judge(&scope, &input);
        assert_eq!(is.clone().ok(), expected, "{text} {input}: {is:?}");
    }

    #[test]
    fn what_is_not_known_decides_nothing() {
        check(".speed < 2", json!({}), None);
        check(".speed < 2", json!({"speed": null}), None);
        check(".speed < 2", json!({"speed": "fast"}), None);
        check("2 < .speed", json!({"speed": [9]}), None);
        check(".speed < 2", json!({"speed": 1}), Some(true));
        check(".speed", json!({}), None);
        check(".mode != \"auto\"", json!({}), None);
        check(".mode == \"auto\"", json!({"mode": 3}), Some(false));
        check(".mode == null", json!({}), Some(true));
        check(".a + .b < 5", json!({"a": 1}), None);
        check(".a * .b < 5", json!({"a": 1}), None);
        check("(.speed // 0) < 2", json!({}), Some(true));
    }

    #[test]
    fn what_is_decided_without_it_is_decided() {
        check(
            ".on and .flow < .target * 0.5",
            json!({"on": false}),
            Some(false),
        );
        check(".on and .flow < .target * 0.5", json!({"on": true}), None);
        check(".a > 1 or .b > 1", json!({"b": 2}), Some(true));
        check(".a > 1 or .b > 1", json!({"b": 1}), None);
        check(".a > 1 | not", json!({}), None);
        check(".a > 1 | not", json!({"a": 0}), Some(true));
        check(
            "if .a > 1 then true else .b > 1 end",
            json!({"a": 2}),
            Some(true),
        );
        check("if .a > 1 then true else .b > 1 end", json!({"a": 0}), None);
        check(".list | length > 1", json!({"list": [1, 2]}), Some(true));
    }
}
