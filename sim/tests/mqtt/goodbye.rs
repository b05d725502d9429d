//! How connections end: DISCONNECT, silence, shutdown (MQTT 5.0, sections 3.1.2.10, 3.12, 3.14).

use quartet_fabric::mqtt::{Connect, Packet, Property, Reason};
use quartet_hub::config::Limits;
use quartet_sim::{Site, connect, disconnect, on_every_site, publish, reasons};

use crate::{Q0, millis, seconds};

fn promising(keep_alive_s: u16) -> Connect {
    Connect {
        keep_alive_s,
        ..connect("ana")
    }
}

#[test]
fn mqtt_3_12_4_1_a_ping_is_answered() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        assert_eq!(ana.ask(Packet::PingReq), Packet::PingResp);
    });
}

#[test]
fn mqtt_3_1_2_22_and_3_2_2_22_who_is_silent_for_too_long_is_gone() {
    on_every_site(|site| {
        let ana = site.client();
        let Packet::ConnAck(connack) = ana.ask(promising(10)) else {
            panic!("no CONNACK");
        };
        let is_server_keep_alive = |p: &Property| matches!(p, Property::ServerKeepAlive(_));
        assert!(!connack.properties.iter().any(is_server_keep_alive));
        for _ in 0..3 {
            site.pass(millis(14_900));
            assert_eq!(ana.ask(Packet::PingReq), Packet::PingResp);
        }
        site.pass(millis(14_900));
        assert!(!ana.is_closed());
        site.pass(millis(100));
        let words = ana.last_words();
        assert_eq!(reasons(&words[0]), [Reason::KeepAliveTimeout]);
    });
}

#[test]
fn who_promises_nothing_may_be_silent_unless_the_hub_says_otherwise() {
    let no_limit = Site::with_limits(Limits {
        keep_alive_s_max: 0,
        ..Limits::default()
    });
    let ana = no_limit.connected(promising(0));
    no_limit.pass(seconds(1_000_000));
    assert!(!ana.is_closed());
    let ten_seconds = Site::with_limits(Limits {
        keep_alive_s_max: 10,
        ..Limits::default()
    });
    for asked in [0, 11] {
        let ana = ten_seconds.client();
        let Packet::ConnAck(connack) = ana.ask(promising(asked)) else {
            panic!("no CONNACK");
        };
        let says_ten = |p: &Property| matches!(p, Property::ServerKeepAlive(10));
        assert!(connack.properties.iter().any(says_ten));
        ten_seconds.pass(seconds(15));
        assert!(ana.is_closed());
    }
}

#[test]
fn v311_3_1_4_5_who_says_nothing_at_all_is_gone_soon() {
    on_every_site(|site| {
        let silent = site.client();
        let slow = site.client();
        slow.send_bytes(&[0x10, 50, 0, 4]);
        site.pass(seconds(4));
        assert!(!silent.is_closed() && !slow.is_closed());
        site.pass(seconds(1));
        assert_eq!(silent.last_words(), []);
        assert_eq!(slow.last_words(), []);
    });
}

#[test]
fn mqtt_3_14_4_1_to_2_and_3_14_2_2_the_hubs_last_word_is_disconnect() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("#", Q0);
        let bob = site.connected(connect("bob"));
        // Everything at once: what comes after the second CONNECT is not answered.
        ana.send(Packet::PingReq);
        ana.send(connect("ana"));
        ana.send(Packet::PingReq);
        bob.send(publish("a", "x"));
        let words = ana.last_words();
        let Some(Packet::Disconnect(goodbye)) = words.last() else {
            panic!("the last word is not DISCONNECT: {words:?}");
        };
        let expiry = |p: &Property| matches!(p, Property::SessionExpiryInterval(_));
        assert!(!goodbye.properties.iter().any(expiry));
        let goodbyes = |p: &&Packet| matches!(p, Packet::Disconnect(_));
        assert_eq!(words.iter().filter(goodbyes).count(), 1);
    });
}

#[test]
fn who_says_goodbye_is_not_answered_and_nothing_after_it_is_read() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        bob.follow("a", Q0);
        ana.send(disconnect(Reason::Success));
        ana.send(publish("a", "x"));
        assert_eq!(ana.last_words(), []);
        assert_eq!(bob.receive(), []);
    });
}

#[test]
fn when_the_hub_goes_down_everyone_is_told() {
    on_every_site(|site| {
        let clients = ["ana", "bob", "eve"].map(|id| site.connected(connect(id)));
        site.shut_down();
        for client in clients {
            let words = client.last_words();
            assert_eq!(reasons(&words[0]), [Reason::ServerShuttingDown]);
        }
    });
}

#[test]
fn who_wants_to_keep_a_session_only_at_the_end_breaks_the_protocol() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        let mut goodbye = disconnect(Reason::Success);
        goodbye.properties.push(Property::SessionExpiryInterval(9));
        ana.send(goodbye);
        assert_eq!(reasons(&ana.last_words()[0]), [Reason::ProtocolError]);
    });
}
