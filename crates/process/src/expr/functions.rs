//! Functions that are known to end: each gives one value, in time that its input bounds.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt::{self, Write as _},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value};

use super::{Failed, fuel::Fuel, order::compare};

/// A text or a list that is computed is no longer.
const SIZE_MAX: usize = 1 << 20;

type Arguments<'a, 'v> = &'a [Cow<'v, Value>];
type Body = fn(&Value, Arguments<'_, '_>, &Fuel) -> Result<Value, Failed>;

/// A function that is called with values.
#[derive(Clone, Copy)]
pub(super) struct Function {
    name: &'static str,
    count: usize,
    cost: Cost,
    body: Body,
}

/// What it takes to compute a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Texts are gone through, of lists and objects no member is looked at.
    Texts,
    /// The same, and each byte may become a value.
    Bytes,
    /// Members are looked at, but not what is in them.
    Members,
    /// All of the input and the arguments is gone through.
    All,
    /// Each member becomes an object.
    Entries,
    /// The input is put in order.
    Sorted,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.count)
    }
}

macro_rules! functions {
    ($($name:literal / $count:literal, $cost:ident => $body:expr,)*) => {
        const ALL: &[Function] = &[$(Function { name: $name, count: $count, cost: Cost::$cost, body: $body },)*];
        /// The names of all functions of the total part.
        pub const NAMES: &[&str] = &[
            $($name,)*
            "not", "now", "map", "map_values", "any", "all", "sort_by", "group_by", "unique_by", "min_by", "max_by", "with_entries",
            "test", "sub", "gsub",
        ];
    };
}

