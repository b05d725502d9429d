//! The hub: the one place that knows every part.

mod audit; // who came in, who may, who acted, who was refused
pub mod cli; // the command line
pub mod client; // an MQTT client for the command line
mod coap; // CoAP: the HTTP API for small devices
pub mod config; // what an administrator may say
pub mod flow; // the one path, pure: from bytes to events to bytes
pub mod http; // the HTTP API
pub mod load; // `quartet bench`: our load generator
pub mod run; // `quartet run`
mod scenario; // worlds of files: put into a hub, simulated, taken back
pub mod shell; // sockets, clocks, threads
pub mod trust; // how the hub shows who it is
pub mod views; // lists and search: tables that follow the journal
