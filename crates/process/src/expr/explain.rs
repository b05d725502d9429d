use serde_json::Value;

use super::{
    Failed, Scope,
    eval::{Env, holds},
    term::{Node, Term},
};

/// No more parts are told.
const PARTS_MAX: usize = 32;

/// See [`super::Expression::explain`].
pub(super) fn explain(
    node: &Node,
    text: &str,
    scope: &Scope<'_>,
    input: &Value,
) -> Vec<(String, Result<Value, Failed>)> {
    let mut told = Telling {
        text,
        env: Env::new(*scope),
        parts: Vec::new(),
    };
    told.look(node, input);
    told.parts
}

struct Telling<'a> {
    text: &'a str,
    env: Env<'a>,
    parts: Vec<(String, Result<Value, Failed>)>,
}

impl Telling<'_> {
    fn look(&mut self, node: &Node, input: &Value) {
        match &node.term {
            Term::Compare(_, left, right) => {
                self.tell(left, input);
                self.tell(right, input);
                self.tell(node, input);
            }
            Term::And(left, right) => {
                self.side(left, input);
                // What is not looked at says nothing.
                let is = left.eval(&self.env, input).is_ok_and(|value| holds(&value));
                if is {
                    self.side(right, input);
                }
            }
            Term::Or(left, right) => {
                self.side(left, input);
                self.side(right, input);
            }
            Term::Pipe(left, right) => {
                self.look(left, input);
                if let Ok(value) = left.eval(&self.env, input) {
                    if let Term::Not | Term::Regex(..) | Term::Call(..) = right.term {
                        self.tell(left, input);
                    }
                    if let Ok(value) = self.env.own(value) {
                        self.look(right, &value);
                    }
                }
            }
            Term::If(cases, _) => {
                for (condition, _) in cases {
                    self.side(condition, input);
                }
            }
            _ => {}
        }
    }

    /// What is true or false by itself.
    fn side(&mut self, node: &Node, input: &Value) {
        match node.term {
            Term::Compare(..) | Term::And(..) | Term::Or(..) => self.look(node, input),
            Term::Pipe(..) => {
                self.look(node, input);
                self.tell(node, input);
            }
            _ => self.tell(node, input),
        }
    }

    fn tell(&mut self, node: &Node, input: &Value) {
        if matches!(node.term, Term::Literal(_)) || PARTS_MAX <= self.parts.len() {
            return;
        }
        let text = self.text.get(node.span.clone()).unwrap_or_default();
        let text = text.trim().to_owned();
        if self.parts.iter().any(|(known, _)| *known == text) {
            return;
        }
        let value = node.eval(&self.env, input);
        let value = value.and_then(|value| self.env.own(value));
        self.parts.push((text, value));
    }
}
