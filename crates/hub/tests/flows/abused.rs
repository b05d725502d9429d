//! Bad input over real sockets: each gets a clear answer, and nobody else notices. A bystander tells
//! and hears something through a flow and a signal of its own all the while.

use std::{
    collections::BTreeMap,
    fs, panic,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use quartet_fabric::mqtt::{Packet, Reason};
use quartet_model::Qos;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Hub, Line, Listener, Teller, Told, quartet, until, wait_for};

use super::says;

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// A hub on which everybody may do everything.
fn hub() -> Hub {
    Hub::configured("lanes = 2\n", &LISTENERS)
}

/// `quartet …` at a hub.
fn command(hub: &Hub, arguments: &[&str]) -> (bool, String) {
    let url = format!("http://{}", hub.at("http://"));
    says(quartet().args(arguments).env("QUARTET_HUB", url), "")
}

/// A fast flow `test.{name}`.
fn definition(name: &str, with: &str, tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {{ run: fast }} }}\n\
         schedule: {{ on: {{ one: {{ with: {{ {with} }} }} }} }}\n\
         do:\n{tasks}"
    )
}

/// A task that says at `topic` what an expression gives.
fn say(topic: &str, expression: &str) -> String {
    format!(
        "  - say: {{ emit: {{ event: {{ with: {{ type: test.said, topic: {topic}, data: '${{ {expression} }}' }} }} }} }}\n"
    )
}

#[track_caller]
fn deploy(hub: &Hub, text: &str) -> Value {
    let answer = hub.ask("POST /api/flows", &[], text);
    assert!(
        matches!(answer.status, 200 | 201),
        "{}: {text}",
        answer.body
    );
    answer.json()
}

