use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use tempfile::TempDir;

use crate::support::{Authority, Hub, Raw, tls};

const NOT_AUTHORIZED: u8 = 0x87;

/// A PROXY v2 header for a TCP connection of `client`.
fn header(client: Ipv4Addr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C".to_vec();
    header.extend(client.octets());
    header.extend([192, 0, 2, 1, 0x30, 0x39, 0x07, 0x5B]);
    header
}

fn behind_balancer(at: SocketAddr, version: u8, header: &[u8]) -> Raw<TcpStream> {
    let mut raw = Raw::silent(at, version);
    raw.send(header);
    raw
}

#[test]
fn a_client_behind_a_balancer_is_known_by_its_own_address() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0?proxy=v2"]);
    let at = hub.at("mqtt://");
    behind_balancer(at, 5, &header(Ipv4Addr::LOCALHOST)).come_in("near");
    for (version, code) in [(4, 5), (5, NOT_AUTHORIZED)] {
        let mut far = behind_balancer(at, version, &header(Ipv4Addr::new(192, 0, 2, 7)));
        let connack = far.connect("far").unwrap();
        assert_eq!((connack.first, connack.body[1]), (0x20, code));
        assert_eq!(far.next(), None, "it is closed");
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0?proxy=v2"]);
    let mut raw = Raw::silent(hub.at("mqtt://"), 5);
    for byte in header(Ipv4Addr::LOCALHOST) {
        raw.send(&[byte]);
    }
    raw.come_in("slow");
}

#[test]
fn a_balancer_that_speaks_for_itself_is_no_client_of_this_machine() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0?proxy=v2"]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let mut balancer = behind_balancer(hub.at("mqtt://"), 5, local);
    assert_eq!(
        balancer.connect("balancer").unwrap().body[1],
        NOT_AUTHORIZED
    );
}

#[test]
fn without_its_header_a_connection_is_closed() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0?proxy=v2"]);
    assert_eq!(Raw::silent(hub.at("mqtt://"), 5).connect("bare"), None);
    let version_1 = b"PROXY TCP4 127.0.0.1 127.0.0.1 12345 1883\r\n";
    let mut old = behind_balancer(hub.at("mqtt://"), 5, version_1);
    assert_eq!(old.next(), None);
}

#[test]
fn behind_a_balancer_a_certificate_opens_the_door() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.client("own");
    let toml = authority.server("hub").toml() + &authority.client_toml();
    let url = "mqtts://127.0.0.1:0?proxy=v2&client-certificates=optional";
    let hub = Hub::in_folder(folder, &toml, &[url]);
    let connect = |own| {
        let tcp = behind_balancer(hub.at("mqtts://"), 5, &header(Ipv4Addr::new(192, 0, 2, 7)));
        let tls = tls(tcp.wire, authority.trusted_by(own));
        Raw::over(tls, 5).connect("far").unwrap()
    };
    assert_eq!(connect(Some(&own)).body[1], 0);
    assert_eq!(connect(None).body[1], NOT_AUTHORIZED);
}
