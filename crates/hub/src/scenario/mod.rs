//! Scenarios: put into a hub, simulated over real sockets, and taken back without a trace.
//!
//! All of it is done by the public API and by MQTT, as whoever runs it may. Before anything is made, what will be made is
//! written down at an element of its own, `processes/scenario-{name}`: so that what was begun can be taken back by anybody
//! who looks after the hub, from anywhere, also when the one who began it is gone.

mod made; // what a scenario made, as it is written down
mod put; // into a hub
mod remove; // out of it again
mod run; // from beginning to end
mod simulate; // connections, and the clock of a world

pub(crate) use made::Made;
pub(crate) use put::Invited;
pub(crate) use remove::remove;
pub(crate) use run::Run;
pub(crate) use simulate::Sockets;

use quartet_things::identity;

use crate::client::Asker;

/// Whether a scenario is in a hub.
pub(crate) fn is_there(hub: &Asker, name: &str) -> anyhow::Result<bool> {
    Ok(made::there(hub, name)?.is_some())
}

/// The media type of a Thing Description.
const TD: &str = "application/td+json";

/// Where the description of an element is.
fn thing(key: &str) -> String {
    identity::path_of(&identity::id_of(key))
}

/// Where something of an element is.
fn below(key: &str, what: &str) -> String {
    let (kind, id) = key.split_once('/').unwrap_or((key, ""));
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("/api/{kind}/{id}/{what}")
}
