use serde_json::{Value, json};

use super::*;

#[test]
fn a_level_begins_above_it_and_ends_where_it_is_clear() {
    check(
        "{ of: x, property: t, above: 24, clear: 23.5 }",
        &[
            (0.0, "t=24", ""),
            (1.0, "t=24.1", "began 1"),
            (2.0, "t=30", ""),
            (3.0, "t=23.6", ""),
            (4.0, "t=24.5", ""),
            (5.0, "t=23.5", "ended 5"),
            (6.0, "t=23.9", ""),
            (7.0, "t=24.1", "began 7"),
        ],
    );
    check(
        "{ of: x, property: t, below: 20, clear: 20.5 }",
        &[
            (0.0, "t=19", "began 0"),
            (1.0, "t=20.4", ""),
            (2.0, "t=20.5", "ended 2"),
            (3.0, "t=20", ""),
        ],
    );
    check(
        "{ of: x, property: t, above: 24 }",
        &[(0.0, "t=25", "began 0"), (1.0, "t=24", "ended 1")],
    );
    check(
        "{ of: x, property: t, outside: [18, 24], clear: 1 }",
        &[
            (0.0, "t=20", ""),
            (1.0, "t=17", "began 1"),
            (2.0, "t=18.5", ""),
            (3.0, "t=25", ""),
            (4.0, "t=23", "ended 4"),
            (5.0, "t=23.5", ""),
            (6.0, "t=24", ""),
            (7.0, "t=24.5", "began 7"),
        ],
    );
}

#[test]
fn it_begins_once_it_was_so_for_long_enough() {
    let warm = "{ of: x, property: t, above: 24, clear: 23.5, for: PT10M }";
    check(
        warm,
        &[
            (0.0, "t=25", ""),
            (300.0, "t=26", ""),
            (599.0, "", ""),
            (600.0, "", "began 600"),
            (601.0, "", ""),
            (700.0, "t=23.7", ""),
            (800.0, "t=23", "ended 800"),
        ],
    );
    // It breaks: then it counts anew. What is between the levels breaks what has not begun.
    check(
        warm,
        &[
            (0.0, "t=25", ""),
            (500.0, "t=23.7", ""),
            (501.0, "t=25", ""),
            (600.0, "", ""),
            (1101.0, "", "began 1101"),
        ],
    );
    // A reading at the very end comes after it began; an hour without a hub does not matter.
    check(
        warm,
        &[(0.0, "t=25", ""), (600.0, "t=20", "began 600, ended 600")],
    );
    check(
        warm,
        &[
            (0.0, "t=25", ""),
            (4200.0, "", "began 600 late 3600"),
            (4201.0, "", ""),
            (4202.0, "t=20", "ended 4202"),
        ],
    );
    check(
        warm,
        &[
            (0.0, "t=25", ""),
            (4200.0, "t=20", "began 600 late 3600, ended 4200"),
        ],
    );
}

#[test]
fn it_counts_only_while_its_guard_holds() {
    check(
        "{ of: x, property: t, above: 24, for: PT10S, when: .occupancy > 0 }",
        &[
            (0.0, "t=25", ""),
            (1.0, "occupancy=0", ""),
            (20.0, "", ""),
            (21.0, "occupancy=2", ""),
            (30.0, "occupancy=1", ""),
            (31.0, "", "began 31"),
            (32.0, "occupancy=\"many\"", ""),
            (33.0, "occupancy=null", ""),
            (34.0, "occupancy=0", "ended 34"),
            (35.0, "t=26", ""),
            (36.0, "occupancy=1", ""),
            (40.0, "t=20", ""),
            (46.0, "", ""),
        ],
    );
    // Between the levels nothing begins just because the guard holds again.
    check(
        "{ of: x, property: t, above: 24, clear: 20, when: .on }",
        &[
            (0.0, "on=true", ""),
            (1.0, "t=25", "began 1"),
            (2.0, "t=22", ""),
            (3.0, "on=false", "ended 3"),
            (4.0, "on=true", ""),
            (5.0, "t=25", "began 5"),
        ],
    );
}

