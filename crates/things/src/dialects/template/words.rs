//! The filters, tests, functions and methods that Home Assistant's templates use.

use minijinja::{
    Environment, Error, ErrorKind, State, Value, filters, tests,
    value::{Kwargs, Rest, ValueKind},
};

use super::{moments, texts};

type Said = Result<Value, Error>;

/// Makes all of them known.
pub(super) fn add(environment: &mut Environment<'static>) {
    numbers(environment);
    moments::add(environment);
    texts::add(environment);

    environment.add_filter("is_defined", is_defined);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("iif", iif);
    environment.add_filter("length", filters::length);
    environment.add_filter("count", filters::length);
    environment.add_filter("first", filters::first);
    environment.add_filter("last", filters::last);
    environment.add_filter("list", filters::list);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("sum", filters::sum);
    environment.add_filter("items", filters::items);
    environment.add_function("iif", iif);
    environment.add_function("range", minijinja::functions::range);

    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("none", tests::is_none);
    environment.add_test("number", tests::is_number);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("float", tests::is_float);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("true", tests::is_true);
    environment.add_test("false", tests::is_false);
    environment.add_test("string", tests::is_string);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("iterable", tests::is_iterable);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("in", tests::is_in);
    environment.add_test("eq", tests::is_eq);
    environment.add_test("equalto", tests::is_eq);
    environment.add_test("==", tests::is_eq);

    environment.set_unknown_method_callback(method);
}

fn numbers(environment: &mut Environment<'static>) {
    environment.add_filter("float", float);
    environment.add_filter("int", int);
    environment.add_filter("round", round);
    environment.add_filter("abs", filters::abs);
    environment.add_filter("bool", boolean);
    environment.add_filter("min", filters::min);
    environment.add_filter("max", filters::max);
    environment.add_filter("is_number", is_number);
    environment.add_filter("multiply", |value: Value, by: f64| {
        number(&value).map(|n| n * by)
    });
    environment.add_filter("add", |value: Value, by: f64| {
        number(&value).map(|n| n + by)
    });
    environment.add_filter("sqrt", |value: Value| number(&value).map(f64::sqrt));
    environment.add_filter("bitwise_and", |a: i64, b: i64| a & b);
    environment.add_filter("bitwise_or", |a: i64, b: i64| a | b);
    environment.add_filter("bitwise_xor", |a: i64, b: i64| a ^ b);
    environment.add_filter("log", log);
    environment.add_function("log", log);
    environment.add_function("float", float);
    environment.add_function("int", int);
    environment.add_function("bool", boolean);
    environment.add_function("is_number", is_number);
    environment.add_function("min", |values: Rest<Value>| extreme(values, |a, b| a < b));
    environment.add_function("max", |values: Rest<Value>| extreme(values, |a, b| a > b));
}

/// What says that there is nothing here.
pub(super) fn nothing() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

pub(super) fn wrong(says: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, says)
}

/// The number that a value is or says.
pub(super) fn number(value: &Value) -> Result<f64, Error> {
    if value.is_undefined() || value.is_none() {
        return Err(nothing());
    }
    if let Some(text) = value.as_str() {
        let number = super::super::typed::number(text).and_then(|number| number.as_f64());
        return number.ok_or_else(|| wrong(format!("`{}` is no number", short(text))));
    }
    match bool::try_from(value.clone()) {
        Ok(boolean) => Ok(f64::from(u8::from(boolean))),
        Err(_) => f64::try_from(value.clone()),
    }
}

