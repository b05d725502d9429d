use quartet_people::scim::{
    ScimError, ScimType,
    filter::{Filter, Path},
    urn,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{SHOWN_MAX, answer::Wrong};

/// Resources that an answer shows if nobody says how many.
const SHOWN: usize = 100;

/// Which resources are wanted, and what of them.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::http) struct Wanted {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<Names>,
    excluded_attributes: Option<Names>,
}

/// Names in a list, or with commas between.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Names {
    Listed(Vec<String>),
    Text(String),
}

impl Names {
    fn all(&self) -> Vec<Path> {
        let paths = |names: &mut dyn Iterator<Item = &str>| {
            let paths = names.filter_map(|name| Path::read(name.trim()));
            paths.collect()
        };
        match self {
            Self::Listed(names) => paths(&mut names.iter().map(String::as_str)),
            Self::Text(names) => paths(&mut names.split(',')),
        }
    }
}

impl Wanted {
    pub(super) fn filter(&self) -> Result<Option<Filter>, Wrong> {
        let filter = self
            .filter
            .as_deref()
            .filter(|text| !text.trim().is_empty());
        Ok(filter.map(Filter::read).transpose()?)
    }

    /// The first, counted from 1, and how many (RFC 7644, section 3.4.2.4).
    pub(super) fn page(&self) -> (usize, usize) {
        let first = self.start_index.unwrap_or(1).max(1);
        let count = self.count.map_or(SHOWN, |count| count.max(0) as usize);
        (first as usize, count.min(SHOWN_MAX))
    }

    /// Whether an attribute is to be shown that costs something.
    pub(super) fn shows(&self, name: &str) -> bool {
        let has = |names: &Names| {
            let names = names.all();
            names
                .iter()
                .any(|path| path.name.eq_ignore_ascii_case(name))
        };
        match (&self.attributes, &self.excluded_attributes) {
            (Some(names), _) => has(names),
            (None, Some(names)) => !has(names),
            (None, None) => true,
        }
    }

    /// What is wanted of a resource; `schemas`, `id` and `meta` always are.
    pub(super) fn cut(&self, mut resource: Map<String, Value>) -> Value {
        let is_always = |name: &str| matches!(name, "schemas" | "id" | "meta");
        if let Some(names) = &self.attributes {
            let mut cut: Map<String, Value> = Map::new();
            for path in names.all() {
                let own = match &path.schema {
                    Some(schema) => match resource.get(schema).and_then(Value::as_object) {
                        Some(own) => (own, Some(schema)),
                        None => continue,
                    },
                    None => (&resource, None),
                };
                let (own, schema) = own;
                let mut members = own.iter();
                let found = members.find(|(name, _)| {
                    name.eq_ignore_ascii_case(&path.name)
                        || schema.is_some() && path.name.is_empty()
                });
                let Some((name, value)) = found else { continue };
                let value = match &path.part {
                    Some(part) => part_of(value, part),
                    None => value.clone(),
                };
                match schema {
                    Some(schema) => {
                        cut.entry(schema.clone()).or_insert_with(|| json!({}))[name] = value;
                    }
                    None => {
                        cut.insert(name.clone(), value);
                    }
                }
            }
            for name in ["schemas", "id", "meta"] {
                if let Some(value) = resource.remove(name) {
                    cut.insert(name.to_owned(), value);
                }
            }
            return cut.into();
        }
        let excluded = self.excluded_attributes.as_ref().map(Names::all);
        for path in excluded.into_iter().flatten() {
            let of = match &path.schema {
                Some(schema) if path.name.is_empty() => {
                    resource.remove(schema);
                    continue;
                }
                Some(schema) => resource.get_mut(schema).and_then(Value::as_object_mut),
                None => Some(&mut resource),
            };
            if let Some(of) = of {
                of.retain(|name, _| is_always(name) || !name.eq_ignore_ascii_case(&path.name));
            }
        }
        resource.into()
    }
}

fn part_of(value: &Value, part: &str) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|one| part_of(one, part)).collect(),
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(part));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

/// What was found (RFC 7644, section 3.4.2).
pub(super) fn response(total: usize, first: usize, shown: Vec<Value>) -> Value {
    json!({
        "schemas": [urn::LIST],
        "totalResults": total,
        "startIndex": first,
        "itemsPerPage": shown.len(),
        "Resources": shown,
    })
}

/// What a search asks for (RFC 7644, section 3.4.3).
pub(super) fn searched(body: &Value) -> Result<Wanted, Wrong> {
    Wanted::deserialize(body).map_err(|error| {
        let what = format!("a search has filter, startIndex, count, attributes: {error}");
        ScimError::new(ScimType::InvalidSyntax, what).into()
    })
}
