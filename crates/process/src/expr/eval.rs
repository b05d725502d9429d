use std::{borrow::Cow, cmp::Ordering, sync::Arc};

use quartet_model::Time;
use serde_json::{Map, Value};

use super::{
    Failed, Scope,
    fuel::Fuel,
    functions,
    functions::{float, kind, limit, number},
    term::{Compare, Math, Node, Term, TextPart},
};

/// What an expression sees beside its input.
#[derive(Clone, Copy)]
pub(super) struct Env<'a> {
    values: &'a [Arc<Value>],
    locals: Option<&'a Local<'a>>,
    now: Time,
    fuel: &'a Fuel,
}

/// A name bound by `as`.
struct Local<'a> {
    value: &'a Value,
    outer: Option<&'a Local<'a>>,
}

impl<'a> Env<'a> {
    pub(super) fn new(scope: Scope<'a>) -> Self {
        Self {
            values: scope.values,
            locals: None,
            now: scope.now,
            fuel: scope.fuel,
        }
    }

    /// The value itself, copied if it is somebody else's.
    pub(super) fn own(&self, value: Cow<'_, Value>) -> Result<Value, Failed> {
        match value {
            Cow::Owned(value) => Ok(value),
            Cow::Borrowed(value) => self.fuel.copy(value),
        }
    }
}

type Evaluated<'a> = Result<Cow<'a, Value>, Failed>;

/// Whether a value counts as true.
pub(super) fn holds(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

static NULL: Value = Value::Null;

impl Node {
    pub(super) fn eval<'a>(&'a self, env: &Env<'a>, input: &'a Value) -> Evaluated<'a> {
        env.fuel.spend(1)?;
        Ok(match &self.term {
            Term::Input => Cow::Borrowed(input),
            Term::Literal(value) => Cow::Borrowed(value),
            Term::Variable(position) => {
                let value = env.values.get(*position);
                Cow::Borrowed(value.map_or(&NULL, |value| &**value))
            }
            Term::Local(depth) => {
                let mut local = env.locals;
                for _ in 0..*depth {
                    local = local.and_then(|local| local.outer);
                }
                Cow::Borrowed(local.map_or(&NULL, |local| local.value))
            }
            Term::Now => Cow::Owned(number(env.now.as_micros() as f64 / 1e6)),
            Term::Field(of, name) => return field(of.eval(env, input)?, name),
            Term::Index(of, at) => {
                let of = of.eval(env, input)?;
                let at = at.eval(env, input)?;
                return index(of, &at, env.fuel);
            }
            Term::Slice(of, from, to) => {
                let of = of.eval(env, input)?;
                let end = |node: &'a Option<Box<Node>>| match node {
                    None => Ok(Cow::Borrowed(&NULL)),
                    Some(node) => node.eval(env, input),
                };
                Cow::Owned(slice(&of, &*end(from)?, &*end(to)?, env.fuel)?)
            }
            Term::Pipe(left, right) => match left.eval(env, input)? {
                Cow::Borrowed(value) => return right.eval(env, value),
                Cow::Owned(value) => Cow::Owned(env.own(right.eval(env, &value)?)?),
            },
            Term::Else(left, right) => match left.eval(env, input) {
                Ok(value) if holds(&value) => value,
                Err(failed) if !failed.is_nothing => return Err(failed),
                _ => return right.eval(env, input),
            },
            Term::And(left, right) => {
                let is = holds(&*left.eval(env, input)?) && holds(&*right.eval(env, input)?);
                Cow::Owned(Value::Bool(is))
            }
            Term::Or(left, right) => {
                let is = holds(&*left.eval(env, input)?) || holds(&*right.eval(env, input)?);
                Cow::Owned(Value::Bool(is))
            }
            Term::Not => Cow::Owned(Value::Bool(!holds(input))),
            Term::Compare(how, left, right) => {
                // jq looks at the right side first, which matters when both fail.
                let right = right.eval(env, input)?;
                let left = left.eval(env, input)?;
                let order = env.fuel.compare(&left, &right)?;
                let is = match how {
                    Compare::Equal => order == Ordering::Equal,
                    Compare::Unequal => order != Ordering::Equal,
                    Compare::Less => order == Ordering::Less,
                    Compare::LessEqual => order != Ordering::Greater,
                    Compare::Greater => order == Ordering::Greater,
                    Compare::GreaterEqual => order != Ordering::Less,
                };
                Cow::Owned(Value::Bool(is))
            }
            Term::Math(how, left, right) => {
                let right = right.eval(env, input)?;
                let left = left.eval(env, input)?;
                Cow::Owned(math(*how, left, right, env)?)
            }
            Term::Minus(of) => {
                let value = of.eval(env, input)?;
                match &*value {
                    Value::Number(of) => Cow::Owned(match of.as_i64().and_then(i64::checked_neg) {
                        Some(whole) => whole.into(),
                        None => number(-float(of)),
                    }),
                    other => return Err(Failed::new(format!("{} cannot be negated", kind(other)))),
                }
            }
            Term::If(cases, other) => {
                for (condition, value) in cases {
                    if holds(&*condition.eval(env, input)?) {
                        return value.eval(env, input);
                    }
                }
                match other {
                    Some(other) => return other.eval(env, input),
                    None => Cow::Borrowed(input),
                }
            }
            Term::Array(members) => {
                let members = members.iter();
                let members = members.map(|node| env.own(node.eval(env, input)?));
                Cow::Owned(Value::Array(members.collect::<Result<_, Failed>>()?))
            }
            Term::Object(members) => {
                let mut map = Map::new();
                for (key, value) in members {
                    let key = match env.own(key.eval(env, input)?)? {
                        Value::String(key) => key,
                        other => {
                            let what = format!("{} cannot be the name of a member", kind(&other));
                            return Err(Failed::new(what));
                        }
                    };
                    env.fuel.spend(6)?;
                    map.insert(key, env.own(value.eval(env, input)?)?);
                }
                Cow::Owned(Value::Object(map))
            }
            Term::Text(parts, format) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TextPart::Plain(plain) => text.push_str(plain),
                        TextPart::Node(node) => {
                            let value = node.eval(env, input)?;
                            env.fuel.go_through(&value, 1)?;
                            text.push_str(&format.apply(&value)?);
                        }
                    }
                    env.fuel.read(text.len())?;
                    limit(text.len())?;
                }
                Cow::Owned(Value::String(text))
            }
            Term::Format(format) => {
                env.fuel.go_through(input, 1)?;
                Cow::Owned(Value::String(format.apply(input)?))
            }
            Term::As(value, body) => {
                let value = value.eval(env, input)?;
                let local = Local {
                    value: &value,
                    outer: env.locals,
                };
                let env = Env {
                    locals: Some(&local),
                    ..*env
                };
                Cow::Owned(env.own(body.eval(&env, input)?)?)
            }
            Term::Call(function, arguments) => {
                let arguments = arguments.iter().map(|node| node.eval(env, input));
                let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                let value = function.call(input, &arguments, env.fuel)?;
                if let Value::String(text) = &value {
                    limit(text.len())?;
                }
                Cow::Owned(value)
            }
            Term::Over(over, each) => {
                let each = |member: &Value| env.own(each.eval(env, member)?);
                Cow::Owned(over.call(env.fuel, input, &each)?)
            }
            Term::Regex(regex, by) => {
                let by = |captures: &Value| match by {
                    Some(by) => env.own(by.eval(env, captures)?),
                    None => Ok(Value::Null),
                };
                Cow::Owned(regex.call(env.fuel, input, &by)?)
            }
            Term::Optional(inner) => return inner.eval(env, input).map_err(|_| Failed::nothing()),
        })
    }
}

