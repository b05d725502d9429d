//! Home Assistant's MQTT discovery: what devices announce in its words, and elements announced to it.

mod abbreviations; // short words and the base of topics
mod unit; // the words for units

pub use abbreviations::{expand, short};
pub use unit::unit;
