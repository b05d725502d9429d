use std::{fs, net::TcpStream};

use rustix::process::Signal;
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use crate::support::{Authority, Hub, Raw, Tls, tls, wait_for};

const PACKET_TOO_LARGE: u8 = 0x95;

/// A connection over TLS to the first listener of a scheme.
fn connected(hub: &Hub, authority: &Authority, scheme: &str) -> Tls {
    let wire = TcpStream::connect(hub.at(&format!("{scheme}://"))).unwrap();
    let mut tls = tls(wire, authority.trusted_by(None));
    tls.conn.complete_io(&mut tls.sock).unwrap();
    tls
}

fn shown(tls: &Tls) -> &CertificateDer<'static> {
    &tls.conn.peer_certificates().unwrap()[0]
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_and_old_ones_stay() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let first = authority.server("hub");
    let (toml, before) = (first.toml(), first.chain());
    let listeners = ["mqtts://127.0.0.1:0", "https://127.0.0.1:0"];
    let hub = Hub::in_folder(folder, &toml, &listeners);
    let old = connected(&hub, &authority, "mqtts");
    assert_eq!(shown(&old), &before[0]);
    let mut old = Raw::over(old, 5);
    old.come_in("old");

    let after = authority.server("hub").chain();
    assert_ne!(before, after);
    hub.signal(Signal::HUP);
    for scheme in ["mqtts", "https"] {
        wait_for("the new certificate", || {
            (shown(&connected(&hub, &authority, scheme)) == &after[0]).then_some(())
        });
    }
    Raw::over(connected(&hub, &authority, "mqtts"), 5).come_in("new");
    old.ping();
}

#[test]
fn new_limits_hold_from_the_reload_on() {
    let hub = Hub::configured("", &["mqtt://127.0.0.1:0"]);
    let mut client = Raw::tcp(hub.at("mqtt://"), 5, "client");
    client.publish("large", &[0; 2_000]);
    client.ping();
    fs::write(
        hub.file(),
        "open = true\n[limits]\npacket_bytes_max = 1000\n",
    )
    .unwrap();
    hub.signal(Signal::HUP);
    hub.logs("limits.packet_bytes_max");
    client.publish("large", &[0; 2_000]);
    let disconnect = client.next().unwrap();
    assert_eq!(
        (disconnect.first, disconnect.body[0]),
        (0xE0, PACKET_TOO_LARGE)
    );
    let mut connack = Raw::silent(hub.at("mqtt://"), 5);
    let connack = connack.connect("other").unwrap();
    let told = [&[0x27][..], &1_000_u32.to_be_bytes()].concat();
    assert!(
        connack.body.windows(5).any(|part| part == told),
        "{connack:?}"
    );
}

#[test]
fn fewer_connections_may_be_open_after_a_reload() {
    let hub = Hub::configured("", &["mqtt://127.0.0.1:0"]);
    let mut first = Raw::tcp(hub.at("mqtt://"), 5, "first");
    fs::write(hub.file(), "[limits]\nconnections_max = 1\n").unwrap();
    hub.signal(Signal::HUP);
    hub.logs("limits.connections_max");
    assert_eq!(Raw::silent(hub.at("mqtt://"), 5).next(), None);
    first.ping();
}

#[test]
fn a_broken_file_changes_nothing() {
    let hub = Hub::configured(
        "[limits]\npacket_bytes_max = 3000\n",
        &["mqtt://127.0.0.1:0"],
    );
    let mut client = Raw::tcp(hub.at("mqtt://"), 5, "client");
    fs::write(
        hub.file(),
        "[limits]\npacket_bytes_max = 1000\nqueue_messages_max = \"many\"\n",
    )
    .unwrap();
    hub.signal(Signal::HUP);
    hub.logs("quartet.toml:3:22: limits.queue_messages_max");
    hub.logs("the configuration stays as it was");
    client.publish("large", &[0; 2_000]);
    client.ping();
}

#[test]
fn a_certificate_that_cannot_be_read_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let certificate = authority.server("hub");
    let hub = Hub::in_folder(folder, &certificate.toml(), &["mqtts://127.0.0.1:0"]);
    fs::write(&certificate.file, "nothing").unwrap();
    hub.signal(Signal::HUP);
    hub.logs("the configuration stays as it was");
    Raw::over(connected(&hub, &authority, "mqtts"), 5).come_in("anyone");
}
