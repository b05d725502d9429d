//! The words that every part shares: who acts, at which address, what happened,
//! what follows.
//!
//! No I/O, no clock, no randomness. A word enters here only when two crates
//! need it; what one crate needs stays in that crate.

mod address; // {kind}/{id}, and what of it
mod effect; // what should happen next
mod event; // what happened
mod time; // points in time, an argument everywhere

pub use address::{Address, AddressError, Affordance, Aspect, Kind};
pub use effect::{Effect, Effects};
pub use event::{Actor, Event, EventId, HOPS_MAX, NotAnEventId, Place, Qos, Said, SessionRef};
pub use time::Time;
