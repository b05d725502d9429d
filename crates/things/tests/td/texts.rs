//! What a person reads who describes a thing wrongly: what is wrong, where, and what would be
//! right.

use quartet_things::td::{DOCUMENT_BYTES_MAX, Description, Document, Interner};

/// A thing with all kinds of affordances.
pub(super) const LAMP: &str = r#"{
    "@context": ["https://www.w3.org/2022/wot/td/v1.1", {"iot": "http://iotschema.org/"}],
    "@type": ["iot:Light", "iot:Switch"],
    "id": "urn:uuid:0804d572-cce8-422a-bb7c-4412fcd56f06",
    "title": "Lamp",
    "titles": {"en": "Lamp", "de": "Lampe"},
    "securityDefinitions": {"nosec_sc": {"scheme": "nosec"}},
    "security": "nosec_sc",
    "properties": {
        "brightness": {
            "type": "integer",
            "unit": "percent",
            "minimum": 0,
            "maximum": 100,
            "observable": true,
            "forms": [{"href": "/brightness", "op": ["readproperty", "writeproperty"]}]
        },
        "on": {"type": "boolean", "readOnly": true, "forms": [{"href": "/on", "op": "readproperty"}]}
    },
    "actions": {
        "fade": {
            "input": {"type": "object", "properties": {"to": {"type": "integer"}}, "required": ["to"]},
            "safe": false,
            "idempotent": true,
            "synchronous": false,
            "forms": [{"href": "/fade{?in}"}],
            "uriVariables": {"in": {"type": "number"}}
        }
    },
    "events": {
        "overheated": {
            "data": {"type": "number", "unit": "°C"},
            "forms": [{"href": "/overheated", "subprotocol": "longpoll"}]
        }
    }
}"#;

/// The lamp after a merge patch.
fn lamp(patch: &str) -> String {
    let lamp = Document::parse(LAMP).expect("the lamp is a document");
    let patch = Document::parse(patch);
    let patched = lamp.merged(&patch.expect("a patch is a document"));
    patched.expect("the patch is small").to_string()
}

/// What a person reads who says this of a lamp.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let said = match Description::parse(text, &mut Interner::default()) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.0.iter().map(ToString::to_string).collect(),
    };
    let beginning: String = text.chars().take(200).collect();
    assert_eq!(said, expected, "{beginning}");
}