functions! {
    "length" / 0, Texts => |input, _, _| length(input),
    "utf8bytelength" / 0, Texts => |input, _, _| Ok(text(input)?.len().into()),
    "type" / 0, Texts => |input, _, _| Ok(type_name(input).into()),
    "has" / 1, Texts => |input, arguments, _| has(input, &arguments[0]),
    "in" / 1, Texts => |input, arguments, _| has(&arguments[0], input),
    "keys" / 0, Members => |input, _, _| keys(input),
    "keys_unsorted" / 0, Members => |input, _, _| keys(input),
    "add" / 0, All => |input, _, _| add(input),
    "any" / 0, Members => |input, _, _| Ok(members(input)?.into_iter().any(super::eval::holds).into()),
    "all" / 0, Members => |input, _, _| Ok(members(input)?.into_iter().all(super::eval::holds).into()),
    "min" / 0, Sorted => |input, _, _| Ok(list(input)?.iter().reduce(|one, other| if compare(other, one) == Ordering::Less { other } else { one }).cloned().unwrap_or_default()),
    "max" / 0, Sorted => |input, _, _| Ok(list(input)?.iter().reduce(|one, other| if compare(other, one) == Ordering::Less { one } else { other }).cloned().unwrap_or_default()),
    "sort" / 0, Sorted => |input, _, _| Ok(sorted(list(input)?).into()),
    "unique" / 0, Sorted => |input, _, _| Ok(unique(sorted(list(input)?)).into()),
    "reverse" / 0, All => |input, _, _| reverse(input),
    "first" / 0, Texts => |input, _, fuel| end(input, <[Value]>::first, fuel),
    "last" / 0, Texts => |input, _, fuel| end(input, <[Value]>::last, fuel),
    "flatten" / 0, All => |input, _, _| Ok(Value::Array(flatten(members(input)?, f64::INFINITY))),
    "flatten" / 1, All => |input, arguments, _| {
        let depth = number_of(&arguments[0])?;
        if depth < 0.0 {
            return Err(Failed::new("the depth of `flatten` is at least 0"));
        }
        Ok(Value::Array(flatten(members(input)?, depth)))
    },
    "join" / 1, All => |input, arguments, fuel| join(input, &arguments[0], fuel),
    "split" / 1, Texts => |input, arguments, fuel| split(text(input)?, text(&arguments[0])?, fuel),
    "contains" / 1, Texts => |input, arguments, fuel| Ok(contains(input, &arguments[0], fuel)?.into()),
    "inside" / 1, Texts => |input, arguments, fuel| Ok(contains(&arguments[0], input, fuel)?.into()),
    "startswith" / 1, Texts => |input, arguments, _| Ok(text(input)?.starts_with(text(&arguments[0])?).into()),
    "endswith" / 1, Texts => |input, arguments, _| Ok(text(input)?.ends_with(text(&arguments[0])?).into()),
    "ltrimstr" / 1, Texts => |input, arguments, _| Ok(match (input, &*arguments[0]) {
        (Value::String(text), Value::String(part)) => text.strip_prefix(&**part).unwrap_or(text).into(),
        _ => input.clone(),
    }),
    "rtrimstr" / 1, Texts => |input, arguments, _| Ok(match (input, &*arguments[0]) {
        (Value::String(text), Value::String(part)) => text.strip_suffix(&**part).unwrap_or(text).into(),
        _ => input.clone(),
    }),
    "trim" / 0, Texts => |input, _, _| Ok(text(input)?.trim().into()),
    "ltrim" / 0, Texts => |input, _, _| Ok(text(input)?.trim_start().into()),
    "rtrim" / 0, Texts => |input, _, _| Ok(text(input)?.trim_end().into()),
    "ascii_downcase" / 0, Texts => |input, _, _| Ok(text(input)?.to_ascii_lowercase().into()),
    "ascii_upcase" / 0, Texts => |input, _, _| Ok(text(input)?.to_ascii_uppercase().into()),
    "explode" / 0, Bytes => |input, _, _| Ok(text(input)?.chars().map(|c| Value::from(c as u32)).collect()),
    "implode" / 0, Members => |input, _, _| implode(input),
    "tostring" / 0, All => |input, _, _| Ok(Format::Text.apply(input)?.into()),
    "tonumber" / 0, Texts => |input, _, _| to_number(input),
    "tojson" / 0, All => |input, _, _| Ok(input.to_string().into()),
    "fromjson" / 0, Bytes => |input, _, _| serde_json::from_str(text(input)?).map_err(|error| Failed::new(format!("this text is no JSON: {error}"))),
    "floor" / 0, Texts => |input, _, _| calculated(input, f64::floor),
    "ceil" / 0, Texts => |input, _, _| calculated(input, f64::ceil),
    "round" / 0, Texts => |input, _, _| calculated(input, f64::round),
    "trunc" / 0, Texts => |input, _, _| calculated(input, f64::trunc),
    "sqrt" / 0, Texts => |input, _, _| calculated(input, f64::sqrt),
    "fabs" / 0, Texts => |input, _, _| calculated(input, f64::abs),
    "abs" / 0, Texts => |input, _, _| calculated(input, f64::abs),
    "exp" / 0, Texts => |input, _, _| calculated(input, f64::exp),
    "exp2" / 0, Texts => |input, _, _| calculated(input, f64::exp2),
    "exp10" / 0, Texts => |input, _, _| calculated(input, |x| 10f64.powf(x)),
    "log" / 0, Texts => |input, _, _| calculated(input, f64::ln),
    "log2" / 0, Texts => |input, _, _| calculated(input, f64::log2),
    "log10" / 0, Texts => |input, _, _| calculated(input, f64::log10),
    "sin" / 0, Texts => |input, _, _| calculated(input, f64::sin),
    "cos" / 0, Texts => |input, _, _| calculated(input, f64::cos),
    "atan" / 0, Texts => |input, _, _| calculated(input, f64::atan),
    "pow" / 2, Texts => |_, arguments, _| Ok(number(number_of(&arguments[0])?.powf(number_of(&arguments[1])?))),
    "atan2" / 2, Texts => |_, arguments, _| Ok(number(number_of(&arguments[0])?.atan2(number_of(&arguments[1])?))),
    "isnan" / 0, Texts => |input, _, _| Ok(number_of(input)?.is_nan().into()),
    "index" / 1, Texts => |input, arguments, fuel| place(input, &arguments[0], true, fuel),
    "rindex" / 1, Texts => |input, arguments, fuel| place(input, &arguments[0], false, fuel),
    "indices" / 1, Texts => |input, arguments, fuel| all_places(input, &arguments[0], fuel),
    "to_entries" / 0, Entries => |input, _, _| to_entries(input),
    "from_entries" / 0, All => |input, _, _| from_entries(list(input)?),
    "todate" / 0, Texts => |input, _, _| to_date(input),
    "todateiso8601" / 0, Texts => |input, _, _| to_date(input),
    "fromdate" / 0, Texts => |input, _, _| from_date(input),
    "fromdateiso8601" / 0, Texts => |input, _, _| from_date(input),
    "error" / 0, All => |input, _, _| Err(Failed::new(Format::Text.apply(input)?)),
    "error" / 1, All => |_, arguments, _| Err(Failed::new(Format::Text.apply(&arguments[0])?)),
    "transpose" / 0, All => |input, _, fuel| transpose(list(input)?, fuel),
}