#[track_caller]
fn define(hub: &Hub, signals: &str) {
    let answer = hub.ask("POST /api/signals", &[], signals);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn explained(hub: &Hub, name: &str) -> Value {
    let answer = hub.ask(&format!("GET /api/flows/{name}/explain"), &[], "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Does something, while a bystander tells and hears through a flow and a signal of its own: it
/// hears all of it, in order, and nothing else, as long as that takes.
fn beside<T>(hub: &Hub, work: impl FnOnce() -> T) -> T {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let at = hub.at("mqtt://");
    // There may have been one before.
    let me = format!("bystander-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let aside = format!("aside/{me}");
    let passes_on = say(&aside, "$workflow.input[0].data");
    deploy(
        hub,
        &definition(&me, &format!("topic: beside/{me}"), &passes_on),
    );
    define(
        hub,
        &format!("signals:\n  odd-{me}: {{ of: {me}, property: n, above: 0 }}\n"),
    );
    let began = format!("things/{me}/events/odd-{me}");
    let ended = format!("{began}.ended");
    let mut listener = Listener::open(at, &me, &[&aside, &began, &ended]);
    let mut line = Line::open(at, &format!("{me} says"), false).expect("the hub is up");
    let is_over = AtomicBool::new(false);
    let mut rounds = |n: u64| {
        let property = format!("things/{me}/properties/n");
        line.tell(&property, &(n % 2).to_string())?;
        line.tell(&format!("beside/{me}"), &n.to_string())?;
        let edge = match n % 2 {
            1 => Some(&began),
            _ => (0 < n).then_some(&ended),
        };
        let mut wanted: Vec<&String> = edge.into_iter().chain([&aside]).collect();
        while !wanted.is_empty() {
            let told = listener.next()?;
            let found = wanted.iter().position(|topic| **topic == told.topic);
            wanted.remove(found.unwrap_or_else(|| panic!("in round {n}: {told:?}")));
            if told.topic == aside {
                assert_eq!(told.payload, n.to_string());
            }
        }
        Some(())
    };
    thread::scope(|scope| {
        let bystander = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            for n in 0.. {
                let since = Instant::now();
                rounds(n).expect("the hub is up");
                longest = longest.max(since.elapsed());
                if is_over.load(Ordering::Relaxed) {
                    println!("a bystander had {n} rounds, the longest took {longest:?}");
                    return;
                }
            }
        });
        // Also when it fails the bystander must end.
        let done = panic::catch_unwind(panic::AssertUnwindSafe(work));
        is_over.store(true, Ordering::Relaxed);
        bystander.join().expect("the bystander was disturbed");
        done.unwrap_or_else(|why| panic::resume_unwind(why))
    })
}

/// What comes until a message at a topic.
fn until_told(listener: &mut Listener, topic: &str) -> Vec<Told> {
    let mut heard = Vec::new();
    loop {
        let told = listener.next().expect("the hub is up");
        let is_last = told.topic == topic;
        heard.push(told);
        if is_last {
            return heard;
        }
    }
}

const MEGABYTE: usize = 1_000_000;

#[test]
fn payloads_that_nobody_can_have_meant_start_nothing_and_disturb_nobody() {
    let hub = hub();
    deploy(
        &hub,
        &definition(
            "picky",
            "topic: in, data: '${ .value == 4 }'",
            &say("out", "$workflow.input[0].data.value"),
        ),
    );
    deploy(
        &hub,
        &definition("echo", "topic: in", &say("echo", "$workflow.input[0].data")),
    );
    let twice = say(
        "twice",
        "[$workflow.input[0].data, $workflow.input[0].data]",
    );
    deploy(&hub, &definition("twice", "topic: in", &twice));
    define(
        &hub,
        "signals:\n  hot: { of: oven, property: t, above: 50 }\n  off: { of: oven, expr: .t.deep.deeper < 3 }\n",
    );
    let at = hub.at("mqtt://");
    let long = "x".repeat(MEGABYTE);
    let payloads = [
        json!({ "value": long, "other": 1 }).to_string(),
        json!({ "value": 3, "other": long }).to_string(),
        long.clone(),
        format!("{{\"value\": 4, \"other\": \"{long}"),
        "[".repeat(MEGABYTE),
        format!("{}1{}", "[".repeat(500), "]".repeat(500)),
        format!("{}1{}", "{\"value\":".repeat(120), "}".repeat(120)),
        "\"4\"".to_owned(),
        "null".to_owned(),
        "1e999".to_owned(),
        "NaN".to_owned(),
        format!("[{}1]", "1,".repeat(MEGABYTE / 2)),
        "\u{0}\u{1}\u{7f}".to_owned(),
        String::new(),
    ];
    beside(&hub, || {
        let filters = ["out", "echo", "twice", "things/oven/events/+"];
        let mut listener = Listener::open(at, "listener", &filters);
        let mut line = Line::open(at, "abuser", false).expect("the hub is up");
        let mut tell = |topic: &str, payload: &str| {
            line.tell(topic, payload).expect("the hub is up");
        };
        tell("things/oven/properties/t", "60");
        for payload in &payloads {
            tell("in", payload);
            tell("things/oven/properties/t", payload);
            tell("things/oven/properties/other", payload);
        }
        tell("things/oven/properties/t", "20");
        tell("in", "{\"value\":4}");
        let mut heard = until_told(&mut listener, "out");
        // They come by themselves, from whichever lane.
        until("the last", || {
            heard.extend(listener.until_now());
            let of = |topic: &str| heard.iter().filter(|told| told.topic == topic).count();
            of("echo") == payloads.len() + 1 && of("things/oven/events/hot.ended") == 1
        });
        let of = |topic: &str| -> Vec<&str> {
            let of = heard.iter().filter(|told| told.topic == topic);
            of.map(|told| &*told.payload).collect()
        };
        // What is no JSON is text; nobody has to be right to be passed on.
        let echoed = payloads.iter().zip(of("echo"));
        for (payload, echoed) in echoed.filter(|(payload, _)| payload.len() < 100) {
            let meant = serde_json::from_str(payload).unwrap_or_else(|_| json!(payload));
            let found: Value = serde_json::from_str(echoed).expect("JSON");
            assert_eq!(found, meant, "{payload:?}");
        }
        assert_eq!(of("out"), ["4"]);
        assert_eq!(of("things/oven/events/hot").len(), 1);
        assert!(of("things/oven/events/off").is_empty());
        let told = explained(&hub, "test.picky");
        assert_eq!(told["counts"]["failed"], 0, "{told}");
        assert!(told["missed"].to_string().len() < 100_000);
        // Two of a million are more than a run may say.
        let told = explained(&hub, "test.twice");
        assert_ne!(told["counts"]["failed"], 0, "{told}");
        let signal = hub.ask("GET /api/signals/off", &[], "");
        assert!(signal.body.len() < 100_000, "{}", signal.body);
        // More than the hub takes is refused in words of the protocol.
        let more = "x".repeat(2 * MEGABYTE);
        let answer = hub.ask("POST /api/publish/in?qos=1", &[], &more);
        assert_eq!(answer.status, 413, "{}", answer.body);
        let mut line = Line::open(at, "another abuser", false).expect("the hub is up");
        // The hub may have closed before all is written.
        let _ = line.publish((Qos::AtLeastOnce, 1), "in", &more, &[]);
        match line.hear() {
            Some(Packet::Disconnect(why)) => assert_eq!(why.reason, Reason::PacketTooLarge),
            Some(other) => panic!("{other:?}"),
            None => {} // It came after what was not read any more.
        }
    });
}

/// Flows that are deployed at once.
const FLOWS: usize = 10_000;

/// Flows and signals that compute without measure, of a payload of a megabyte: each is stopped and
/// says so, and what was heard is heard by all others.
#[test]
fn what_computes_without_measure_is_stopped_and_disturbs_nobody() {
    let hub = hub();
    let greedy = [
        ("subtracts", ". - map(. + 0.1)"),
        ("copies", ". as $x | map($x)"),
        ("joins", "map(tostring) | join(map(tostring) | join(\",\"))"),
        ("sorts", ". as $x | sort_by($x)"),
    ];
    for (name, expression) in greedy {
        let text = definition(
            name,
            "topic: big",
            &say(
                "out",
                &format!("$workflow.input[0].data.list | {expression}"),
            ),
        );
        deploy(&hub, &text);
    }
    // What its filter costs counts as well.
    let filter = "topic: big, data: '${ .list | . as $x | any($x | add < 0) }'";
    deploy(&hub, &definition("filters", filter, &say("out", "1")));
    deploy(
        &hub,
        &definition(
            "counts",
            "topic: big",
            &say("counted", "$workflow.input[0].data.list | length"),
        ),
    );
    define(
        &hub,
        "signals:\n  greedy: { of: big, expr: '.list | . as $x | any($x | add < 0)' }\n",
    );
    let list: Vec<f64> = (0..60_000).map(|at| f64::from(at) / 4.0).collect();
    let payload = json!({ "list": list }).to_string();
    let mut listener = Listener::open(hub.at("mqtt://"), "watcher", &["out", "counted"]);
    let mut line = Line::open(hub.at("mqtt://"), "teller", false).expect("the hub is up");
    beside(&hub, || {
        for _ in 0..3 {
            line.tell("big", &payload).expect("the hub is up");
            line.tell("things/big/properties/list", &json!(list).to_string())
                .expect("the hub is up");
            let told = listener.next().expect("the hub is up");
            assert_eq!((&*told.topic, &*told.payload), ("counted", "60000"));
        }
    });
    for (name, _) in greedy {
        let told = explained(&hub, &format!("test.{name}"));
        assert_eq!(told["counts"]["failed"], 3, "{told}");
        let why = told["runs"][0]["failed"]["detail"].to_string();
        assert!(
            why.contains("may be computed at once") || why.contains("more than 1048576"),
            "{told}"
        );
    }
    let told = explained(&hub, "test.filters");
    assert_eq!(told["runs"], json!([]), "{told}");
    let why = told["missed"][0].to_string();
    assert!(why.contains("may be computed at once"), "{told}");
    let (_, told) = command(&hub, &["signal", "explain", "greedy"]);
    assert!(told.contains("may be computed at once"), "{told}");
}

#[test]
fn ten_thousand_flows_are_deployed_listed_and_run() {
    let mut hub = hub();
    let since = Instant::now();
    let next = AtomicUsize::new(0);
    beside(&hub, || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if FLOWS <= n {
                            return;
                        }
                        let text = definition(
                            &format!("many-{n}"),
                            &format!("topic: many/{n}"),
                            &say("out", &n.to_string()),
                        );
                        deploy(&hub, &text);
                    }
                });
            }
        });
        println!("deployed in {:?}", since.elapsed());
        let mut listener = Listener::open(hub.at("mqtt://"), "listener", &["out"]);
        let mut line = Line::open(hub.at("mqtt://"), "teller", false).expect("the hub is up");
        for n in [0, 77, FLOWS - 1] {
            line.tell(&format!("many/{n}"), "1").expect("the hub is up");
            let told = listener.next().expect("the hub is up");
            assert_eq!(told.payload, n.to_string());
        }
    });
    let count = |hub: &Hub| {
        let flows = hub.ask("GET /api/flows", &[], "").json();
        flows["flows"].as_array().expect("a list").len()
    };
    assert_eq!(count(&hub), FLOWS + 1);
    let (is_good, listed) = command(&hub, &["flow", "list"]);
    assert!(is_good && listed.lines().count() == FLOWS + 2);
    for n in 0..50 {
        let gone = hub.ask(&format!("DELETE /api/flows/test.many-{n}"), &[], "");
        assert_eq!(gone.status, 204, "{}", gone.body);
    }
    let since = Instant::now();
    hub.die_and_begin_again();
    println!("began again in {:?}", since.elapsed());
    assert_eq!(count(&hub), FLOWS - 50 + 1);
    beside(&hub, || ());
}

