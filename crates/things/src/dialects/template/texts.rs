use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, Error, ErrorKind, Value, filters, value::Serde};
use regex_lite::{Regex, RegexBuilder};

use super::{
    TEXT_BYTES_MAX,
    words::{nothing, short, wrong},
};

type Said = Result<Value, Error>;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("lower", filters::lower);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("title", filters::title);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("string", |value: Value| value.to_string());
    environment.add_filter("replace", |text: String, from: String, to: String| {
        bounded(&text, &from, &to)
    });
    environment.add_filter("to_json", to_json);
    environment.add_filter("tojson", to_json);
    environment.add_filter("from_json", from_json);
    environment.add_filter("regex_match", |text: String, pattern: String| {
        regex(&format!("^(?:{pattern})")).map(|regex| regex.is_match(&text))
    });
    environment.add_filter("regex_search", |text: String, pattern: String| {
        regex(&pattern).map(|regex| regex.is_match(&text))
    });
    environment.add_filter("regex_replace", regex_replace);
    environment.add_filter("regex_findall_index", regex_findall_index);
    environment.add_filter("base64_decode", |text: String| {
        let bytes = STANDARD.decode(text.trim());
        let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| wrong("is no text in base64"))
    });
}

/// What Python's texts can do.
pub(super) fn method(text: &str, name: &str, given: &[Value]) -> Said {
    let words: Vec<&str> = given.iter().filter_map(Value::as_str).collect();
    Ok(match (name, &words[..]) {
        ("lower", []) => text.to_lowercase().into(),
        ("upper", []) => text.to_uppercase().into(),
        ("strip", []) => text.trim().into(),
        ("lstrip", []) => text.trim_start().into(),
        ("rstrip", []) => text.trim_end().into(),
        ("strip", [of]) => text.trim_matches(|c| of.contains(c)).into(),
        ("startswith", [start]) => text.starts_with(start).into(),
        ("endswith", [end]) => text.ends_with(end).into(),
        ("replace", [from, to]) => bounded(text, from, to)?.into(),
        ("split", []) if given.is_empty() => text.split_whitespace().collect(),
        ("split", [at]) if !at.is_empty() => text.split(at).collect(),
        ("find", [what]) => text
            .find(what)
            .map_or(-1, |at| text[..at].chars().count() as i64)
            .into(),
        ("isdigit" | "isnumeric", []) => {
            let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_digits.into()
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

/// A text with one part replaced by another, if it does not become too long.
fn bounded(text: &str, from: &str, to: &str) -> Result<String, Error> {
    let grows = to.len().saturating_sub(from.len());
    let most = text
        .len()
        .saturating_add((text.len() + 1).saturating_mul(grows));
    if most <= TEXT_BYTES_MAX || grows == 0 {
        return Ok(text.replace(from, to));
    }
    let count = text.matches(from).count();
    if TEXT_BYTES_MAX < text.len().saturating_add(count.saturating_mul(grows)) {
        return Err(wrong("the text grows too long"));
    }
    Ok(text.replace(from, to))
}

fn to_json(value: Value) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(nothing());
    }
    let text = serde_json::to_string(&value).map_err(|error| wrong(error.to_string()))?;
    if TEXT_BYTES_MAX < text.len() {
        return Err(wrong("the text grows too long"));
    }
    Ok(text)
}

fn from_json(text: Value, fallback: Option<Value>) -> Said {
    let Some(json) = text.as_str() else {
        return Err(nothing());
    };
    match (serde_json::from_str::<serde_json::Value>(json), fallback) {
        (Ok(value), _) => Ok(Value::from(Serde(value))),
        (Err(_), Some(fallback)) => Ok(fallback),
        (Err(_), None) => Err(wrong(format!("`{}` is no JSON", short(json)))),
    }
}

fn regex(pattern: &str) -> Result<Regex, Error> {
    let mut builder = RegexBuilder::new(pattern);
    let regex = builder.size_limit(1 << 18).build();
    regex.map_err(|error| wrong(error.to_string()))
}

fn regex_replace(text: String, pattern: String, to: Option<String>) -> Said {
    let to = to.unwrap_or_default();
    let found = regex(&pattern)?;
    // A replacement may name groups, so the text itself may come again with each match.
    let count = found.find_iter(&text).count();
    let most = to.len().saturating_mul(text.len().saturating_add(1));
    if TEXT_BYTES_MAX < text.len().saturating_add(count.saturating_mul(most)) {
        return Err(wrong("the text could grow too long"));
    }
    Ok(found
        .replace_all(&text, python(&to).as_str())
        .into_owned()
        .into())
}

/// `\1` as `${1}`.
fn python(to: &str) -> String {
    let mut said = String::with_capacity(to.len());
    let mut chars = to.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            ('$', _) => said.push_str("$$"),
            (_, true) => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => said.push_str(&format!("${{{digit}}}")),
                other => said.extend(other),
            },
            _ => said.push(c),
        }
    }
    said
}

fn regex_findall_index(text: String, pattern: String, index: Option<usize>) -> Said {
    let found = regex(&pattern)?;
    let captured = found.captures_iter(&text).nth(index.unwrap_or(0));
    let captured = captured.ok_or_else(nothing)?;
    let part = captured.get(1).or_else(|| captured.get(0));
    Ok(part.map_or("", |part| part.as_str()).into())
}
