use std::collections::{HashMap, HashSet};

use crate::support::{Hub, Raw, http, wait_for};

/// Reads OpenMetrics strictly: all samples by name.
fn read(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let mut kinds = HashMap::new();
    let mut helped = HashSet::new();
    let mut samples = HashMap::new();
    let mut family = "";
    for line in text.trim_end_matches("# EOF\n").lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "TYPE", name, kind] => {
                assert!(["gauge", "counter"].contains(&kind), "{line}");
                assert!(kinds.insert(name, kind).is_none(), "{name} comes twice");
                family = name;
            }
            ["#", "HELP", name, help] => {
                assert!(name == family && !help.is_empty(), "{line}");
                helped.insert(name);
            }
            [name, value] => {
                let is_named = match kinds[family] {
                    "counter" => name.strip_suffix("_total") == Some(family),
                    _ => name == family && !name.ends_with("_total"),
                };
                assert!(is_named && helped.contains(family), "{line}");
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(samples.insert(name.to_owned(), value).is_none(), "{line}");
            }
            _ => panic!("not OpenMetrics: {line:?}"),
        }
    }
    assert!(samples.len() == kinds.len(), "each has a sample");
    samples
}

#[test]
fn metrics_are_open_metrics_and_count_what_happens() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let metrics = || {
        let answer = http(hub.at("http://"), "GET /metrics", &[], "");
        assert_eq!(answer.status, 200);
        let kind = &answer.headers["content-type"];
        assert!(
            kind.starts_with("application/openmetrics-text; version=1.0.0"),
            "{kind}"
        );
        read(&answer.body)
    };
    let before = metrics();
    let mut client = Raw::tcp(hub.at("mqtt://"), 5, "counted");
    client.subscribe("counted/#", 0);
    client.publish("counted/a", b"12345");
    assert_eq!(client.payload(), b"12345");
    let now = wait_for("the figures", || {
        let now = metrics();
        (now["quartet_connections"] == before["quartet_connections"] + 1.0).then_some(now)
    });
    let grew = |name: &str| now[name] - before[name];
    assert_eq!(grew("quartet_subscriptions"), 1.0);
    assert!(1.0 <= grew("quartet_messages_published_total"));
    assert!(1.0 <= grew("quartet_messages_delivered_total"));
    assert!(5.0 <= grew("quartet_messages_delivered_bytes_total"));
    drop(client);
    wait_for("the client to be gone", || {
        (metrics()["quartet_connections"] == before["quartet_connections"]).then_some(())
    });
}
