use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    expr::{Expression, Scope},
    problem::Place,
};

/// An expression, and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// Where.
    pub place: Place,
    /// Where that stands which is beyond the total part of jq, if something is.
    pub beyond: Option<Place>,
    /// What is computed.
    pub expression: Expression,
}

/// An expression that gave no value.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{place}: `{text}` gives no value: {what}")]
pub struct Uncomputed {
    /// Where the expression stands.
    pub place: Place,
    /// What was to be computed.
    pub text: String,
    /// Why not.
    pub what: String,
}

impl Expr {
    /// Its value.
    ///
    /// # Errors
    ///
    /// If it gives none.
    pub fn eval<'a>(
        &'a self,
        scope: &Scope<'a>,
        input: &'a Value,
    ) -> Result<Cow<'a, Value>, Uncomputed> {
        let value = self.expression.eval(scope, input);
        value.map_err(|failed| self.uncomputed(failed.what))
    }

    /// Whether its value is neither `false` nor `null`.
    ///
    /// # Errors
    ///
    /// If it gives none.
    pub fn holds(&self, scope: &Scope<'_>, input: &Value) -> Result<bool, Uncomputed> {
        let value = self.expression.holds(scope, input);
        value.map_err(|failed| self.uncomputed(failed.what))
    }

    fn uncomputed(&self, what: String) -> Uncomputed {
        Uncomputed {
            place: self.place,
            text: self.expression.text().trim().to_owned(),
            what,
        }
    }
}

/// A value with expressions in it.
#[derive(Clone, PartialEq, Debug)]
pub enum Template {
    /// It has none.
    Fixed(Value),
    /// It is one.
    Expr(Expr),
    /// Some of a list have.
    List(Vec<Template>),
    /// Some of an object have.
    Object(Vec<(String, Template)>),
}

impl Template {
    pub(crate) fn list(list: Vec<Self>) -> Self {
        let fixed = list.iter().map(|one| one.fixed().cloned());
        match fixed.collect::<Option<Vec<_>>>() {
            Some(list) => Self::Fixed(Value::Array(list)),
            None => Self::List(list),
        }
    }

    pub(crate) fn object(entries: Vec<(String, Self)>) -> Self {
        let fixed = entries
            .iter()
            .map(|(name, one)| Some((name.clone(), one.fixed()?.clone())));
        match fixed.collect::<Option<Map<_, _>>>() {
            Some(map) => Self::Fixed(Value::Object(map)),
            None => Self::Object(entries),
        }
    }

    /// The value, if there is nothing to compute.
    pub fn fixed(&self) -> Option<&Value> {
        match self {
            Self::Fixed(value) => Some(value),
            _ => None,
        }
    }

    /// The text, if there is nothing to compute and it is one.
    pub fn fixed_text(&self) -> Option<&str> {
        self.fixed().and_then(Value::as_str)
    }

    /// The part of this name, as far as it can be told without computing.
    pub fn get(&self, name: &str) -> Option<Cow<'_, Self>> {
        match self {
            Self::Object(entries) => {
                let mut entries = entries.iter();
                let found = entries.find(|(known, _)| known == name);
                found.map(|(_, one)| Cow::Borrowed(one))
            }
            Self::Fixed(Value::Object(map)) => map
                .get(name)
                .map(|value| Cow::Owned(Self::Fixed(value.clone()))),
            _ => None,
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// The first expression that gives none.
    pub fn eval<'a>(
        &'a self,
        scope: &Scope<'a>,
        input: &'a Value,
    ) -> Result<Cow<'a, Value>, Uncomputed> {
        Ok(match self {
            Self::Fixed(value) => Cow::Borrowed(value),
            Self::Expr(expr) => expr.eval(scope, input)?,
            Self::List(list) => {
                let list = list.iter().map(|one| one.made(scope, input));
                Cow::Owned(Value::Array(list.collect::<Result<_, Uncomputed>>()?))
            }
            Self::Object(entries) => {
                let entries = entries
                    .iter()
                    .map(|(name, one)| Ok((name.clone(), one.made(scope, input)?)));
                Cow::Owned(Value::Object(entries.collect::<Result<_, Uncomputed>>()?))
            }
        })
    }

    /// The value, copied if it is somebody else's.
    ///
    /// # Errors
    ///
    /// As [`Self::eval`].
    pub fn made<'a>(&'a self, scope: &Scope<'a>, input: &'a Value) -> Result<Value, Uncomputed> {
        match (self.eval(scope, input)?, self) {
            (Cow::Owned(value), _) => Ok(value),
            (Cow::Borrowed(value), Self::Expr(expr)) => {
                let copied = scope.fuel.copy(value);
                copied.map_err(|failed| expr.uncomputed(failed.what))
            }
            // It is as large as the definition is.
            (Cow::Borrowed(value), _) => Ok(value.clone()),
        }
    }

    /// All expressions in it.
    pub fn expressions<'t>(&'t self, found: &mut Vec<&'t Expr>) {
        match self {
            Self::Fixed(_) => {}
            Self::Expr(expr) => found.push(expr),
            Self::List(list) => list.iter().for_each(|one| one.expressions(found)),
            Self::Object(entries) => {
                entries.iter().for_each(|(_, one)| one.expressions(found));
            }
        }
    }
}
