//! The real binary over real sockets: foreign clients as they are, listeners, life cycle, abuse.
//!
//! One test program, so that it is linked once. Each test starts hubs of its own, on ports that
//! the system picks, with data in folders that vanish.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests wait for other processes, in real time and with deadlines"
)]

mod support; // a hub to test, and what it takes to talk to it

mod abuse; // bad input and bad manners
mod acme; // certificates by an authority of the Internet
mod app; // the app, as persons use it in a real browser
mod clients; // foreign clients, unchanged
mod directory; // WoT Discovery, assertion by assertion
mod flows; // definitions of processes, and what a hub makes of them
mod keep; // what survives the hub's death
mod life; // from start to end
mod listeners; // where connections come in, and who may
mod people; // who comes in, and what they may
mod scenario; // worlds of files, put in and taken out
mod site; // what a hub keeps, as a whole
mod things; // elements: what foreign consumers and devices make of them
mod views; // lists of sessions and retained messages