#[test]
fn flows_that_address_themselves_are_cut_and_named() {
    let hub = hub();
    deploy(
        &hub,
        &definition("itself", "topic: itself", &say("itself", "1")),
    );
    for (name, from, to) in [("ping", "ping", "pong"), ("pong", "pong", "ping")] {
        deploy(
            &hub,
            &definition(name, &format!("topic: {from}"), &say(to, "1")),
        );
    }
    // By its own type, which it says at its own address.
    deploy(
        &hub,
        &definition(
            "typed",
            "type: test.typed",
            "  - say: { emit: { event: { with: { type: test.typed, data: 1 } } } }\n",
        ),
    );
    beside(&hub, || {
        let filters = ["itself", "ping", "pong", "processes/+/events/+"];
        let mut listener = Listener::open(hub.at("mqtt://"), "listener", &filters);
        let mut line = Line::open(hub.at("mqtt://"), "teller", false).expect("the hub is up");
        let mut heard = Vec::new();
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
            let type_ = [("type", "test.typed")];
            for topic in ["itself", "ping", "start"] {
                line.publish((qos, 1), topic, "0", &type_)
                    .expect("the hub is up");
                if qos == Qos::AtLeastOnce {
                    let answer = line.hear().expect("the hub is up");
                    assert!(matches!(answer, Packet::PubAck(_)), "{answer:?}");
                }
            }
            for name in ["itself", "typed"] {
                until(name, || {
                    heard.extend(listener.until_now());
                    let told = explained(&hub, &format!("test.{name}"));
                    let says = told["says"].to_string();
                    says.contains("in a circle") && says.contains(&format!("processes/test.{name}"))
                });
            }
        }
        let pinged = wait_for("the other circle", || {
            heard.extend(listener.until_now());
            let told = ["ping", "pong"]
                .map(|name| explained(&hub, &format!("test.{name}"))["says"].to_string());
            told.into_iter().find(|says| says.contains("in a circle"))
        });
        assert!(
            pinged.contains("processes/test.ping") && pinged.contains("processes/test.pong"),
            "{pinged}"
        );
        heard.extend(listener.until_now());
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for told in &heard {
            *counts.entry(&told.topic).or_default() += 1;
        }
        println!("{counts:?}");
        for (topic, count) in &counts {
            assert!(*count < 250, "{topic} was told {count} times");
        }
        let loops = heard
            .iter()
            .filter(|told| told.topic.ends_with("/events/loop"));
        let loops: Vec<&Told> = loops.collect();
        assert!(!loops.is_empty(), "{counts:?}");
        for told in loops {
            let flows: Value = serde_json::from_str(&told.payload).expect("JSON");
            let first = flows["flows"][0].as_str().unwrap_or_default();
            assert!(first.starts_with("processes/test."), "{flows}");
        }
    });
}

