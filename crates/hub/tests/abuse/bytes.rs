use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use crate::support::{Everywhere, Hub, PATIENCE, Raw, resident_bytes, tls};

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Sends bytes; whatever the hub answers, in the end it closes.
fn send_and_see_it_closed(at: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The hub may have had enough before everything is sent.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new()).map_err(|error| {
        let kind = error.kind();
        assert_eq!(
            kind,
            std::io::ErrorKind::ConnectionReset,
            "it is not closed"
        );
    });
}

#[test]
fn random_bytes_harm_nobody() {
    let everywhere = Everywhere::start();
    let hub = &everywhere.hub;
    let mut witness = Raw::tcp(hub.at("mqtt://"), 5, "witness");
    let mut numbers = Numbers(0x1234_5678_9ABC_DEF1);
    for scheme in ["mqtt", "mqtts", "ws", "wss", "http", "https"] {
        let at = hub.at(&format!("{scheme}://"));
        for _ in 0..20 {
            let length = numbers.next() as usize % 4_096;
            send_and_see_it_closed(at, &numbers.bytes(length));
        }
    }
    witness.ping();
}

#[test]
fn random_bytes_after_login_harm_nobody() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    let at = hub.at("mqtt://");
    let mut witness = Raw::tcp(at, 5, "witness");
    let mut numbers = Numbers(0xFEDC_BA98_7654_3211);
    for n in 0..200_u8 {
        let mut client = Raw::tcp(at, 4 + n % 2, "random");
        let length = numbers.next() as usize % 64;
        // The right length, so that the inside is looked at.
        let mut bytes = vec![n.wrapping_mul(37), length as u8];
        bytes.extend(numbers.bytes(length));
        let _ = client.try_send(&bytes);
        let _ = client.wire.shutdown(Shutdown::Write);
        while client.next().is_some() {}
    }
    witness.ping();
}

#[test]
fn a_packet_that_claims_256_mb_takes_no_memory_and_ends_its_connection() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    let before = resident_bytes(hub.pid());
    let claim = [0x30, 0xFF, 0xFF, 0xFF, 0x7F];
    for version in [4, 5] {
        for n in 0..20 {
            let mut client = Raw::tcp(hub.at("mqtt://"), version, &format!("claims {n}"));
            client.send(&claim);
            if version == 5 {
                let disconnect = client.next().unwrap();
                assert_eq!((disconnect.first, disconnect.body[0]), (0xE0, 0x95));
            }
            assert_eq!(client.next(), None);
        }
    }
    let grown = resident_bytes(hub.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}

#[test]
fn a_client_that_sends_too_large_a_packet_gets_to_read_why() {
    let everywhere = Everywhere::start();
    let hub = &everywhere.hub;
    let mut plain = Raw::tcp(hub.at("mqtt://"), 5, "plain");
    let wire = Raw::silent(hub.at("mqtts://"), 5).wire;
    let mut encrypted = Raw::over(tls(wire, everywhere.authority.trusted_by(None)), 5);
    encrypted.come_in("encrypted");
    let large = plain.message("large", &vec![0; 3 << 20]);
    let _ = plain.try_send(&large); // The hub may have had enough.
    let _ = encrypted.try_send(&large);
    for disconnect in [plain.next(), encrypted.next()] {
        let disconnect = disconnect.expect("a reason");
        assert_eq!((disconnect.first, disconnect.body[0]), (0xE0, 0x95));
    }
}

#[test]
fn a_first_packet_that_is_too_large_is_not_waited_for() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    for claim in [
        [0x10, 0xFF, 0xFF, 0xFF, 0x7F],
        [0x10, 0x81, 0x80, 0x04, 0x00],
    ] {
        let mut raw = Raw::silent(hub.at("mqtt://"), 5);
        raw.send(&claim);
        assert_eq!(raw.next(), None);
    }
}

#[test]
fn what_comes_before_connect_ends_the_connection() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    for version in [4, 5] {
        let mut raw = Raw::silent(hub.at("mqtt://"), version);
        let early = raw.message("early", b"");
        raw.send(&early);
        assert_eq!(raw.next(), None);
    }
}
