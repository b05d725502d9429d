//! stub
use quartet_model::Time;
use serde_json::Value;
use std::borrow::Cow;
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names(Vec<String>);
impl Names {
    pub fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(names.iter().map(|n| n.to_string()).collect())
    }
    #[must_use]
    pub fn with(&self, name: &str) -> Self {
        let mut s = self.clone();
        s.0.push(name.into());
        s
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().rposition(|n| n == name)
    }
}
pub struct Scope<'a> {
    pub values: &'a [Value],
    pub now: Time,
}
#[derive(Clone, PartialEq, Debug)]
pub struct Expression(String);
#[derive(Debug, Clone, PartialEq)]
pub struct NotJq {
    pub offset: usize,
    pub what: String,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Beyond {
    pub offset: usize,
    pub what: String,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    pub what: String,
}
#[derive(Debug, Clone, PartialEq)]
pub enum PathPart {
    Name(String),
    Index(i64),
}
impl Expression {
    pub fn compile(text: &str, _names: &Names) -> Result<Self, NotJq> {
        Ok(Self(text.to_owned()))
    }
    pub fn text(&self) -> &str {
        &self.0
    }
    pub fn beyond_total(&self) -> Option<&Beyond> {
        None
    }
    pub fn uses(&self, _p: usize) -> bool {
        true
    }
    pub fn uses_input(&self) -> bool {
        true
    }
    pub fn eval<'a>(&'a self, _s: &Scope<'a>, input: &'a Value) -> Result<Cow<'a, Value>, Failed> {
        Ok(Cow::Borrowed(input))
    }
    pub fn holds(&self, _s: &Scope<'_>, _i: &Value) -> Result<bool, Failed> {
        Ok(true)
    }
    pub fn explain(&self, _s: &Scope<'_>, _i: &Value) -> Vec<(String, Result<Value, Failed>)> {
        vec![]
    }
}
pub fn enclosed(text: &str) -> Option<(usize, &str)> {
    let t = text.trim();
    let inner = t.strip_prefix("${")?.strip_suffix('}')?;
    if inner.is_empty() {
        return None;
    }
    Some((text.find("${")? + 2, inner))
}