#[test]
fn a_flow_that_is_replaced_all_the_time_acts_once_on_each_event() {
    const VERSIONS: usize = 120;
    const TELLERS: usize = 2;
    let hub = hub();
    let version = |v: usize| {
        let it =
            "id: $workflow.input[0].id, n: $workflow.input[0].n, topic: $workflow.input[0].topic";
        definition(
            "changing",
            "topic: work/+",
            &say("made", &format!("{{ v: {v}, {it} }}")),
        )
    };
    deploy(&hub, &version(0));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("changing.yaml");
    let at = hub.at("mqtt://");
    let mut listener = Listener::open(at, "listener", &["made", "work/+"]);
    let is_over = AtomicBool::new(false);
    let counts = beside(&hub, || {
        thread::scope(|scope| {
            let is_over = &is_over;
            let tellers: Vec<_> = (0..TELLERS)
                .map(|number| {
                    scope.spawn(move || {
                        let mut teller = Teller::new(&format!("teller {number}"), Qos::AtLeastOnce);
                        let mut line = teller.come(at).expect("the hub is up");
                        let topic = format!("work/{number}");
                        while !is_over.load(Ordering::Relaxed) || 0 < teller.open() {
                            let is_last = is_over.load(Ordering::Relaxed);
                            match teller.open() < 8 && !is_last {
                                true => teller.say(&mut line, &topic, "1"),
                                false => teller.hear(&mut line),
                            }
                            .expect("the hub is up");
                        }
                        teller.times.len()
                    })
                })
                .collect();
            for v in 1..=VERSIONS {
                match v % 4 {
                    0 => {
                        fs::write(&file, version(v)).unwrap();
                        let path = file.to_str().expect("text");
                        let (is_good, said) = command(&hub, &["flow", "deploy", path]);
                        assert!(is_good, "{said}");
                    }
                    _ => {
                        let put = hub.ask("PUT /api/flows/test.changing", &[], &version(v));
                        assert_eq!(put.status, 200, "{}", put.body);
                    }
                }
            }
            is_over.store(true, Ordering::Relaxed);
            let counts = tellers
                .into_iter()
                .map(|teller| teller.join().expect("it tells"));
            counts.collect::<Vec<usize>>()
        })
    });
    let all: usize = counts.iter().sum();
    let mut made = BTreeMap::new();
    let mut by_version: BTreeMap<u64, usize> = BTreeMap::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    until("what was made", || {
        for told in listener.until_now() {
            if told.topic != "made" {
                continue;
            }
            let data: Value = serde_json::from_str(&told.payload).expect("JSON");
            let text = |name: &str| data[name].as_str().expect("text").to_owned();
            let v = data["v"].as_u64().expect("a number");
            let before = made.insert((text("topic"), text("n")), text("id"));
            assert_eq!(before, None, "twice: {data}");
            *by_version.entry(v).or_default() += 1;
            // Each teller is on one lane, on which a version follows the other.
            let newest = last.insert(text("topic"), v).unwrap_or(0);
            assert!(newest <= v, "{v} after {newest}");
        }
        all <= made.len()
    });
    assert_eq!(made.len(), all);
    println!("{all} events, by version: {by_version:?}");
    assert!(VERSIONS / 2 < by_version.len(), "{by_version:?}");
    // Whoever deployed a version finds it there.
    let mut line = Line::open(at, "last", false).expect("the hub is up");
    line.publish((Qos::AtLeastOnce, 1), "work/last", "1", &[("n", "last")])
        .expect("the hub is up");
    let told = wait_for("the last", || {
        listener
            .until_now()
            .into_iter()
            .find(|told| told.topic == "made")
    });
    assert!(
        told.payload.contains(&format!("\"v\":{VERSIONS}")),
        "{told:?}"
    );
}

