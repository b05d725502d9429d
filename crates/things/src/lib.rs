//! Things: what they are, and what is known of them.
//!
//! Knows nothing of people, data and processes; meets them in words of `model`.

mod ask; // how it answers
pub mod computer; // this computer, the first thing
mod state; // what is remembered: descriptions and twins
mod step; // how an event changes it
pub mod td; // Thing Descriptions and Thing Models (W3C WoT)

pub use state::{Reported, Things};
pub use step::step;