/// Functions of jq that are not of the total part.
pub(super) const WHOLE: &[&str] = &[
    "arrays",
    "ascii",
    "booleans",
    "bsearch",
    "capture",
    "combinations",
    "del",
    "delpaths",
    "getpath",
    "gmtime",
    "halt",
    "infinite",
    "isinfinite",
    "isnormal",
    "isvalid",
    "iterables",
    "leaf_paths",
    "limit",
    "localtime",
    "match",
    "mktime",
    "nan",
    "nth",
    "nulls",
    "numbers",
    "objects",
    "path",
    "paths",
    "pick",
    "scalars",
    "scan",
    "setpath",
    "skip",
    "splits",
    "strflocaltime",
    "strftime",
    "strings",
    "strptime",
    "to_array",
    "toarray",
    "tostream",
    "values",
    "walk",
    "while",
];

impl Function {
    /// The function of this name that takes so many arguments.
    pub(super) fn of(name: &str, count: usize) -> Option<Self> {
        let mut all = ALL.iter();
        all.find(|function| function.name == name && function.count == count)
            .copied()
    }

    pub(super) fn call(
        &self,
        input: &Value,
        arguments: Arguments<'_, '_>,
        fuel: &Fuel,
    ) -> Result<Value, Failed> {
        let all = arguments.iter().map(|argument| &**argument).chain([input]);
        for value in all {
            match (self.cost, value) {
                (Cost::All, value) => fuel.go_through(value, 1)?,
                (Cost::Bytes, Value::String(text)) => fuel.spend(text.len())?,
                (_, Value::String(text)) => fuel.read(text.len())?,
                (Cost::Entries, value) => {
                    fuel.hold(value)?;
                    fuel.spend(32 * members(value).map_or(0, |members| members.len()))?;
                }
                (Cost::Sorted, Value::Array(list)) => fuel.sort(list.len(), list.iter())?,
                (Cost::Members, Value::Array(list)) => fuel.spend(list.len())?,
                (Cost::Members, Value::Object(map)) => fuel.spend(8 * map.len())?,
                _ => {}
            }
        }
        (self.body)(input, arguments, fuel)
    }

    /// Whether its value depends on its input.
    pub(super) fn looks_at_input(&self) -> bool {
        !matches!((self.name, self.count), ("pow" | "atan2", 2) | ("error", 1))
    }
}

/// How many arguments functions of this name take.
pub(super) fn counts(name: &str) -> Vec<usize> {
    if super::regex::is_regex(name) {
        return match name {
            "test" => vec![1, 2],
            _ => vec![2, 3],
        };
    }
    let all = ALL.iter().filter(|function| function.name == name);
    let mut counts: Vec<usize> = all.map(|function| function.count).collect();
    if Over::of(name).is_some() {
        counts.push(1);
    }
    if matches!(name, "not" | "now") {
        counts.push(0);
    }
    counts
}

/// Functions that compute something of each member of their input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Over {
    Map,
    MapValues,
    /// `map(select(f))`.
    Select,
    Any,
    All,
    SortBy,
    GroupBy,
    UniqueBy,
    MinBy,
    MaxBy,
    WithEntries,
}

