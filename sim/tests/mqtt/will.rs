//! Last wills (MQTT 5.0, sections 3.1.2.5 and 3.1.3.2).

use bytes::Bytes;
use quartet_fabric::mqtt::{Connect, Packet, Property, Reason, Will};
use quartet_model::Qos;
use quartet_sim::{Client, Site, connect, disconnect, on_every_site, reasons, said};

use crate::{Q0, Q1, Q2, come_back, lasting_for, seconds};

fn will() -> Will {
    Will {
        topic: "wills/ana".into(),
        payload: Bytes::from_static(b"gone"),
        qos: Q1,
        retain: false,
        delay_s: 0,
        expiry_s: None,
        properties: Bytes::new(),
    }
}

/// `ana`, whose session is kept for 100 seconds, with this will.
fn with(will: Will) -> Connect {
    Connect {
        will: Some(will),
        ..lasting_for(100, "ana")
    }
}

fn delayed(delay_s: u32) -> Connect {
    with(Will { delay_s, ..will() })
}

fn watcher(site: &Site, qos: Qos) -> Client {
    let watcher = site.connected(connect("watcher"));
    watcher.follow("wills/#", qos);
    watcher
}

// [sparkplug tck-id-conformance-mqtt-will-messages]
#[test]
fn mqtt_3_1_2_7_to_8_a_will_is_kept_and_published_when_the_connection_is_lost() {
    on_every_site(|site| {
        let watcher = watcher(site, Q2);
        let ana = site.connected(with(will()));
        site.pass(seconds(1000));
        assert_eq!(watcher.messages(), []);
        ana.lose();
        let messages = watcher.messages();
        assert_eq!(said(&messages), ["gone"]);
        assert_eq!((&*messages[0].topic, messages[0].qos), ("wills/ana", Q1));
        // Once, and not again when the session ends.
        site.pass(seconds(1000));
        assert_eq!(watcher.messages(), []);
    });
}

#[test]
fn a_will_is_published_however_the_connection_ends_but_by_goodbye() {
    on_every_site(|site| {
        let watcher = watcher(site, Q0);
        let mut silent = with(will());
        silent.keep_alive_s = 10;
        site.connected(silent);
        site.pass(seconds(15));
        assert_eq!(watcher.messages().len(), 1);
        site.connected(with(will())).send_bytes(&[0xFF]);
        assert_eq!(watcher.messages().len(), 1);
        let ana = site.connected(with(will()));
        ana.send(disconnect(Reason::DisconnectWithWill));
        assert_eq!(watcher.messages().len(), 1);
        site.connected(with(will()));
        let _new = site.connected(with(will()));
        assert_eq!(watcher.messages().len(), 1);
    });
}

#[test]
fn mqtt_3_1_2_10_and_3_14_4_3_whoever_says_goodbye_leaves_no_will() {
    on_every_site(|site| {
        let watcher = watcher(site, Q0);
        for connect in [with(will()), delayed(10)] {
            let ana = site.connected(connect);
            ana.send(disconnect(Reason::Success));
            assert!(ana.is_closed());
            site.pass(seconds(1000));
            assert_eq!(watcher.messages(), []);
        }
        // Nor once it was published: the session comes back without it.
        site.connected(with(will())).lose();
        assert_eq!(watcher.messages().len(), 1);
        let (ana, session_present, _) = come_back(site, lasting_for(100, "ana"));
        assert!(session_present);
        ana.lose();
        site.pass(seconds(1000));
        assert_eq!(watcher.messages(), []);
    });
}

#[test]
fn a_delayed_will_comes_after_its_delay_or_with_the_end_of_the_session() {
    on_every_site(|site| {
        let watcher = watcher(site, Q0);
        for (delay_s, comes_after) in [(10, 10), (500, 100)] {
            site.connected(delayed(delay_s)).lose();
            site.pass(seconds(comes_after - 1));
            assert_eq!(watcher.messages(), []);
            site.pass(seconds(1));
            assert_eq!(watcher.messages().len(), 1);
            site.pass(seconds(1000));
            assert_eq!(watcher.messages(), []);
        }
    });
}

#[test]
fn mqtt_3_1_3_9_whoever_is_back_in_time_leaves_no_will() {
    on_every_site(|site| {
        let watcher = watcher(site, Q0);
        site.connected(delayed(10)).lose();
        site.pass(seconds(9));
        let (_ana, session_present, _) = come_back(site, delayed(10));
        assert!(session_present);
        site.pass(seconds(1000));
        assert_eq!(watcher.messages(), []);
    });
}

#[test]
fn a_clean_start_ends_the_session_and_its_will_comes() {
    on_every_site(|site| {
        let watcher = watcher(site, Q0);
        site.connected(delayed(10)).lose();
        let clean = Connect {
            clean_start: true,
            ..lasting_for(100, "ana")
        };
        site.connected(clean);
        assert_eq!(watcher.messages().len(), 1);
    });
}

// [sparkplug tck-id-conformance-mqtt-will-messages]
#[test]
fn mqtt_3_1_2_14_to_15_a_will_is_retained_if_it_was_asked_to_be() {
    on_every_site(|site| {
        for retain in [false, true] {
            site.connected(with(Will { retain, ..will() })).lose();
            site.settle();
            let late = site.connected(connect("late"));
            late.send(quartet_sim::subscribe(1, &[("wills/#", Q0)]));
            let messages = late.messages();
            assert_eq!(messages.len(), usize::from(retain));
            assert!(messages.iter().all(|message| message.retain));
        }
    });
}

#[test]
fn mqtt_3_1_3_10_what_was_said_with_a_will_is_passed_on_in_order() {
    on_every_site(|site| {
        let watcher = watcher(site, Q0);
        let all = [
            Property::UserProperty("b".into(), "2".into()),
            Property::ContentType("text/plain".into()),
            Property::UserProperty("a".into(), "1".into()),
            Property::UserProperty("b".into(), "1".into()),
        ];
        let mut properties = Vec::new();
        for property in &all {
            property.write(&mut properties);
        }
        let properties = Bytes::from(properties);
        let will = Will {
            properties: properties.clone(),
            expiry_s: Some(7),
            ..will()
        };
        site.connected(with(will)).lose();
        let messages = watcher.messages();
        assert_eq!(messages[0].properties, properties);
        assert_eq!(messages[0].expiry_s, Some(7));
    });
}

#[test]
fn nobody_can_say_in_a_will_what_it_may_not_say_itself() {
    on_every_site(|site| {
        for topic in ["$SYS/uptime", "things/this-computer/properties/processor"] {
            let ana = site.client();
            let answer = ana.ask(with(Will {
                topic: topic.into(),
                ..will()
            }));
            assert!(matches!(answer, Packet::ConnAck(_)));
            assert_eq!(reasons(&answer), [Reason::NotAuthorized]);
            assert!(ana.is_closed());
        }
    });
}
