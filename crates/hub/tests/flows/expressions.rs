//! Expressions that are tried: what they give, what is wrong with them, and that one which never
//! ends is ended without anybody else noticing.

use serde_json::{Value, json};

use crate::support::{Hub, quartet, until, wait_for};

use super::says;

fn asked(hub: &Hub, question: &Value) -> Value {
    let answer = hub.ask("POST /api/expressions", &[], &question.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[test]
fn expressions_are_tried_over_http_and_those_without_an_end_are_ended() {
    let hub = Hub::owned(&["http://127.0.0.1:0"]);
    let fast = asked(
        &hub,
        &json!({"expression": "${ .value > $limit }", "input": {"value": 21}, "names": {"limit": 20}}),
    );
    assert_eq!(
        (&fast["value"], &fast["isFast"]),
        (&json!(true), &json!(true))
    );
    let parts = json!([
        {"part": ".value", "value": 21},
        {"part": "$limit", "value": 20},
        {"part": ".value > $limit", "value": true},
    ]);
    assert_eq!(fast["parts"], parts);
    let wrong = asked(&hub, &json!({"expression": ".value | lenght"}));
    assert_eq!(wrong["column"], 10, "{wrong}");
    assert!(
        wrong["error"]
            .as_str()
            .is_some_and(|error| error.contains("`length`"))
    );

    // Each of these is stopped by something else: the time, the stack, the memory. On a machine that is busy
    // with other things it may be the time at first.
    for (endless, why) in [
        ("def f: f; f", "did not end within 1 s"),
        ("[repeat(1)] | length", ""),
        ("[range(infinite)] | length", ""),
        ("def f: [f]; f", ""),
        ("[limit(1; \"x\" * 9000000)]", "more than"),
        (
            "first(range(infinite) | select(. < 0))",
            "did not end within 1 s",
        ),
    ] {
        let answer = wait_for(endless, || {
            let answer = asked(&hub, &json!({ "expression": endless }));
            let error = answer["error"].as_str().expect("it does not end");
            error.contains(why).then_some(answer)
        });
        assert_eq!(answer["isFast"], false, "{answer}");
        // The next one has a worker again.
        let next = json!({"expression": "[.[] | select(. > 1)]", "input": [1, 2, 3]});
        until(endless, || asked(&hub, &next)["value"] == json!([2, 3]));
    }

    let refused = |body: &str, status: u16, part: &str| {
        let answer = hub.ask("POST /api/expressions", &[], body);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(part), "{}", answer.body);
    };
    refused("{", 400, "expression");
    refused(r#"{"expresion": "."}"#, 400, "expresion");
    let long = json!({"expression": ".", "input": "x".repeat(3 << 20)});
    refused(&long.to_string(), 413, "at most");
}

#[test]
fn expressions_are_tried_on_the_command_line() {
    let jq = |arguments: &[&str], input: &str| {
        says(quartet().args(["flow", "jq"]).args(arguments), input)
    };
    assert_eq!(
        jq(
            &[".value * $factor", "--input", "-", "--let", "factor=2"],
            r#"{"value": 21}"#
        ),
        (true, "42\n".to_owned())
    );
    let (is_good, said) = jq(&["[range(3)]"], "");
    assert!(is_good && said.starts_with("[0,1,2]\n"), "{said}");
    assert!(
        said.contains("fast flows and signals cannot use this"),
        "{said}"
    );
    let (is_good, said) = jq(&[".a | lenght"], "");
    assert!(
        !is_good && said.ends_with("  .a | lenght\n       ^\n"),
        "{said}"
    );
    let (is_good, said) = jq(&["def f: f; f"], "");
    assert!(
        !is_good && said.contains("did not end within 1 s"),
        "{said}"
    );
}
