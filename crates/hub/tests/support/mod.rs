//! A hub to test, and what it takes to talk to it.

mod certificates; // an authority with its certificates
mod chance; // what is left to chance
mod events; // server-sent events
mod everywhere; // a hub that listens in every way
mod http; // one request, one answer
mod hub; // the real binary, ended by its process id
mod line; // MQTT 5 as it should be spoken
mod mqtt; // MQTT by hand, for what no client would do
mod program; // foreign programs and their output
mod wait;
mod web_thing; // the Web Thing Protocol by hand // for conditions, with deadlines

pub(crate) use certificates::{Authority, Certificate, Tls, tls};
pub(crate) use chance::Chance;
pub(crate) use events::{Events, Sent};
pub(crate) use everywhere::Everywhere;
pub(crate) use http::{Answer, http, over, upgrade_request};
pub(crate) use hub::{Hub, quartet, resident_bytes};
pub(crate) use line::{Line, Listener, Teller, Told};
pub(crate) use mqtt::{Packet, Raw};
pub(crate) use program::{
    Driver, Program, acme, browser, home_assistant, node, node_wot, python, succeed,
};
pub(crate) use wait::{PATIENCE, until, wait_for};
pub(crate) use web_thing::WebThing;
