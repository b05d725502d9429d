//! SenML: measurements in packs of records [RFC 8428].

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use serde_json::{Map, Value, json};

use super::typed::{cbor_of, json_of};

/// More records than this no device sends at once.
const RECORDS_MAX: usize = 10_000;
/// Names put together from a base and a rest are no longer than this.
const NAME_BYTES_MAX: usize = 1024;

/// One resolved record [RFC 8428, section 4.6].
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Record {
    /// With its base: `urn:dev:mac:0024befffe804ff1:temperature`.
    pub(super) name: String,
    /// How many bytes of the name are the base.
    base_bytes: usize,
    pub(super) unit: Option<String>,
    pub(super) value: Value,
    /// Seconds since 1970; less than 2^28 is relative to when the pack came.
    pub(super) time_s: Option<f64>,
}

impl Record {
    /// Whether it is called so, with its base or without.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || &self.name[self.base_bytes..] == name
    }

    /// Its name without its base, if it has one of its own.
    pub(super) fn short_name(&self) -> &str {
        let own = &self.name[self.base_bytes..];
        if own.is_empty() { &self.name } else { own }
    }

    /// The record as JSON, resolved.
    pub(super) fn to_json(&self) -> Value {
        let mut record = Map::from_iter([("n".to_owned(), self.name.as_str().into())]);
        record.extend(self.unit.iter().map(|unit| ("u".into(), json!(unit))));
        record.extend(self.time_s.map(|time| ("t".into(), json!(time))));
        record.insert("value".into(), self.value.clone());
        Value::Object(record)
    }
}

/// What holds for the records that follow.
#[derive(Default)]
struct Base {
    name: String,
    unit: Option<String>,
    time_s: Option<f64>,
    value: f64,
    sum: f64,
}

/// Resolves a pack in JSON. Records without a value are not in it.
pub(super) fn resolve(pack: &Value) -> Result<Vec<Record>, String> {
    let pack = pack.as_array().ok_or("it is no array of records")?;
    if RECORDS_MAX < pack.len() {
        return Err(format!("it has {} records; too many", pack.len()));
    }
    let mut base = Base::default();
    let mut records = Vec::new();
    for record in pack {
        let record = record.as_object().ok_or("a record is no object")?;
        records.extend(base.resolve(record)?);
    }
    Ok(records)
}

/// Resolves a pack in CBOR.
pub(super) fn resolve_cbor(pack: Cbor) -> Result<Vec<Record>, String> {
    let Cbor::Array(pack) = pack else {
        return Err("it is no array of records".to_owned());
    };
    let records: Result<Value, String> = pack.into_iter().map(labelled).collect();
    resolve(&records?)
}

/// The labels of CBOR [RFC 8428, section 6].
const LABELS: [(i8, &str); 13] = [
    (-1, "bver"),
    (-2, "bn"),
    (-3, "bt"),
    (-4, "bu"),
    (-5, "bv"),
    (-6, "bs"),
    (0, "n"),
    (1, "u"),
    (2, "v"),
    (3, "vs"),
    (4, "vb"),
    (5, "s"),
    (6, "t"),
];

fn labelled(record: Cbor) -> Result<Value, String> {
    let Cbor::Map(members) = record else {
        return Err("a record is no map".to_owned());
    };
    let name_of = |label: Cbor| match json_of(label) {
        Value::Number(number) => match number.as_i64() {
            Some(7) => Some("ut".to_owned()),
            Some(8) => Some("vd".to_owned()),
            label => {
                let mut labels = LABELS.iter();
                let found = labels.find(|(known, _)| Some(i64::from(*known)) == label);
                found.map(|(_, name)| (*name).to_owned())
            }
        },
        Value::String(name) => Some(name),
        _ => None,
    };
    let members = members.into_iter();
    let members = members.filter_map(|(label, value)| Some((name_of(label)?, json_of(value))));
    Ok(Value::Object(members.collect()))
}

impl Base {
    fn resolve(&mut self, record: &Map<String, Value>) -> Result<Option<Record>, String> {
        let number = |name: &str| member(record, name, Value::as_f64, "a number");
        let text = |name: &str| member(record, name, Value::as_str, "a string");
        // What ends with an underscore must be understood [RFC 8428, section 4.4].
        if let Some(unknown) = record.keys().find(|name| name.ends_with('_')) {
            return Err(format!(
                "`{unknown}` must be understood, and is not known here"
            ));
        }
        if let Some(version) = number("bver")?
            && version != 10.0
        {
            return Err(format!("it has version {version}; only 10 is known"));
        }
        if let Some(name) = text("bn")? {
            name.clone_into(&mut self.name);
        }
        if let Some(unit) = text("bu")? {
            self.unit = Some(unit.to_owned());
        }
        self.time_s = number("bt")?.or(self.time_s);
        self.value = number("bv")?.unwrap_or(self.value);
        self.sum = number("bs")?.unwrap_or(self.sum);

        let boolean = member(record, "vb", Value::as_bool, "a boolean")?;
        let value = if let Some(value) = number("v")? {
            json!(self.value + value)
        } else if let Some(value) = text("vs")? {
            json!(value)
        } else if let Some(value) = boolean {
            json!(value)
        } else if let Some(value) = text("vd")? {
            json!(value)
        } else if let Some(sum) = number("s")? {
            json!(self.sum + sum)
        } else {
            return Ok(None);
        };
        let name = text("n")?.unwrap_or_default();
        if NAME_BYTES_MAX < self.name.len() + name.len() {
            return Err("a name is too long".to_owned());
        }
        let time_s = match (self.time_s, number("t")?) {
            (None, None) => None,
            (base, own) => Some(base.unwrap_or_default() + own.unwrap_or_default()),
        };
        Ok(Some(Record {
            name: format!("{}{name}", self.name),
            base_bytes: self.name.len(),
            unit: text("u")?.map(str::to_owned).or_else(|| self.unit.clone()),
            value,
            time_s,
        }))
    }
}