#[test]
fn what_was_heard_before_ends_no_silence() {
    let mut stage = Stage::new("{ of: x, absent: t, for: PT1S }");
    assert_eq!(told(&stage.happens(0.0, "t=1")), "");
    assert_eq!(told(&stage.happens(1.0, "")), "began 1");
    // The hub died, and hears it again.
    assert_eq!(stage.hear("t", false, json!(1), at(0.0), at(2.0)), []);
    assert_eq!(told(&stage.happens(3.0, "t=1")), "ended 3");
}

#[test]
fn what_is_no_number_changes_nothing() {
    let mut stage = Stage::new("{ of: x, property: t, above: 24 }");
    let long = format!("{:?}", "x".repeat(1 << 20));
    let mut odd = vec!["null", "\"30\"", "true", "[30]", "{\"t\": 30}", &long];
    for value in &odd {
        assert_eq!(stage.happens(0.0, &format!("t={value}")), []);
    }
    assert_eq!(told(&stage.happens(1.0, "t=1e300")), "began 1");
    odd.push("18446744073709551615");
    for value in odd {
        assert_eq!(stage.happens(2.0, &format!("t={value}")), []);
    }
    assert!(stage.state.write().to_string().len() < 300);
    assert_eq!(told(&stage.happens(3.0, "t=-1e300")), "ended 3");
}

#[test]
fn readings_may_come_late_and_clocks_may_go_back() {
    check(
        "{ of: x, property: t, above: 24, for: PT10S }",
        &[
            (0.0, "t=25 @0", ""),
            (1.0, "t=20 @1", ""),
            // From before the newest: it was, and is not.
            (2.0, "t=30 @0.5", ""),
            (3.0, "t=30 @2.5", ""),
            (12.0, "", ""),
            (12.5, "", "began 12.5"),
            // From before it began, and yet the newest.
            (13.0, "t=10 @12", "ended 12.5 late 0.5"),
            // From the future.
            (14.0, "t=30 @99", ""),
            (23.0, "", ""),
            (24.0, "", "began 24"),
            (25.0, "t=10", "ended 25"),
        ],
    );
    check(
        "{ of: x, property: t, above: 24 }",
        &[
            (10.0, "t=25", "began 10"),
            // The hub's clock was set back.
            (5.0, "t=20", ""),
            (10.0, "t=26", ""),
            (10.0, "t=20", "ended 10"),
            (10.0, "t=25", "began 10"),
        ],
    );
}

#[test]
fn each_change_is_one_edge() {
    check(
        "{ of: x, changed: mode }",
        &[
            (0.0, "mode=\"a\"", ""),
            (1.0, "mode=\"a\"", ""),
            (2.0, "mode=\"b\"", "happened 2"),
            (3.0, "mode=null", ""),
            (4.0, "mode=\"b\"", ""),
            (5.0, "mode=1", "happened 5"),
            (6.0, "mode=1.0", ""),
            (7.0, "mode=2 @4", ""),
            (8.0, "mode=0.30000000000000004", "happened 8"),
            (9.0, "mode=0.30000000000000004", ""),
        ],
    );
    let mut stage = Stage::new("{ of: x, changed: picture }");
    let one = Value::String("x".repeat(1 << 20));
    let other = Value::String("y".repeat(1 << 20));
    let mut hear = |value: &Value| {
        let edges = stage.hear("picture", false, value.clone(), at(1.0), at(1.0));
        assert!(stage.state.write().to_string().len() < 300);
        edges.len()
    };
    assert_eq!(
        [hear(&one), hear(&one), hear(&other), hear(&other)],
        [0, 0, 1, 0]
    );
}