impl Over {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "map" => Self::Map,
            "map_values" => Self::MapValues,
            "any" => Self::Any,
            "all" => Self::All,
            "sort_by" => Self::SortBy,
            "group_by" => Self::GroupBy,
            "unique_by" => Self::UniqueBy,
            "min_by" => Self::MinBy,
            "max_by" => Self::MaxBy,
            "with_entries" => Self::WithEntries,
            _ => return None,
        })
    }

    pub(super) fn call(
        self,
        fuel: &Fuel,
        input: &Value,
        each: &dyn Fn(&Value) -> Result<Value, Failed>,
    ) -> Result<Value, Failed> {
        fuel.spend(members(input).map_or(0, |members| members.len()))?;
        let holds = |member: &Value| Ok(super::eval::holds(&each(member)?));
        Ok(match self {
            Self::Map => {
                let all = members(input)?.into_iter().map(each);
                Value::Array(all.collect::<Result<_, _>>()?)
            }
            Self::MapValues => match input {
                Value::Object(map) => {
                    let all = map
                        .iter()
                        .map(|(name, value)| Ok((name.clone(), each(value)?)));
                    Value::Object(all.collect::<Result<_, Failed>>()?)
                }
                _ => return Self::Map.call(fuel, list(input).map(|_| input)?, each),
            },
            Self::Select => {
                let mut kept = Vec::new();
                for member in members(input)? {
                    if holds(member)? {
                        kept.push(fuel.copy(member)?);
                    }
                }
                Value::Array(kept)
            }
            Self::Any => {
                for member in members(input)? {
                    if holds(member)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Value::Bool(false)
            }
            Self::All => {
                for member in members(input)? {
                    if !holds(member)? {
                        return Ok(Value::Bool(false));
                    }
                }
                Value::Bool(true)
            }
            Self::WithEntries => {
                fuel.hold(input)?;
                fuel.spend(32 * members(input)?.len())?;
                let entries = Self::Map.call(fuel, &to_entries(input)?, each)?;
                fuel.go_through(&entries, 1)?;
                from_entries(list(&entries)?)?
            }
            Self::SortBy | Self::GroupBy | Self::UniqueBy | Self::MinBy | Self::MaxBy => {
                self.by(fuel, list(input)?, each)?
            }
        })
    }

    fn by(
        self,
        fuel: &Fuel,
        list: &[Value],
        each: &dyn Fn(&Value) -> Result<Value, Failed>,
    ) -> Result<Value, Failed> {
        let mut keyed = Vec::with_capacity(list.len());
        for member in list {
            keyed.push((each(member)?, member));
        }
        fuel.sort(keyed.len(), keyed.iter().map(|(key, _)| key))?;
        if let Self::MinBy | Self::MaxBy = self {
            let is_less = |one: &Value, other: &Value| compare(one, other) == Ordering::Less;
            let found = keyed.into_iter().reduce(|one, other| {
                let takes_other = match self {
                    Self::MinBy => is_less(&other.0, &one.0),
                    _ => !is_less(&other.0, &one.0),
                };
                if takes_other { other } else { one }
            });
            let found = found.map(|(_, member)| fuel.copy(member));
            return Ok(found.transpose()?.unwrap_or_default());
        }
        for member in list {
            fuel.hold(member)?;
        }
        keyed.sort_by(|one, other| compare(&one.0, &other.0));
        let groups = keyed.chunk_by(|one, other| compare(&one.0, &other.0) == Ordering::Equal);
        Ok(Value::Array(match self {
            Self::SortBy => keyed.iter().map(|(_, member)| (*member).clone()).collect(),
            Self::UniqueBy => groups.map(|group| group[0].1.clone()).collect(),
            _ => groups
                .map(|group| group.iter().map(|(_, member)| (*member).clone()).collect())
                .collect(),
        }))
    }
}

/// How values become text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Text,
    Json,
    Html,
    Uri,
    Csv,
    Tsv,
    Sh,
    Base64,
    Base64Decoded,
}

