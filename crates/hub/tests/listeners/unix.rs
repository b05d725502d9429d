use std::os::unix::net::UnixListener;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Hub, Raw};

#[test]
fn clients_of_a_unix_socket_and_of_tcp_hear_each_other() {
    let sockets = TempDir::new().unwrap();
    let path = sockets.path().join("mqtt.sock");
    let unix = format!("unix://{}", path.display());
    let hub = Hub::start(&["mqtt://127.0.0.1:0", &unix]);
    let mut here = Raw::unix(&path, 5, "here");
    here.subscribe("to/here", 0);
    let mut there = Raw::tcp(hub.at("mqtt://"), 4, "there");
    there.subscribe("to/there", 0);
    there.publish("to/here", b"over tcp");
    here.publish("to/there", b"over a unix socket");
    assert_eq!(here.payload(), b"over tcp");
    assert_eq!(there.payload(), b"over a unix socket");
}

#[test]
fn a_unix_socket_is_removed_at_the_end_and_one_left_by_a_crash_is_replaced() {
    let sockets = TempDir::new().unwrap();
    let path = sockets.path().join("mqtt.sock");
    let unix = format!("unix://{}", path.display());
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as after a crash");
    let mut hub = Hub::start(&[&unix]);
    Raw::unix(&path, 5, "anyone");
    hub.signal(Signal::TERM);
    assert!(hub.ended().success());
    assert!(!path.exists());
}
