//! CONNECT and CONNACK (MQTT 5.0, sections 3.1 and 3.2).

use quartet_fabric::mqtt::{ConnAck, Connect, Packet, Properties, Property, Reason, Version, Will};
use quartet_hub::flow::Peer;
use quartet_sim::{connect, connect_as, disconnect, on_every_site, publish, reasons};

use crate::{Q0, Q1, come_back, lasting, seconds};

fn connack(packet: Packet) -> ConnAck {
    match packet {
        Packet::ConnAck(connack) => connack,
        other => panic!("no CONNACK: {other:?}"),
    }
}

fn assigned_id(connack: &ConnAck) -> Option<String> {
    connack.properties.find(|p| match p {
        Property::AssignedClientIdentifier(id) => Some(id.to_string()),
        _ => None,
    })
}

#[test]
fn mqtt_3_1_4_5_and_3_2_0_1_to_2_who_connects_is_told_once_that_it_came_in() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send(connect("ana"));
        ana.send(quartet_sim::subscribe(1, &[("a", Q0)]));
        ana.send(publish("a", "x"));
        let packets = ana.receive();
        assert!(matches!(&packets[0], Packet::ConnAck(ack) if ack.reason == Reason::Success));
        let connacks = |p: &&Packet| matches!(p, Packet::ConnAck(_));
        assert_eq!(packets.iter().filter(connacks).count(), 1);
        assert_eq!(packets.len(), 3);
        assert!(!ana.is_closed());
    });
}

#[test]
fn mqtt_3_2_2_1_the_reserved_flags_of_connack_are_0() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send(lasting("ana"));
        assert_eq!(ana.receive_bytes()[2], 0);
        ana.lose();
        let ana = site.client();
        ana.send(lasting("ana"));
        assert_eq!(ana.receive_bytes()[2], 1);
    });
}

#[test]
fn mqtt_3_1_2_4_and_3_1_4_4_and_3_2_2_2_a_clean_start_forgets_the_session() {
    on_every_site(|site| {
        let ana = site.connected(lasting("ana"));
        ana.follow("a", Q1);
        ana.lose();
        let clean = Connect {
            clean_start: true,
            ..lasting("ana")
        };
        let (ana, session_present, _) = come_back(site, clean);
        assert!(!session_present);
        site.connected(connect("bob")).send(publish("a", "x"));
        assert_eq!(ana.receive(), []);
        assert_eq!(site.sessions(), 2);
    });
}

#[test]
fn mqtt_3_1_2_5_to_6_and_3_2_2_3_without_a_clean_start_the_session_goes_on() {
    on_every_site(|site| {
        let (ana, session_present, _) = come_back(site, lasting("ana"));
        assert!(!session_present);
        ana.follow("a", Q1);
        ana.lose();
        let (ana, session_present, _) = come_back(site, lasting("ana"));
        assert!(session_present);
        site.connected(connect("bob")).send(publish("a", "x"));
        assert_eq!(ana.messages().len(), 1);
    });
}

#[test]
fn taking_over_a_session_that_ends_with_its_connection_begins_a_new_one() {
    on_every_site(|site| {
        for version in [Version::V31, Version::V311, Version::V5] {
            let _old = site.connected(connect_as(version, "ana"));
            let (_new, session_present, _) = come_back(
                site,
                Connect {
                    clean_start: false,
                    ..connect_as(version, "ana")
                },
            );
            assert!(!session_present);
        }
    });
}

#[test]
fn mqtt_3_1_3_2_the_client_identifier_says_whose_session_it_is() {
    on_every_site(|site| {
        site.connected(lasting("ana")).lose();
        let (_, session_present, _) = come_back(site, lasting("Ana"));
        assert!(!session_present);
        let (_, session_present, _) = come_back(site, lasting("ana"));
        assert!(session_present);
    });
}

#[test]
fn mqtt_3_1_3_5_names_of_1_to_23_digits_and_letters_are_allowed() {
    on_every_site(|site| {
        let all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        for name in ["0", &all[..23], &all[23..46], &all[39..]] {
            site.connected(connect(name));
        }
    });
}

#[test]
fn mqtt_3_1_3_6_to_7_and_3_2_2_16_who_has_no_name_is_given_one() {
    on_every_site(|site| {
        let (one, two) = (site.client(), site.client());
        let answers = [one.ask(lasting("")), two.ask(lasting(""))];
        let [one_id, two_id] = answers.map(|answer| assigned_id(&connack(answer)).unwrap());
        assert_ne!(one_id, two_id);
        one.follow("a", Q1);
        one.lose();
        // The name is as good as one of its own.
        let (_, session_present, _) = come_back(site, lasting(&one_id));
        assert!(session_present);
    });
}

#[test]
fn who_has_a_name_is_not_given_another_one() {
    on_every_site(|site| {
        let ana = site.client();
        assert_eq!(assigned_id(&connack(ana.ask(connect("ana")))), None);
    });
}

#[test]
fn mqtt_3_1_3_8_and_3_2_2_6_to_8_a_name_that_is_too_long_is_refused() {
    on_every_site(|site| {
        let ana = site.client();
        let answer = connack(ana.ask(Connect {
            clean_start: false,
            ..connect(&"x".repeat(1025))
        }));
        assert_eq!(answer.reason, Reason::ClientIdentifierNotValid);
        assert!(!answer.session_present);
        assert!(ana.is_closed());
    });
}