fn field<'a>(of: Cow<'a, Value>, name: &str) -> Evaluated<'a> {
    match of {
        Cow::Borrowed(Value::Object(map)) => Ok(Cow::Borrowed(map.get(name).unwrap_or(&NULL))),
        Cow::Owned(Value::Object(mut map)) => Ok(Cow::Owned(map.remove(name).unwrap_or_default())),
        of if of.is_null() => Ok(Cow::Borrowed(&NULL)),
        of => Err(Failed::new(format!(
            "{} has no member \"{name}\"",
            kind(&of)
        ))),
    }
}

fn index<'a>(of: Cow<'a, Value>, at: &Value, fuel: &Fuel) -> Evaluated<'a> {
    match (&*of, at) {
        (Value::Object(_) | Value::Null, Value::String(name)) => field(of, name),
        (Value::Null, Value::Number(_) | Value::Null) => Ok(Cow::Borrowed(&NULL)),
        (Value::Array(list), Value::Number(at)) => {
            let at = float(at).floor();
            let at = if at < 0.0 { at + list.len() as f64 } else { at };
            if at < 0.0 || list.len() as f64 <= at {
                return Ok(Cow::Borrowed(&NULL));
            }
            let at = at as usize;
            Ok(match of {
                Cow::Borrowed(Value::Array(list)) => Cow::Borrowed(&list[at]),
                Cow::Owned(Value::Array(mut list)) => Cow::Owned(list.swap_remove(at)),
                _ => Cow::Borrowed(&NULL),
            })
        }
        (Value::Array(list), Value::Array(part)) => {
            Ok(Cow::Owned(functions::indices(list, part, fuel)?))
        }
        (of, at) => Err(Failed::new(format!(
            "{} cannot be looked into with {}",
            kind(of),
            kind(at)
        ))),
    }
}

