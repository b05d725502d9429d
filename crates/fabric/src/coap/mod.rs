//! CoAP over UDP, the server's half: RFC 7252, with observe (RFC 7641) and block-wise transfers
//! (RFC 7959).
//!
//! An [`Endpoint`] takes datagrams and time; it gives datagrams, and requests that somebody else
//! answers. It opens no sockets and reads no clock. All that it holds is bounded.

mod answer; // answers to datagrams
mod block; // parts of what is long
mod code; // methods and answers as numbers
mod endpoint; // all peers together
mod exchange; // messages of late
mod limits; // times of the standard, and bounds of ours
mod message; // datagrams to requests
mod observer; // who is told of changes
mod peer; // what is known of one peer
mod random; // numbers that nobody can guess
mod sending; // what a peer must acknowledge
mod transfer; // long requests that come in parts, long answers that go in parts

#[cfg(test)]
mod tests;

pub use answer::refuse;
pub use code::{Code, Method};
pub use endpoint::{Asked, Endpoint, Exchange, Observation};
pub use limits::{ANSWER_BYTES_MAX, DATAGRAM_BYTES_MAX};
pub use message::{Request, Response};
pub use observer::Kept;
pub use transfer::etag_of;
