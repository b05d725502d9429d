//! Whole runs against a broker that makes the faults which the generator must notice.

use std::time::Duration;

use quartet_fabric::mqtt::{Login, Version};
use quartet_model::Qos;

use super::*;
use crate::client::fake::{self, Fault};

fn plan(scenario: Scenario, fault: Fault) -> Plan {
    Plan {
        endpoint: fake::start(fault),
        version: Version::V311,
        login: Login::default(),
        scenario,
        publish_qos: Qos::AtMostOnce,
        subscribe_qos: Qos::AtMostOnce,
        payload_bytes: 32,
        rate_per_s: 2_000.0,
        inflight: 10,
        duration: Duration::from_millis(200),
        warmup: Duration::from_millis(50),
        drain: Duration::from_secs(10),
        threads: 1,
        parallel: 8,
        pids: vec![std::process::id()],
    }
}

const PAIRS: Scenario = Scenario::Pairs { pairs: 4 };

#[test]
fn a_faithful_broker_loses_nothing_in_any_scenario() {
    let fan_in = Scenario::FanIn {
        publishers: 5,
        subscribers: 2,
        topics: 5,
    };
    let fan_out = Scenario::FanOut {
        publishers: 2,
        subscribers: 3,
    };
    for scenario in [fan_in, fan_out, PAIRS] {
        for level in 0..3 {
            for version in [Version::V311, Version::V5] {
                let qos = Qos::from_level(level).unwrap();
                let report = run(
                    Plan {
                        version,
                        publish_qos: qos,
                        subscribe_qos: qos,
                        threads: 2,
                        ..plan(scenario, Fault::None)
                    },
                    false,
                )
                .unwrap();
                let messages = report.messages.unwrap();
                // 0.25 s at 2,000 messages per second.
                assert_eq!(messages.sent + messages.unsent, 500);
                assert_eq!(
                    messages.expected,
                    messages.sent * u64::from(scenario.receivers())
                );
                assert_eq!(messages.delivered, messages.expected);
                assert_eq!(
                    (messages.lost, messages.duplicated, messages.reordered),
                    (0, 0, 0)
                );
                let acknowledged = if level == 0 { 0 } else { messages.sent };
                assert_eq!(messages.acknowledged, acknowledged);
                assert_eq!(report.acknowledgement.is_some(), level != 0);
                assert!(0.0 < report.latency.unwrap().p50_us);
            }
        }
    }
}

#[test]
fn losses_are_counted() {
    let report = run(plan(PAIRS, Fault::Loses), false).unwrap();
    let messages = report.messages.unwrap();
    // 125 messages for each subscriber, of which every tenth is left out.
    assert_eq!((messages.lost, messages.lossy_routes), (4 * 12, 4));
    assert_eq!(messages.delivered + messages.lost, messages.expected);
}

#[test]
fn duplicates_are_counted_and_are_no_deliveries() {
    let report = run(plan(PAIRS, Fault::Repeats), false).unwrap();
    let messages = report.messages.unwrap();
    assert_eq!((messages.duplicated, messages.lost), (4 * 12, 0));
    assert_eq!(messages.delivered, messages.expected);
}

#[test]
fn messages_out_of_order_are_counted() {
    let report = run(plan(PAIRS, Fault::Swaps), false).unwrap();
    let messages = report.messages.unwrap();
    assert_eq!((messages.reordered, messages.lost), (4 * 12, 0));
}

#[test]
fn flat_out_is_marked_as_saturated() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let report = run(
            Plan {
                rate_per_s: 0.0,
                publish_qos: qos,
                ..plan(Scenario::Pairs { pairs: 1 }, Fault::None)
            },
            false,
        )
        .unwrap();
        assert!(report.is_saturated);
        let messages = report.messages.unwrap();
        assert!(500 < messages.sent);
        assert_eq!(messages.lost, 0);
    }
}

#[test]
fn idle_connections_are_held_and_paid_for() {
    let idle = Scenario::Idle {
        clients: 20,
        subscriptions: 2,
    };
    let report = run(plan(idle, Fault::None), false).unwrap();
    assert_eq!(report.connect.connections, 20);
    assert_eq!(report.connect.latency.unwrap().count, 20);
    assert!(0 < report.server.unwrap().rss_bytes);
    assert!(report.messages.is_none());
}

#[test]
fn a_refused_connection_ends_the_run_with_its_reason() {
    let connect = Scenario::Connect { clients: 5 };
    let error = run(plan(connect, Fault::Refuses), false).unwrap_err();
    assert!(error.to_string().contains("not authorized"), "{error}");
}