#[test]
fn mqtt_3_1_4_2_and_4_13_2_1_who_may_not_come_in_is_refused() {
    on_every_site(|site| {
        let stranger = site.client_from(Peer {
            ip: None,
            is_local: false,
            is_open: false,
            is_certified: false,
        });
        let answer = stranger.ask(connect("stranger"));
        assert_eq!(reasons(&answer), [Reason::NotAuthorized]);
        assert!(stranger.is_closed());
    });
}

#[test]
fn mqtt_3_1_4_6_what_follows_a_refused_connect_is_not_read() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("#", Q0);
        let bob = site.client();
        bob.send(connect(&"x".repeat(1025)));
        bob.send(publish("a", "x"));
        assert_eq!(bob.receive().len(), 1);
        assert_eq!(ana.receive(), []);
    });
}

#[test]
fn mqtt_3_1_4_3_a_second_connection_takes_the_session_over() {
    on_every_site(|site| {
        let old = site.connected(lasting("ana"));
        old.follow("a", Q1);
        let (new, session_present, _) = come_back(site, lasting("ana"));
        assert!(session_present);
        let [Packet::Disconnect(goodbye)] = &old.last_words()[..] else {
            panic!("no DISCONNECT");
        };
        assert_eq!(goodbye.reason, Reason::SessionTakenOver);
        site.connected(connect("bob")).send(publish("a", "x"));
        assert_eq!(new.messages().len(), 1);
    });
}

#[test]
fn mqtt_3_1_2_28_nobody_gets_response_information() {
    on_every_site(|site| {
        let ana = site.client();
        let answer = connack(ana.ask(Connect {
            properties: Properties::none().with(Property::RequestResponseInformation(false)),
            ..connect("ana")
        }));
        let has_it = |p: &Property| matches!(p, Property::ResponseInformation(_));
        assert!(!answer.properties.iter().any(has_it));
    });
}

#[test]
fn mqtt_3_2_2_19_to_20_a_refusal_that_would_be_too_large_comes_without_its_reason() {
    on_every_site(|site| {
        let stranger = Peer {
            ip: None,
            is_local: false,
            is_open: false,
            is_certified: false,
        };
        for (largest, packets) in [(200, 1), (20, 1), (4, 0)] {
            let ana = site.client_from(stranger);
            ana.send(Connect {
                properties: Properties::none().with(Property::MaximumPacketSize(largest)),
                ..connect("ana")
            });
            let bytes = ana.receive_bytes();
            assert!(bytes.len() <= largest as usize);
            assert_eq!(usize::from(!bytes.is_empty()), packets);
            assert_eq!(largest == 200, bytes.len() > 5);
            assert!(ana.is_closed());
        }
    });
}

#[test]
fn who_takes_no_packet_as_large_as_a_connack_does_not_come_in() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send(Connect {
            properties: Properties::none().with(Property::MaximumPacketSize(5)),
            ..connect("ana")
        });
        assert!(ana.receive_bytes().len() <= 5);
        assert!(ana.is_closed());
        assert_eq!(site.sessions(), 0);
    });
}

#[test]
fn mqtt_3_1_2_23_and_4_1_0_1_to_2_a_session_is_kept_as_long_as_was_agreed() {
    on_every_site(|site| {
        let ana = site.connected(crate::lasting_for(10, "ana"));
        site.pass(seconds(100));
        ana.lose();
        site.pass(seconds(9));
        let (ana, session_present, _) = come_back(site, crate::lasting_for(10, "ana"));
        assert!(session_present);
        ana.lose();
        site.pass(seconds(10));
        assert_eq!(site.sessions(), 0);
        let (_, session_present, _) = come_back(site, lasting("ana"));
        assert!(!session_present);
    });
}

#[test]
fn disconnect_can_change_how_long_the_session_is_kept() {
    on_every_site(|site| {
        let ana = site.connected(lasting("ana"));
        let mut goodbye = disconnect(Reason::Success);
        goodbye.properties.push(Property::SessionExpiryInterval(0));
        ana.send(goodbye);
        assert!(ana.is_closed());
        assert_eq!(site.sessions(), 0);
    });
}

#[test]
fn mqtt_3_1_3_1_the_fields_of_connect_are_read_in_their_order() {
    on_every_site(|site| {
        for version in [Version::V31, Version::V311, Version::V5] {
            let watcher = site.connected(connect("watcher"));
            watcher.follow("wills/#", Q0);
            let mut all = connect_as(version, "ana");
            all.will = Some(Will {
                topic: "wills/ana".into(),
                payload: "gone".into(),
                qos: Q0,
                retain: false,
                delay_s: 0,
                expiry_s: None,
                properties: Default::default(),
            });
            all.login.user_name = Some("ana".into());
            all.login.password = Some("secret".into());
            // Where everything is open, names do not matter.
            let ana = site.client_from(Peer {
                ip: None,
                is_local: true,
                is_open: true,
                is_certified: false,
            });
            ana.send(all);
            ana.receive();
            ana.lose();
            assert_eq!(quartet_sim::said(&watcher.messages()), ["gone"]);
        }
    });
}
