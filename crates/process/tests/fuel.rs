//! What may be computed at once: expressions that ask for much of a large payload end soon, and
//! what people really compute of one is not refused.

#[path = "support/greedy.rs"]
mod greedy;

use greedy::{GREEDY, large};
use quartet_model::Time;
use quartet_process::expr::{Expression, Fuel, Names, Scope};
use serde_json::{Value, json};

#[track_caller]
fn spent(text: &str, input: &Value) -> (Result<Value, String>, usize) {
    let expression =
        Expression::compile(text, &Names::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(expression.beyond_total(), None, "{text}");
    let fuel = Fuel::default();
    let scope = Scope {
        values: &[],
        now: Time::ZERO,
        fuel: &fuel,
    };
    let value = expression.eval(&scope, input);
    let value = value
        .map(std::borrow::Cow::into_owned)
        .map_err(|failed| failed.what);
    (value, fuel.spent())
}

#[test]
fn what_would_take_long_is_not_computed() {
    let input = large();
    for text in GREEDY {
        let (value, spent) = spent(text, &input);
        let why = value.map(|value| value.to_string().len());
        let why = why.expect_err(text);
        assert!(
            why.contains("may be computed at once") || why.contains("more than 1048576"),
            "{text}: {why}"
        );
        assert!(spent <= Fuel::STEPS_MAX, "{text}");
    }
}

#[test]
fn what_people_compute_of_a_megabyte_is_computed() {
    let input = large();
    for text in [
        ".numbers | add / length",
        ".numbers | map(. * 1.8 + 32) | max",
        ".numbers | sort | .[length / 2 | floor]",
        ".numbers | any(. > 1000)",
        ".entries | map(.name) | unique | length",
        ".entries | group_by(.name) | map(length) | max",
        ".entries | map(select(.on)) | length",
        ".line | split(\",\") | length",
        ".line | ascii_upcase | length",
        ".line | startswith(\"a,b\")",
        ".line | index(\"z\")",
        ".text + \"!\" | length",
        ". | tojson | length",
        "{ all: ., of: \"x\" } | .of",
    ] {
        let (value, spent) = spent(text, &input);
        value.expect(text);
        // Not the most of what there may be.
        assert!(spent < Fuel::STEPS_MAX / 2, "{text}: {spent}");
    }
}

#[test]
fn what_was_used_up_stays_used_up() {
    let input = json!([1, 2, 3]);
    let greedy = "(. as $x | [range]) // 1";
    assert!(Expression::compile(greedy, &Names::default()).is_err());
    // Neither `//` nor `?` goes on where nothing is left.
    let (value, all) = spent("(.numbers | (. - map(. + 0.5)))? // \"cheap\"", &large());
    assert!(value.is_err(), "{value:?}");
    assert_eq!(all, Fuel::STEPS_MAX);
    let (value, few) = spent("map(. + 1)", &input);
    assert_eq!(value, Ok(json!([2, 3, 4])));
    assert!(few < 50, "{few}");
}

#[test]
fn what_is_computed_is_not_nested_without_an_end() {
    let mut input = json!(1);
    let mut deepest = 0;
    for depth in 0..200 {
        match spent("[[.]]", &input).0 {
            Ok(value) => (input, deepest) = (value, depth),
            Err(why) => {
                assert!(why.contains("nested at most 125 deep"), "{why}");
                break;
            }
        }
    }
    assert!((55..70).contains(&deepest), "{deepest}");
}

/// Whole numbers beyond what floats tell apart are in an order, also among floats.
#[test]
fn any_numbers_are_in_one_order() {
    let most = 1_u64 << 53;
    let mut all: Vec<Value> = (0..400)
        .map(|at: u64| match at % 3 {
            0 => json!(most + at % 7),
            1 => json!((most + at % 5) as f64),
            _ => json!(u64::MAX - at % 4),
        })
        .collect();
    all.extend([json!(-1.5), json!(i64::MIN), json!(0), json!(-0.0)]);
    let (sorted, _) = spent("sort", &Value::Array(all.clone()));
    let (again, _) = spent("reverse | sort", &Value::Array(all));
    let texts = |value: Value| {
        value
            .as_array()
            .map(|all| all.iter().map(|one| one.as_f64()).collect::<Vec<_>>())
    };
    assert_eq!(texts(sorted.unwrap()), texts(again.unwrap()));
}
