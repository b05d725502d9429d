//! What a birth says of a node or a device: its description, and which metric is which from then on.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use bytes::Bytes;
use prost::Message;
use serde_json::{Map, Value, json};

use super::{
    CONTENT_TYPE, Topic, Unreadable, Verb,
    datatype::DataType,
    value,
    wire::{Metric, PropertySet},
};
use crate::{
    dialects::{parts, units},
    td::{DOCUMENT_BYTES_MAX, Problem},
};

/// The number of a connection, which its birth and its death have.
pub(super) const BD_SEQ: &str = "bdSeq";
/// What nodes are asked to be born again with [tck-id-payloads-nbirth-rebirth-req].
pub(super) const REBIRTH: &str = "Node Control/Rebirth";
/// Metrics of these names are asked to do something, if they are booleans.
const CONTROLS: [&str; 2] = ["Node Control/", "Device Control/"];
/// Metrics of these names say what a node is made of; nobody writes them.
const FACTS: &str = "Properties/";

/// The metrics of a node or a device, as its last birth said them.
#[derive(Default, Debug)]
pub(super) struct Metrics {
    known: Vec<Known>,
    by_name: HashMap<Box<str>, usize>,
    by_alias: HashMap<u64, usize>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Known {
    /// The property that it is; none if it is an action, or nothing.
    pub(super) property: Option<Box<str>>,
    pub(super) datatype: DataType,
}

impl Metrics {
    /// The metrics of a birth, and what is wrong with those that are left out.
    pub(super) fn of(birth: &[Metric]) -> (Self, Vec<Problem>) {
        let mut metrics = Self::default();
        let mut taken = HashSet::new();
        let mut problems = Vec::new();
        for metric in birth {
            let Some(name) = metric.name.as_deref().filter(|name| *name != BD_SEQ) else {
                continue; // A birth names its metrics [tck-id-payloads-alias-birth-requirement].
            };
            let number = metric.datatype.unwrap_or_default();
            let Some(datatype) = DataType::of(number) else {
                let says = format!(
                    "has the data type {number}, which the specification does not have; it is left out"
                );
                problems.push(Problem::new(name, says));
                continue;
            };
            let property = match control(name, datatype) {
                Some(_) => None,
                None => Some(free_name(name, &mut taken).into()),
            };
            let index = metrics.known.len();
            metrics.by_name.insert(name.into(), index);
            if let Some(alias) = metric.alias {
                metrics.by_alias.insert(alias, index);
            }
            metrics.known.push(Known { property, datatype });
        }
        (metrics, problems)
    }

