use super::*;

const ALL: &str = "
signals:
  office.room.too-warm:   { of: office/room-*, property: temperature, above: 24, clear: 23.5, for: PT10M, when: .occupancy > 0 }
  ward.drip.no-flow:      { of: ward/drip-*, expr: .running and .flowRate < .target * 0.5, for: PT20S, data: { bed: .bed } }
  ward.drip.flow-normal:  { of: ward/drip-*, expr: .flowRate >= .target * 0.9, for: PT10S, after: ward.drip.no-flow }
  ward.drip.silent:       { of: ward/drip-*, absent: flowRate, for: PT30S }
  street.helmet.impact:   { of: street/helmet-*, sequence: [ .peakG > 60, .speed < 2 ], within: PT3S, data: { peakG: .peakG, position: .position } }
";

#[test]
fn signals_are_read_and_say_what_they_must_be_shown() {
    let read = read_all(ALL).expect("they are good");
    assert_eq!(read.warnings, []);
    let names: Vec<&str> = read.signals.iter().map(Signal::name).collect();
    assert_eq!(names.len(), 5);
    assert_eq!(names[1], "ward.drip.no-flow");
    let properties = |at: usize| read.signals[at].inputs().properties.join(" ");
    assert_eq!(properties(0), "occupancy temperature");
    assert_eq!(properties(1), "flowRate running target");
    assert_eq!(properties(3), "flowRate");
    assert_eq!(read.signals[3].inputs().events, ["flowRate"]);
    assert_eq!(properties(4), "peakG speed");
    assert_eq!(read.signals[2].after(), Some("ward.drip.no-flow"));
    assert!(read.signals[4].is_momentary());
    let all = defined("{ of: x, expr: keys | length > 1 }");
    assert!(all.inputs().all_properties);
    assert!(all.inputs().has("whatever", false) && !all.inputs().has("whatever", true));
}

#[test]
fn a_signal_is_of_elements_by_name_or_pattern() {
    #[track_caller]
    fn check(of: &str, key: &str, expected: bool) {
        let signal = defined(&format!("{{ of: {of}, changed: x }}"));
        assert_eq!(signal.is_of(key), expected, "{of} {key}");
    }
    check("office/room-*", "things/office%2Froom-1", true);
    check("office/room-*", "things/office%2Froom-", true);
    check("office/room-*", "things/office%2Froom-1%2Flamp", false);
    check("office/**", "things/office%2Froom-1%2Flamp", true);
    check("office/room-*", "things/my-office%2Froom-1", false);
    check("office/room-.*", "things/office%2Froom-1%2Flamp", true);
    check("'office/room-[12]'", "things/office%2Froom-3", false);
    check("office/light-1", "things/office%2Flight-1", true);
    check("things/office%2Flight-1", "things/office%2Flight-1", true);
    check("a.b*", "things/axb", false);
    check("people/ana", "people/ana", true);
    check("people/*", "people/ana", true);
    check("things/*", "things/office%2Froom-1", true);
    check("things/*", "people/ana", false);
    check("ana", "people/ana", false);
    check("[a, 'b-*']", "things/b-1", true);
    check("[a, 'b-*']", "things/c", false);
    let kind = defined("{ type: Drip, changed: x }");
    assert!(!kind.is_of("things/drip"));
    assert!(matches!(kind.of(), Whom::Type(kind) if kind == "Drip"));
    let place = defined("{ in: places/ward-3, changed: x }");
    assert!(matches!(place.of(), Whom::In(place) if place == "places/ward-3"));
}

