//! Home Assistant's MQTT discovery: what devices announce in its words, and elements announced
//! to it.
//!
//! Beside the words of the frame, an affordance has `quartet:deviceClass`, `quartet:stateClass` and
//! `quartet:category` as they were said, and a description `quartet:device`: who made it, its model
//! and its versions.

mod abbreviations; // short words and the base of topics
mod config; // members of a message
mod template; // templates that only name a place

mod consume; // messages as parts of descriptions
mod device; // which device, and whether it is there
mod entity; // an entity with its affordances
mod place; // what a discovery topic says
mod platforms; // what each kind of entity has
mod unit; // the words for units

mod emit; // elements announced to Home Assistant

pub use consume::announce;
pub use emit::{is_birth, is_told, tell};
pub use unit::unit;

#[cfg(test)]
mod field; // what firmware in the field says
