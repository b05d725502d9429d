//! The total part of jq against all of it: our values are those of jaq, and of the real `jq`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
};

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use quartet_model::Time;
use quartet_process::expr::{Expression, Fuel, Names, Scope};
use serde_json::{Value, json};

fn names() -> Names {
    Names::new(["context"])
}

fn context() -> Value {
    json!({"a": 2, "b": "x"})
}

fn eval(text: &str, input: &Value) -> Result<Value, String> {
    let expression =
        Expression::compile(text, &names()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let values = [context()].map(Arc::new);
    let scope = Scope {
        values: &values,
        now: Time::from_micros(1_500_000),
        fuel: &Fuel::default(),
    };
    let value = expression.eval(&scope, input);
    value
        .map(|value| floats(&value))
        .map_err(|failed| failed.what)
}

/// All numbers as floats, so that `1` and `1.0` are the same.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.iter().map(floats).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), floats(value)))
            .collect(),
        other => other.clone(),
    }
}

fn inputs() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9i64..10).prop_map(Value::from),
        (-9i64..10).prop_map(|half| json!(half as f64 / 2.0)),
        prop::sample::select(vec!["", "a", "b", "ab", "x,y", "1.5", "A b"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Expressions of the total part, as text.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        ".",
        ".a",
        ".b",
        ".c",
        ".a.b",
        ".a[0]",
        ".[\"b\"]",
        "null",
        "true",
        "false",
        "0",
        "1",
        "-2",
        "2.5",
        "\"a\"",
        "\"x,y\"",
        "[]",
        "{}",
        "$context",
        "$context.a",
        "$context.b",
        "\"\\(.a)-\\(.b)\"",
        "[.a, .b]",
        "{a, c: 1}",
        "{\"b\": .a, (\"k\" + \"l\"): .c}",
    ])
    .prop_map(str::to_owned);
    let unary = prop::sample::select(vec![
        "length",
        "type",
        "not",
        "keys",
        "add",
        "any",
        "all",
        "min",
        "max",
        "sort",
        "unique",
        "reverse",
        "flatten",
        "tostring",
        "tojson",
        "tonumber",
        "floor",
        "ceil",
        "round",
        "sqrt",
        "fabs",
        "to_entries",
        "ascii_upcase",
        "ascii_downcase",
        "explode",
        "first",
        "last",
        "has(\"a\")",
        "has(0)",
        "split(\",\")",
        "join(\"-\")",
        "startswith(\"a\")",
        "endswith(\"b\")",
        "ltrimstr(\"a\")",
        "rtrimstr(\"b\")",
        "contains(\"a\")",
        "contains([1])",
        "inside(\"abab\")",
        "index(\"b\")",
        "rindex(\"b\")",
        "indices(1)",
        "test(\"^a\")",
        "sub(\"a\"; \"z\")",
        "gsub(\"[ab]\"; \"z\")",
        "map(.)",
        "map(length)",
        "map(. == 1)",
        "map(select(. != null))",
        "any(. == 1)",
        "all(. != null)",
        "sort_by(.a)",
        "group_by(type)",
        "unique_by(type)",
        "min_by(.a)",
        "max_by(.a)",
        "with_entries(.value |= . )",
        "map_values(type)",
        ".[0]",
        ".[-1]",
        ".[1:]",
        ".[:1]",
        ".[\"a\"]",
        "@base64",
        "@json",
        "@html",
        "@uri",
        "@text",
        "tojson | fromjson",
        "to_entries | from_entries",
        "utf8bytelength",
    ])
    .prop_filter("beyond the total part", |text| !text.contains("|="));
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "and", "or", "//", "|",
        ]);
        prop_oneof![
            3 => (inner.clone(), binary, inner.clone()).prop_map(|(one, sign, other)| format!("({one} {sign} {other})")),
            3 => (inner.clone(), unary.clone()).prop_map(|(of, unary)| format!("({of} | {unary})")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(is, one, other)| format!("(if {is} then {one} else {other} end)")),
            1 => (inner.clone(), inner.clone()).prop_map(|(of, body)| format!("({of} as $x | [$x, {body}])")),
            1 => inner.clone().prop_map(|of| format!("(-{of})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("[{one}, {other}]")),
            1 => (inner.clone(), inner).prop_map(|(one, other)| format!("{{a: {one}, b: {other}}}")),
        ]
    })
}