#[test]
fn what_is_not_heard_is_absent_until_it_is() {
    let silent = "{ of: x, absent: flow, for: PT30S }";
    check(
        silent,
        &[
            (0.0, "", ""),
            (100.0, "other=1", ""),
            (200.0, "flow=1", ""),
            (229.0, "flow=1", ""),
            (258.0, "", ""),
            (259.0, "", "began 259"),
            (300.0, "", ""),
            (400.0, "flow=null", "ended 400"),
            (430.0, "flow=1", "began 430, ended 430"),
            (431.0, "flow=1 @420", ""),
            (460.0, "", "began 460"),
        ],
    );
    check(
        "{ of: x, absent: beat, for: PT30S, from: known }",
        &[
            (0.0, "known", ""),
            (10.0, "known", ""),
            (30.0, "", "began 30"),
            (31.0, "!beat={}", "ended 31"),
            (40.0, "known", ""),
            (61.0, "", "began 61"),
        ],
    );
    check(silent, &[(0.0, "known", ""), (100.0, "", "")]);
    check(
        "{ of: x, absent: flow, for: PT30S, when: .running }",
        &[
            (0.0, "flow=1", ""),
            (100.0, "running=true", ""),
            (120.0, "running=false", ""),
            (130.0, "running=true", ""),
            (160.0, "", "began 160"),
            (161.0, "running=false", "ended 161"),
        ],
    );
}

#[test]
fn a_rate_is_from_one_reading_to_the_next() {
    check(
        "{ of: x, rate: { of: t, above: 5, below: -10, per: PT1M } }",
        &[
            (0.0, "t=20", ""),
            (60.0, "t=25", ""),
            (90.0, "t=28", "began 90"),
            (90.0, "t=40", ""),
            (150.0, "t=41", "ended 150"),
            (151.0, "t=\"hot\"", ""),
            (180.0, "t=36", ""),
            (210.0, "t=30", "began 210"),
            (211.0, "t=99 @200", ""),
            (270.0, "t=30", "ended 270"),
        ],
    );
}

#[test]
fn what_is_counted_is_so_often_in_so_much_time() {
    check(
        "{ of: x, count: { of: failed, atLeast: 3, within: PT1M } }",
        &[
            (0.0, "!failed=null", ""),
            (20.0, "!failed=null", ""),
            (59.0, "!failed=null", "began 59"),
            (60.0, "", ""),
            (60.5, "", "ended 60.000001 late 0.499999"),
            (70.0, "!failed=null", "began 70"),
            // At the moment at which the oldest is as old as it may be another comes.
            (80.0, "", ""),
            (80.0, "!failed=null", ""),
            (80.0, "!failed=null", ""),
            (140.0, "", "ended 130.000001 late 9.999999"),
        ],
    );
    // Out of order, and of property values of which something holds.
    check(
        "{ of: x, count: { of: level, atLeast: 2, within: PT10S, where: . > 5 } }",
        &[
            (0.0, "level=6", ""),
            (1.0, "level=5", ""),
            (2.0, "level=\"9\"", ""),
            (3.0, "level=null", ""),
            (9.0, "level=7 @8", "began 8 late 1"),
            (10.000001, "", "ended 10.000001"),
            (13.0, "level=9 @1", "began 10.000001 late 2.999999"),
            (13.0, "", "ended 11.000001 late 1.999999"),
            (14.0, "level=9 @5", "began 11.000001 late 2.999999"),
            (15.000001, "", "ended 15.000001"),
        ],
    );
    check(
        "{ of: x, count: { of: e, atLeast: 2, within: PT10S }, for: PT5S }",
        &[
            (0.0, "!e=1", ""),
            (6.0, "!e=1", ""),
            (10.5, "", ""),
            (15.0, "!e=1", ""),
            (16.5, "", ""),
            (30.0, "!e=1", ""),
            (31.0, "!e=1", ""),
            (36.0, "", "began 36"),
            (40.000001, "", "ended 40.000001"),
        ],
    );
}

