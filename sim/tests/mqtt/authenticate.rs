//! Enhanced authentication (MQTT 5.0, section 4.12), by a method that asks for two words.

use bytes::Bytes;
use quartet_fabric::mqtt::{Auth, Connect, Packet, Properties, Property, Reason};
use quartet_hub::flow::{Authenticate, Exchange, Step};
use quartet_sim::{Client, Plan, Site, connect, publish, reasons};

use crate::seconds;

/// Knows the method `words`: whoever says `open`, asked again, `sesame` may come in; whoever
/// says `friend` may at once.
struct Words;

/// How many words were heard.
struct Heard(u8);

impl Authenticate for Words {
    fn begin(&self, method: &str) -> Option<Box<dyn Exchange>> {
        (method == "words").then(|| Box::new(Heard(0)) as Box<dyn Exchange>)
    }
}

impl Exchange for Heard {
    fn step(&mut self, data: &[u8]) -> Step {
        self.0 += 1;
        match (self.0, data) {
            (1, b"friend") => Step::Accept(Bytes::from_static(b"hello")),
            (1, b"open") => Step::Continue(Bytes::from_static(b"and?")),
            (2, b"sesame") => Step::Accept(Bytes::from_static(b"welcome")),
            _ => Step::Refuse,
        }
    }
}

fn on_every_site(story: impl Fn(&Site)) {
    for lanes in [1, 3] {
        story(&Site::of(&Plan {
            lanes,
            authenticate: || Box::new(Words),
            ..Plan::default()
        }));
    }
}

fn said(method: &str, data: &'static str) -> Properties {
    Properties::none()
        .with(Property::AuthenticationMethod(method.into()))
        .with(Property::AuthenticationData(Bytes::from_static(
            data.as_bytes(),
        )))
}

fn saying(data: &'static str) -> Connect {
    Connect {
        properties: said("words", data),
        ..connect("ana")
    }
}

fn auth(reason: Reason, method: &str, data: &'static str) -> Auth {
    Auth {
        reason,
        properties: said(method, data),
    }
}

fn go_on(data: &'static str) -> Auth {
    auth(Reason::ContinueAuthentication, "words", data)
}

fn method_of(properties: &Properties) -> Option<String> {
    properties.find(|p| match p {
        Property::AuthenticationMethod(method) => Some(method.to_string()),
        _ => None,
    })
}

fn data_of(properties: &Properties) -> Option<Bytes> {
    properties.find(|p| match p {
        Property::AuthenticationData(data) => Some(data.clone()),
        _ => None,
    })
}

fn came_in(site: &Site) -> Client {
    let ana = site.client();
    assert_eq!(reasons(&ana.ask(saying("friend"))), [Reason::Success]);
    ana
}

#[test]
fn mqtt_4_12_0_2_to_3_and_5_each_step_names_its_method() {
    on_every_site(|site| {
        let ana = site.client();
        let Packet::Auth(question) = ana.ask(saying("open")) else {
            panic!("no AUTH");
        };
        assert_eq!(question.reason, Reason::ContinueAuthentication);
        assert_eq!(method_of(&question.properties).as_deref(), Some("words"));
        assert_eq!(data_of(&question.properties), Some("and?".into()));
        // Neither reason string nor user property [MQTT-3.15.2-2] [MQTT-3.15.2-3].
        assert_eq!(question.properties.iter().count(), 2);
        let Packet::ConnAck(connack) = ana.ask(go_on("sesame")) else {
            panic!("no CONNACK");
        };
        assert_eq!(connack.reason, Reason::Success);
        assert_eq!(method_of(&connack.properties).as_deref(), Some("words"));
        assert_eq!(data_of(&connack.properties), Some("welcome".into()));
    });
}

#[test]
fn mqtt_4_12_0_1_an_unknown_method_is_refused() {
    on_every_site(|site| {
        let ana = site.client();
        let answer = ana.ask(Connect {
            properties: said("dance", "x"),
            ..connect("ana")
        });
        assert_eq!(reasons(&answer), [Reason::BadAuthenticationMethod]);
        assert!(ana.is_closed());
    });
}

#[test]
fn mqtt_4_12_0_4_who_says_the_wrong_word_stays_outside() {
    on_every_site(|site| {
        let ana = site.client();
        let answer = ana.ask(saying("foe"));
        assert!(matches!(answer, Packet::ConnAck(_)));
        assert_eq!(reasons(&answer), [Reason::NotAuthorized]);
        assert!(ana.is_closed());
        let ana = site.client();
        ana.ask(saying("open"));
        let answer = ana.ask(go_on("barley"));
        assert!(matches!(answer, Packet::ConnAck(_)));
        assert_eq!(reasons(&answer), [Reason::NotAuthorized]);
        assert!(ana.is_closed());
        assert_eq!(site.sessions(), 0);
    });
}

#[test]
fn until_it_came_in_a_client_says_nothing_but_auth_and_goodbye() {
    on_every_site(|site| {
        for wrong in [
            Packet::PingReq,
            Packet::Publish(publish("a", "x")),
            Packet::Auth(auth(Reason::ContinueAuthentication, "dance", "sesame")),
            Packet::Auth(auth(Reason::ReAuthenticate, "words", "sesame")),
        ] {
            let ana = site.client();
            ana.ask(saying("open"));
            let answer = ana.ask(wrong);
            assert_eq!(reasons(&answer), [Reason::ProtocolError]);
            assert!(ana.is_closed());
        }
        let silent = site.client();
        silent.ask(saying("open"));
        site.pass(seconds(5));
        assert!(silent.is_closed());
    });
}

#[test]
fn mqtt_4_12_0_6_who_names_no_method_hears_of_none() {
    on_every_site(|site| {
        let ana = site.client();
        let Packet::ConnAck(connack) = ana.ask(connect("ana")) else {
            panic!("the first answer is no CONNACK");
        };
        assert_eq!(method_of(&connack.properties), None);
    });
}

#[test]
fn mqtt_4_12_1_1_who_came_in_by_a_method_can_do_so_again_by_the_same() {
    on_every_site(|site| {
        let ana = came_in(site);
        let Packet::Auth(answer) = ana.ask(auth(Reason::ReAuthenticate, "words", "friend")) else {
            panic!("no AUTH");
        };
        assert_eq!(answer.reason, Reason::Success);
        assert_eq!(method_of(&answer.properties).as_deref(), Some("words"));
        let answer = ana.ask(auth(Reason::ReAuthenticate, "dance", "friend"));
        assert_eq!(reasons(&answer), [Reason::ProtocolError]);
        assert!(ana.is_closed());
    });
}

#[test]
fn mqtt_4_12_1_2_whose_second_word_is_wrong_must_go() {
    on_every_site(|site| {
        let ana = came_in(site);
        let answer = ana.ask(auth(Reason::ReAuthenticate, "words", "foe"));
        assert!(matches!(answer, Packet::Disconnect(_)));
        assert_eq!(reasons(&answer), [Reason::NotAuthorized]);
        assert!(ana.is_closed());
    });
}
