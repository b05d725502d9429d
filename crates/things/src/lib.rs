//! Elements: what they are, what they were asked for, and what became of it.
//!
//! All that is known of an element is what is retained at its addresses: its Thing Description
//! at `things/lamp`, what it reports at `…/properties/on`, what was wanted of it at
//! `…/properties/on/desired`, what it was asked to do at `…/actions/fade/{invocation}`. So it
//! survives as every retained message does, and whoever may read it needs nothing but MQTT.
//!
//! Knows nothing of people, data and processes; meets them in words of `model`.

pub mod announced; // elements that dialects announce
mod ask; // how it answers
pub mod computer; // this computer, the first thing
mod desired; // what a property is wanted to be
pub mod dialects; // what devices say in words of their own
pub mod directory; // who came, changed and went
pub mod forms; // where and how it is reached
pub mod identity; // what it is called, here and elsewhere
mod invocation; // what an element is asked to do
pub mod listing; // what lists and searches need
pub mod liveness; // how it becomes known whether elements are there
pub mod places; // who is where
pub mod plan; // the picture of a floor plan
mod presence; // whether an element is there
mod refusal; // what was not understood, or not allowed
pub mod registration; // how a description comes into the directory
mod state; // what is remembered
mod step; // how an event changes it
pub mod td;
mod translate; // between native topics and affordances // Thing Descriptions
pub mod webthing; // JSON over WebSocket

pub use desired::{Desired, DesiredStatus};
pub use invocation::{Invocation, InvocationStatus};
pub use presence::{CONNECTIVITY, Connectivity};
pub use refusal::Refusal;
pub use state::Elements;
pub use step::{Heard, Reach, check_invoke, check_write, refuse_wish, step, wake};
pub use translate::{Follow, Report, first_report, hear, report};