impl Format {
    pub(super) const NAMES: &'static [&'static str] = &[
        "@text", "@json", "@html", "@uri", "@csv", "@tsv", "@sh", "@base64", "@base64d",
    ];

    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Self::Text,
            "json" => Self::Json,
            "html" => Self::Html,
            "uri" => Self::Uri,
            "csv" => Self::Csv,
            "tsv" => Self::Tsv,
            "sh" => Self::Sh,
            "base64" => Self::Base64,
            "base64d" => Self::Base64Decoded,
            _ => return None,
        })
    }

    pub(super) fn apply(self, value: &Value) -> Result<String, Failed> {
        let plain = || match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok(match self {
            Self::Text => plain(),
            Self::Json => value.to_string(),
            Self::Html => {
                let mut out = String::new();
                for c in plain().chars() {
                    match c {
                        '<' => out.push_str("&lt;"),
                        '>' => out.push_str("&gt;"),
                        '&' => out.push_str("&amp;"),
                        '\'' => out.push_str("&#39;"),
                        '"' => out.push_str("&quot;"),
                        c => out.push(c),
                    }
                }
                out
            }
            Self::Uri => {
                let mut out = String::new();
                for byte in plain().bytes() {
                    match byte {
                        b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
                        byte if byte.is_ascii_alphanumeric() => out.push(byte as char),
                        byte => out.push_str(&format!("%{byte:02X}")),
                    }
                }
                out
            }
            Self::Csv => row(value, ",", |text| {
                format!("\"{}\"", text.replace('"', "\"\""))
            })?,
            Self::Tsv => row(value, "\t", |text| {
                let text = text.replace('\\', "\\\\").replace('\t', "\\t");
                text.replace('\n', "\\n").replace('\r', "\\r")
            })?,
            Self::Sh => {
                let quoted = |value: &Value| match value {
                    Value::String(text) => Ok(format!("'{}'", text.replace('\'', "'\\''"))),
                    Value::Array(_) | Value::Object(_) => Err(Failed::new(format!(
                        "{} cannot be quoted for a shell",
                        kind(value)
                    ))),
                    other => Ok(other.to_string()),
                };
                match value {
                    Value::Array(list) => {
                        let all = list.iter().map(quoted).collect::<Result<Vec<_>, _>>()?;
                        all.join(" ")
                    }
                    other => quoted(other)?,
                }
            }
            Self::Base64 => STANDARD.encode(plain()),
            Self::Base64Decoded => {
                let text = plain();
                let bytes = STANDARD.decode(text.trim_end_matches('=')).or_else(|_| {
                    base64::engine::general_purpose::STANDARD_NO_PAD
                        .decode(text.trim_end_matches('='))
                });
                match bytes {
                    Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    Err(_) => return Err(Failed::new(format!("`{text}` is no base64"))),
                }
            }
        })
    }
}

fn row(value: &Value, by: &str, quote: fn(&str) -> String) -> Result<String, Failed> {
    let cells = list(value)?.iter().map(|cell| match cell {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(quote(text)),
        Value::Array(_) | Value::Object(_) => Err(Failed::new(format!(
            "{} does not fit into a cell",
            kind(cell)
        ))),
        other => Ok(other.to_string()),
    });
    Ok(cells.collect::<Result<Vec<_>, _>>()?.join(by))
}

/// What a value is called in messages: its type, and what it is if that is short.
pub(super) fn kind(value: &Value) -> String {
    let mut text = Beginning::default();
    // It ends when there is enough.
    let is_all = write!(text, "{value}").is_ok();
    let mut text = text.0;
    if !is_all {
        let end = (0..=37).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    format!("{} ({text})", type_name(value))
}

/// The first 40 bytes of what is written, and a little more.
#[derive(Default)]
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = (0..=part.len().min(41)).rev();
        let end = end.into_iter().find(|end| part.is_char_boundary(*end));
        self.0.push_str(&part[..end.unwrap_or(0)]);
        match 40 < self.0.len() {
            true => Err(fmt::Error),
            false => Ok(()),
        }
    }
}

pub(super) fn limit(size: usize) -> Result<(), Failed> {
    if SIZE_MAX < size {
        let what = format!("what is computed has more than {SIZE_MAX} bytes or members");
        return Err(Failed::new(what));
    }
    Ok(())
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A number that was computed: whole if it is, the largest there is for infinity, null for what is
/// none, as jq prints them.
pub(super) fn number(float: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() <= EXACT {
        return (float as i64).into();
    }
    let float = float.clamp(f64::MIN, f64::MAX);
    Number::from_f64(float).map_or(Value::Null, Value::Number)
}

/// A number as it is written.
pub(super) fn parse_number(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(whole) => whole.into(),
        Err(_) => number(text.parse().unwrap_or(f64::NAN)),
    }
}

/// The same value, with whole numbers written as such.
pub(super) fn whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(of) if of.is_f64() => number(float(&of)),
        Value::Array(list) => list.into_iter().map(whole_numbers).collect(),
        Value::Object(map) => {
            let map = map.into_iter();
            Value::Object(
                map.map(|(name, value)| (name, whole_numbers(value)))
                    .collect(),
            )
        }
        other => other,
    }
}