#[test]
fn conditions_become_true_one_after_another() {
    let impact =
        "{ of: x, sequence: [ .peakG > 60, .speed < 2 ], within: PT3S, data: { peakG: .peakG } }";
    check(
        impact,
        &[
            (0.0, "speed=20", ""),
            (1.0, "peakG=80", ""),
            (4.0, "speed=1", "happened 4"),
            (5.0, "speed=20", ""),
            (6.0, "speed=1", ""),
            (7.0, "peakG=10", ""),
            (8.0, "peakG=70", ""),
            (9.0, "speed=20", ""),
            (11.1, "speed=1", ""),
        ],
    );
    // In the other order it is something else; and what is not known is not slow.
    check(
        impact,
        &[
            (0.0, "peakG=80", ""),
            (0.5, "peakG=\"much\"", ""),
            (1.0, "speed=null", ""),
            (1.5, "speed=0", "happened 1.5"),
            (10.0, "peakG=70", ""),
            (11.0, "speed=0", ""),
        ],
    );
    // One reading is one step; the latest beginning counts.
    check(
        "{ of: x, sequence: [ .pressed, .pressed ], within: PT1S }",
        &[
            (0.0, "pressed=true", ""),
            (0.5, "pressed=false", ""),
            (2.0, "pressed=true", ""),
            (2.2, "pressed=false", ""),
            (2.4, "pressed=true", "happened 2.4"),
            (2.5, "pressed=false", ""),
            (2.6, "pressed=true", ""),
        ],
    );
}

#[test]
fn an_element_is_in_a_place_or_not() {
    let here = "inside=[{\"place\": \"places/a\"}, {\"place\": \"places/x\", \"since\": \"2026-11-01T00:00:00Z\"}]";
    check(
        "{ of: x, inside: places/x, for: PT5S }",
        &[
            (0.0, here, ""),
            (5.0, "", "began 5"),
            (6.0, "inside=null", ""),
            (7.0, "inside=[3, {\"place\": 4}]", "ended 7"),
        ],
    );
    check(
        "{ of: x, notInside: places/x }",
        &[
            (0.0, "inside=\"places/x\"", ""),
            (1.0, here, ""),
            (2.0, "inside=[]", "began 2"),
            (3.0, here, "ended 3"),
        ],
    );
}

#[test]
fn an_expression_is_about_all_that_is_known() {
    let no_flow =
        "{ of: x, expr: .running and .flowRate < .target * 0.5, for: PT20S, data: { bed: .bed } }";
    check(
        no_flow,
        &[
            (0.0, "running=true", ""),
            (1.0, "target=10", ""),
            (100.0, "flowRate=4", ""),
            (110.0, "flowRate=\"x\"", ""),
            (120.0, "", "began 120"),
            (121.0, "flowRate=null", ""),
            (122.0, "running=false", "ended 122"),
        ],
    );
    let mut stage = Stage::new(no_flow);
    for what in ["bed=7", "running=true", "target=10", "flowRate=1"] {
        assert_eq!(stage.happens(0.0, what), []);
    }
    let edges = stage.happens(20.0, "");
    assert_eq!(edges[0].data, json!({"bed": 7}));
}

#[test]
fn one_signal_comes_after_another() {
    check(
        "{ of: x, expr: .flow >= .target * 0.9, for: PT10S, after: no-flow }",
        &[
            (0.0, "target=10", ""),
            (1.0, "flow=10", ""),
            (20.0, "after something", ""),
            (30.0, "", ""),
            (40.0, "after no-flow", ""),
            (45.0, "flow=1", ""),
            (50.0, "flow=9", ""),
            (60.0, "", "began 60"),
            (61.0, "flow=1", "ended 61"),
            // It was used up.
            (62.0, "flow=10", ""),
            (80.0, "", ""),
            (81.0, "after no-flow", ""),
            (91.0, "", "began 91"),
            // Anew, while it is on.
            (95.0, "after no-flow", "ended 95"),
            (105.0, "", "began 105"),
        ],
    );
    check(
        "{ of: x, changed: mode, after: o }",
        &[
            (0.0, "mode=1", ""),
            (1.0, "mode=2", ""),
            (2.0, "after o", ""),
            (3.0, "mode=3", "happened 3"),
            (4.0, "mode=4", ""),
        ],
    );
    check(
        "{ of: x, count: { of: e, atLeast: 2, within: PT10S }, after: o }",
        &[
            (0.0, "!e=1", ""),
            (1.0, "!e=1", ""),
            (2.0, "after o", ""),
            (3.0, "!e=1", ""),
            (4.0, "!e=1 @1", ""),
            (5.0, "!e=1", "began 5"),
            (6.0, "!e=1", ""),
            (16.0, "", "ended 15.000001 late 0.999999"),
            (16.5, "!e=1", ""),
        ],
    );
    check(
        "{ of: x, sequence: [ .a, .b ], within: PT10S, after: o }",
        &[
            (0.0, "a=true", ""),
            (1.0, "after o", ""),
            (2.0, "b=true", ""),
            (3.0, "a=false", ""),
            (4.0, "a=true", ""),
            (5.0, "b=false", ""),
            (6.0, "b=true", "happened 6"),
        ],
    );
    check(
        "{ of: x, absent: beat, for: PT10S, after: o }",
        &[
            (0.0, "beat=1", ""),
            (50.0, "", ""),
            (51.0, "after o", ""),
            (61.0, "", "began 61"),
            (62.0, "beat=1", "ended 62"),
            (99.0, "", ""),
        ],
    );
}

