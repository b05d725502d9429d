use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Hub, Raw, resident_bytes, until};

const COUNT: u64 = 2_000;

/// Whether the hub has closed; whatever it says before is read.
fn is_closed(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 256]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// This process needs as many descriptors as the hub.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

#[test]
fn connections_that_say_next_to_nothing_are_closed_and_take_little_memory() {
    let toml = "[limits]\nconnect_timeout_s = 3\n";
    let hub = Hub::configured(toml, &["mqtt://127.0.0.1:0"]);
    let at = hub.at("mqtt://");
    raise_descriptor_limit();
    let mut witness = Raw::tcp(at, 5, "witness");
    let before = resident_bytes(hub.pid());
    let mut open: Vec<TcpStream> = (0..COUNT)
        .map(|_| {
            let stream = TcpStream::connect(at).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    // Half of them send a CONNECT, one byte per second.
    let connect = b"\x10\x10\0\x04MQTT\x04\x02\0\0\0\x04slow";
    let (mut sent, start) = (0, Instant::now());
    let mut peak = 0;
    until("all of them to be closed", || {
        if sent < connect.len() && Duration::from_secs(sent as u64) <= start.elapsed() {
            for mut stream in open.iter().step_by(2) {
                let _ = stream.write(&connect[sent..=sent]); // It may be closed.
            }
            sent += 1;
        }
        peak = peak.max(resident_bytes(hub.pid()));
        open.retain(|stream| !is_closed(stream));
        open.is_empty()
    });
    assert!(sent < connect.len(), "slow bytes do not extend the time");
    let each = peak.saturating_sub(before) / COUNT;
    assert!(each < 4 * 1024, "{each} bytes each");
    witness.ping();
    Raw::tcp(at, 5, "next");
}

#[test]
fn half_open_web_sockets_and_tls_are_closed() {
    let toml = "[limits]\nconnect_timeout_s = 1\n";
    let hub = Hub::configured(
        toml,
        &[
            "ws://127.0.0.1:0",
            "mqtts://127.0.0.1:0",
            "wss://127.0.0.1:0",
        ],
    );
    for scheme in ["ws", "mqtts", "wss"] {
        let stream = TcpStream::connect(hub.at(&format!("{scheme}://"))).unwrap();
        stream.set_nonblocking(true).unwrap();
        until("it to be closed", || is_closed(&stream));
    }
}
