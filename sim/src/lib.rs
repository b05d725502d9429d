//! A whole hub in memory: its lanes, the mail between them, its sockets and its clock are
//! values, so that a test says what happens and nothing else does. Whatever is left to chance
//! (which lane is next, where bytes are cut) comes from a seed: the same seed, the same story.
//!
//! Start reading at [`Site`]; a test's stage directions are [`Client`]'s methods.

mod chance; // what is left to chance
mod client; // who connects
pub mod fuzz; // what holds for any bytes
mod journal; // what survives a crash
mod lane; // one lane, turn by turn
mod site; // lanes, clock, sockets
mod socket; // bytes on their way
mod words; // packets in few words

pub use chance::Chance;
pub use client::{Client, Say};
pub use site::{Plan, Site, on_every_site};
pub use words::{
    connect, connect_as, disconnect, filter, frame, properties, publish, publish_at, reasons, said,
    subscribe, text, topics, unsubscribe,
};
