use quartet_fabric::mqtt::RetainHandling;

use super::{
    fake::{self, Fault},
    *,
};

fn message(topic: &str, qos: Qos, payload: &'static [u8]) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic.into(),
        packet_id: 0,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: Bytes::new(),
        payload: Bytes::from_static(payload),
    }
}

fn filter(filter: &str) -> SubscribeFilter {
    SubscribeFilter {
        filter: filter.into(),
        qos: Qos::ExactlyOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}

fn options(version: Version) -> ConnectOptions {
    ConnectOptions {
        version,
        client_id: "test".to_owned(),
        ..ConnectOptions::default()
    }
}

#[test]
fn a_message_comes_back_at_every_qos_and_version() {
    let endpoint = fake::start(Fault::None);
    for version in [Version::V311, Version::V5] {
        let mut client = Client::connect(&endpoint, options(version)).unwrap();
        client.subscribe(vec![filter("a/+")]).unwrap();
        for level in 0..3 {
            let qos = Qos::from_level(level).unwrap();
            client.publish(message("a/b", qos, b"hello")).unwrap();
            let received = client.receive(Duration::from_secs(5)).unwrap().unwrap();
            assert_eq!((&*received.topic, received.qos), ("a/b", qos));
            assert_eq!(&received.payload[..], b"hello");
        }
        client.disconnect().unwrap();
    }
}

#[test]
fn a_wait_without_messages_ends() {
    let endpoint = fake::start(Fault::None);
    let mut client = Client::connect(&endpoint, options(Version::V5)).unwrap();
    assert!(client.receive(Duration::from_millis(10)).unwrap().is_none());
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let endpoint = fake::start(Fault::Refuses);
    let result = Client::connect(&endpoint, options(Version::V5));
    let Err(ClientError::Refused { reason, .. }) = result else {
        panic!("the broker refuses everybody");
    };
    assert_eq!(reason, Reason::NotAuthorized);
}

#[test]
fn who_is_not_there_cannot_be_connected_to() {
    let endpoint = Endpoint::parse("mqtt://127.0.0.1:1").unwrap();
    let result = Client::connect(&endpoint, options(Version::V5));
    assert!(matches!(result, Err(ClientError::Connect { .. })));
}