/// What a refusal says, by the place of each mistake.
#[track_caller]
fn refusal(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let errors = answer.json()["validationErrors"].clone();
    let errors = errors.as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    errors
        .map(|error| (text(&error["field"]), text(&error["description"])))
        .collect()
}

/// Where something first stands in a text, as `line:column`.
fn place_of(part: &str, text: &str) -> String {
    let before = &text[..text.find(part).expect("it is there")];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!("{line}:{column}")
}

/// A definition is refused, by the API and by `quartet flow deploy`, with the place of a mistake and
/// with words.
#[track_caller]
fn is_refused(hub: &Hub, folder: &TempDir, text: &str, place: &str, words: &str) {
    let errors = refusal(&hub.ask("POST /api/flows", &[], text));
    assert!(
        errors
            .iter()
            .any(|(field, what)| field == place && what.contains(words)),
        "{place} {words}: {errors:?}\n{text}"
    );
    let file = folder.path().join("wrong.yaml");
    fs::write(&file, text).unwrap();
    let path = file.to_str().expect("text");
    let (is_good, said) = command(hub, &["flow", "deploy", path]);
    let at = format!("wrong.yaml:{place}: error: ");
    assert!(
        !is_good && said.contains(&at) && said.contains(words),
        "{at} {words}: {said}"
    );
}

