//! How the hub shows who it is, to whoever connects with TLS: under which names, for how long, what its own authority may
//! vouch for, and where a phone finds it.
//!
//! Pure: names, addresses and time are arguments. Keys, files and listeners are in the shell.

mod called; // all that the hub is called
mod name; // a DNS name or an address
mod scope; // what the authority may vouch for
mod term; // how long a certificate is good
mod tries; // when a certificate is ordered from an authority of the Internet
mod way; // where a phone finds the hub

pub(crate) use called::{Called, announced};
pub use name::{Name, NotAName};
pub(crate) use scope::{Network, Scope};
pub(crate) use term::Term;
pub(crate) use tries::Tries;
pub(crate) use way::{Way, urls};