#[test]
fn an_edge_tells_what_was_looked_at() {
    #[track_caller]
    fn check(definition: &str, story: &[(f64, &str)], expected: Value) {
        let mut stage = Stage::new(definition);
        let edges = story
            .iter()
            .flat_map(|(now, what)| stage.happens(*now, what));
        let edges: Vec<Edge> = edges.collect();
        assert_eq!(
            edges.last().map(|edge| &edge.data),
            Some(&expected),
            "{definition}"
        );
    }
    check(
        "{ of: x, property: t, above: 24, for: PT1M }",
        &[(0.0, "t=25"), (30.0, "t=26.5"), (60.0, "")],
        json!({"property": "t", "value": 26.5}),
    );
    check(
        "{ of: x, changed: mode }",
        &[(0.0, "mode=1"), (1.0, "mode=2")],
        json!({"property": "mode", "value": 2, "before": 1}),
    );
    check(
        "{ of: x, absent: t, for: PT1M }",
        &[(0.0, "t=3"), (60.0, "")],
        json!({"property": "t", "value": 3}),
    );
    check(
        "{ of: x, rate: { of: t, above: 5, per: PT1M } }",
        &[(0.0, "t=3"), (30.0, "t=9")],
        json!({"property": "t", "value": 12.0}),
    );
    check(
        "{ of: x, count: { of: e, atLeast: 2, within: PT1M } }",
        &[(0.0, "!e=3"), (30.0, "!e=9")],
        json!({"property": "e", "value": 2}),
    );
    check(
        "{ of: x, expr: .a > .b }",
        &[(0.0, "a=1"), (1.0, "c=1"), (2.0, "b=0")],
        json!({"property": ["a", "b"], "value": {"a": 1, "b": 0}}),
    );
    check(
        "{ of: x, inside: places/x }",
        &[(0.0, "inside=[{\"place\": \"places/x\"}]")],
        json!({"property": "inside", "value": "places/x"}),
    );
    check(
        "{ of: x, property: t, above: 1, data: { text: hot, all: [ .t, '${ .t + 1 }' ], none: .u } }",
        &[(0.0, "t=2")],
        json!({"text": "hot", "all": [2, 3], "none": null}),
    );
    let mut stage = Stage::new("{ of: x, property: t, above: 1, data: { bed: .t.bed } }");
    let edges = stage.happens(0.0, "t=2");
    assert_eq!(edges[0].data, json!({"property": "t", "value": 2}));
    assert!(
        edges[0]
            .failed
            .as_ref()
            .is_some_and(|why| why.contains(".t.bed"))
    );
}

