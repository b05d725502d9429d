//! What a Zigbee device exposes, in Zigbee2MQTT's words, as affordances.
//!
//! Groups (light, climate, cover, lock, fan, switch) are taken apart: each of their features has a
//! value of its own. What can only be told is an action; presses of buttons are events.

use serde_json::{Map, Value, json};

use super::{href, name_of, pointer::Pointer, units::ucum};

/// More affordances than this no device has.
const AFFORDANCES_MAX: usize = 1000;
/// How deep values may be nested.
const DEPTH_MAX: usize = 8;

/// Bits of `access`.
const REPORTED: u64 = 1;
const SETTABLE: u64 = 2;
const GETTABLE: u64 = 4;

/// Where a device reports and is told.
pub(super) struct Place {
    /// The topic of its state.
    pub(super) state: String,
    /// The topic where it is told.
    pub(super) set: String,
}

/// The affordances of a device.
#[derive(Default)]
pub(super) struct Affordances {
    pub(super) properties: Map<String, Value>,
    pub(super) actions: Map<String, Value>,
    pub(super) events: Map<String, Value>,
}

impl Affordances {
    /// Those of a list of exposes; with forms if there is a place.
    pub(super) fn of(exposes: &Value, place: Option<&Place>) -> Self {
        let mut all = Self::default();
        all.add_all(exposes, place, 0);
        all
    }

    /// Puts them into a description or a model.
    pub(super) fn put(self, thing: &mut Map<String, Value>) {
        let kinds = [
            ("properties", self.properties),
            ("actions", self.actions),
            ("events", self.events),
        ];
        for (kind, affordances) in kinds {
            if !affordances.is_empty() {
                thing.insert(kind.to_owned(), affordances.into());
            }
        }
    }

    fn add_all(&mut self, exposes: &Value, place: Option<&Place>, depth: usize) {
        for expose in exposes.as_array().into_iter().flatten() {
            let Some(property) = expose["property"].as_str().filter(|text| !text.is_empty()) else {
                if depth < DEPTH_MAX {
                    self.add_all(&expose["features"], place, depth + 1);
                }
                continue;
            };
            let count = self.properties.len() + self.actions.len() + self.events.len();
            // A group that has a value of its own is no value, either.
            if expose.get("features").is_some() && expose["type"] != "composite" {
                if depth < DEPTH_MAX {
                    self.add_all(&expose["features"], place, depth + 1);
                }
            } else if count < AFFORDANCES_MAX {
                self.add(expose, property, place);
            }
        }
    }

    fn add(&mut self, expose: &Value, property: &str, place: Option<&Place>) {
        let name = name_of(property);
        let is_known = [&self.properties, &self.actions, &self.events];
        if is_known.iter().any(|known| known.contains_key(&name)) {
            return;
        }
        let access = expose["access"].as_u64().unwrap_or(REPORTED);
        let mut about = about(expose, property);
        if access & (REPORTED | GETTABLE) == 0 && access & SETTABLE != 0 {
            let only = only_value(expose);
            if only.is_none() {
                about.insert("input".into(), schema(expose, 0).into());
            }
            if let Some(place) = place {
                let mut form = told(expose, property, place, "invokeaction");
                if let Some(value) = only {
                    form.insert("quartet:payload".into(), json!({ property: value }));
                }
                about.insert("forms".into(), json!([form]));
            }
            self.actions.insert(name, about.into());
        } else if expose["name"] == "action" && access & SETTABLE == 0 {
            about.insert("data".into(), schema(expose, 0).into());
            if let Some(place) = place {
                let form = reported(expose, property, place, &["subscribeevent"]);
                about.insert("forms".into(), json!([form]));
            }
            self.events.insert(name, about.into());
        } else {
            about.extend(schema(expose, 0));
            if access & SETTABLE == 0 {
                about.insert("readOnly".into(), true.into());
            }
            about.insert("observable".into(), true.into());
            if let Some(place) = place {
                let ops = ["readproperty", "observeproperty"];
                let mut forms = vec![reported(expose, property, place, &ops)];
                if access & SETTABLE != 0 {
                    forms.push(told(expose, property, place, "writeproperty"));
                }
                about.insert("forms".into(), json!(forms));
            }
            self.properties.insert(name, about.into());
        }
    }
}

/// Title, description and category.
fn about(expose: &Value, property: &str) -> Map<String, Value> {
    let label = expose["label"].as_str().filter(|label| !label.is_empty());
    let title = label.map_or_else(|| titled(property), str::to_owned);
    let mut about = Map::from_iter([("title".to_owned(), title.into())]);
    if let Some(text) = expose["description"]
        .as_str()
        .filter(|text| !text.is_empty())
    {
        about.insert("description".into(), text.into());
    }
    if let Some(category) = expose["category"].as_str() {
        about.insert("quartet:category".into(), category.into());
    }
    about
}

