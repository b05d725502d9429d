//! The catalogue of Zigbee devices: what a device can do, going by its vendor and model
//! [docs/decisions/0007].
//!
//! It stays the lines that it is; a line becomes a Thing Model when somebody asks for it.

use std::{collections::HashMap, io::Read};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{PREFIXES, exposes::Affordances};
use crate::td::json as text;

/// The most that is unpacked: some times what it is now.
const BYTES_MAX: u64 = 64 << 20;

/// All models that are known.
pub struct Catalogue {
    lines: Box<str>,
    models: Vec<Entry>,
    by_name: HashMap<(Box<str>, Box<str>), u32>,
}

/// Where the line of a model is.
struct Entry {
    start: usize,
    end: usize,
}

/// Why a catalogue could not be read.
#[derive(Debug, Error)]
pub enum Unloaded {
    /// It is not packed as it should be.
    #[error("cannot unpack the catalogue: {0}")]
    Packed(#[from] std::io::Error),
    /// It is longer than anybody would make it.
    #[error("the catalogue has more than {BYTES_MAX} bytes")]
    TooLong,
    /// A line is no model.
    #[error("line {line} of the catalogue: {error}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// What a model is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// Who makes it.
    pub vendor: String,
    /// Their name for it.
    pub model: String,
    /// What it is.
    pub description: String,
}

/// As little of a line as its place in the catalogue needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    vendor: String,
    model: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    white_label: Vec<WhiteLabel>,
}

#[derive(Deserialize)]
struct WhiteLabel {
    vendor: Option<String>,
    model: Option<String>,
}

impl Catalogue {
    /// Unpacks a catalogue: lines of JSON, packed with gzip.
    pub fn load(gz: &[u8]) -> Result<Self, Unloaded> {
        let mut lines = String::with_capacity(16 * gz.len());
        let mut unpacked = GzDecoder::new(gz).take(BYTES_MAX + 1);
        unpacked.read_to_string(&mut lines)?;
        if BYTES_MAX < lines.len() as u64 {
            return Err(Unloaded::TooLong);
        }
        let mut models = Vec::new();
        let mut by_name = HashMap::new();
        let mut others = Vec::new();
        let mut start = 0;
        for (index, line) in lines.split('\n').enumerate() {
            let end = start + line.len();
            if !line.is_empty() {
                let read: Line = serde_json::from_str(line).map_err(|error| Unloaded::Line {
                    line: index + 1,
                    error,
                })?;
                let at = models.len() as u32;
                for label in read.white_label {
                    let vendor = label.vendor.unwrap_or_else(|| read.vendor.clone());
                    let model = label.model.unwrap_or_else(|| read.model.clone());
                    others.push((named(&vendor, &model), at));
                }
                by_name.insert(named(&read.vendor, &read.model), at);
                models.push(Entry { start, end });
            }
            start = end + 1;
        }
        // A device's own name comes before another vendor's name for something else.
        for (name, at) in others {
            by_name.entry(name).or_insert(at);
        }
        Ok(Self {
            lines: lines.into(),
            models,
            by_name,
        })
    }

    /// How many models there are.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// The number of a model, by its vendor's name for it or another's. Case does not matter.
    pub fn find(&self, vendor: &str, model: &str) -> Option<usize> {
        let at = self.by_name.get(&named(vendor, model))?;
        Some(*at as usize)
    }

    /// What a model is called.
    pub fn name(&self, index: usize) -> Option<Name> {
        let line: Line = serde_json::from_str(self.line(index)?).ok()?;
        Some(Name {
            vendor: line.vendor,
            model: line.model,
            description: line.description,
        })
    }

    /// What a model exposes, in Zigbee2MQTT's words.
    pub fn exposes(&self, index: usize) -> Option<Value> {
        let exposes = text::member(self.line(index)?, "exposes")?;
        serde_json::from_str(exposes).ok()
    }

    /// A model as a Thing Model [TD 1.1, section 9], without forms: where a device is reached, its
    /// bridge says.
    pub fn model(&self, index: usize) -> Option<Value> {
        let line: Value = serde_json::from_str(self.line(index)?).ok()?;
        let (vendor, name) = (line["vendor"].as_str()?, line["model"].as_str()?);
        let prefixes = PREFIXES.iter().map(|(prefix, uri)| {
            let prefix = (*prefix).to_owned();
            (prefix, Value::from(*uri))
        });
        let mut model = Map::from_iter([
            (
                "@context".to_owned(),
                json!([
                    "https://www.w3.org/2022/wot/td/v1.1",
                    prefixes.collect::<Map<_, _>>(),
                ]),
            ),
            ("@type".to_owned(), "tm:ThingModel".into()),
            ("title".to_owned(), format!("{vendor} {name}").into()),
            ("quartet:vendor".to_owned(), vendor.into()),
            ("quartet:model".to_owned(), name.into()),
        ]);
        if let Some(text) = line["description"].as_str().filter(|text| !text.is_empty()) {
            model.insert("description".to_owned(), text.into());
        }
        let mut affordances = Affordances::of(&line["exposes"], None);
        if line["ota"] == true {
            let update = json!({ "title": "Update firmware" });
            affordances.actions.insert("update_firmware".into(), update);
        }
        affordances.put(&mut model);
        Some(model.into())
    }

    fn line(&self, index: usize) -> Option<&str> {
        let entry = self.models.get(index)?;
        self.lines.get(entry.start..entry.end)
    }
}

fn named(vendor: &str, model: &str) -> (Box<str>, Box<str>) {
    let folded = |text: &str| text.trim().to_lowercase().into();
    (folded(vendor), folded(model))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::td::Model;

    fn catalogue() -> Catalogue {
        Catalogue::load(include_bytes!("../../data/zigbee.jsonl.gz")).unwrap()
    }

    #[test]
    fn each_device_of_the_catalogue_becomes_a_valid_model() {
        let catalogue = catalogue();
        assert_eq!(catalogue.len(), 4516);
        let mut affordances = 0;
        for index in 0..catalogue.len() {
            let model = catalogue.model(index).unwrap();
            let valid = Model::parse(model.to_string());
            assert!(valid.is_ok(), "{}: {}", model["title"], valid.unwrap_err());
            for kind in ["properties", "actions", "events"] {
                affordances += model[kind].as_object().map_or(0, Map::len);
            }
        }
        assert!(25_000 < affordances, "{affordances}");
    }

    #[test]
    fn models_are_found_by_any_of_their_names() {
        let catalogue = catalogue();
        let own = catalogue.find("acmelec", "AE-669K").unwrap();
        assert_eq!(catalogue.name(own).unwrap().vendor, "ACMELEC");
        assert!(catalogue.exposes(own).unwrap().is_array());
        let other = catalogue.find("Girier", "ME168_Girier").unwrap();
        assert_ne!(catalogue.name(other).unwrap().vendor, "Girier");
        assert_eq!(catalogue.find("nobody", "nothing"), None);
    }

    #[test]
    fn what_is_no_catalogue_says_why() {
        assert!(matches!(Catalogue::load(b"x"), Err(Unloaded::Packed(_))));
    }
}