#[test]
fn each_mistake_is_named_where_it_is_with_what_would_be_right() {
    let cases: &[(&str, &[&str])] = &[
        (r#"{"title":null}"#, &[r#"(root): `title` is missing"#]),
        (
            r#"{"@context":null,"properties":[1,2],"title":5}"#,
            &[
                r#"(root): `@context` is missing"#,
                r#"properties: is an array; must be an object"#,
                r#"title: is 5; must be a string"#,
            ],
        ),
        (
            r#"{"@context":"https://www.w3.org/2022/wot/td/v1.2"}"#,
            &[
                r#"@context: is "https://www.w3.org/2022/wot/td/v1.2"; must be "https://www.w3.org/2022/wot/td/v1.1" or "https://www.w3.org/2019/wot/td/v1""#,
            ],
        ),
        (
            r#"{"@context":["http://example.com",{"a":"b"}]}"#,
            &[
                r#"@context.0: is "http://example.com"; must be "https://www.w3.org/2022/wot/td/v1.1" or "https://www.w3.org/2019/wot/td/v1""#,
            ],
        ),
        (
            r#"{"@context":["https://www.w3.org/2022/wot/td/v1.1",{"a":{"@id":"b"}}]}"#,
            &[r#"@context.1.a: is an object; must be a string"#],
        ),
        (
            r#"{"@context":["https://www.w3.org/2022/wot/td/v1.1","https://www.w3.org/2019/wot/td/v1"]}"#,
            &[
                r#"@context.1: is "https://www.w3.org/2019/wot/td/v1"; must come first, before the context of TD 1.1"#,
            ],
        ),
        (
            r#"{"@context":5}"#,
            &[r#"@context: is 5; must be an array or a string"#],
        ),
        (
            r#"{"@type":"tm:ThingModel"}"#,
            &[r#"@type: is "tm:ThingModel"; must not be "tm:ThingModel""#],
        ),
        (
            r#"{"@type":["a",5]}"#,
            &[r#"@type.1: is 5; must be a string"#],
        ),
        (
            r#"{"id":"lamp 5"}"#,
            &[
                r#"id: is "lamp 5"; must be a URI with a scheme, such as `urn:uuid:…` or `https://…`"#,
            ],
        ),
        (
            r#"{"created":"yesterday"}"#,
            &[
                r#"created: is "yesterday"; must be a date and time of RFC 3339 such as `2026-01-31T12:00:00Z`"#,
            ],
        ),
        (
            r#"{"version":{"model":"1"}}"#,
            &[r#"version: `instance` is missing"#],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"href":"/on","op":"readProperty"}]}}}"#,
            &[
                r#"properties.on.forms.0.op: is "readProperty"; must be "readproperty", "writeproperty", "observeproperty" or "unobserveproperty""#,
            ],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"href":"/on","op":["readproperty","invokeaction"]}]}}}"#,
            &[
                r#"properties.on.forms.0.op.1: is "invokeaction"; must be "readproperty", "writeproperty", "observeproperty" or "unobserveproperty""#,
            ],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"href":"/on","op":[]}]}}}"#,
            &[r#"properties.on.forms.0.op: is empty; must have at least one element"#],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"href":"/on","op":5}]}}}"#,
            &[r#"properties.on.forms.0.op: is 5; must be a string or an array"#],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"op":"readproperty"}]}}}"#,
            &[r#"properties.on.forms.0: `href` is missing"#],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"href":"/on","response":{}}]}}}"#,
            &[r#"properties.on.forms.0.response: `contentType` is missing"#],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"href":"/on","security":"basic_sc"}]}}}"#,
            &[
                r#"properties.on.forms.0.security: names `basic_sc`, which `securityDefinitions` does not define; it defines `nosec_sc`"#,
            ],
        ),
        (
            r#"{"properties":{"on":{"forms":[{"additionalResponses":[{"schema":"error"}],"href":"/on"}]}}}"#,
            &[
                r#"properties.on.forms.0.additionalResponses.0.schema: names `error`, but `schemaDefinitions` defines nothing; define it there"#,
            ],
        ),
        (
            r#"{"forms":[{"href":"/all"}]}"#,
            &[r#"forms.0: `op` is missing"#],
        ),
        (
            r#"{"properties":{"on":{"forms":[]}}}"#,
            &[r#"properties.on.forms: is empty; must have at least one element"#],
        ),
        (
            r#"{"properties":{"on":{"forms":null}}}"#,
            &[r#"properties.on: `forms` is missing"#],
        ),
        (
            r#"{"properties":{"on":{"enum":[1,1],"minimum":"0","type":"bool"}}}"#,
            &[
                r#"properties.on.enum: has the same element twice; must have each element once"#,
                r#"properties.on.minimum: is "0"; must be a number"#,
                r#"properties.on.type: is "bool"; must be "boolean", "integer", "number", "string", "object", "array" or "null""#,
            ],
        ),
        (
            r#"{"properties":{"on":{"items":{"type":"int"},"type":"array"}}}"#,
            &[
                r#"properties.on.items.type: is "int"; must be "boolean", "integer", "number", "string", "object", "array" or "null""#,
            ],
        ),
        (
            r#"{"properties":{"on":{"minLength":-1,"multipleOf":0,"oneOf":{}}}}"#,
            &[
                r#"properties.on.minLength: is -1; must be 0 or more"#,
                r#"properties.on.multipleOf: is 0; must be more than 0"#,
                r#"properties.on.oneOf: is an object; must be an array"#,
            ],
        ),
        (
            r#"{"actions":{"fade":{"input":{"properties":{"to":{"unit":5}}},"safe":"yes"}}}"#,
            &[
                r#"actions.fade.input.properties.to.unit: is 5; must be a string"#,
                r#"actions.fade.safe: is "yes"; must be a boolean"#,
            ],
        ),
        (
            r#"{"security":[]}"#,
            &[r#"security: is empty; must have at least one element"#],
        ),
        (
            r#"{"security":["nosec_sc","other"]}"#,
            &[
                r#"security: names `other`, which `securityDefinitions` does not define; it defines `nosec_sc`"#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"scheme":"none"}}}"#,
            &[
                r#"securityDefinitions.nosec_sc.scheme: is "none"; must be "nosec", "auto", "combo", "basic", "digest", "apikey", "bearer", "psk", "oauth2" or a term of another vocabulary with its prefix and a colon"#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"scheme":null}}}"#,
            &[r#"securityDefinitions.nosec_sc: `scheme` is missing"#],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"in":"uri","scheme":"basic"}}}"#,
            &[
                r#"securityDefinitions.nosec_sc.in: is "uri"; must be "header", "query", "body", "cookie" or "auto""#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"scheme":"combo"}}}"#,
            &[r#"securityDefinitions.nosec_sc: `oneOf` or `allOf` is missing"#],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"oneOf":["nosec_sc"],"scheme":"combo"}}}"#,
            &[
                r#"securityDefinitions.nosec_sc.oneOf: has too few elements: 1; must have at least 2"#,
                r#"securityDefinitions.nosec_sc: leads in a circle; a combination may not contain itself"#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"a":{"scheme":"psk"},"b":{"scheme":"auto"},"nosec_sc":{"allOf":["a","c"],"oneOf":["a","b"],"scheme":"combo"}}}"#,
            &[
                r#"securityDefinitions.nosec_sc: has both `oneOf` and `allOf`; must have one of them"#,
                r#"securityDefinitions.nosec_sc.allOf: names `c`, which `securityDefinitions` does not define; it defines `a`, `b`, `nosec_sc`"#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"a":{"oneOf":["b","nosec_sc"],"scheme":"combo"},"b":{"allOf":["a","nosec_sc"],"scheme":"combo"}}}"#,
            &[
                r#"securityDefinitions.a: leads in a circle; a combination may not contain itself"#,
                r#"securityDefinitions.b: leads in a circle; a combination may not contain itself"#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"in":"uri","name":"in","scheme":"apikey"}}}"#,
            &[
                r#"properties.brightness.forms.0.href: does not say where the key of the security scheme `nosec_sc` goes; must be a URI template with the variable `in`, such as `/brightness{?in}`"#,
                r#"properties.on.forms.0.href: does not say where the key of the security scheme `nosec_sc` goes; must be a URI template with the variable `in`, such as `/on{?in}`"#,
                r#"events.overheated.forms.0.href: does not say where the key of the security scheme `nosec_sc` goes; must be a URI template with the variable `in`, such as `/overheated{?in}`"#,
                r#"actions.fade.uriVariables.in: has the name of the key of a security scheme; give one of them another"#,
            ],
        ),
        (
            r#"{"securityDefinitions":{"nosec_sc":{"name":"in","scheme":"auto"}}}"#,
            &[r#"securityDefinitions.nosec_sc: has `name`: "in"; must not have `name`"#],
        ),
        (
            r#"{"links":[{"href":"a","rel":"type"},{"href":"b","rel":"type"}]}"#,
            &[r#"links.1: is a second link with rel=type; at most one may lead to a Thing Model"#],
        ),
        (
            r#"{"links":[{"href":"a","rel":"tm:extends"}]}"#,
            &[r#"links.0: has `rel`: "tm:extends"; must have another `rel`"#],
        ),
        (
            r#"{"links":[{"href":"a","sizes":"1x1"}]}"#,
            &[r#"links.0: `rel` is missing"#],
        ),
        (
            r#"{"links":[{"href":"a","rel":"icon","sizes":"big"}]}"#,
            &[r#"links.0.sizes: is "big"; must be a width and a height such as `16x16`"#],
        ),
        (
            r#"{"links":[{"hreflang":"deutsch!","rel":"item"}]}"#,
            &[
                r#"links.0: `href` is missing"#,
                r#"links.0.hreflang: is "deutsch!"; must be a language tag of BCP 47 such as `en` or `de-CH`"#,
            ],
        ),
        (
            r#"{"titles":{"de_CH":"Lampe","en":5}}"#,
            &[
                r#"titles.en: is 5; must be a string"#,
                r#"titles.de_CH: is no language tag; it must be one of BCP 47, such as `en` or `de-CH`"#,
            ],
        ),
        (
            r#"{"base":5,"profile":[],"support":{}}"#,
            &[
                r#"base: is 5; must be a string"#,
                r#"profile: is empty; must have at least one element"#,
                r#"support: is an object; must be a string"#,
            ],
        ),
        (
            r#"{"schemaDefinitions":{},"uriVariables":{"a":{"type":"text"}}}"#,
            &[
                r#"schemaDefinitions: is empty; must have at least one element"#,
                r#"uriVariables.a.type: is "text"; must be "boolean", "integer", "number", "string", "object", "array" or "null""#,
            ],
        ),
    ];
    for (patch, expected) in cases {
        check(&lamp(patch), expected);
    }
}

#[test]
fn the_lamp_itself_is_right() {
    check(LAMP, &[]);
}

#[test]
fn what_is_no_document_says_where_it_stops_being_one() {
    check(
        "",
        &["(root): line 1, column 1: expected a JSON value, found the end of the document"],
    );
    check(
        "[]",
        &["(root): the document is an array; it must be a JSON object"],
    );
    check(
        "{\n  \"title\": lamp\n}",
        &["(root): line 2, column 12: expected a JSON value, found `l`"],
    );
    check(
        r#"{"properties": {"on": {}, "on": {}}}"#,
        &["properties: line 1, column 27: `on` stands twice in `properties`; names must be unique"],
    );
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(100), "]".repeat(100));
    check(
        &deep,
        &[
            "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0: line 1, column 70: nested more than 64 deep, in `a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0`",
        ],
    );
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(5 * DOCUMENT_BYTES_MAX));
    check(
        &long,
        &["(root): the document has 5242893 bytes; at most 1048576 are allowed"],
    );
}