/// What JSON has no word for: jq prints the largest number there is.
fn is_infinite(value: &Result<Value, String>) -> bool {
    matches!(value, Ok(value) if value.to_string().contains("e308"))
}

/// Some expressions, each with an input. The same each time.
fn cases(count: usize) -> Vec<(String, Value)> {
    let mut runner = TestRunner::deterministic();
    let strategy = (expressions(), inputs());
    let case = || {
        strategy
            .new_tree(&mut runner)
            .expect("there are many")
            .current()
    };
    let cases = std::iter::repeat_with(case);
    // jq 1.6 refuses to compile what divides a number by 0.
    cases
        .filter(|(text, _)| !text.contains("/ 0)"))
        .take(count)
        .collect()
}

/// What the real `jq` makes of all of these, in one run.
fn of_jq(cases: &[(String, Value)]) -> Vec<Result<Value, String>> {
    let mut program = String::new();
    for (at, (text, input)) in cases.iter().enumerate() {
        program.push_str(if at == 0 { "" } else { "\n, " });
        program.push_str(&format!("(try [{input} | {text}] catch \"failed\")"));
    }
    let mut file = tempfile::NamedTempFile::new().expect("there is room");
    file.write_all(program.as_bytes()).expect("there is room");
    let output = Command::new("jq")
        .args([
            "-n",
            "-c",
            "--argjson",
            "context",
            &context().to_string(),
            "-f",
        ])
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .expect("jq is installed: the test command does that");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).expect("jq prints text");
    lines
        .lines()
        .map(
            |line| match serde_json::from_str(line).expect("jq prints JSON") {
                Value::Array(mut list) if list.len() == 1 => Ok(floats(&list.remove(0))),
                Value::String(_) => Err("failed".to_owned()),
                other => panic!("{other}"),
            },
        )
        .collect()
}

/// Where jq and jaq say the same, we do; where they differ, we are with one of them.
#[test]
fn values_are_those_of_jq_and_jaq() {
    let cases = cases(3_000);
    let of_jq = cases.chunks(100).flat_map(of_jq);
    let mut differences = Vec::new();
    let mut both = 0;
    for ((text, input), of_jq) in cases.iter().zip(of_jq) {
        let total = Expression::compile(text, &names()).unwrap();
        assert_eq!(total.beyond_total(), None, "{text}");
        let ours = eval(text, input);
        // A definition makes it more than the total part.
        let of_jaq = eval(&format!("def own: .; {text}"), input);
        let same = |theirs: &Result<Value, String>| match (&ours, theirs) {
            (Ok(ours), Ok(theirs)) => ours == theirs,
            (ours, theirs) => ours.is_err() && theirs.is_err(),
        };
        both += usize::from(same(&of_jq) && same(&of_jaq));
        if !same(&of_jq) && !same(&of_jaq) && !is_infinite(&ours) {
            differences.push(format!(
                "{text}\n  on {input}\n  ours: {ours:?}\n  jq's: {of_jq:?}\n  jaq's: {of_jaq:?}"
            ));
        }
    }
    differences.sort_by_key(String::len);
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(25)].join("\n")
    );
    assert!(
        cases.len() * 9 / 10 < both,
        "most are the same for all three: {both}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_understood_or_refused(text in "[-.a$\\[\\](){}|,:;\"\\\\ +*/<>=!?@0-9mapidefs\n]{0,60}") {
        let _ = Expression::compile(&text, &names());
    }
}
