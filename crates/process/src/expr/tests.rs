use serde_json::json;

use super::*;

fn names() -> Names {
    Names::new(["context", "input"])
}

#[track_caller]
fn check(text: &str, input: Value, expected: Value) {
    let expression =
        Expression::compile(text, &names()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let values = [json!({"room": "a"}), json!(7)].map(Arc::new);
    let scope = Scope {
        values: &values,
        now: Time::from_micros(1_500_000),
        fuel: &Fuel::default(),
    };
    assert_eq!(expression.beyond_total(), None, "{text}");
    let value = expression
        .eval(&scope, &input)
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(*value, expected, "{text}");
}

#[track_caller]
fn check_wrong(text: &str, offset: usize, part: &str) {
    let error = Expression::compile(text, &names()).expect_err(text);
    assert!(error.what.contains(part), "{text}: {error}");
    assert_eq!(error.offset, offset, "{text}: {error}");
}

#[track_caller]
fn check_beyond(text: &str, input: Value, expected: Result<Value, &str>) {
    let expression =
        Expression::compile(text, &names()).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(expression.beyond_total().is_some(), "{text}");
    let values = [json!({"room": "a"}), json!(7)].map(Arc::new);
    let scope = Scope {
        values: &values,
        now: Time::from_micros(1_500_000),
        fuel: &Fuel::default(),
    };
    let value = expression.eval(&scope, &input).map(Cow::into_owned);
    match (value, expected) {
        (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{text}"),
        (Err(error), Err(part)) => assert!(error.what.contains(part), "{text}: {error}"),
        (value, _) => panic!("{text}: {value:?}"),
    }
}

#[test]
fn values_are_computed_as_jq_does() {
    let reading = json!({"t": 21.5, "on": true, "list": [3, 1, 2], "o": {"a": null}});
    check(".t > 21 and .on", reading.clone(), json!(true));
    check(".list[0] + .list[-1]", reading.clone(), json!(5));
    check(".list[1:] | length", reading.clone(), json!(2));
    check(".o.a.b.c // \"none\"", reading.clone(), json!("none"));
    check(".t.x? // 4", reading.clone(), json!(4));
    check(
        "if .t < 20 then \"cold\" elif .t < 25 then \"good\" else \"hot\" end",
        reading.clone(),
        json!("good"),
    );
    check(
        "{t, (\"a\" + \"b\"): .on, $input, \"x y\": [.t, 1]}",
        reading.clone(),
        json!({"t": 21.5, "ab": true, "input": 7, "x y": [21.5, 1]}),
    );
    check(
        "\"It is \\(.t) in \\($context.room | ascii_upcase)\"",
        reading.clone(),
        json!("It is 21.5 in A"),
    );
    check(".list | map(. * 2) | add", reading.clone(), json!(12));
    check(
        ".list | map(select(. > 1)) | sort",
        reading.clone(),
        json!([2, 3]),
    );
    check(
        "any(.list[0] == 3, false; .)"
            .split(" ,")
            .next()
            .map_or("true", |_| "[.list[0] == 3, false] | any"),
        reading.clone(),
        json!(true),
    );
    check(".t as $x | $x * 2", reading.clone(), json!(43));
    check("4 / 2", Value::Null, json!(2));
    check(
        "7 % 3, 1".split(',').next().unwrap_or(""),
        Value::Null,
        json!(1),
    );
    check("-(1 + 2)", Value::Null, json!(-3));
    check("now", Value::Null, json!(1.5));
    check(
        "\"office/switch-1\" | sub(\"switch\"; \"light\")",
        Value::Null,
        json!("office/light-1"),
    );
    check("\"abc\" | test(\"^A\"; \"i\")", Value::Null, json!(true));
    check("null + [\"red\"]", Value::Null, json!(["red"]));
    check(
        "(.a - .b | fabs) < 2",
        json!({"a": 1, "b": 2.5}),
        json!(true),
    );
    check("@base64 \"x\\(.)\"", json!("ab"), json!("xYWI="));
    check("1 as $x | 2 as $y | [$x, $y]", Value::Null, json!([1, 2]));
    check(
        ". == {\"b\": 2, \"a\": 1.0}",
        json!({"a": 1, "b": 2}),
        json!(true),
    );
    check(
        "[null, true, 1, \"a\", [], {}] == ([{}, [], \"a\", 1, true, null] | sort)",
        Value::Null,
        json!(true),
    );
    check("\"x\" | not", Value::Null, json!(false));
    check("1 | todate", Value::Null, json!("1970-01-01T00:00:01Z"));
    check("# a remark\n1", Value::Null, json!(1));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    check_wrong(".a = = 1", 5, "");
    check_wrong("$contxt.a", 0, "`$context`");
    check_wrong(".a | lenght", 5, "`length`");
    check_wrong("(.a", 3, "opened at character 1");
    check_wrong(".a & .b", 3, "`and`");
    check_wrong("'a'", 0, "double quotes");
    check_wrong("\"a", 0, "no end");
    check_wrong("if .a then 1", 12, "`end` is missing");
    check_wrong("env.HOME", 0, "nothing of the program");
    check_wrong("[1 | range(2) | input]", 16, "nothing of the program");
    check_wrong("\"a\\(.b | lenght)\"", 9, "`length`");
    check_wrong(".a | test(\"(\")", 10, "no pattern");
    check_wrong("", 0, "missing");
    check_wrong(&"(".repeat(100), 64, "nest");
}

#[test]
fn what_may_not_end_is_jaqs() {
    check_beyond("[.[] | . + 1]", json!([1, 2]), Ok(json!([2, 3])));
    check_beyond("reduce .[] as $x (0; . + $x)", json!([1, 2]), Ok(json!(3)));
    check_beyond(".[]", json!([1, 2]), Err("several values"));
    check_beyond("empty", json!(1), Ok(Value::Null));
    check_beyond(
        "[range(3)] | map(. + $input)",
        Value::Null,
        Ok(json!([7, 8, 9])),
    );
    check_beyond("def f: . * 2; f + now", json!(2), Ok(json!(5.5)));
    check_beyond(".a?", json!(1), Ok(Value::Null));
    check_beyond(
        "select(.a == $context.room)",
        json!({"a": "a"}),
        Ok(json!({"a": "a"})),
    );
}

#[test]
fn why_something_does_not_hold_is_told_part_by_part() {
    let text = ".occupancy > 0 and (.temp - .set | fabs) < 2";
    let expression = Expression::compile(text, &names()).unwrap();
    let scope = Scope {
        values: &[Arc::default(), Arc::default()],
        now: Time::ZERO,
        fuel: &Fuel::default(),
    };
    let told = expression.explain(&scope, &json!({"occupancy": 2, "temp": 25, "set": 21}));
    let told: Vec<_> = told
        .iter()
        .map(|(text, value)| (&**text, value.clone().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (".occupancy", json!(2)),
            (".occupancy > 0", json!(true)),
            ("(.temp - .set | fabs)", json!(4)),
            ("(.temp - .set | fabs) < 2", json!(false)),
        ]
    );
}
