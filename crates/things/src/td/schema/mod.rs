//! Data schemas of TD 1.1: what values an affordance takes and gives.
//!
//! A subset of JSON Schema, read once into a list of checks. `format`, `contentEncoding` and
//! `contentMediaType` say what a value means, and are not checked.

mod check; // a value against the checks
mod number; // comparing numbers exactly

use std::hash::{Hash, Hasher};

use serde_json::{Number, Value};

/// What a value must fulfil [TD 1.1, section 5.3.2].
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Schema {
    checks: Box<[Check]>,
}

/// One term of a data schema. It says nothing of values of another type than its own.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Check {
    Type(Type),
    Const(Value),
    Enum(Box<[Value]>),
    OneOf(Box<[Schema]>),
    Minimum(Number),
    ExclusiveMinimum(Number),
    Maximum(Number),
    ExclusiveMaximum(Number),
    MultipleOf(Number),
    MinLength(u64),
    MaxLength(u64),
    Pattern(Box<Pattern>),
    MinItems(u64),
    MaxItems(u64),
    Items(Box<Schema>),
    Tuple(Box<[Schema]>),
    Properties(Box<[(Box<str>, Schema)]>),
    Required(Box<[Box<str>]>),
}

/// The types that a data schema names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Type {
    Boolean,
    Integer,
    Number,
    String,
    Object,
    Array,
    Null,
}

/// A regular expression. Two are equal if they are written the same.
#[derive(Clone, Debug)]
struct Pattern {
    regex: regex_lite::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.regex.as_str().hash(state);
    }
}

impl Schema {
    /// Reads a data schema that is part of a valid description. Terms that it does not know, or
    /// that are not as they should be, check nothing; so does a `pattern` that looks around.
    pub(crate) fn read(schema: &Value) -> Self {
        let members = schema.as_object().into_iter().flatten();
        let checks = members.filter_map(|(term, value)| Check::read(term, value));
        Self {
            checks: checks.collect(),
        }
    }
}

impl Check {
    fn read(term: &str, value: &Value) -> Option<Self> {
        let number = || value.as_number().cloned();
        let schemas = |list: &[Value]| list.iter().map(Schema::read).collect();
        Some(match term {
            "type" => Self::Type(Type::read(value.as_str()?)?),
            "const" => Self::Const(value.clone()),
            "enum" => Self::Enum(value.as_array()?.clone().into()),
            "oneOf" => Self::OneOf(schemas(value.as_array()?)),
            "minimum" => Self::Minimum(number()?),
            "exclusiveMinimum" => Self::ExclusiveMinimum(number()?),
            "maximum" => Self::Maximum(number()?),
            "exclusiveMaximum" => Self::ExclusiveMaximum(number()?),
            "multipleOf" => Self::MultipleOf(number().filter(|n| n.as_f64() > Some(0.0))?),
            "minLength" => Self::MinLength(value.as_u64()?),
            "maxLength" => Self::MaxLength(value.as_u64()?),
            "pattern" => Self::Pattern(Box::new(Pattern {
                regex: regex_lite::Regex::new(value.as_str()?).ok()?,
            })),
            "minItems" => Self::MinItems(value.as_u64()?),
            "maxItems" => Self::MaxItems(value.as_u64()?),
            "items" => match value {
                Value::Array(list) => Self::Tuple(schemas(list)),
                one => Self::Items(Box::new(Schema::read(one))),
            },
            "properties" => {
                let members = value.as_object()?.iter();
                let members =
                    members.map(|(name, member)| (name.as_str().into(), Schema::read(member)));
                Self::Properties(members.collect())
            }
            "required" => {
                let names = value.as_array()?.iter().filter_map(Value::as_str);
                Self::Required(names.map(Into::into).collect())
            }
            _ => return None,
        })
    }
}

impl Type {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "string" => Self::String,
            "object" => Self::Object,
            "array" => Self::Array,
            "null" => Self::Null,
            _ => return None,
        })
    }
}