pub(super) fn float(of: &Number) -> f64 {
    of.as_f64().unwrap_or(f64::NAN)
}

fn number_of(value: &Value) -> Result<f64, Failed> {
    match value {
        Value::Number(of) => Ok(float(of)),
        other => Err(Failed::new(format!("{} is no number", kind(other)))),
    }
}

fn calculated(value: &Value, how: fn(f64) -> f64) -> Result<Value, Failed> {
    Ok(number(how(number_of(value)?)))
}

pub(super) fn text(value: &Value) -> Result<&str, Failed> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Failed::new(format!("{} is no text", kind(other)))),
    }
}

fn list(value: &Value) -> Result<&[Value], Failed> {
    match value {
        Value::Array(list) => Ok(list),
        other => Err(Failed::new(format!("{} is no list", kind(other)))),
    }
}

/// The members of a list or an object.
fn members(value: &Value) -> Result<Vec<&Value>, Failed> {
    match value {
        Value::Array(list) => Ok(list.iter().collect()),
        Value::Object(map) => Ok(map.values().collect()),
        other => Err(Failed::new(format!("{} has no members", kind(other)))),
    }
}

fn length(value: &Value) -> Result<Value, Failed> {
    Ok(match value {
        Value::Null => 0.into(),
        Value::Bool(_) => return Err(Failed::new(format!("{} has no length", kind(value)))),
        Value::Number(of) => number(float(of).abs()),
        Value::String(text) => text.chars().count().into(),
        Value::Array(list) => list.len().into(),
        Value::Object(map) => map.len().into(),
    })
}

fn has(value: &Value, key: &Value) -> Result<Value, Failed> {
    match (value, key) {
        (Value::Object(map), Value::String(name)) => Ok(map.contains_key(name).into()),
        (Value::Array(list), Value::Number(at)) => {
            let at = float(at);
            Ok((0.0 <= at && at < list.len() as f64).into())
        }
        (Value::Null, Value::String(_) | Value::Number(_)) => Ok(Value::Bool(false)),
        _ => Err(Failed::new(format!(
            "{} cannot have {}",
            kind(value),
            kind(key)
        ))),
    }
}

fn keys(value: &Value) -> Result<Value, Failed> {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Ok(keys.into_iter().cloned().map(Value::String).collect())
        }
        Value::Array(list) => Ok((0..list.len()).map(Value::from).collect()),
        other => Err(Failed::new(format!("{} has no keys", kind(other)))),
    }
}

fn add(value: &Value) -> Result<Value, Failed> {
    // Text and lists are gathered, not added one by one.
    let all = members(value)?;
    if !all.is_empty() && all.iter().all(|value| value.is_string()) {
        let texts = all.iter().filter_map(|value| value.as_str());
        return Ok(texts.collect::<String>().into());
    }
    if !all.is_empty() && all.iter().all(|value| value.is_array()) {
        let lists = all.iter().filter_map(|value| value.as_array());
        return Ok(lists.flatten().cloned().collect());
    }
    let mut sum = Value::Null;
    for value in all {
        sum = match (sum, value) {
            (Value::Null, other) => other.clone(),
            (sum, Value::Null) => sum,
            (Value::Number(one), Value::Number(other)) => {
                let whole = one.as_i64().zip(other.as_i64());
                match whole.and_then(|(one, other)| one.checked_add(other)) {
                    Some(whole) => whole.into(),
                    None => number(float(&one) + float(other)),
                }
            }
            (Value::Object(mut one), Value::Object(other)) => {
                one.extend(other.clone());
                one.into()
            }
            (sum, other) => {
                let what = format!("{} cannot be added to {}", kind(other), kind(&sum));
                return Err(Failed::new(what));
            }
        };
    }
    Ok(sum)
}

fn sorted(list: &[Value]) -> Vec<Value> {
    let mut list = list.to_vec();
    list.sort_by(compare);
    list
}

fn unique(mut sorted: Vec<Value>) -> Vec<Value> {
    sorted.dedup_by(|one, other| compare(one, other) == Ordering::Equal);
    sorted
}

fn reverse(value: &Value) -> Result<Value, Failed> {
    Ok(match value {
        Value::Null => Value::Array(Vec::new()),
        Value::String(text) => text.chars().rev().collect::<String>().into(),
        other => list(other)?.iter().rev().cloned().collect(),
    })
}

