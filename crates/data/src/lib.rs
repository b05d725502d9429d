//! Data: what elements reported, over time.
//!
//! A [`Head`] has the recent values of the elements of one lane, in memory and in few bytes: numbers,
//! booleans and short texts that were reported as properties. It is bounded; what is older goes first.
//! After a start it begins anew with what is retained, and says since when it knows.
//!
//! Knows nothing of things, people and processes; meets them in words of `model`. Who may ask is no
//! business of its.

mod ask; // how it answers
mod chunk; // points in few bytes
mod state; // what is remembered
mod step; // what a report adds
mod value; // what can be noted of a payload

pub use ask::{Answer, Bucket, Excerpt, Numbers, Point, Question, Told};
pub use state::{Figures, Head};
pub use step::{is_noted, step};
pub use value::{TEXT_BYTES_MAX, Value};
