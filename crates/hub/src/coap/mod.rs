//! CoAP: the HTTP API for devices that are too small for HTTP, at the same addresses.
//!
//! A request becomes one of HTTP, and its answer one of CoAP (RFC 8075). What is a stream of
//! server-sent events over HTTP is observed over CoAP.

mod formats; // content formats and media types
mod gate; // one request through the HTTP API
mod observe; // streams to notifications
mod serve; // a socket, and all that happens at it
mod translate; // requests and answers, to and fro

pub(crate) use serve::{bind, serve};