fn member<'r, T>(
    record: &'r Map<String, Value>,
    name: &str,
    read: fn(&'r Value) -> Option<T>,
    must: &str,
) -> Result<Option<T>, String> {
    let Some(value) = record.get(name) else {
        return Ok(None);
    };
    let read = read(value).ok_or_else(|| format!("`{name}` of a record is not {must}"))?;
    Ok(Some(read))
}

/// A pack of one record.
pub(super) fn pack(name: Option<&str>, value: &Value) -> Value {
    let (label, value) = match value {
        Value::Number(_) => ("v", value.clone()),
        Value::Bool(_) => ("vb", value.clone()),
        Value::String(_) => ("vs", value.clone()),
        other => ("vd", json!(URL_SAFE_NO_PAD.encode(other.to_string()))),
    };
    let mut record = Map::from_iter([(label.to_owned(), value)]);
    record.extend(name.map(|name| ("n".into(), json!(name))));
    Value::Array(vec![Value::Object(record)])
}

/// The same in CBOR.
pub(super) fn pack_cbor(name: Option<&str>, value: &Value) -> Cbor {
    let record = match pack(name, value) {
        Value::Array(records) => records.into_iter().next(),
        _ => None,
    };
    let members = record.as_ref().and_then(Value::as_object).into_iter();
    let labelled = members.flatten().map(|(name, value)| {
        let label = LABELS.iter().find(|(_, known)| known == name);
        let label = label.map_or(8, |(label, _)| *label);
        (Cbor::Integer(label.into()), cbor_of(value))
    });
    Cbor::Array(vec![Cbor::Map(labelled.collect())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::typed::{read_cbor, write_cbor};

    #[track_caller]
    fn check(pack: Value, expected: &[(&str, Value, Option<f64>)]) {
        let records = resolve(&pack).unwrap();
        let found: Vec<_> = records
            .iter()
            .map(|record| (&*record.name, record.value.clone(), record.time_s))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_bases_hold_for_what_follows() {
        check(
            json!([
                { "bn": "urn:dev:a:", "bt": 1.276020076e9, "bu": "A", "bver": 10, "bv": 20, "n": "v", "v": 0.1 },
                { "n": "i", "t": -5, "v": 1.2 },
                { "bn": "b:", "n": "s", "vs": "door" },
                { "n": "sum", "s": 3 },
                { "n": "nothing" },
            ]),
            &[
                ("urn:dev:a:v", json!(20.1), Some(1.276020076e9)),
                ("urn:dev:a:i", json!(21.2), Some(1.276020071e9)),
                ("b:s", json!("door"), Some(1.276020076e9)),
                ("b:sum", json!(3.0), Some(1.276020076e9)),
            ],
        );
    }

    #[test]
    fn a_pack_that_a_device_sent_says_the_same_in_json_and_cbor() {
        let recorded = include_str!("../../tests/recorded/senml.jsonl");
        let mut lines = recorded
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = lines.next().unwrap();
        let pack = serde_json::from_str(text["text"].as_str().unwrap()).unwrap();
        let of_json = resolve(&pack).unwrap();
        let hex = lines.next().unwrap();
        let hex = hex["hex"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let of_cbor = resolve_cbor(read_cbor(&bytes).unwrap()).unwrap();
        assert_eq!(of_json[..5], of_cbor[..5]);
        assert!(of_json[0].is_called("temperature"));
        assert!(of_json[0].is_called("urn:dev:mac:0024befffe804ff1:temperature"));
    }

    #[test]
    fn what_is_no_pack_says_why() {
        for wrong in [
            json!({}),
            json!([1]),
            json!([{ "v": "1" }]),
            json!([{ "bver": 11 }]),
            json!([{ "x_": 1, "v": 1 }]),
        ] {
            assert!(resolve(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_packed_is_resolved_to_the_same() {
        for value in [json!(1.5), json!(true), json!("x")] {
            let of_json = resolve(&pack(Some("a"), &value)).unwrap();
            let of_cbor = read_cbor(&write_cbor(&pack_cbor(Some("a"), &value))).unwrap();
            assert_eq!(of_json, resolve_cbor(of_cbor).unwrap());
            assert_eq!((&*of_json[0].name, &of_json[0].value), ("a", &value));
        }
    }
}
