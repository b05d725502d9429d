use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::support::{Hub, PATIENCE, upgrade_request};

/// The status of the answer to an upgrade request of a page.
fn upgrade(at: SocketAddr, host: &str, origin: Option<&str>) -> u16 {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(upgrade_request(host, origin).as_bytes())
        .unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
}

#[test]
fn pages_of_other_sites_get_no_web_socket() {
    let toml = "[websocket]\norigins = [\"https://app.example\"]\n";
    let hub = Hub::configured(toml, &["ws://127.0.0.1:0"]);
    let at = hub.at("ws://");
    let here = at.to_string();
    assert_eq!(upgrade(at, &here, None), 101, "a program");
    assert_eq!(upgrade(at, &here, Some(&format!("http://{here}"))), 101);
    assert_eq!(upgrade(at, &here, Some("https://app.example")), 101);
    for origin in ["http://evil.example", "https://app.example.evil", "null"] {
        assert_eq!(upgrade(at, &here, Some(origin)), 403, "{origin}");
    }
}

#[test]
fn a_name_that_was_bent_to_this_machine_gets_no_web_socket() {
    let hub = Hub::start(&["ws://127.0.0.1:0"]);
    let at = hub.at("ws://");
    // To the browser the page and the hub are one site: evil.example led to the page first,
    // and to 127.0.0.1 later.
    let host = format!("evil.example:{}", at.port());
    assert_eq!(upgrade(at, &host, Some(&format!("http://{host}"))), 403);
    let host = format!("localhost:{}", at.port());
    assert_eq!(upgrade(at, &host, Some(&format!("http://{host}"))), 101);
}
