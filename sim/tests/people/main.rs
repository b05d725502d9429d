//! Who comes in, and what they may: stories of a lamp that has a credential.

mod admitted; // who comes in
mod noted; // what the audit is told
mod related; // what relations allow
mod revoked; // who has to go
mod rights; // what whoever came in may

use quartet_fabric::mqtt::{Connect, Login, Packet, Properties, Property, Publish, Reason, Will};
use quartet_hub::flow::Peer;
use quartet_model::{Qos, Said, Time};
use quartet_people::{
    credentials::{self, Credential, Credentials, Proof, Replaces},
    secret,
};
use quartet_sim::{Client, Site, connect, publish_at, said, subscribe};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;
const LAMP: &str = "things/lamp";
const ON: &str = "things/lamp/properties/on";

/// What the lamp is.
const DESCRIPTION: &str = r#"{
    "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Lamp",
    "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    "actions": { "reset": { "forms": [{ "href": "coap://lamp.example/reset" }] } }
}"#;

/// Somebody on another machine.
const ELSEWHERE: Peer = Peer {
    ip: None,
    is_local: false,
    is_open: false,
    is_certified: false,
};

fn credential(id: &str, secret: &str) -> Credential {
    Credential {
        id: id.to_owned(),
        name: None,
        proof: Proof::Secret(secret::hash(secret)),
        issued_at: Time::ZERO,
        issued_by: "api".to_owned(),
        expires_at: Time::NEVER,
        scope: None,
        session: None,
    }
}

/// What is said of somebody who is lost.
fn will(topic: &str) -> Will {
    Will {
        topic: topic.into(),
        payload: "gone".into(),
        qos: Q0,
        retain: false,
        delay_s: 0,
        expiry_s: None,
        properties: Default::default(),
    }
}

/// Credentials with these secrets, which are their identifiers, too.
fn with_secrets(secrets: &[&str]) -> Credentials {
    let mut all = Credentials::default();
    for secret in secrets {
        all.issue(credential(secret, secret), &Replaces::Nothing, Time::ZERO)
            .expect("there is room");
    }
    all
}

/// These are the credentials of an element from now on.
fn set(site: &Site, element: &str, all: &Credentials) {
    site.announce(Said {
        qos: Q1,
        ..Said::state(credentials::topic_of(element), all.text())
    });
}

/// A CONNECT that says a name.
fn named(client_id: &str, user: &str, password: &str) -> Connect {
    Connect {
        login: Login {
            user_name: Some(user.into()),
            password: Some(password.to_owned().into()),
        },
        ..connect(client_id)
    }
}

/// The same for a session that outlives its connection.
fn lasting(connect: Connect) -> Connect {
    Connect {
        clean_start: false,
        properties: Properties::none().with(Property::SessionExpiryInterval(86_400)),
        ..connect
    }
}

/// What the hub says to somebody who wants to come in from another machine.
fn asked_in(site: &Site, connect: Connect) -> (Client, Reason) {
    let client = site.client_from(ELSEWHERE);
    client.send(connect);
    match &*client.receive() {
        [Packet::ConnAck(connack), ..] => (client, connack.reason),
        other => panic!("the hub says {other:?}"),
    }
}

/// Somebody from another machine who comes in.
fn admitted(site: &Site, connect: Connect) -> Client {
    let (client, reason) = asked_in(site, connect);
    assert_eq!(reason, Reason::Success);
    client
}

/// The lamp, with its secret.
fn lamp(site: &Site) -> Client {
    set(site, LAMP, &with_secrets(&["s3cret"]));
    admitted(site, named("lamp-1", LAMP, "s3cret"))
}

/// What the hub says of a message.
fn published(client: &Client, topic: &str) -> Reason {
    client.send(publish_at(Q1, 1, topic, "true"));
    let answers = client.receive();
    let puback = answers.iter().find_map(|packet| match packet {
        Packet::PubAck(ack) => Some(ack.reason),
        _ => None,
    });
    puback.unwrap_or_else(|| panic!("the hub says {answers:?}"))
}

/// What the hub says of a subscription.
fn subscribed(client: &Client, filter: &str) -> Reason {
    client.send(subscribe(2, &[(filter, Q1)]));
    let answers = client.receive();
    let suback = answers.iter().find_map(|packet| match packet {
        Packet::SubAck(suback) => Some(suback.reasons[0]),
        _ => None,
    });
    suback.unwrap_or_else(|| panic!("the hub says {answers:?}"))
}

/// Why the hub closed a connection.
fn why_closed(client: &Client) -> Option<Reason> {
    let words = client.last_words();
    words.iter().find_map(|packet| match packet {
        Packet::Disconnect(bye) => Some(bye.reason),
        _ => None,
    })
}
