use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{Everywhere, Hub, Raw, tls};

const SERVER_SHUTTING_DOWN: u8 = 0x8B;

#[test]
fn everyone_is_told_that_the_hub_shuts_down() {
    let mut everywhere = Everywhere::start();
    let hub = &everywhere.hub;
    let mut old = Raw::tcp(hub.at("mqtt://"), 4, "old");
    let mut new = Raw::tcp(hub.at("mqtt://"), 5, "new");
    let wire = Raw::silent(hub.at("mqtts://"), 5).wire;
    let mut encrypted = Raw::over(tls(wire, everywhere.authority.trusted_by(None)), 5);
    encrypted.come_in("encrypted");
    let mut here = Raw::unix(&everywhere.socket, 5, "here");
    let mut silent = Raw::silent(hub.at("mqtt://"), 5);
    let start = Instant::now();
    hub.signal(Signal::TERM);
    let goodbyes = [new.next(), encrypted.next(), here.next()];
    for disconnect in goodbyes.map(|packet| packet.expect("a DISCONNECT")) {
        assert_eq!(
            (disconnect.first, disconnect.body[0]),
            (0xE0, SERVER_SHUTTING_DOWN)
        );
    }
    assert_eq!(
        [new.next(), encrypted.next(), here.next()],
        [const { None }; 3]
    );
    assert_eq!(old.next(), None, "MQTT 3.1.1 has no word for it");
    assert_eq!(silent.next(), None);
    assert_eq!(everywhere.hub.ended().code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn what_was_sent_before_the_end_is_written_before_the_end() {
    let mut hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    let mut subscriber = Raw::tcp(hub.at("mqtt://"), 5, "subscriber");
    subscriber.subscribe("before", 0);
    let mut publisher = Raw::tcp(hub.at("mqtt://"), 5, "publisher");
    let count = 500_u32;
    for n in 0..count {
        publisher.publish("before", &[&n.to_be_bytes()[..], &[0; 1_000]].concat());
    }
    publisher.ping();
    hub.signal(Signal::TERM);
    for n in 0..count {
        assert_eq!(subscriber.payload()[..4], n.to_be_bytes());
    }
    assert_eq!(subscriber.next().unwrap().body[0], SERVER_SHUTTING_DOWN);
    assert_eq!(hub.ended().code(), Some(0));
}

#[test]
fn a_client_that_reads_nothing_does_not_keep_the_hub_from_ending() {
    let mut hub = Hub::configured("[limits]\nslow_consumer_s = 60\n", &["mqtt://127.0.0.1:0"]);
    let mut subscriber = Raw::tcp(hub.at("mqtt://"), 5, "reads nothing");
    subscriber.subscribe("much", 0);
    let mut publisher = Raw::tcp(hub.at("mqtt://"), 5, "publisher");
    let message = publisher.message("much", &[0; 100_000]);
    for _ in 0..100 {
        publisher.send(&message);
    }
    publisher.ping();
    let start = Instant::now();
    hub.signal(Signal::TERM);
    assert_eq!(hub.ended().code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_client_that_is_busy_publishing_is_told_as_well() {
    let mut hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    let mut publisher = Raw::tcp(hub.at("mqtt://"), 5, "publisher");
    let messages = publisher.message("on/and/on", b"...").repeat(1_000);
    publisher.send(&messages);
    hub.signal(Signal::TERM);
    // Until the hub closes; it reads off what it does not want any more.
    let mut writer = Raw::over(publisher.wire.try_clone().unwrap(), 5);
    let writing = thread::spawn(move || while writer.try_send(&messages).is_ok() {});
    let disconnect = publisher.next().expect("a DISCONNECT");
    assert_eq!(
        (disconnect.first, disconnect.body[0]),
        (0xE0, SERVER_SHUTTING_DOWN)
    );
    assert_eq!(hub.ended().code(), Some(0));
    writing.join().unwrap();
}

#[test]
fn clients_that_go_on_publishing_do_not_keep_the_hub_from_ending() {
    let mut hub = Hub::start(&["mqtt://127.0.0.1:0"]);
    let mut publisher = Raw::tcp(hub.at("mqtt://"), 4, "publisher");
    let messages = publisher.message("on/and/on", b"...").repeat(1_000);
    hub.signal(Signal::INT);
    while publisher.try_send(&messages).is_ok() {}
    assert_eq!(hub.ended().code(), Some(0));
}
