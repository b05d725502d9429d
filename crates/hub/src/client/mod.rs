//! A small MQTT client for the command line.

pub(crate) mod clock; // the one place that reads the clock
mod endpoint; // mqtt://host:port

pub use endpoint::{Endpoint, EndpointError};
