use std::time::Duration;

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;

/// One of each kind, with and without whatever goes with it.
const DEFINITIONS: [&str; 24] = [
    "{ of: x, property: a, above: 2 }",
    "{ of: x, property: a, above: 3, clear: 1, for: PT3S }",
    "{ of: x, property: a, above: 3, clear: 1, when: .b > 1 }",
    "{ of: x, property: a, below: 2, clear: 4, for: PT2S, when: .b < 3, after: o }",
    "{ of: x, property: a, outside: [1, 4], clear: 0.5, for: PT1S }",
    "{ of: x, property: a, outside: [2, 3] }",
    "{ of: x, changed: a }",
    "{ of: x, changed: a, when: .b > 1, after: o }",
    "{ of: x, absent: a, for: PT3S }",
    "{ of: x, absent: e, for: PT2S, from: known, when: .b > 1 }",
    "{ of: x, absent: a, for: PT2S, after: o }",
    "{ of: x, rate: { of: a, above: 1, per: PT1S } }",
    "{ of: x, rate: { of: a, above: 1, below: -1, per: PT1S }, for: PT2S, when: .b > 1 }",
    "{ of: x, count: { of: e, atLeast: 3, within: PT4S } }",
    "{ of: x, count: { of: a, atLeast: 2, within: PT3S, where: . > 2 }, for: PT1S }",
    "{ of: x, count: { of: e, atLeast: 2, within: PT5S }, when: .b > 1, after: o }",
    "{ of: x, sequence: [ .a > 2, .b > 2 ], within: PT3S }",
    "{ of: x, sequence: [ .a > 2, .b > 2, .a < 1 ], within: PT6S, when: .c > 0 }",
    "{ of: x, sequence: [ .a > 2, .a > 2 ], within: PT5S, after: o }",
    "{ of: x, inside: places/x, for: PT1S }",
    "{ of: x, notInside: places/x, when: .a > 1 }",
    "{ of: x, expr: .a > .b and .c > 0 }",
    "{ of: x, expr: .a + .b > 4, for: PT2S, when: .c > 1, after: o }",
    "{ of: x, expr: length > 2, for: PT1S }",
];

