use serde_json::{Value, json};

/// About a megabyte of what things say.
pub(crate) fn large() -> Value {
    let letters: Vec<&str> = "abcdefghijklmnopqrstuvwxyz".split("").collect();
    let letter = |at: usize| letters[1 + at % 26];
    json!({
        "numbers": (0..40_000).map(|at| f64::from(at % 1000) / 4.0).collect::<Vec<_>>(),
        "entries": (0..4000).map(|at| json!({"name": letter(at), "on": at % 2 == 0, "value": at})).collect::<Vec<_>>(),
        "line": (0..100_000).map(letter).collect::<Vec<_>>().join(","),
        "text": "a".repeat(300_000),
        "part": "a".repeat(150_000),
    })
}

/// Expressions that are known to end, and would not soon.
pub(crate) const GREEDY: &[&str] = &[
    ".numbers | . - map(. + 0.1)",
    ".numbers | . as $x | map($x)",
    ".numbers | . as $x | map([$x, $x] | length)",
    ".numbers | . as $x | map($x | length | tostring) | map(. as $y | $x | map($y) | length)",
    ".numbers | . as $x | map($x == ($x | reverse))",
    ".numbers | . + [1.1] | . as $x | contains([$x[-1], $x[-1]] + $x)",
    ".numbers | . as $x | map([.] | inside($x))",
    ".numbers | . as $x | map([.]) | map(. as $y | $x | index($y))",
    ".numbers | . as $x | map($x | sort | length)",
    ".numbers | . as $x | sort_by($x)",
    ".numbers | . as $x | group_by($x) | length",
    ".numbers | . as $x | map(\"\\($x)\") | length",
    ".numbers | . as $x | map($x | tojson) | length",
    ".numbers | . as $x | map($x | @csv) | length",
    ".numbers | . as $x | map($x | map(. + 1)) | length",
    ".numbers | . as $x | map($x | add) | length",
    ".numbers | . as $x | any($x | add < 0)",
    ".numbers | . as $x | all($x | max > 0)",
    ".numbers | . as $x | map($x | to_entries | length)",
    ".numbers | . as $x | map($x[1:] | length)",
    ".numbers | . as $x | map($x + $x | length)",
    ".numbers | . as $x | map([$x, []] | transpose) | length",
    ".entries | . as $x | map($x | unique_by(.value) | length)",
    ".entries | . as $x | map($x | map({key: .name, value: .}) | from_entries | length)",
    ".entries | . as $x | map($x | map(select(.on)) | length)",
    ".entries | . as $x | map({($x[0].name): $x}) | add",
    ".entries | . as $x | map((.name.none)? // ($x | tojson)) | length",
    ".line | . as $x | split(\",\") | map($x) | length",
    ".line | . as $x | split(\",\") | map($x | length) | add",
    ".line | . as $x | split(\",\") | map(. as $y | $x | split($y)) | length",
    ".line | . as $x | split(\",\") | map($x | contains(\"zz\"))",
    ".line | . as $x | split(\",\") | map($x | explode | length)",
    ".line | . as $x | split(\",\") | map($x | ascii_upcase) | length",
    ".line | . as $x | split(\",\") | map($x | startswith($x))",
    ".line | . as $x | split(\",\") | map($x | test(\"[xy]z\"))",
    ".line | . as $x | split(\",\") | map($x == ($x + \"\"))",
    ".line | . as $x | split(\",\") | join($x)",
    ".line | . as $x | split(\",\") | map($x | ltrimstr(\"b\")) | length",
    ".line | test(\"(?:[a-z,]{1,60}){60}1\")",
    ".line | gsub(\"[a-z](?:.*1)?\"; \"-\")",
    ".line | gsub(\",\"; \"0123456789\") | explode | map([.]) | tojson",
    ".part as $p | .text | indices($p) | length",
    ".part as $p | .text | [index($p), rindex($p)]",
    ".part as $p | .text | . * 3 | explode | implode | split(\"\") | join($p)",
    ".numbers | . as $x | map($x | tojson | fromjson) | length",
    ".entries | map({(.name): .}) | . as $x | map($x[0] * $x[1] * $x[2]) | . as $y | map($y | add | length) | . as $z | map($z | tojson | length)",
];
