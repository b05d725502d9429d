//! What is said of the device that entities are of, and of where its presence is told.

use serde_json::{Map, Value, json};

use super::{
    config::Config,
    entity::{Form, read, with_words},
};
use crate::{dialects::parts, td::Problem};

/// The device that entities belong to.
#[derive(Default)]
pub(super) struct Device {
    /// Where it is, if it says what identifies it.
    pub(super) key: Option<String>,
    pub(super) title: Option<String>,
    identifiers: Vec<String>,
    /// Its maker, model, versions.
    details: Map<String, Value>,
    links: Vec<Value>,
}

/// The words of a device, and what they are called in a description.
const DETAILS: [(&str, &str); 7] = [
    ("manufacturer", "manufacturer"),
    ("model", "model"),
    ("model_id", "modelId"),
    ("serial_number", "serialNumber"),
    ("hw_version", "hardwareVersion"),
    ("sw_version", "softwareVersion"),
    ("suggested_area", "area"),
];

impl Device {
    pub(super) fn read(message: &Map<String, Value>) -> Result<Self, Problem> {
        let said = match message.get("device") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(said)) => said,
            Some(_) => {
                let what = "must be an object with `identifiers` or `connections`";
                return Err(Problem::new("device", what));
            }
        };
        let config = Config::new(said, "device.");
        let mut identifiers = config.texts("identifiers")?;
        identifiers.retain(|identifier| !identifier.is_empty());
        let connection = connection(said, config)?;
        let Some(identity) = identifiers.first().or(connection.as_ref()) else {
            let what = "says nothing; a device must have `identifiers` or `connections`";
            return Err(config.problem("identifiers", what));
        };
        let mut details = Map::new();
        for (name, meant) in DETAILS {
            if let Some(said) = config.text(name)? {
                details.insert(meant.to_owned(), said.into());
            }
        }
        let mut links = Vec::new();
        if let Some(via) = config.text("via_device")? {
            links.push(parts::controlled_by(&parts::thing_key(&via)));
        }
        let page = config.text("configuration_url")?;
        if let Some(page) = page.filter(|page| page.starts_with("http")) {
            links.push(json!({ "rel": "related", "href": page }));
        }
        let title = config.text("name")?.map(|name| parts::title(&name));
        Ok(Self {
            key: Some(parts::thing_key(identity)),
            title: title.filter(|title| !title.is_empty()),
            identifiers,
            details,
            links,
        })
    }

    /// What it calls itself.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.identifiers.iter().map(String::as_str)
    }

    /// Adds what is known of it to a part.
    pub(super) fn add_to(&self, part: &mut Map<String, Value>) {
        if !self.details.is_empty() {
            part.insert("quartet:device".to_owned(), json!(self.details));
        }
        if !self.links.is_empty() {
            part.insert("links".to_owned(), json!(self.links));
        }
    }
}

/// The first of its connections, such as `mac-aabbccddeeff`.
fn connection(said: &Map<String, Value>, config: Config<'_>) -> Result<Option<String>, Problem> {
    let Some(said) = said.get("connections").filter(|said| !said.is_null()) else {
        return Ok(None);
    };
    let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(kind), Value::String(address)]) => {
            Some(format!("{kind}-{}", address.replace(':', "")))
        }
        _ => None,
    };
    let pairs: Option<Vec<String>> = said
        .as_array()
        .and_then(|pairs| pairs.iter().map(pair).collect());
    match pairs {
        Some(pairs) => Ok(pairs.into_iter().next()),
        None => {
            let what = "must be pairs such as [[\"mac\", \"02:5b:26:a8:dc:12\"]]";
            Err(config.problem("connections", what))
        }
    }
}

/// Where it is told that an entity is there, each with whether all must say so, any, or the latest.
pub(super) fn availability(config: Config<'_>) -> Result<Vec<Form>, Problem> {
    let mode = config.text_or("availability_mode", "latest")?;
    if !["all", "any", "latest"].contains(&mode.as_str()) {
        let what = format!("is `{mode}`; must be `all`, `any` or `latest`");
        return Err(config.problem("availability_mode", what));
    }
    let mut forms = Vec::new();
    for said in config.objects("availability")? {
        let one = Config::new(said, "availability.");
        forms.extend(presence(one, "topic", "value_template", &mode)?);
    }
    let (topic, template) = ("availability_topic", "availability_template");
    forms.extend(presence(config, topic, template, &mode)?);
    Ok(forms)
}

fn presence(
    config: Config<'_>,
    topic: &str,
    template: &str,
    mode: &str,
) -> Result<Option<Form>, Problem> {
    let Some(topic) = config.filter(topic)? else {
        return Ok(None);
    };
    let template = config.text(template)?;
    let mut form = read(parts::reported(&topic, "text/plain"), template.clone());
    form.remove("op");
    let words = vec![
        (config.text_or("payload_available", "online")?, true.into()),
        (
            config.text_or("payload_not_available", "offline")?,
            false.into(),
        ),
    ];
    let mut form = with_words(form, &words, template);
    form.insert("quartet:mode".to_owned(), mode.into());
    Ok(Some(form))
}