#[test]
fn why_it_is_on_or_not_is_told() {
    #[track_caller]
    fn check(definition: &str, story: &[(f64, &str)], now: f64, expected: &[&str]) {
        let mut stage = Stage::new(definition);
        for (now, what) in story {
            let _ = stage.happens(*now, what);
        }
        assert_eq!(stage.explained(at(now)), expected, "{definition}");
    }
    check(
        "{ of: x, property: t, above: 24, clear: 23, for: PT10M, when: .occupancy > 0 }",
        &[(0.0, "occupancy=2"), (10.0, "t=25")],
        130.0,
        &[
            "`s` is not on yet: it is so since 2025-11-24T16:00:10Z, and begins at 2025-11-24T16:10:10Z, in 480s",
            "`t` is 25, which is above 24",
            "`when` holds: `.occupancy > 0`",
            "`.occupancy` is number (2)",
        ],
    );
    check(
        "{ of: x, property: t, above: 24, clear: 23 }",
        &[(0.0, "t=23.5")],
        1.0,
        &[
            "`s` is not on",
            "`t` is 23.5, which is not above 24; what is on ends at 23",
        ],
    );
    check(
        "{ of: x, property: t, above: 24 }",
        &[(0.0, "t=25"), (1.0, "t=\"hot\"")],
        2.0,
        &[
            "`s` is on since 2025-11-24T16:00:00Z",
            "`t` is string (\"hot\"), which is no number; the signal stays as it was",
        ],
    );
    check(
        "{ of: x, expr: .flow < 5, after: o }",
        &[],
        2.0,
        &[
            "`s` is not on",
            "whether it holds cannot be told (`.flow < 5`): `.flow` is not known",
            "`.flow` is null (null)",
            "it counts once `o` began, and that did not happen since",
        ],
    );
    check(
        "{ of: x, absent: beat, for: PT30S }",
        &[(0.0, "beat=1"), (30.0, "")],
        45.0,
        &[
            "`s` is on since 2025-11-24T16:00:30Z, being so since 2025-11-24T16:00:00Z",
            "`beat` was last heard at 2025-11-24T16:00:00Z, 45s ago",
        ],
    );
    check(
        "{ of: x, count: { of: e, atLeast: 3, within: PT1M } }",
        &[(0.0, "!e=1"), (30.0, "!e=1")],
        65.0,
        &[
            "`s` is not on",
            "`e` was heard once in the last 60s; it takes 3",
        ],
    );
    check(
        "{ of: x, sequence: [ .a > 1, .b > 1 ], within: PT10S }",
        &[(0.0, "a=2"), (1.0, "b=0")],
        5.0,
        &[
            "`s` is only ever on for a moment",
            "1 of 2 conditions became true in order since 2025-11-24T16:00:00Z; the rest has until 2025-11-24T16:00:10Z",
            "condition 1 holds: `.a > 1`",
            "`.a` is number (2)",
            "condition 2 does not hold: `.b > 1`",
            "`.b` is number (0)",
        ],
    );
}

#[test]
fn a_state_is_small_and_can_be_read_by_people() {
    let mut stage = Stage::new("{ of: x, property: t, above: 24, for: PT10S }");
    assert!(stage.state.is_default());
    let _ = stage.happens(0.0, "t=20");
    assert!(stage.state.is_default());
    let before = stage.state.clone();
    let _ = stage.happens(1.0, "t=21");
    assert!(!stage.state.differs(&before));
    let _ = stage.happens(2.0, "t=25");
    assert!(stage.state.differs(&before));
    assert_eq!(stage.state.wake_at(&stage.signal), Some(at(12.0)));
    let _ = stage.happens(12.0, "");
    assert_eq!(
        stage.state.write(),
        json!({
            "on": true,
            "holds": true,
            "since": "2025-11-24T16:00:02Z",
            "heard": "2025-11-24T16:00:02Z",
            "asOf": "2025-11-24T16:00:12Z",
        })
    );
    assert_eq!(stage.state.wake_at(&stage.signal), None);
    let _ = stage.happens(13.0, "t=20");
    assert!(stage.state.is_default());
}

#[test]
fn what_is_no_state_is_none() {
    for wrong in [
        json!(null),
        json!([]),
        json!({"on": 1}),
        json!({"since": "yesterday"}),
        json!({"holds": "perhaps"}),
        json!({"times": {"from": 0, "us": [-1]}}),
        json!({"times": {"from": u64::MAX, "us": [1]}}),
        json!({"times": []}),
        json!({"steps": [1]}),
        json!({"steps": (0..17).map(|_| json!({})).collect::<Vec<_>>()}),
        json!({"hash": {"bytes": -1, "fnv": "x"}}),
        json!({"number": "nan"}),
    ] {
        assert_eq!(State::read(&wrong), None, "{wrong}");
    }
    assert_eq!(State::read(&json!({})), Some(State::default()));
    assert_eq!(State::default().write(), json!({}));
}
