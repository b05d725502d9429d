//! Dialects: what devices on the broker say in words of their own, and how it becomes elements.

pub mod homeassistant; // Home Assistant's MQTT discovery
pub mod homie; // Homie 5
pub mod lorawan; // ChirpStack and The Things Stack

mod parts; // what parts of descriptions are made of

pub use parts::join;

use serde_json::Value;

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
