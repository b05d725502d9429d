use serde_json::{Map, Value};

use super::{
    Word,
    fields::{Fields, listed, nearest},
    template::{Expr, Template},
};
use crate::{
    expr::{Expression, Names, enclosed},
    problem::{Place, Problem},
    yaml::{Node, Text, What},
};

/// What all readers need: a place for problems, and which names expressions may use.
pub(crate) struct Reader {
    problems: Vec<Problem>,
    names: Names,
}

impl Reader {
    pub(crate) fn new(names: Names) -> Self {
        Self {
            problems: Vec::new(),
            names,
        }
    }

    /// What was wrong, in the order in which it stands there.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.place);
        self.problems.dedup();
        self.problems
    }

    pub(crate) fn wrong(&mut self, place: Place, what: impl Into<String>) {
        self.problems.push(Problem::error(place, what));
    }

    /// Reads something in which expressions may use more names.
    pub(crate) fn naming<T>(&mut self, more: &[&str], read: impl FnOnce(&mut Self) -> T) -> T {
        let names = more
            .iter()
            .fold(self.names.clone(), |names, name| names.with(name));
        let before = std::mem::replace(&mut self.names, names);
        let read = read(self);
        self.names = before;
        read
    }

    pub(crate) fn object<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        match &node.what {
            What::Map(map) => Some(Fields::new(what, node.place, map)),
            _ => {
                let found = node.kind();
                self.wrong(node.place, format!("{what} is an object; this is {found}"));
                None
            }
        }
    }

    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.what {
            What::List(list) => Some(list),
            _ => {
                let found = node.kind();
                let hint = match node.what {
                    What::Map(_) => "; begin each with `- `",
                    _ => "",
                };
                self.wrong(
                    node.place,
                    format!("{what} is a list; this is {found}{hint}"),
                );
                None
            }
        }
    }

    /// An object of which anything may be a member.
    pub(crate) fn map(&mut self, node: &Node) -> Option<Map<String, Value>> {
        let fields = self.object(node, "this")?;
        Some(fields.map().to_json())
    }

    pub(crate) fn string(&mut self, node: &Node) -> Option<String> {
        self.word(node).map(|word| word.text)
    }

    pub(crate) fn word(&mut self, node: &Node) -> Option<Word> {
        let place = node.place;
        Some(Word {
            text: self.text(node)?.text.clone(),
            place,
        })
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n Text> {
        match &node.what {
            What::Text(text) => Some(text),
            _ => {
                let hint = match node.what {
                    What::Number(_) | What::Bool(_) => "; put it in quotes",
                    _ => "",
                };
                let found = node.kind();
                self.wrong(
                    node.place,
                    format!("text is expected here; this is {found}{hint}"),
                );
                None
            }
        }
    }

    pub(crate) fn strings(&mut self, node: &Node) -> Option<Vec<String>> {
        let list = self.list(node, "this")?;
        list.iter().map(|node| self.string(node)).collect()
    }

    /// Texts by name.
    pub(crate) fn string_map(&mut self, node: &Node) -> Option<Vec<(String, Template)>> {
        let fields = self.object(node, "this")?;
        let entries = fields.map().entries.iter();
        entries
            .map(|(key, node)| {
                self.text(node)?;
                Some((key.name.clone(), self.template(node)?))
            })
            .collect()
    }

    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match node.what {
            What::Bool(is) => Some(is),
            _ => {
                let found = node.kind();
                let what = format!("`true` or `false` is expected here; this is {found}");
                self.wrong(node.place, what);
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, node: &Node) -> Option<i64> {
        let whole = match &node.what {
            // `2.0` is whole (JSON Schema, "integer").
            What::Number(number) => number.as_i64().or_else(|| {
                let float = number.as_f64()?;
                (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
            }),
            _ => None,
        };
        if whole.is_none() {
            let found = node.kind();
            let what = format!("a whole number is expected here; this is {found}");
            self.wrong(node.place, what);
        }
        whole
    }

    /// One of these words.
    pub(crate) fn one_of(&mut self, node: &Node, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(node)?.text.clone();
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let what = match nearest(&text, words.iter().copied()) {
                Some(near) => format!("`{text}` is not known here; did you mean `{near}`?"),
                None => format!("`{text}` is not known here, but {}", listed(words)),
            };
            self.wrong(node.place, what);
        }
        found
    }

    /// A name as DNS has them (RFC 1123, section 2.1).
    pub(crate) fn label(&mut self, node: &Node) -> Option<Word> {
        let word = self.word(node)?;
        let text = &word.text;
        let is_label = text.len() <= 63
            && !text.is_empty()
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_label {
            return Some(word);
        }
        let what = format!(
            "`{text}` is no name; use 1 to 63 letters, digits and hyphens, with no hyphen at either end"
        );
        self.wrong(word.place, what);
        None
    }

    /// A semantic version (semver.org 2.0.0).
    pub(crate) fn version(&mut self, node: &Node) -> Option<Word> {
        let word = self.word(node)?;
        if is_semantic_version(&word.text) {
            return Some(word);
        }
        let what = format!(
            "`{}` is no semantic version; write three numbers, as in '1.0.0'",
            word.text
        );
        self.wrong(word.place, what);
        None
    }

    /// An expression, where nothing else can stand: with or without `${ }`.
    pub(crate) fn expr(&mut self, node: &Node) -> Option<Expr> {
        let text = self.text(node)?;
        let (offset, inside) = enclosed(&text.text).unwrap_or((0, &text.text));
        self.compile(text, offset, inside)
    }

    /// A value, with expressions in `${ }` wherever text can stand.
    pub(crate) fn template(&mut self, node: &Node) -> Option<Template> {
        Some(match &node.what {
            What::Text(text) => match enclosed(&text.text) {
                Some((offset, inside)) => Template::Expr(self.compile(text, offset, inside)?),
                None => Template::Fixed(Value::String(text.text.clone())),
            },
            What::List(list) => {
                let list: Vec<_> = list.iter().map(|node| self.template(node)).collect();
                Template::list(list.into_iter().collect::<Option<_>>()?)
            }
            What::Map(map) => {
                let entries = map.entries.iter();
                let entries: Vec<_> = entries
                    .map(|(key, node)| Some((key.name.clone(), self.template(node)?)))
                    .collect();
                Template::object(entries.into_iter().collect::<Option<_>>()?)
            }
            _ => Template::Fixed(node.to_json()),
        })
    }

    /// A value that is computed: an expression, or an object with expressions in it.
    pub(crate) fn computed(&mut self, node: &Node) -> Option<Template> {
        match &node.what {
            What::Map(_) => self.template(node),
            What::Text(_) => self.expr(node).map(Template::Expr),
            _ => {
                let found = node.kind();
                let what = format!("an expression or an object is expected here; this is {found}");
                self.wrong(node.place, what);
                None
            }
        }
    }

    /// Text in `${ }`.
    pub(crate) fn enclosed(&mut self, node: &Node) -> Option<Expr> {
        let text = self.text(node)?;
        match enclosed(&text.text) {
            Some((offset, inside)) => self.compile(text, offset, inside),
            None => {
                let what = "an expression is expected here: '${ … }'";
                self.wrong(node.place, what);
                None
            }
        }
    }

    fn compile(&mut self, text: &Text, offset: usize, inside: &str) -> Option<Expr> {
        let place = text.place_of(offset);
        match Expression::compile(inside, &self.names) {
            Ok(expression) => {
                let beyond = expression.beyond_total();
                let beyond = beyond.map(|beyond| text.place_of(offset + beyond.offset));
                Some(Expr {
                    place,
                    beyond,
                    expression,
                })
            }
            Err(error) => {
                self.wrong(text.place_of(offset + error.offset), error.what);
                None
            }
        }
    }
}

fn is_semantic_version(text: &str) -> bool {
    let (rest, build) = text
        .split_once('+')
        .map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest
        .split_once('-')
        .map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let is_word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_pre = |part: &str| {
        is_word(part) && (!part.bytes().all(|byte| byte.is_ascii_digit()) || is_number(part))
    };
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic_ones() {
        for good in [
            "1.0.0",
            "0.1.0",
            "1.2.3-alpha.1",
            "1.0.0-0a+x.01",
            "1.0.0+5",
        ] {
            assert!(is_semantic_version(good), "{good}");
        }
        for bad in [
            "1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "v1.0.0", "1.0.0.0", "",
        ] {
            assert!(!is_semantic_version(bad), "{bad}");
        }
    }
}