pub(super) fn short(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// The value of a default, which may be given by name.
fn or(fallback: Option<Value>, named: &Kwargs, error: Error) -> Said {
    match fallback {
        Some(fallback) => Ok(fallback),
        None => named.get::<Option<Value>>("default")?.ok_or(error),
    }
}

fn float(value: Value, fallback: Option<Value>, named: Kwargs) -> Said {
    number(&value)
        .map(Value::from)
        .or_else(|error| or(fallback, &named, error))
}

fn int(value: Value, fallback: Option<Value>, base: Option<u32>, named: Kwargs) -> Said {
    let base = base.or(named.get("base")?).unwrap_or(10);
    let whole = match value.as_str() {
        Some(text) if (2..=36).contains(&base) && base != 10 => {
            let digits = text
                .trim()
                .trim_start_matches("0x")
                .trim_start_matches("0X");
            i64::from_str_radix(digits, base).map_err(|_| wrong("is no number of this base"))
        }
        _ => number(&value).map(|number| number.trunc() as i64),
    };
    whole
        .map(Value::from)
        .or_else(|error| or(fallback, &named, error))
}

fn round(value: Value, digits: Option<i32>, method: Option<String>, named: Kwargs) -> Said {
    let fallback = named.get::<Option<Value>>("default")?;
    let digits = digits
        .or(named.get("precision")?)
        .unwrap_or(0)
        .clamp(-15, 15);
    let value = match number(&value) {
        Ok(value) => value,
        Err(error) => return or(fallback, &named, error),
    };
    let scale = 10_f64.powi(digits);
    let scaled = value * scale;
    let scaled = match method.as_deref() {
        None | Some("common") => scaled.round_ties_even(),
        Some("ceil") => scaled.ceil(),
        Some("floor") => scaled.floor(),
        Some("half") => return Ok(((value * 2.0).round() / 2.0).into()),
        Some(_) => return Err(wrong("rounds common, ceil, floor or half")),
    };
    let rounded = scaled / scale;
    // Like Python, which has no decimals after rounding to none.
    Ok(if digits <= 0 && method.is_none() && rounded.abs() < 9e15 {
        Value::from(rounded as i64)
    } else {
        Value::from(rounded)
    })
}

fn log(value: Value, base: Option<f64>) -> Result<f64, Error> {
    number(&value).map(|value| base.map_or_else(|| value.ln(), |base| value.log(base)))
}

fn boolean(value: Value, fallback: Option<Value>, named: Kwargs) -> Said {
    let text = value.to_string();
    let json = serde_json::Value::String(text);
    match super::super::typed::Type::Boolean.take(json) {
        Some(serde_json::Value::Bool(boolean)) => Ok(boolean.into()),
        _ => or(fallback, &named, wrong("is neither true nor false")),
    }
}

fn is_number(value: Value) -> bool {
    number(&value).is_ok_and(f64::is_finite)
}

/// The least or the greatest of some numbers, or of a list of them.
fn extreme(values: Rest<Value>, better: fn(f64, f64) -> bool) -> Said {
    let mut values = values.0;
    if let [one] = &values[..]
        && let Ok(inner) = one.try_iter()
    {
        values = inner.collect();
    }
    let mut best: Option<(f64, Value)> = None;
    for value in values {
        let number = number(&value)?;
        if best
            .as_ref()
            .is_none_or(|(so_far, _)| better(number, *so_far))
        {
            best = Some((number, value));
        }
    }
    best.map(|(_, value)| value).ok_or_else(nothing)
}

fn is_defined(value: Value) -> Said {
    if value.is_undefined() {
        return Err(nothing());
    }
    Ok(value)
}

fn default(value: Value, fallback: Option<Value>, also_false: Option<bool>) -> Value {
    let is_missing = value.is_undefined() || also_false == Some(true) && !value.is_true();
    if is_missing {
        fallback.unwrap_or_else(|| "".into())
    } else {
        value
    }
}

fn iif(value: Value, yes: Option<Value>, no: Option<Value>, none: Option<Value>) -> Value {
    if value.is_none()
        && let Some(none) = none
    {
        return none;
    }
    if value.is_true() {
        yes.unwrap_or_else(|| true.into())
    } else {
        no.unwrap_or_else(|| false.into())
    }
}

/// What Python's texts and dictionaries can do.
fn method(_: &mut State<'_, '_>, value: &Value, name: &str, given: &[Value]) -> Said {
    if let Some(text) = value.as_str() {
        return texts::method(text, name, given);
    }
    match (value.kind(), name, given) {
        (ValueKind::Map, "get", [key]) => Ok(member(value, key).unwrap_or_else(|| ().into())),
        (ValueKind::Map, "get", [key, fallback]) => {
            Ok(member(value, key).unwrap_or_else(|| fallback.clone()))
        }
        (ValueKind::Map, "keys", []) => Ok(value.try_iter()?.collect()),
        (ValueKind::Map, "values", []) => {
            let keys = value.try_iter()?;
            Ok(keys.filter_map(|key| member(value, &key)).collect())
        }
        (ValueKind::Map, "items", []) => filters::items(value),
        _ if value.is_undefined() => Err(nothing()),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn member(map: &Value, key: &Value) -> Option<Value> {
    map.get_item(key).ok().filter(|value| !value.is_undefined())
}
