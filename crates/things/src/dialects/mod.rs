//! Dialects: what devices on the broker say in words of their own, and how it becomes elements.
//!
//! A dialect reads announcements and makes parts of Thing Descriptions of them. Everyday values
//! travel through the forms of those descriptions, one mechanism for all dialects and for the rules
//! that a person writes. All of it is a function of its input: no clock, no network, and nothing
//! that a device sends makes it panic, hang or grow [docs/decisions/0006].

pub mod form; // a native topic: how a value is read from a payload, and a payload made of a value
mod pointer; // the place in a payload
mod senml; // RFC 8428
mod template; // Jinja in Home Assistant's words
mod typed; // a payload's words as values of a type

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