/// `power_on_behavior` as `Power on behavior`.
fn titled(property: &str) -> String {
    let words = property.replace('_', " ");
    let mut chars = words.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// The one word that a button takes.
fn only_value(expose: &Value) -> Option<&Value> {
    match expose["values"].as_array().map(Vec::as_slice) {
        Some([only]) => Some(only),
        _ => None,
    }
}

/// The data schema of a value.
fn schema(expose: &Value, depth: usize) -> Map<String, Value> {
    let mut schema = Map::new();
    let mut say = |name: &str, value: Value| {
        schema.insert(name.to_owned(), value);
    };
    match expose["type"].as_str().unwrap_or_default() {
        "numeric" => {
            say("type", "number".into());
            let (least, most) = (&expose["value_min"], &expose["value_max"]);
            let is_range = match (least.as_f64(), most.as_f64()) {
                (Some(least), Some(most)) => least <= most,
                _ => true,
            };
            for (name, bound) in [("minimum", least), ("maximum", most)] {
                if bound.is_number() && is_range {
                    say(name, bound.clone());
                }
            }
            if let Some(unit) = expose["unit"].as_str().map(str::trim)
                && !unit.is_empty()
            {
                say("unit", ucum(unit).unwrap_or(unit).into());
            }
        }
        "binary" => say("type", "boolean".into()),
        "enum" => {
            let mut values: Vec<Value> = Vec::new();
            for value in expose["values"].as_array().into_iter().flatten() {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
            if values.iter().all(Value::is_string) {
                say("type", "string".into());
            } else if values.iter().all(Value::is_i64) {
                say("type", "integer".into());
            }
            if !values.is_empty() {
                say("enum", values.into());
            }
        }
        "text" => say("type", "string".into()),
        "list" => {
            say("type", "array".into());
            for (name, bound) in [("minItems", "length_min"), ("maxItems", "length_max")] {
                if let Some(bound) = expose[bound].as_u64() {
                    say(name, bound.into());
                }
            }
            if expose["item_type"].is_object() && depth < DEPTH_MAX {
                say(
                    "items",
                    self::schema(&expose["item_type"], depth + 1).into(),
                );
            }
        }
        "composite" => {
            say("type", "object".into());
            let features = expose["features"].as_array().into_iter().flatten();
            let members = features
                .filter(|_| depth < DEPTH_MAX)
                .filter_map(|feature| {
                    let name = feature["property"].as_str().or(feature["name"].as_str())?;
                    let mut member = self::schema(feature, depth + 1);
                    if let Some(text) = feature["description"].as_str() {
                        member.insert("description".into(), text.into());
                    }
                    Some((name.to_owned(), Value::Object(member)))
                });
            say("properties", members.collect::<Map<_, _>>().into());
        }
        _ => {}
    }
    if depth > 0 && expose["type"] == "binary" {
        return inner_binary(expose);
    }
    schema
}

/// Inside a value, nobody exchanges a device's words: they are the value.
fn inner_binary(expose: &Value) -> Map<String, Value> {
    let (on, off) = (&expose["value_on"], &expose["value_off"]);
    match (on, off) {
        (Value::String(on), Value::String(off)) if on != off => Map::from_iter([
            ("type".to_owned(), json!("string")),
            ("enum".to_owned(), json!([on, off])),
        ]),
        _ => Map::from_iter([("type".to_owned(), json!("boolean"))]),
    }
}

fn reported(expose: &Value, property: &str, place: &Place, ops: &[&str]) -> Map<String, Value> {
    let mut form = form(expose, property, &place.state);
    form.insert("op".into(), json!(ops));
    form.insert("mqv:filter".into(), place.state.as_str().into());
    form
}

fn told(expose: &Value, property: &str, place: &Place, op: &str) -> Map<String, Value> {
    let mut form = form(expose, property, &place.set);
    form.insert("op".into(), op.into());
    form.insert("mqv:topic".into(), place.set.as_str().into());
    form
}

fn form(expose: &Value, property: &str, topic: &str) -> Map<String, Value> {
    let mut form = Map::from_iter([
        ("href".to_owned(), href(topic).into()),
        ("contentType".to_owned(), "application/json".into()),
        ("quartet:path".to_owned(), Pointer::to(&[property]).into()),
    ]);
    if let Some(words) = words(expose) {
        form.insert("quartet:values".into(), words);
    }
    form
}

/// The device's words for true and false, if they are others.
fn words(expose: &Value) -> Option<Value> {
    if expose["type"] != "binary" {
        return None;
    }
    let (on, off) = (&expose["value_on"], &expose["value_off"]);
    if on.is_null() || off.is_null() || (on == true && off == false) || on == off {
        return None;
    }
    Some(json!({ word(on): true, word(off): false }))
}

/// A text that would be taken for JSON stands in quotes.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        other => other.to_string(),
    }
}
