//! Dialects: what devices on the broker say in words of their own, and how it becomes elements.
//!
//! A dialect reads announcements and makes parts of Thing Descriptions of them. Everyday values
//! travel through the forms of those descriptions, one mechanism for all dialects and for the rules
//! that a person writes. All of it is a function of its input: no clock, no network, and nothing
//! that a device sends makes it panic, hang or grow [docs/decisions/0006].

pub mod catalogue; // what Zigbee devices can do, by vendor and model
mod exposes; // the same words, as affordances
pub mod form; // a native topic: how a value is read from a payload, and a payload made of a value
pub mod homeassistant; // Home Assistant's MQTT discovery, both ways
pub mod homie; // Homie 5
pub mod lorawan; // ChirpStack and The Things Stack
pub mod native; // all native topics of a description
pub(crate) mod parts; // what parts of descriptions are made of
mod pointer; // the place in a payload
pub mod rules; // what a person says of devices that announce nothing
mod senml; // RFC 8428
pub mod sparkplug; // Sparkplug B
mod template; // Jinja in Home Assistant's words
mod typed; // a payload's words as values of a type
pub mod units; // a device's units as UCUM
pub mod zigbee2mqtt; // the devices of a Zigbee bridge

use parts::href;
use serde_json::{Map, Value, json};

use crate::td::Problem;

/// What an announcement says of one element.
#[derive(Clone, PartialEq, Debug)]
pub struct Announcement {
    /// The first two levels of the element's address: `things/lamp`.
    pub key: String,
    /// Which part of its description this is, unique among those who announce: `zigbee2mqtt`.
    pub part: String,
    /// The part itself, a Thing Description; nothing if it is gone.
    pub description: Option<Value>,
}

/// What devices announce is read by these filters: prefixes that their makers chose, and that most
/// sites leave as they are.
pub fn filters() -> Vec<String> {
    let zigbee = format!("{ZIGBEE2MQTT}/bridge/+");
    let discovery = format!("{HOMEASSISTANT}/#");
    let others = [
        "+/5/+/$description",
        "application/+/device/+/event/up",
        "v3/+/devices/+/up",
    ];
    let others = others.map(str::to_owned);
    [zigbee, discovery].into_iter().chain(others).collect()
}

const ZIGBEE2MQTT: &str = "zigbee2mqtt";
const HOMEASSISTANT: &str = "homeassistant";

/// All that a message announces, in whichever dialect. What the same topic announced before and does
/// not any more is gone. `None` if it is no announcement.
pub fn announce(topic: &str, payload: &[u8]) -> Result<Option<Vec<Announcement>>, Problem> {
    if let Some(all) = zigbee2mqtt::announce(ZIGBEE2MQTT, topic, payload)? {
        return Ok(Some(all));
    }
    if let Some(all) = homeassistant::announce(HOMEASSISTANT, topic, payload)? {
        return Ok(Some(all));
    }
    if let Some(all) = homie::announce(topic, payload)? {
        return Ok(Some(all));
    }
    lorawan::announce(topic, payload)
}

/// What is beyond the Recommendation in the descriptions made here.
const PREFIXES: [(&str, &str); 2] = [
    ("mqv", "http://www.w3.org/2018/wot/mqtt#"),
    ("quartet", "urn:quartet:"),
];

/// A description that says nothing yet but a title.
fn described(title: &str) -> Map<String, Value> {
    let prefixes: Map<String, Value> = PREFIXES
        .iter()
        .map(|(prefix, uri)| ((*prefix).to_owned(), (*uri).into()))
        .collect();
    let description = json!({
        "@context": ["https://www.w3.org/2022/wot/td/v1.1", prefixes],
        "title": title,
        "securityDefinitions": { "nosec_sc": { "scheme": "nosec" } },
        "security": "nosec_sc",
    });
    match description {
        Value::Object(description) => description,
        _ => Map::new(),
    }
}

const NAME_CHARS_MAX: usize = 100;

/// Whether a text can be the name of something as it is: one level of a topic.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && name_of(text) == text
}

/// A text as the name of an element or an affordance: one level of a topic, without what those must
/// not have.
fn name_of(text: &str) -> String {
    let chars = text.trim().chars().take(NAME_CHARS_MAX);
    let name = chars.map(|c| match c {
        c if c.is_alphanumeric() => c,
        '_' | '-' | '.' => c,
        _ => '-',
    });
    name.collect()
}
