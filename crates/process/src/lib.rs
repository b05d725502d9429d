//! Processes: what follows from what. The language is the CNCF's Open Workflow DSL 1.0, unchanged
//! ([decision 0014](../../docs/decisions/0014-processes.md)).
//!
//! Pure: a definition, an event and the time go in; effects come out. Nothing here reads a clock,
//! opens a socket or waits. Knows nothing of things, people and data; meets them in words of `model`.

pub mod ask; // what there is, and why something did not happen
pub mod check; // whether a definition makes sense
pub mod cloud; // events as flows see them
pub mod deployment; // a definition as the hub keeps it
pub mod expr; // what is computed: jq
pub mod fast; // flows on the message path
pub mod fault; // what went wrong in a run
pub mod index; // which filters an event may fit
pub mod language; // the Open Workflow DSL
pub mod names; // what elements are called
pub mod policy; // how it runs
pub mod problem; // what is wrong, where, and what would be right
pub mod schedule; // when the clock starts it
pub mod signal; // streams of readings made edges
pub mod signals; // those of a hub, and what is remembered of them
pub mod state; // what is deployed, and what became of it
pub mod step; // what an event starts
pub mod storm; // how often a flow may start
pub mod told; // what became of runs, and of events that started none
pub mod trigger; // which events are meant
pub mod yaml; // definitions as text, with positions