#[test]
fn what_is_wrong_is_pointed_at_and_what_is_right_is_said() {
    #[track_caller]
    fn check(definition: &str, column: u32, part: &str) {
        let text = format!("signals:\n  a.b: {definition}");
        let problems = read(&text).expect_err(definition);
        let found = problems.iter().find(|problem| problem.what.contains(part));
        let found = found.unwrap_or_else(|| panic!("{definition}: {problems:?}"));
        assert_eq!(
            found.place,
            crate::problem::Place { line: 2, column },
            "{definition}: {found}"
        );
        assert_eq!(problems.len(), 1, "{definition}: {problems:?}");
    }
    check(
        "{ of: x }",
        8,
        "does not say what it looks at: one of `above`, `below`",
    );
    check(
        "{ of: x, abov: 2, property: t }",
        17,
        "did you mean `above`?",
    );
    check("{ changed: t }", 8, "needs `of`");
    check(
        "{ of: x, type: y, changed: t }",
        8,
        "exactly one of `of`, `type` and `in`",
    );
    check("{ of: [], changed: t }", 14, "at least one element");
    check("{ of: '(x', changed: t }", 14, "is no pattern");
    check("{ of: 3, changed: t }", 14, "put it in quotes");
    check("{ in: ward, changed: t }", 14, "`ward` is no place");
    check("{ of: x, above: 2 }", 8, "`above` needs `property`");
    check(
        "{ of: x, above: hot, property: t }",
        24,
        "a number is expected",
    );
    check(
        "{ of: x, above: 2, below: 1, property: t }",
        8,
        "`outside: [low, high]`",
    );
    check(
        "{ of: x, above: 2, property: t, changed: t }",
        8,
        "either `above` or `changed`",
    );
    check(
        "{ of: x, above: 2, property: t, clear: 3 }",
        47,
        "3 is more than 2",
    );
    check(
        "{ of: x, below: 2, property: t, clear: 1 }",
        47,
        "1 is less than 2",
    );
    check("{ of: x, outside: [3, 1], property: t }", 26, "`[1, 3]`");
    check("{ of: x, outside: [3], property: t }", 26, "two numbers");
    check(
        "{ of: x, outside: places/y, property: t }",
        26,
        "`notInside` is about places",
    );
    check(
        "{ of: x, outside: [1, 3], property: t, clear: 2 }",
        54,
        "write less than 1",
    );
    check(
        "{ of: x, outside: [1, 3], property: t, clear: -1 }",
        54,
        "less than 0",
    );
    check(
        "{ of: x, changed: t, property: t }",
        39,
        "`property` goes with `above`, `below`, `outside`",
    );
    check("{ of: x, changed: t, clear: 1 }", 36, "`clear` goes with");
    check(
        "{ of: x, changed: t, within: PT1S }",
        37,
        "`within` goes with `sequence`",
    );
    check("{ of: x, absent: t }", 8, "needs `for`");
    check("{ of: x, absent: t, for: PT0S }", 33, "longer than that");
    check("{ of: x, absent: t, for: 30 }", 33, "a duration is");
    check("{ of: x, absent: t, for: P2Y }", 33, "at most 366 days");
    check(
        "{ of: x, absent: t, for: '${ .x }' }",
        33,
        "is no expression",
    );
    check(
        "{ of: x, absent: t, for: PT1S, from: knwon }",
        45,
        "did you mean `known`?",
    );
    check(
        "{ of: x, rate: { of: t, per: PT1M } }",
        23,
        "`above` or `below`",
    );
    check("{ of: x, rate: { of: t, above: 1 } }", 23, "needs `per`");
    check(
        "{ of: x, rate: { of: t, above: 1, below: 2, per: PT1M } }",
        23,
        "every rate",
    );
    check(
        "{ of: x, count: { of: t, atLeast: 0, within: PT1M } }",
        42,
        "between 1 and 10000",
    );
    check(
        "{ of: x, count: { of: t, atLeast: 10001, within: PT1M } }",
        42,
        "between 1 and 10000",
    );
    check(
        "{ of: x, count: { of: t, atLeast: 2 } }",
        24,
        "needs `within`",
    );
    check(
        "{ of: x, count: { of: t, within: PT1M } }",
        24,
        "needs `atLeast`",
    );
    check(
        "{ of: x, sequence: [ .a ], within: PT1S }",
        27,
        "2 to 16 conditions; this has 1",
    );
    check("{ of: x, sequence: [ .a, .b ] }", 27, "needs `within`");
    check("{ of: x, inside: ward }", 25, "is no place");
    check("{ of: x, inside: people/ana }", 25, "is no place");
    check(
        "{ of: x, expr: .a and range(3) }",
        30,
        "a signal cannot compute this",
    );
    check("{ of: x, expr: .a > }", 27, "a value is missing");
    check("{ of: x, expr: $input }", 23, "input");
    check(
        "{ of: x, changed: t, when: '.[]' }",
        37,
        "a signal cannot compute this",
    );
    check(
        "{ of: x, changed: t, data: { a: { b: '.[]' } } }",
        47,
        "a signal cannot compute this",
    );
    check("{ of: x, changed: t, wen: .a }", 29, "did you mean `when`?");
    check("{ of: x, changed: t, after: a.b }", 3, "waits for itself");
    let long = format!("{{ of: x, expr: '.a{}' }}", " + 1".repeat(2_000));
    check(&long, 24, "at most 4096 bytes");
}

#[test]
fn a_name_is_the_type_of_an_event() {
    for wrong in ["a b", "a/b", "a..b", ".a", "a.", "é", "a#", "-a", "$x", ""] {
        let text = format!("signals:\n  '{wrong}': {{ of: x, changed: t }}");
        let problems = read(&text).expect_err(wrong);
        assert!(
            problems[0].what.contains("is no name of a signal"),
            "{problems:?}"
        );
    }
    assert!(
        read(&format!(
            "signals: {{ {}: {{ of: x, changed: t }} }}",
            "a".repeat(129)
        ))
        .is_err()
    );
    for wrong in [
        "",
        "signals",
        "signals: 3",
        "signals: [a]",
        "signal: {}",
        "{",
        "signals: { a: 1 }",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert_eq!(read("signals: {}").map(|signals| signals.len()), Ok(0));
    assert_eq!(
        read("{\"signals\": {\"a\": {\"of\": \"x\", \"changed\": \"t\"}}}").map(|all| all.len()),
        Ok(1)
    );
}

#[test]
fn what_is_suspicious_is_said() {
    #[track_caller]
    fn check(definition: &str, part: &str) {
        let text = format!("signals:\n  a.b: {definition}");
        let read = read_all(&text).unwrap_or_else(|problems| panic!("{definition}: {problems:?}"));
        assert_eq!(read.warnings.len(), 1, "{definition}: {:?}", read.warnings);
        assert!(read.warnings[0].what.contains(part), "{}", read.warnings[0]);
    }
    check(
        "{ of: x, changed: t, for: PT1S }",
        "`for` says nothing here",
    );
    check(
        "{ of: x, changed: t, after: a.c }",
        "no signal `a.c` in this file",
    );
    check("{ of: x, expr: 1 > 2 }", "the same for every reading");
    check("{ of: x, expr: now - .at > 60 }", "`now`");
}
