//! The crate rumqttc, over TCP and TLS. Its clients of both versions have the same words, so each
//! check is written once, for whatever is [`Foreign`].

mod v4; // its client of MQTT 3.1.1
mod v5; // its client of MQTT 5

use std::{net::SocketAddr, sync::Arc};

use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;

use self::{v4::V4, v5::V5};
use crate::support::Everywhere;

/// How a client comes in.
#[derive(Clone)]
struct Entry {
    id: String,
    at: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    is_kept: bool,
    will: Option<String>,
}

/// What a client sees, as far as these tests look.
#[derive(PartialEq, Debug)]
enum Seen {
    CameIn { session_present: bool },
    Subscribed,
    Acknowledged,
    Message(Message),
    Nothing,
}

#[derive(Clone, PartialEq, Debug)]
struct Message {
    topic: String,
    qos: u8,
    retain: bool,
    payload: Vec<u8>,
}

trait Foreign: Sized {
    fn begin(entry: &Entry) -> Self;
    fn subscribe(&mut self, filter: &str, qos: u8);
    fn publish(&mut self, message: &Message);
    fn disconnect(&mut self);
    /// What is seen next; `None` when the connection has ended.
    fn see(&mut self) -> Option<Seen>;

    #[track_caller]
    fn come_in(entry: &Entry) -> (Self, bool) {
        let mut client = Self::begin(entry);
        loop {
            if let Seen::CameIn { session_present } = client.see().unwrap() {
                return (client, session_present);
            }
        }
    }

    #[track_caller]
    fn subscribed(&mut self, filter: &str, qos: u8) {
        self.subscribe(filter, qos);
        while self.see().unwrap() != Seen::Subscribed {}
    }

    /// Publishes at QoS 1 or 2 and waits until that is acknowledged.
    #[track_caller]
    fn published(&mut self, message: &Message) {
        self.publish(message);
        while self.see().unwrap() != Seen::Acknowledged {}
    }

    #[track_caller]
    fn messages(&mut self, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < count {
            if let Seen::Message(message) = self.see().unwrap() {
                messages.push(message);
            }
        }
        messages
    }

    fn leave(mut self) {
        self.disconnect();
        while self.see().is_some() {}
    }
}

fn transport(entry: &Entry) -> Transport {
    match &entry.tls {
        None => Transport::tcp(),
        Some(tls) => Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))),
    }
}

/// Both versions, over TCP and TLS.
macro_rules! each_way {
    ($check:ident) => {
        let everywhere = Everywhere::start();
        let tls = everywhere.authority.trusted_by(None);
        for (way, tls) in [("mqtt", None), ("mqtts", Some(tls))] {
            let entry = |id: &str| Entry {
                id: format!("{id}-{way}"),
                at: everywhere.hub.at(&format!("{way}://")),
                tls: tls.clone(),
                is_kept: false,
                will: None,
            };
            $check::<V4>(&entry("v4"));
            $check::<V5>(&entry("v5"));
        }
    };
}

fn said(entry: &Entry, qos: u8, payload: impl Into<Vec<u8>>) -> Message {
    Message {
        topic: format!("rumqttc/{}", entry.id),
        qos,
        retain: false,
        payload: payload.into(),
    }
}

/// Another client that comes in the same way.
fn other(entry: &Entry) -> Entry {
    Entry {
        id: format!("{}-other", entry.id),
        ..entry.clone()
    }
}

#[test]
fn messages_arrive_exactly_as_sent_at_each_qos() {
    fn check<C: Foreign>(entry: &Entry) {
        let (mut client, session_present) = C::come_in(entry);
        assert!(!session_present);
        let all_bytes = || (0..=255_u8).cycle().take(5_000).collect::<Vec<_>>();
        let sent = [0, 1, 2].map(|qos| said(entry, qos, all_bytes()));
        client.subscribed(&sent[0].topic, 2);
        for message in &sent {
            client.publish(message);
        }
        assert_eq!(client.messages(3), sent);
        client.leave();
    }
    each_way!(check);
}

#[test]
fn a_retained_message_stands_until_it_is_cleared() {
    fn check<C: Foreign>(entry: &Entry) {
        let (mut client, _) = C::come_in(entry);
        let mut message = said(entry, 1, "stands");
        message.retain = true;
        client.published(&message);
        client.subscribed(&message.topic, 1);
        assert_eq!(client.messages(1), std::slice::from_ref(&message));
        let (mut later, _) = C::come_in(&other(entry));
        message.payload.clear();
        later.published(&message);
        later.subscribed(&message.topic, 1);
        let live = said(entry, 1, "live");
        later.publish(&live);
        assert_eq!(later.messages(1), [live]);
    }
    each_way!(check);
}

#[test]
fn a_will_is_published_when_its_client_is_gone_and_not_when_it_leaves() {
    fn check<C: Foreign>(entry: &Entry) {
        let (mut watcher, _) = C::come_in(entry);
        let gone = said(entry, 1, "gone");
        watcher.subscribed(&gone.topic, 1);
        let mut dying = other(entry);
        dying.will = Some(gone.topic.clone());
        C::come_in(&dying).0.leave();
        drop(C::come_in(&dying));
        assert_eq!(watcher.messages(1), [gone]);
        let end = said(entry, 1, "end");
        watcher.publish(&end);
        assert_eq!(watcher.messages(1), [end]);
    }
    each_way!(check);
}

#[test]
fn what_was_missed_waits_in_the_session() {
    fn check<C: Foreign>(entry: &Entry) {
        let mut kept = entry.clone();
        kept.is_kept = true;
        let (mut client, session_present) = C::come_in(&kept);
        assert!(!session_present);
        let missed = [1, 2, 1, 2].map(|qos| said(entry, qos, format!("at {qos}")));
        client.subscribed(&missed[0].topic, 2);
        client.leave();
        let (mut publisher, _) = C::come_in(&other(entry));
        for message in &missed {
            publisher.published(message);
        }
        let (mut client, session_present) = C::come_in(&kept);
        assert!(session_present);
        assert_eq!(client.messages(4), missed);
    }
    each_way!(check);
}