fn slice(of: &Value, from: &Value, to: &Value, fuel: &Fuel) -> Result<Value, Failed> {
    let length = match of {
        Value::Null => return Ok(Value::Null),
        Value::Array(list) => list.len(),
        Value::String(text) => {
            fuel.read(text.len())?;
            text.chars().count()
        }
        other => return Err(Failed::new(format!("{} has no parts", kind(other)))),
    };
    let place = |end: &Value, default: usize, round: fn(f64) -> f64| match end {
        Value::Null => Ok(default),
        Value::Number(number) => {
            let at = float(number);
            let at = if at < 0.0 { at + length as f64 } else { at };
            Ok(round(at).clamp(0.0, length as f64) as usize)
        }
        other => Err(Failed::new(format!(
            "{} is no place in a list",
            kind(other)
        ))),
    };
    let from = place(from, 0, f64::floor)?;
    let to = place(to, length, f64::ceil)?.max(from);
    Ok(match of {
        Value::Array(list) => {
            let part = list[from..to].iter().map(|member| fuel.copy(member));
            Value::Array(part.collect::<Result<_, _>>()?)
        }
        Value::String(text) => Value::String(text.chars().skip(from).take(to - from).collect()),
        _ => Value::Null,
    })
}

fn math(
    how: Math,
    left: Cow<'_, Value>,
    right: Cow<'_, Value>,
    env: &Env<'_>,
) -> Result<Value, Failed> {
    let fuel = env.fuel;
    if let (Value::Number(left), Value::Number(right)) = (&*left, &*right) {
        let whole = left.as_i64().zip(right.as_i64());
        let whole = whole.and_then(|(left, right)| match how {
            Math::Add => left.checked_add(right),
            Math::Subtract => left.checked_sub(right),
            Math::Multiply => left.checked_mul(right),
            Math::Divide => None,
            Math::Remainder => left.checked_rem(right),
        });
        if let Some(whole) = whole {
            return Ok(whole.into());
        }
        let (left, right) = (float(left), float(right));
        return Ok(number(match how {
            Math::Add => left + right,
            Math::Subtract => left - right,
            Math::Multiply => left * right,
            Math::Divide if right == 0.0 => {
                return Err(Failed::new(format!("{left} cannot be divided by 0")));
            }
            Math::Divide => left / right,
            Math::Remainder if right.trunc() == 0.0 => {
                return Err(Failed::new(format!("{left} cannot be divided by 0")));
            }
            Math::Remainder => left.trunc() % right.trunc(),
        }));
    }
    Ok(match (how, env.own(left)?, env.own(right)?) {
        (Math::Add, Value::Null, other) | (Math::Add, other, Value::Null) => other,
        (Math::Add, Value::String(mut left), Value::String(right)) => {
            fuel.read(left.len() + right.len())?;
            left.push_str(&right);
            limit(left.len())?;
            left.into()
        }
        (Math::Add, Value::Array(mut left), Value::Array(right)) => {
            fuel.spend(right.len())?;
            left.extend(right);
            limit(left.len())?;
            left.into()
        }
        (Math::Add, Value::Object(mut left), Value::Object(right)) => {
            fuel.spend(8 * right.len())?;
            left.extend(right);
            left.into()
        }
        (Math::Subtract, Value::Array(mut left), Value::Array(right)) => {
            let mut rest = Vec::new();
            for one in left.drain(..) {
                let mut is_there = false;
                for other in &right {
                    is_there = is_there || fuel.compare(&one, other)? == Ordering::Equal;
                }
                if !is_there {
                    rest.push(one);
                }
            }
            rest.into()
        }
        (Math::Multiply, Value::String(text), Value::Number(times))
        | (Math::Multiply, Value::Number(times), Value::String(text)) => {
            let times = float(&times);
            if times <= 0.0 {
                return Ok(Value::Null);
            }
            let times = times.max(1.0) as usize;
            limit(text.len().saturating_mul(times))?;
            fuel.read(text.len().saturating_mul(times))?;
            text.repeat(times).into()
        }
        (Math::Multiply, Value::Object(left), Value::Object(right)) => {
            merge(left, right, fuel)?.into()
        }
        (Math::Divide, Value::String(text), Value::String(by)) => {
            functions::split(&text, &by, fuel)?
        }
        (how, left, right) => {
            let verb = match how {
                Math::Add => "added to",
                Math::Subtract => "subtracted from",
                Math::Multiply => "multiplied by",
                Math::Divide | Math::Remainder => "divided by",
            };
            let (one, other) = match how {
                Math::Add | Math::Subtract => (right, left),
                _ => (left, right),
            };
            let what = format!("{} cannot be {verb} {}", kind(&one), kind(&other));
            return Err(Failed::new(what));
        }
    })
}

/// Objects one over the other, members included.
fn merge(
    mut left: Map<String, Value>,
    right: Map<String, Value>,
    fuel: &Fuel,
) -> Result<Map<String, Value>, Failed> {
    for (name, over) in right {
        fuel.spend(8)?;
        let merged = match (left.remove(&name), over) {
            (Some(Value::Object(under)), Value::Object(over)) => merge(under, over, fuel)?.into(),
            (_, over) => over,
        };
        left.insert(name, merged);
    }
    Ok(left)
}