#[test]
fn mistakes_are_refused_with_line_and_column_by_the_api_and_the_command() {
    let hub = hub();
    let folder = TempDir::new().unwrap();
    let good = definition("good", "topic: a", &say("b", ".a"));
    let good = good.replace(
        "  - say: { emit:",
        "  - say:\n      emit:\n        # Said.\n       ",
    );
    let good = good.replace("}' } } } }\n", "}' } } }\n");
    beside(&hub, || {
        deploy(&hub, &good);
        let refused = |text: &str, place: &str, words: &str| {
            is_refused(&hub, &folder, text, place, words);
        };
        let wrong = good.replace("      emit:", "     - emit:\n    emit:");
        refused(
            &wrong,
            &place_of("say:", &wrong),
            "indent what belongs to the first",
        );
        let wrong = good.replace("emit:", "emti:");
        refused(&wrong, &place_of("say:", &wrong), "did you mean `emit`?");
        let wrong = good.replace("${ .a }", "${ .a | }");
        refused(&wrong, &place_of("}' }", &wrong), "missing at the end");
        let wrong = good.replace("${ .a }", "${ .a | frist }");
        refused(&wrong, &place_of("frist", &wrong), "frist");
        let wrong = good.replace("${ .a }", "${ $nobody.a }");
        refused(&wrong, &place_of("$nobody", &wrong), "$nobody");
        // What was there before is as it was.
        let shown = hub.ask("GET /api/flows/test.good", &[], "").json();
        assert_eq!(shown["text"], good);
    });
}

#[test]
fn expressions_that_never_end_are_refused_wherever_they_stand() {
    let hub = hub();
    let folder = TempDir::new().unwrap();
    // What never ends, and the word that is refused.
    let endless = [
        ("def f: f; f", "def"),
        ("[recurse(.)]", "recurse"),
        ("[recurse]", "recurse"),
        ("[repeat(1)]", "repeat"),
        ("[range(0; infinite)]", "range"),
        ("until(false; .)", "until"),
        ("[while(true; .)]", "while"),
        ("reduce repeat(1) as $x (0; . + $x)", "reduce"),
        ("first(repeat(1))", "repeat"),
        ("[limit(1e9; repeat(1))]", "limit"),
        ("[..]", ".."),
        ("label $out | repeat(1)", "label"),
    ];
    let places: [fn(&str) -> String; 5] = [
        |it| definition("x", "topic: a", &say("b", it)),
        |it| {
            definition(
                "x",
                &format!("topic: a, data: '${{ {it} }}'"),
                &say("b", "1"),
            )
        },
        |it| {
            definition(
                "x",
                "topic: a",
                &format!("  - t: {{ if: '{it}', set: {{ a: 1 }} }}\n"),
            )
        },
        |it| {
            definition(
                "x",
                "topic: a",
                &format!("  - t: {{ set: {{ a: '${{ {it} }}' }} }}\n"),
            )
        },
        |it| {
            let tasks = format!(
                "  - t: {{ for: {{ each: k, in: '${{ {it} }}' }}, do: [ {{ s: {{ set: {{ a: 1 }} }} }} ] }}\n"
            );
            definition("x", "topic: a", &tasks)
        },
    ];
    beside(&hub, || {
        for (expression, word) in endless {
            for of in places {
                let text = of(expression);
                let errors = refusal(&hub.ask("POST /api/flows", &[], &text));
                let is_named = errors.iter().any(|(field, what)| {
                    let line = field.split(':').next().unwrap_or_default();
                    let wanted = place_of(expression, &text);
                    line == wanted.split(':').next().unwrap_or_default() && what.contains(word)
                });
                assert!(is_named, "{word}: {errors:?}\n{text}");
            }
            let signals = format!("signals:\n  endless: {{ of: oven, expr: '{expression}' }}\n");
            let errors = refusal(&hub.ask("POST /api/signals", &[], &signals));
            assert!(
                errors
                    .iter()
                    .any(|(field, what)| { field.starts_with("2:") && what.contains(word) }),
                "{word}: {errors:?}"
            );
        }
        let text = places[0]("[repeat(1)]");
        is_refused(&hub, &folder, &text, &place_of("repeat", &text), "repeat");
        let flows = hub.ask("GET /api/flows", &[], "").json();
        assert_eq!(flows["flows"].as_array().expect("a list").len(), 1);
    });
}
