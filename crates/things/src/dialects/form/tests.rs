use proptest::prelude::*;
use serde_json::json;

use super::*;

fn form(schema_type: &str, mut members: Value) -> Form {
    members["href"] = "mqtt:///a/b".into();
    Form::of(&members, Some(schema_type)).unwrap().unwrap()
}

#[track_caller]
fn check(schema_type: &str, members: Value, payload: &[u8], expected: Option<Value>) {
    let read = form(schema_type, members).read(payload).unwrap();
    assert_eq!(read.map(|reading| reading.value), expected);
}

#[track_caller]
fn check_told(members: Value, value: Value, expected: &str) {
    let told = form("string", members)
        .write_at(&value, quartet_model::Time::ZERO)
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&told), expected);
}

#[test]
fn values_are_found_in_payloads() {
    let at = |path: &str| json!({ "quartet:path": path });
    let text = || json!({ "contentType": "text/plain; charset=utf-8" });
    check("number", at("/t"), br#"{"t":21.5}"#, Some(json!(21.5)));
    check(
        "number",
        at("/a/0/t"),
        br#"{"a":[{"t":"7"}]}"#,
        Some(json!(7)),
    );
    check("number", at("/t"), br#"{"h":1}"#, None);
    check("number", at("/t"), br#"{"t":null}"#, None);
    check("number", text(), b" 21.5\n", Some(json!(21.5)));
    check("string", text(), b"", Some(json!("")));
    check("number", text(), b"", None);
    check("number", json!({}), b"4", Some(json!(4)));
    check(
        "number",
        json!({ "contentType": "application/cbor", "quartet:path": "/t" }),
        b"\xa1\x61t\x05",
        Some(json!(5)),
    );
    check(
        "string",
        json!({ "contentType": "application/octet-stream" }),
        b"\0\xff",
        Some(json!("AP8=")),
    );
    check(
        "number",
        json!({ "quartet:template": "{{ value_json.t / 10 }}" }),
        br#"{"t":215}"#,
        Some(json!(21.5)),
    );
    check(
        "number",
        json!({ "quartet:template": "{{ value_json.t / 10 }}" }),
        b"{}",
        None,
    );
}

#[test]
fn words_are_read_and_told() {
    let words = || json!({ "quartet:path": "/s", "quartet:values": { "ON": true, "OFF": false } });
    check("boolean", words(), br#"{"s":"ON"}"#, Some(json!(true)));
    check("boolean", words(), br#"{"s":true}"#, Some(json!(true)));
    check_told(words(), json!(false), r#"{"s":"OFF"}"#);
    let inverted = || json!({ "quartet:values": { "true": false, "false": true } });
    check("boolean", inverted(), b"true", Some(json!(false)));
    check_told(inverted(), json!(false), "true");
    check_told(
        json!({ "quartet:values": { "\"1\"": true } }),
        json!(true),
        "\"1\"",
    );
    check(
        "boolean",
        json!({ "quartet:values": { "\"1\"": false } }),
        b"\"1\"",
        Some(json!(false)),
    );
}

#[test]
fn values_are_told() {
    check_told(json!({}), json!({ "a": 1 }), r#"{"a":1}"#);
    check_told(
        json!({ "quartet:path": "/a/b" }),
        json!(1),
        r#"{"a":{"b":1}}"#,
    );
    check_told(json!({ "contentType": "text/plain" }), json!("x"), "x");
    check_told(json!({ "contentType": "text/plain" }), json!(1.5), "1.5");
    check_told(json!({ "quartet:payload": "PRESS" }), json!(null), "PRESS");
    check_told(
        json!({ "quartet:payload": { "a": 1 } }),
        json!(null),
        r#"{"a":1}"#,
    );
    check_told(
        json!({ "quartet:template": "x{{ value }}" }),
        json!(3),
        "x3",
    );
    check_told(
        json!({ "contentType": "application/octet-stream" }),
        json!("YWI="),
        "ab",
    );
    check_told(
        json!({ "contentType": "application/senml+json", "quartet:path": "t" }),
        json!(2),
        r#"[{"n":"t","v":2}]"#,
    );
}

#[test]
fn senml_says_when_it_was() {
    let senml = json!({ "contentType": "application/senml+json", "quartet:path": "t" });
    let pack = br#"[{"bn":"a:","bt":1e9,"n":"t","v":2,"t":-5},{"n":"t","v":3},{"n":"h","v":4}]"#;
    let reading = form("number", senml).read(pack).unwrap().unwrap();
    assert_eq!((reading.value, reading.at), (json!(3.0), Some(1e9)));
}

#[test]
fn what_cannot_be_read_says_why() {
    let said = |schema_type: &str, members: Value, payload: &[u8]| {
        form(schema_type, members)
            .read(payload)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        said("number", json!({}), b"\"warm\""),
        "says \"warm\"; must be a number"
    );
    assert!(said("number", json!({}), b"{").starts_with("is no JSON: "));
    assert!(
        said("number", json!({ "contentType": "text/plain" }), b"\xff").starts_with("is no text: ")
    );
    assert!(
        said("number", json!({}), &vec![b' '; PAYLOAD_BYTES_MAX + 1])
            .starts_with("has 1048577 bytes")
    );
}

#[test]
fn what_is_no_form_says_why() {
    let of = |members: Value| Form::of(&members, None);
    assert_eq!(of(json!({ "href": "http://x/" })), Ok(None));
    assert_eq!(of(json!({ "href": "mqtt://x/a" })), Ok(None));
    let topic = of(json!({ "href": "mqtt:///a%20b/%C3%A9" }))
        .unwrap()
        .unwrap()
        .topic;
    assert_eq!(&*topic, "a b/é");
    for (member, value) in [
        ("href", json!("mqtt:///a/%2B/b")),
        ("href", json!("mqtt:///a%2")),
        ("href", json!("mqtt:///%FF")),
        ("href", json!("mqtt:///")),
        ("op", json!("queryaction")),
        ("contentType", json!("image/png")),
        ("quartet:path", json!("state")),
        ("quartet:values", json!([])),
        ("quartet:template", json!("{{")),
        ("mqv:qos", json!("3")),
    ] {
        let mut form = json!({ "href": "mqtt:///a" });
        form[member] = value;
        assert_eq!(of(form).unwrap_err().field, member);
    }
}

proptest! {
    #[test]
    fn no_payload_makes_a_form_panic(
        content in prop::sample::select(vec!["application/json", "text/plain", "application/cbor", "application/senml+json", "application/senml+cbor", "application/octet-stream"]),
        schema_type in prop::sample::select(vec!["boolean", "integer", "number", "string", "object", "array", "null"]),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        text in r#"\[?\{?("(n|v|t|bn|bt)":(-?[0-9]{1,25}(e[0-9]{1,3})?|"a"|null),?){0,4}\}?\]?"#,
    ) {
        let form = form(schema_type, json!({ "contentType": content }));
        for payload in [&payload, text.as_bytes()] {
            if let Ok(Some(reading)) = form.read(payload) {
                let _ = form.write_at(&reading.value, quartet_model::Time::ZERO);
            }
        }
    }
}
