use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::support::{Hub, Raw, http, resident_bytes};

fn metric(hub: &Hub, name: &str) -> f64 {
    let metrics = http(hub.at("http://"), "GET /metrics", &[], "").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn a_subscriber_that_never_reads_suffers_alone() {
    let toml = "[limits]\nslow_consumer_s = 2\npublish_rate_max = 0\n";
    let hub = Hub::configured(toml, &["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let at = hub.at("mqtt://");
    let before = resident_bytes(hub.pid());
    let mut sleeper = Raw::tcp(at, 5, "never reads");
    sleeper.subscribe("flood", 0);
    let mut others = [Raw::tcp(at, 4, "other"), Raw::tcp(at, 5, "another")];
    for other in &mut others {
        other.subscribe("still/there", 0);
    }
    let mut publisher = Raw::tcp(at, 4, "publisher");
    let message = publisher.message("flood", &[7; 50_000]);
    let (start, mut rounds) = (Instant::now(), 0_u32);
    let mut peak = 0;
    while metric(&hub, "quartet_connections ") == 4.0 {
        for _ in 0..20 {
            publisher.send(&message);
        }
        publisher.publish("still/there", &rounds.to_be_bytes());
        for other in &mut others {
            assert_eq!(other.payload(), rounds.to_be_bytes());
        }
        publisher.ping();
        rounds += 1;
        peak = peak.max(resident_bytes(hub.pid()));
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it is not disconnected"
        );
    }
    let grown = peak.saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    assert!(10 < rounds, "the others were served all the time");
    assert!(0.0 < metric(&hub, "quartet_messages_dropped_slow_total "));
    publisher.ping();
}

/// At 500 a second, after a burst of 100, these take three seconds.
const FLOOD: u32 = 1_600;

/// Sends many messages; says how long it took until all were taken.
fn flood(mut publisher: Raw<TcpStream>) -> Duration {
    let start = Instant::now();
    let flood = publisher.message("flood", b"x").repeat(FLOOD as usize);
    publisher.send(&flood);
    publisher.ping();
    start.elapsed()
}

#[test]
fn a_client_that_floods_is_slowed_and_loses_nothing_while_others_pass() {
    let toml = "[limits]\npublish_rate_max = 500\npublish_burst = 100\n";
    let hub = Hub::configured(toml, &["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let at = hub.at("mqtt://");
    let mut counter = Raw::tcp(at, 4, "counts");
    counter.subscribe("flood", 0);
    let mut other = Raw::tcp(at, 5, "other");
    other.subscribe("other", 0);
    let publisher = Raw::tcp(at, 4, "floods");
    let flooding = std::thread::spawn(move || flood(publisher));
    while metric(&hub, "quartet_pauses_total ") == 0.0 {}
    let mut slowest = Duration::ZERO;
    for round in 0..FLOOD / 10 {
        for _ in 0..10 {
            assert_eq!(counter.payload(), b"x");
        }
        let start = Instant::now();
        other.publish("other", &round.to_be_bytes());
        assert_eq!(other.payload(), round.to_be_bytes());
        slowest = slowest.max(start.elapsed());
    }
    let took = flooding.join().unwrap();
    assert!(Duration::from_millis(2_900) <= took, "{took:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
