use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::support::{Hub, PATIENCE, Raw, upgrade_request};

/// The close frame of a client, masked with zeros.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
const DISCONNECT: [u8; 2] = [0xE0, 0];

/// A web socket that is open.
fn open(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = upgrade_request(&at.to_string(), None);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    stream
}

/// A binary frame of a client, masked with zeros.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[0x82, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// CONNECT of MQTT 3.1.1 with a clean session and the will "gone" at "will".
fn connect_with_will(id: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\x06\0\0".to_vec();
    for text in [id, "will", "gone"] {
        body.extend([0, u8::try_from(text.len()).unwrap()]);
        body.extend(text.as_bytes());
    }
    [&[0x10, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

/// Reads until the hub has closed.
fn read_off(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Whatever the lane that a client belongs to, and however its frames fall into reads.
const IDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

#[test]
fn who_says_disconnect_and_closes_in_one_breath_has_left() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "ws://127.0.0.1:0"]);
    let mut watcher = Raw::tcp(hub.at("mqtt://"), 4, "watcher");
    watcher.subscribe("will", 0);
    for id in IDS {
        let mut stream = open(hub.at("ws://"));
        stream.write_all(&frame(&connect_with_will(id))).unwrap();
        stream.read_exact(&mut [0; 6]).unwrap(); // CONNACK in its frame
        let goodbye = [&frame(&DISCONNECT)[..], &CLOSE].concat();
        stream.write_all(&goodbye).unwrap();
        read_off(stream);
    }
    watcher.publish("will", b"end");
    assert_eq!(watcher.payload(), b"end");
}

#[test]
fn what_was_said_in_the_same_breath_as_the_close_is_heard() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "ws://127.0.0.1:0"]);
    let mut watcher = Raw::tcp(hub.at("mqtt://"), 4, "watcher");
    watcher.subscribe("said", 0);
    watcher.subscribe("will", 0);
    for id in IDS {
        let mut stream = open(hub.at("ws://"));
        let said = watcher.message("said", id.as_bytes());
        let all = [frame(&connect_with_will(id)), frame(&said), CLOSE.to_vec()].concat();
        stream.write_all(&all).unwrap();
        read_off(stream);
        assert_eq!(watcher.payload(), id.as_bytes());
        assert_eq!(watcher.payload(), b"gone", "it closed without DISCONNECT");
    }
}