#[derive(Clone, Debug)]
enum Happens {
    /// A reading, said to be made so many seconds ago.
    Reading(&'static str, Value, f64),
    Event(f64),
    After,
    Known,
    Passes,
}

fn happens() -> impl Strategy<Value = (f64, Happens)> {
    let number = (0..24_u8).prop_map(|quarters| json!(f64::from(quarters) / 4.0));
    let odd = prop_oneof![
        Just(json!(null)),
        Just(json!("x")),
        Just(json!([])),
        Just(json!(1e308)),
        Just(json!(-1e308)),
        Just(json!(0.1 + 0.2)),
        Just(json!(u64::MAX)),
        Just(json!([{"place": "places/x"}])),
    ];
    let value = prop_oneof![8 => number, 1 => odd];
    let ago = prop_oneof![8 => Just(0.0), 1 => (0..20_u8).prop_map(|ago| f64::from(ago) / 2.0), 1 => Just(-3.0)];
    let places = prop_oneof![
        Just(json!([])),
        Just(json!([{"place": "places/x"}])),
        Just(json!("x")),
    ];
    let what = prop_oneof![
        8 => (select(vec!["a", "b", "c"]), value, ago.clone()).prop_map(|(name, value, ago)| Happens::Reading(name, value, ago)),
        2 => places.prop_map(|places| Happens::Reading("inside", places, 0.0)),
        4 => ago.prop_map(Happens::Event),
        2 => Just(Happens::After),
        1 => Just(Happens::Known),
        4 => Just(Happens::Passes),
    ];
    // Clocks go back now and then; times are often equal.
    let wait = prop_oneof![3 => Just(0.0), 12 => (1..8_u8).prop_map(|half| f64::from(half) / 4.0), 1 => Just(-2.0), 1 => Just(30.0)];
    (wait, what)
}

fn story() -> impl Strategy<Value = Vec<(f64, Happens)>> {
    prop::collection::vec(happens(), 0..60)
}

impl Stage {
    fn play(&mut self, now: f64, what: &Happens) -> Vec<Edge> {
        let (now, said) = match what {
            Happens::Reading(_, _, ago) | Happens::Event(ago) => (at(now), at(now - ago)),
            _ => (at(now), at(now)),
        };
        match what {
            Happens::Reading(name, value, _) => self.hear(name, false, value.clone(), said, now),
            Happens::Event(_) => self.hear("e", true, Value::Null, said, now),
            Happens::After => {
                self.restart();
                began(&self.signal, &mut self.state, "o", &self.known, now, now)
            }
            Happens::Known => {
                self.restart();
                known(&self.signal, &mut self.state, &self.known, now, now)
            }
            Happens::Passes => self.wake(now),
        }
    }
}

/// The edges of a story, with or without restarts, at a hub that wakes once in a while.
fn played(definition: &str, story: &[(f64, Happens)], restarts: bool) -> Vec<Edge> {
    let mut stage = Stage::new(definition);
    stage.restarts = restarts;
    let mut now = 100.0;
    let mut edges = Vec::new();
    for (wait, what) in story {
        now += wait;
        edges.extend(stage.play(now, what));
        let _ = stage.explained(at(now));
    }
    edges
}

/// What of an edge does not depend on when it was found out.
fn facts(edges: &[Edge]) -> Vec<(Turns, Time)> {
    edges.iter().map(|edge| (edge.turns, edge.at)).collect()
}

/// A story whose readings come in order.
fn in_order(story: Vec<(f64, Happens)>) -> Vec<(f64, Happens)> {
    let story = story.into_iter().map(|(wait, what)| {
        let what = match what {
            Happens::Reading(name, value, _) => Happens::Reading(name, value, 0.0),
            Happens::Event(_) => Happens::Event(0.0),
            what => what,
        };
        (f64::max(wait, 0.0), what)
    });
    story.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn a_restart_between_any_two_things_changes_no_edge(
        definition in select(DEFINITIONS.to_vec()),
        story in story(),
    ) {
        prop_assert_eq!(played(definition, &story, true), played(definition, &story, false));
    }

    #[test]
    fn edges_take_turns_and_go_forward(
        definition in select(DEFINITIONS.to_vec()),
        story in story(),
    ) {
        let edges = played(definition, &story, false);
        let mut is_on = false;
        let mut last = Time::ZERO;
        for edge in edges {
            prop_assert!(last <= edge.at, "{:?} after {:?}", edge, last);
            last = edge.at;
            match edge.turns {
                Turns::Began => prop_assert!(!std::mem::replace(&mut is_on, true)),
                Turns::Ended => prop_assert!(std::mem::replace(&mut is_on, false)),
                Turns::Happened => prop_assert!(defined(definition).is_momentary()),
            }
        }
    }

    /// Whether a hub wakes in time or never does, the same happened at the same times.
    #[test]
    fn a_hub_that_wakes_late_finds_out_the_same(
        definition in select(DEFINITIONS.to_vec()),
        story in story(),
    ) {
        let story = in_order(story);
        let (mut prompt, mut lazy) = (Stage::new(definition), Stage::new(definition));
        let (mut by_prompt, mut by_lazy) = (Vec::new(), Vec::new());
        let mut now = 100.0;
        for (wait, what) in &story {
            now += wait;
            while let Some(due) = prompt.state.wake_at(&prompt.signal) && due < at(now) {
                let edges = prompt.wake(due);
                prop_assert!(edges.iter().all(|edge| edge.late.is_zero()));
                by_prompt.extend(edges);
            }
            by_prompt.extend(prompt.play(now, what));
            if !matches!(what, Happens::Passes) {
                by_lazy.extend(lazy.play(now, what));
            }
        }
        by_prompt.extend(prompt.wake(at(now + 1e6)));
        by_lazy.extend(lazy.wake(at(now + 1e6)));
        prop_assert_eq!(facts(&by_prompt), facts(&by_lazy));
    }

    /// Who forgets the state of a signal of which nothing must be kept loses nothing.
    #[test]
    fn what_need_not_be_kept_need_not_be_kept(
        definition in select(DEFINITIONS.to_vec()),
        story in story(),
    ) {
        let story = in_order(story);
        let mut stage = Stage::new(definition);
        let mut now = 100.0;
        let mut edges = Vec::new();
        for (wait, what) in &story {
            now += wait;
            if stage.state.is_default() {
                stage.state = State::default();
            }
            edges.extend(stage.play(now, what));
        }
        prop_assert_eq!(edges, played(definition, &story, false));
    }

    /// And who writes only what `differs` names, and crashes, loses nothing either.
    #[test]
    fn what_does_not_differ_need_not_be_written(
        definition in select(DEFINITIONS.to_vec()),
        story in story(),
    ) {
        let story = in_order(story);
        let mut stage = Stage::new(definition);
        let mut written = State::default();
        let mut now = 100.0;
        let mut edges = Vec::new();
        for (wait, what) in &story {
            now += wait;
            stage.state = written.clone();
            edges.extend(stage.play(now, what));
            if stage.state.differs(&written) {
                written = stage.state.clone();
            }
        }
        prop_assert_eq!(edges, played(definition, &story, false));
    }

    #[test]
    fn no_state_that_people_write_makes_it_panic(
        definition in select(DEFINITIONS.to_vec()),
        on in any::<Option<bool>>(),
        holds in select(vec![json!(true), json!(false), json!("between"), json!(null)]),
        times in prop::collection::vec(any::<u64>(), 5),
        story in story(),
    ) {
        let time = |at: usize| times[at];
        let mut value = json!({
            "since": time(0), "after": time(1), "heard": time(2), "asOf": time(3),
            "times": {"from": time(4) / 2, "us": [0, 1, 2, 3, time(0) / 4]},
            "steps": [{"holds": true, "from": time(1)}, {}, {"holds": false}, {"from": time(2)}],
            "value": 3, "number": 1e308, "rate": -1e308,
        });
        if let Some(on) = on {
            value["on"] = on.into();
        }
        if !holds.is_null() {
            value["holds"] = holds;
        }
        let mut stage = Stage::new(definition);
        stage.state = State::read(&value).expect("it is one");
        for (now, (wait, what)) in story.iter().enumerate() {
            let _ = stage.play(now as f64 + 100.0 + wait, what);
            let _ = stage.explained(at(now as f64));
            let _ = stage.state.wake_at(&stage.signal);
        }
    }
}

/// A model of `above`, `below` and `outside` that knows all readings and looks at every quarter of
/// a second.
fn naive_level(
    readings: &[(f64, f64)],
    end: f64,
    wait: f64,
    begins: impl Fn(f64) -> bool,
    ends: impl Fn(f64) -> bool,
) -> Vec<(Turns, Time)> {
    let mut edges = Vec::new();
    let (mut on, mut since) = (false, None::<f64>);
    let mut tick = 100.0;
    while tick <= end {
        if let Some(from) = since
            && !on
            && from + wait <= tick
        {
            on = true;
            edges.push((Turns::Began, at(tick)));
        }
        for (_, value) in readings.iter().filter(|(when, _)| *when == tick) {
            let is = match on {
                true => !ends(*value),
                false => begins(*value),
            };
            match (is, since) {
                (true, None) => {
                    since = Some(tick);
                    if wait == 0.0 {
                        on = true;
                        edges.push((Turns::Began, at(tick)));
                    }
                }
                (false, _) => {
                    since = None;
                    if std::mem::replace(&mut on, false) {
                        edges.push((Turns::Ended, at(tick)));
                    }
                }
                (true, Some(_)) => {}
            }
        }
        tick += 0.25;
    }
    edges
}

/// Readings at quarters of seconds.
fn readings() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let one = (0..8_u8, 0..24_u8);
    prop::collection::vec(one, 0..60).prop_map(|all| {
        let mut now = 100.0;
        let all = all.into_iter().map(|(wait, value)| {
            now += f64::from(wait) / 4.0;
            (now, f64::from(value) / 4.0)
        });
        all.collect()
    })
}

