//! What the files of a simulation say.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file, or all of them together.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The civil time at which the story begins.
    pub(super) begins: Option<String>,
    /// How much time a step takes.
    pub(super) tick: Option<String>,
    #[serde(default)]
    pub(super) clients: IndexMap<String, Client>,
    #[serde(default)]
    pub(super) models: IndexMap<String, Model>,
    #[serde(default)]
    pub(super) parts: IndexMap<String, Map<String, Value>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    #[serde(rename = "as")]
    pub(super) element: String,
    #[serde(default)]
    pub(super) topics: Vec<String>,
    pub(super) will: Option<Saying>,
    #[serde(default)]
    pub(super) begins: Vec<Saying>,
    #[serde(default)]
    pub(super) ends: Vec<Saying>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    /// What it is, for whoever reads the file.
    #[serde(rename = "title")]
    pub(super) _title: String,
    /// What all of this model have alike: `$is`.
    #[serde(default)]
    pub(super) is: Value,
    /// What a part is when it begins.
    #[serde(default)]
    pub(super) state: Value,
    /// What it is after a step.
    pub(super) step: Option<String>,
    #[serde(default)]
    pub(super) hears: Vec<Hearing>,
    #[serde(default)]
    pub(super) says: Vec<Saying>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Hearing {
    pub(super) topic: String,
    pub(super) state: String,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Saying {
    pub(super) topic: String,
    pub(super) payload: Value,
    #[serde(default)]
    pub(super) retain: bool,
    pub(super) every: Option<String>,
    #[serde(default)]
    pub(super) always: bool,
}
