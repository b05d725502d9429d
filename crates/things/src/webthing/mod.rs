//! The Web Thing Protocol, sans I/O: JSON over a WebSocket, in the words of Thing Descriptions (draft of the W3C
//! community group, 24 October 2025; docs/decisions/0010).
//!
//! Whoever is at the other end is a consumer, which asks and is answered; or a thing, which reports, and is
//! asked when it said that it serves an element. Nothing here knows a socket, a right or what an element is.

mod message; // what messages mean
mod outgoing; // what the hub says
mod read; // text to messages
mod status; // what became of an action, in the draft's words
mod subscriptions; // what a consumer wants to hear
mod tasks; // what a thing was asked, and its answers

pub use message::{Body, Head, Message, Notification, Request, Response, SaidStatus, Unread};
pub use outgoing::{Outgoing, uuid_of};
pub use read::read;
pub use status::{Status, status_of, status_said};
pub use subscriptions::{Interest, Subscriptions, TooMany};
pub use tasks::{Done, Tasks, raw};

/// Its name in the handshake and in forms. The draft calls it a placeholder.
pub const SUBPROTOCOL: &str = "webthingprotocol";