fn told_of(definition: &str, name: &str, readings: &[(f64, f64)], end: f64) -> Vec<(Turns, Time)> {
    let mut stage = Stage::new(definition);
    let is_event = name == "e";
    let mut edges = Vec::new();
    for (now, value) in readings {
        edges.extend(stage.hear(name, is_event, json!(value), at(*now), at(*now)));
    }
    edges.extend(stage.wake(at(end)));
    facts(&edges)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn levels_are_as_a_naive_model_has_them(readings in readings(), wait in 0..4_u8) {
        let end = readings.last().map_or(100.0, |(at, _)| *at) + 20.0;
        let wait = f64::from(wait);
        let more = match wait == 0.0 {
            true => String::new(),
            false => format!(", for: PT{wait}S"),
        };
        let above = format!("{{ of: x, property: a, above: 4, clear: 2{more} }}");
        let below = format!("{{ of: x, property: a, below: 2, clear: 4{more} }}");
        let outside = format!("{{ of: x, property: a, outside: [1, 5], clear: 1{more} }}");
        prop_assert_eq!(
            told_of(&above, "a", &readings, end),
            naive_level(&readings, end, wait, |value| value > 4.0, |value| value <= 2.0)
        );
        prop_assert_eq!(
            told_of(&below, "a", &readings, end),
            naive_level(&readings, end, wait, |value| value < 2.0, |value| value >= 4.0)
        );
        prop_assert_eq!(
            told_of(&outside, "a", &readings, end),
            naive_level(
                &readings,
                end,
                wait,
                |value| !(1.0..=5.0).contains(&value),
                |value| (2.0..=4.0).contains(&value)
            )
        );
    }

    #[test]
    fn what_is_absent_is_as_a_naive_model_has_it(readings in readings()) {
        let end = readings.last().map_or(100.0, |(at, _)| *at) + 20.0;
        let mut expected = Vec::new();
        for (at_, (now, _)) in readings.iter().enumerate() {
            let next = readings.get(at_ + 1).map_or(f64::MAX, |(next, _)| *next);
            if now + 1.0 <= next {
                expected.push((Turns::Began, at(now + 1.0)));
                if next < f64::MAX {
                    expected.push((Turns::Ended, at(next)));
                }
            }
        }
        let silent = "{ of: x, absent: a, for: PT1S }";
        prop_assert_eq!(told_of(silent, "a", &readings, end), expected);
    }

    #[test]
    fn what_is_counted_is_as_a_naive_model_has_it(readings in readings(), at_least in 1..6_usize) {
        let end = readings.last().map_or(100.0, |(at, _)| *at) + 20.0;
        let mut expected = Vec::new();
        let count = |tick: Time| {
            let in_window = |(when, _): &&(f64, f64)| {
                at(*when) <= tick && tick <= at(*when + 2.0)
            };
            readings.iter().filter(in_window).count()
        };
        // It changes when something is heard, and just after something is too old.
        let mut ticks: Vec<Time> = readings
            .iter()
            .flat_map(|(when, _)| [at(*when), at(*when + 2.0).after(Duration::from_micros(1))])
            .collect();
        ticks.sort_unstable();
        let mut is_on = false;
        for tick in ticks {
            let is = at_least <= count(tick);
            if is != is_on {
                is_on = is;
                let turns = if is { Turns::Began } else { Turns::Ended };
                expected.push((turns, tick));
            }
        }
        let count = format!("{{ of: x, count: {{ of: e, atLeast: {at_least}, within: PT2S }} }}");
        prop_assert_eq!(told_of(&count, "e", &readings, end), expected);
    }

    #[test]
    fn no_text_of_a_definition_makes_it_panic(text in "[ -~\n]{0,80}", word in select(vec!["above", "outside", "count", "sequence", "data", "for", "of"])) {
        let _ = read_all(&text);
        let _ = read_all(&format!("signals: {{ a: {{ of: x, property: y, {word}: {text} }} }}"));
    }
}

#[test]
fn the_largest_window_is_kept_and_read() {
    let mut stage = Stage::new("{ of: x, count: { of: e, atLeast: 10000, within: P366D } }");
    stage.restarts = false;
    for n in 0..10_001_u32 {
        let now = at(f64::from(n));
        let edges = stage.hear("e", true, Value::Null, now, now);
        assert_eq!(edges.len(), usize::from(n == 9_999));
    }
    stage.restarts = true;
    stage.restart();
    let end = at(1.000_001).after(Duration::from_secs(366 * 24 * 3_600));
    assert_eq!(stage.state.wake_at(&stage.signal), Some(end));
    assert_eq!(stage.wake(end).len(), 1);
}
