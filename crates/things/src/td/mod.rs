//! W3C WoT Thing Descriptions 1.1 and Thing Models: read strictly, kept losslessly, validated.
//!
//! A description stays the [`Document`] that was said; what the hub needs while it runs is an
//! index beside it, which things of one type share. Nothing here fetches what a document links to.

mod document; // a JSON object as text that loses nothing
pub(crate) mod json; // the JSON below it
mod problem; // what is wrong with a document, and where

mod affordance; // the index: properties, actions, events
mod description; // a document that is a valid Thing Description
mod model; // a document that is a valid Thing Model, and the descriptions made from it
mod schema; // what values an affordance takes
mod validate; // what valid means

pub use affordance::{Action, Affordances, Event, Interner, Property};
pub use description::Description;
pub use document::{DOCUMENT_BYTES_MAX, Document};
pub use json::{DEPTH_MAX, Malformed};
pub use model::{Instance, Lookup, Model, Submodel};
pub use problem::{Invalid, Problem};
pub(crate) use problem::{PROBLEMS_MAX, excerpt};
pub use schema::Schema;