    /// The metric that a name or an alias stands for.
    pub(super) fn find(&self, metric: &Metric) -> Option<&Known> {
        let index = match (&metric.name, &metric.alias) {
            (Some(name), _) => self.by_name.get(&**name),
            (None, Some(alias)) => self.by_alias.get(alias),
            (None, None) => None,
        };
        self.known.get(*index?)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The part of a description: properties, and actions for what is controlled.
    pub(super) fn describe(
        &self,
        topic: &Topic<'_>,
        birth: &[Metric],
    ) -> Result<Value, Vec<Problem>> {
        let mut properties = Map::new();
        let mut actions = Map::new();
        for metric in birth {
            let (Some(name), Some(known)) = (&metric.name, self.find(metric)) else {
                continue;
            };
            match (&known.property, control(name, known.datatype)) {
                (Some(property), _) => {
                    let described = property_of(topic, name, metric, known.datatype);
                    properties.insert(property.to_string(), described);
                }
                (None, Some(short)) => {
                    let form = told(topic, "invokeaction", name, metric, known.datatype);
                    let described = json!({ "title": parts::title(short), "forms": [form] });
                    actions.insert(parts::affordance_name(short), described);
                }
                (None, None) => {}
            }
        }
        let mut part = Map::new();
        for (kind, all) in [("properties", properties), ("actions", actions)] {
            if !all.is_empty() {
                part.insert(kind.to_owned(), all.into());
            }
        }
        if topic.device.is_some() {
            let link = parts::controlled_by(&topic.of_node().key());
            part.insert("links".to_owned(), json!([link]));
        }
        let title = topic.device.unwrap_or(topic.node);
        let described = parts::complete(part, &parts::title(title));
        let bytes = described.to_string().len();
        if DOCUMENT_BYTES_MAX < bytes {
            let says = format!(
                "has {} metrics, whose description has {bytes} bytes; at most {DOCUMENT_BYTES_MAX} are taken",
                self.len()
            );
            return Err(vec![Problem::new("metrics", says)]);
        }
        Ok(described)
    }
}

/// What a metric asks to be done, if it is there for that: `Rebirth`.
fn control(name: &str, datatype: DataType) -> Option<&str> {
    let mut controls = CONTROLS.into_iter();
    let short = controls.find_map(|control| name.strip_prefix(control))?;
    (datatype == DataType::Boolean).then_some(short)
}

/// A name of a property that no other metric of the birth has: `Motor/Speed` is `Motor_Speed`.
fn free_name(name: &str, taken: &mut HashSet<String>) -> String {
    let flat = parts::affordance_name(&name.replace(['/', ' '], "_"));
    if taken.insert(flat.clone()) {
        return flat;
    }
    let odd = parts::affordance_name(&format!("{name}/")); // Unsafe, and so with a sum.
    taken.insert(odd.clone());
    odd
}

fn property_of(topic: &Topic<'_>, name: &str, metric: &Metric, datatype: DataType) -> Value {
    let mut property = datatype.schema();
    let said = Said::of(metric.properties.clone()).unwrap_or_default();
    if let Some((low, high)) = said.range(&property["type"]) {
        property.insert("minimum".to_owned(), low);
        property.insert("maximum".to_owned(), high);
    }
    if let Some(unit) = said.unit {
        let unit = units::ucum(&unit).unwrap_or(&unit);
        property.insert("unit".to_owned(), unit.into());
    }
    property.insert("title".to_owned(), parts::title(name).into());
    property.insert("observable".to_owned(), true.into());
    let mut reported = parts::reported(&topic.with(Verb::Data), CONTENT_TYPE);
    address(&mut reported, name, metric, datatype);
    reported.insert(parts::BY.to_owned(), parts::HOST.into());
    let mut forms = vec![reported];
    // Sparkplug does not say what can be written; a device that does not want it ignores it.
    if said.is_read_only || name.starts_with(FACTS) || !datatype.is_told() {
        property.insert("readOnly".to_owned(), true.into());
    } else {
        forms.push(told(topic, "writeproperty", name, metric, datatype));
    }
    property.insert("forms".to_owned(), json!(forms));
    property.into()
}

fn told(
    topic: &Topic<'_>,
    op: &str,
    name: &str,
    metric: &Metric,
    datatype: DataType,
) -> Map<String, Value> {
    let mut form = parts::told(&topic.with(Verb::Command), op, CONTENT_TYPE);
    address(&mut form, name, metric, datatype);
    form
}

fn address(form: &mut Map<String, Value>, name: &str, metric: &Metric, datatype: DataType) {
    form.insert("quartet:metric".to_owned(), name.into());
    if let Some(alias) = metric.alias {
        form.insert("quartet:alias".to_owned(), alias.into());
    }
    form.insert("quartet:dataType".to_owned(), datatype.name().into());
}

/// Above, a float says no integer exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// What the properties of a metric say that a description has.
#[derive(Default)]
struct Said {
    unit: Option<String>,
    low: Option<f64>,
    high: Option<f64>,
    is_read_only: bool,
}

impl Said {
    fn of(properties: Option<Bytes>) -> Result<Self, Unreadable> {
        let mut said = Self::default();
        let Some(bytes) = properties else {
            return Ok(said);
        };
        let set = PropertySet::decode(bytes)?;
        for (key, property) in set.keys.into_iter().zip(set.values) {
            let datatype = DataType::of(property.datatype.unwrap_or_default());
            let (Some(datatype), Some(value)) = (datatype, property.value) else {
                continue;
            };
            let value = value::json_of(value.into(), datatype, value::DEPTH_MAX)?;
            match (&*key, value) {
                ("engUnit", Value::String(unit)) if !unit.is_empty() => said.unit = Some(unit),
                ("engLow", low) => said.low = low.as_f64(),
                ("engHigh", high) => said.high = high.as_f64(),
                ("readOnly", Value::Bool(is_so)) => said.is_read_only = is_so,
                _ => {}
            }
        }
        Ok(said)
    }

    /// The least and the greatest value, if both are said and there is something between them.
    fn range(&self, of: &Value) -> Option<(Value, Value)> {
        let (low, high) = (self.low?, self.high?);
        if low.partial_cmp(&high) != Some(Ordering::Less) {
            return None; // There may be a NaN.
        }
        match of.as_str()? {
            "number" => Some((low.into(), high.into())),
            "integer" if low.abs().max(high.abs()) <= EXACT_MAX => {
                Some(((low.ceil() as i64).into(), (high.floor() as i64).into()))
            }
            _ => None,
        }
    }
}
