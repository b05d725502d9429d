//! What the hub does, statement by statement of MQTT 5.0 and 3.1.1: each test is named by the
//! statements that it proves. `cargo xtask conformance` makes a table of them.

mod authenticate; // AUTH
mod connect; // CONNECT and CONNACK
mod flow_control; // receive maximum
mod goodbye; // DISCONNECT, keep alive, closing
mod model; // random stories against a plain model
mod properties; // what is passed on, what is left out
mod publish; // PUBLISH and its acknowledgements
mod refused; // what breaks the protocol
mod retained; // what was last said
mod session; // what outlives a connection
mod shared; // shared subscriptions
mod subscribe; // SUBSCRIBE and UNSUBSCRIBE
mod v311; // what 3.1.1 says differently
mod will; // last wills

use quartet_fabric::mqtt::{Connect, Packet, Properties, Property};
use quartet_model::Qos;
use quartet_sim::{Client, Site, connect};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;

/// A session that is kept for an hour.
fn lasting(client_id: &str) -> Connect {
    lasting_for(3600, client_id)
}

/// A session that is kept for so many seconds.
fn lasting_for(expiry_s: u32, client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        properties: Properties::none().with(Property::SessionExpiryInterval(expiry_s)),
        ..connect(client_id)
    }
}

/// Comes back without dropping what is said right away: the CONNACK's session present, and
/// what followed it.
fn come_back(site: &Site, connect: Connect) -> (Client, bool, Vec<Packet>) {
    let client = site.client();
    client.send(connect);
    let mut packets = client.receive().into_iter();
    match packets.next() {
        Some(Packet::ConnAck(connack)) => (client, connack.session_present, packets.collect()),
        other => panic!("the first answer is no CONNACK: {other:?}"),
    }
}

fn seconds(s: u64) -> std::time::Duration {
    std::time::Duration::from_secs(s)
}

fn millis(ms: u64) -> std::time::Duration {
    std::time::Duration::from_millis(ms)
}