fn end(value: &Value, of: fn(&[Value]) -> Option<&Value>, fuel: &Fuel) -> Result<Value, Failed> {
    match value {
        Value::Null => Ok(Value::Null),
        other => of(list(other)?).map_or(Ok(Value::Null), |found| fuel.copy(found)),
    }
}

fn flatten(all: Vec<&Value>, depth: f64) -> Vec<Value> {
    let mut flat = Vec::new();
    for member in all {
        match member {
            Value::Array(inner) if 0.0 < depth => {
                flat.extend(flatten(inner.iter().collect(), depth - 1.0));
            }
            other => flat.push(other.clone()),
        }
    }
    flat
}

fn join(value: &Value, by: &Value, fuel: &Fuel) -> Result<Value, Failed> {
    let list = list(value)?;
    if list.is_empty() {
        return Ok("".into());
    }
    let by = text(by)?;
    limit(by.len().saturating_mul(list.len() - 1))?;
    fuel.read(by.len().saturating_mul(list.len()))?;
    let texts = list.iter().map(|member| match member {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(_) | Value::Object(_) => {
            Err(Failed::new(format!("{} cannot be joined", kind(member))))
        }
        other => Ok(other.to_string()),
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join(by).into())
}

pub(super) fn split(text: &str, by: &str, fuel: &Fuel) -> Result<Value, Failed> {
    fuel.read(text.len() + by.len())?;
    if text.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    if by.is_empty() {
        fuel.spend(4 * text.len())?;
        return Ok(text.chars().map(|c| Value::from(c.to_string())).collect());
    }
    fuel.spend(4 * text.matches(by).count())?;
    Ok(text.split(by).map(Value::from).collect())
}

fn contains(value: &Value, part: &Value, fuel: &Fuel) -> Result<bool, Failed> {
    fuel.spend(1)?;
    match (value, part) {
        (Value::Object(map), Value::Object(parts)) => {
            for (name, part) in parts {
                match map.get(name) {
                    Some(value) if contains(value, part, fuel)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Array(list), Value::Array(parts)) => {
            for part in parts {
                let mut is_there = false;
                for value in list {
                    let same = std::mem::discriminant(value) == std::mem::discriminant(part);
                    fuel.spend(1)?;
                    is_there = is_there || same && contains(value, part, fuel)?;
                }
                if !is_there {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::String(text), Value::String(part)) => {
            fuel.read(text.len() + part.len())?;
            Ok(text.contains(&**part))
        }
        (one, other) if type_name(one) == type_name(other) => {
            Ok(fuel.compare(one, other)? == Ordering::Equal)
        }
        (one, other) => {
            let what = format!(
                "whether {} contains {} is no question",
                kind(one),
                kind(other)
            );
            Err(Failed::new(what))
        }
    }
}

fn implode(value: &Value) -> Result<Value, Failed> {
    let chars = list(value)?.iter().map(|code| {
        let code = number_of(code)?;
        char::from_u32(code as u32).ok_or_else(|| Failed::new(format!("{code} is no character")))
    });
    Ok(chars.collect::<Result<String, _>>()?.into())
}

fn to_number(value: &Value) -> Result<Value, Failed> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => {
            let is_number = text.parse::<f64>().is_ok_and(f64::is_finite)
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            match is_number {
                true => Ok(parse_number(text)),
                false => Err(Failed::new(format!("{} is no number", kind(value)))),
            }
        }
        other => Err(Failed::new(format!("{} is no number", kind(other)))),
    }
}

/// At which places a part begins in a list.
pub(super) fn indices(list: &[Value], part: &[Value], fuel: &Fuel) -> Result<Value, Failed> {
    if part.is_empty() {
        return Ok(Value::Null);
    }
    let mut found = Vec::new();
    for (at, window) in list.windows(part.len()).enumerate() {
        let mut is_equal = true;
        for (one, other) in window.iter().zip(part) {
            is_equal = is_equal && fuel.compare(one, other)? == Ordering::Equal;
            if !is_equal {
                break;
            }
        }
        if is_equal {
            found.push(at.into());
        }
    }
    Ok(Value::Array(found))
}

/// At which places a part begins in a text, counted in characters; one may begin within another.
fn places(text: &str, part: &str, fuel: &Fuel) -> Result<Value, Failed> {
    let Some(first) = part.chars().next() else {
        return Ok(Value::Null);
    };
    let mut found = Vec::new();
    let mut rest = text;
    let mut at = 0;
    while let Some(byte) = rest.find(part) {
        // What comes next is looked for in the rest, with all of the part.
        fuel.read(16 + byte + 2 * part.len())?;
        at += rest[..byte].chars().count();
        found.push(Value::from(at));
        rest = &rest[byte + first.len_utf8()..];
        at += 1;
    }
    Ok(Value::Array(found))
}

fn all_places(value: &Value, part: &Value, fuel: &Fuel) -> Result<Value, Failed> {
    match (value, part) {
        (Value::Null, _) => Ok(Value::Null),
        (Value::String(text), Value::String(part)) => places(text, part, fuel),
        (Value::Array(list), Value::Array(part)) => indices(list, part, fuel),
        (Value::Array(list), one) => indices(list, std::slice::from_ref(one), fuel),
        _ => {
            let what = format!("{} cannot be looked for in {}", kind(part), kind(value));
            Err(Failed::new(what))
        }
    }
}

fn place(value: &Value, part: &Value, is_first: bool, fuel: &Fuel) -> Result<Value, Failed> {
    let all = all_places(value, part, fuel)?;
    let found = match (&all, is_first) {
        (Value::Array(all), true) => all.first(),
        (Value::Array(all), false) => all.last(),
        _ => None,
    };
    Ok(found.cloned().unwrap_or_default())
}

fn to_entries(value: &Value) -> Result<Value, Failed> {
    let entry = |(key, value): (Value, &Value)| serde_json::json!({ "key": key, "value": value });
    match value {
        Value::Object(map) => {
            let entries = map.iter();
            Ok(entries
                .map(|(name, value)| entry((name.clone().into(), value)))
                .collect())
        }
        Value::Array(list) => {
            let entries = list.iter().enumerate();
            Ok(entries
                .map(|(at, value)| entry((at.into(), value)))
                .collect())
        }
        other => Err(Failed::new(format!("{} has no names", kind(other)))),
    }
}

fn from_entries(list: &[Value]) -> Result<Value, Failed> {
    let mut map = Map::new();
    for entry in list {
        let Value::Object(entry) = entry else {
            return Err(Failed::new(format!("{} is no entry", kind(entry))));
        };
        let names = ["key", "k", "name", "Name", "Key", "K"];
        let mut found = names.iter().filter_map(|name| entry.get(*name));
        let key = found.find(|key| super::eval::holds(key));
        let any = names.iter().find_map(|name| entry.get(*name));
        let key = match key.or(any) {
            Some(Value::String(key)) => key.clone(),
            Some(Value::Null) | None => "null".to_owned(),
            Some(key @ Value::Bool(_)) => key.to_string(),
            Some(key) => {
                return Err(Failed::new(format!(
                    "{} cannot be the name of a member",
                    kind(key)
                )));
            }
        };
        let values = ["value", "v", "Value", "V"];
        let value = values.iter().find_map(|name| entry.get(*name));
        map.insert(key, value.cloned().unwrap_or_default());
    }
    Ok(map.into())
}

fn to_date(value: &Value) -> Result<Value, Failed> {
    let seconds = number_of(value)?;
    match jiff::Timestamp::from_second(seconds.floor() as i64) {
        Ok(time) => Ok(time.to_string().into()),
        Err(_) => Err(Failed::new(format!("{seconds} is no time"))),
    }
}

fn from_date(value: &Value) -> Result<Value, Failed> {
    let text = text(value)?;
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.as_second().into()),
        Err(_) => Err(Failed::new(format!(
            "{} is no time; write one like \"2026-11-27T08:00:00Z\"",
            kind(value)
        ))),
    }
}

fn transpose(rows: &[Value], fuel: &Fuel) -> Result<Value, Failed> {
    let rows = rows.iter().map(list).collect::<Result<Vec<_>, _>>()?;
    let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let count = width.saturating_mul(rows.len());
    limit(count)?;
    fuel.spend(count)?;
    let columns = (0..width).map(|at| {
        let column = rows
            .iter()
            .map(|row| row.get(at).cloned().unwrap_or_default());
        column.collect::<Value>()
    });
    Ok(columns.collect())
}
