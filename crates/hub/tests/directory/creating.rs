use serde_json::json;

use super::{
    DISCOVERY, Directory, TD, V1, anonymous, fresh, is_invalid, is_problem, minimal, path, story,
    with, without,
};

story!(things_with_an_id_are_registered:
    a_td_with_an_id_is_created_by_put,
    an_id_that_is_a_url_works_percent_encoded,
    a_td_of_1_0_is_accepted,
    a_td_may_come_as_plain_json_or_json_ld,
    another_content_type_is_refused,
    the_id_in_the_path_and_in_the_td_must_agree,
    what_is_not_json_is_refused,
    a_td_without_a_title_is_refused_when_created,
    each_mistake_is_named,
    unknown_members_are_kept,
);

story!(things_without_an_id_are_registered:
    an_anonymous_td_is_created_by_post,
    its_id_is_a_uuid_of_version_4,
    an_anonymous_td_shows_its_id,
    an_anonymous_td_shows_its_id_in_lists_and_searches,
    two_equal_anonymous_tds_are_two,
    an_anonymous_td_cannot_be_put,
    a_td_with_an_id_cannot_be_posted,
    an_anonymous_td_without_a_title_is_refused,
);

// [wot-discovery tdd-things-crud tdd-things-crudl tdd-things-create-known-td
// tdd-things-create-known-td-resp tdd-things-create-known-contenttype
// tdd-things-create-known-vs-anonymous]
fn a_td_with_an_id_is_created_by_put(directory: &Directory) {
    let id = fresh();
    let answer = directory.put(&minimal(&id));
    assert_eq!((answer.status, &*answer.body), (201, ""));
    assert_eq!(answer.headers["location"], format!("/things/{id}"));
    let found = directory.get(&answer.headers["location"]);
    assert_eq!((found.status, &found.json()["id"]), (200, &json!(id)));
}

// [wot-discovery tdd-things-create-known-td tdd-things-retrieve]
fn an_id_that_is_a_url_works_percent_encoded(directory: &Directory) {
    let id = "https://example.com/lamp?a=1#x";
    let answer = directory.put(&minimal(id));
    assert_eq!(answer.status, 201, "{answer:?}");
    for path in [&path(id), &answer.headers["location"]] {
        assert_eq!(directory.get(path).json()["id"], id, "{path}");
    }
}

// [wot-discovery tdd-things-create-known-td tdd-context-injection tdd-validation-jsonschema]
fn a_td_of_1_0_is_accepted(directory: &Directory) {
    let id = fresh();
    let old = "https://www.w3.org/2019/wot/td/v1";
    directory.create(&with(minimal(&id), "@context", old));
    let context = directory.retrieve(&id).json()["@context"].clone();
    assert_eq!(context, json!([old, DISCOVERY]));
}

// [wot-discovery tdd-things-representation-alternate-input tdd-things-create-known-contenttype]
fn a_td_may_come_as_plain_json_or_json_ld(directory: &Directory) {
    for kind in ["application/json", "application/ld+json; charset=utf-8", ""] {
        let td = minimal(&fresh());
        let path = path(td["id"].as_str().unwrap());
        let headers = [("content-type", kind)];
        let headers = if kind.is_empty() { &[][..] } else { &headers };
        let answer = directory.ask(&format!("PUT {path}"), headers, &td.to_string());
        assert_eq!(answer.status, 201, "{kind}: {answer:?}");
    }
}

// [wot-discovery tdd-http-unsupported-feature tdd-http-error-response]
fn another_content_type_is_refused(directory: &Directory) {
    let id = fresh();
    let td = minimal(&id).to_string();
    let kind = [("content-type", "text/turtle")];
    let answer = directory.ask(&format!("PUT {}", path(&id)), &kind, &td);
    is_problem(&answer, 415);
    assert!(answer.headers["accept"].contains("application/td+json"));
    is_problem(
        &directory.ask("POST /things", &kind, &anonymous().to_string()),
        415,
    );
    is_problem(&directory.retrieve(&id), 404);
}

// [wot-discovery tdd-things-create-known-td tdd-validation-result tdd-validation-response]
fn the_id_in_the_path_and_in_the_td_must_agree(directory: &Directory) {
    let (here, there) = (fresh(), fresh());
    let td = minimal(&there).to_string();
    let answer = directory.ask(&format!("PUT {}", path(&here)), &[TD], &td);
    assert_eq!(is_invalid(&answer, "id"), ["id"]);
    for id in [here, there] {
        is_problem(&directory.retrieve(&id), 404);
    }
}

// [wot-discovery tdd-http-error-response tdd-validation-syntactic]
fn what_is_not_json_is_refused(directory: &Directory) {
    let answer = directory.ask(&format!("PUT {}", path(&fresh())), &[TD], "{");
    is_problem(&answer, 400);
}

// [wot-discovery tdd-validation-syntactic tdd-validation-jsonschema tdd-validation-result
// tdd-validation-response tdd-http-error-response]
fn a_td_without_a_title_is_refused_when_created(directory: &Directory) {
    let id = fresh();
    let answer = directory.put(&without(minimal(&id), "title"));
    is_invalid(&answer, "title");
    is_problem(&directory.retrieve(&id), 404);
}

// [wot-discovery tdd-validation-result tdd-validation-response]
fn each_mistake_is_named(directory: &Directory) {
    let td = without(without(minimal(&fresh()), "title"), "security");
    let properties = json!({ "a": { "forms": [{ "href": 5 }] } });
    let answer = directory.put(&with(td, "properties", properties));
    for mistake in ["title", "security", "properties.a.forms.0.href"] {
        assert!(3 <= is_invalid(&answer, mistake).len());
    }
}

// [wot-discovery tdd-things-create-known-td tdd-things-default-representation]
fn unknown_members_are_kept(directory: &Directory) {
    let id = fresh();
    let mut td = minimal(&id);
    td["@context"] = json!([V1, { "ex": "https://example.com/" }]);
    td["tag"] = "kept".into();
    td["ex:thing"] = json!({ "a": [1, null, { "b": 1.5 }] });
    directory.create(&td);
    let found = directory.retrieve(&id).json();
    assert_eq!(
        (&found["tag"], &found["ex:thing"]),
        (&td["tag"], &td["ex:thing"])
    );
    assert_eq!(found["@context"][1], td["@context"][1]);
}

// [wot-discovery tdd-things-crud tdd-things-crudl tdd-things-create-anonymous-td
// tdd-things-create-anonymous-td-resp tdd-things-create-anonymous-id
// tdd-things-create-anonymous-contenttype tdd-things-create-known-vs-anonymous]
fn an_anonymous_td_is_created_by_post(directory: &Directory) {
    let answer = directory.post(&anonymous());
    assert_eq!((answer.status, &*answer.body), (201, ""));
    assert!(answer.headers["location"].starts_with("/things/urn:uuid:"));
    assert_eq!(directory.get(&answer.headers["location"]).status, 200);
}

// [wot-discovery tdd-anonymous-td-local-uuid]
fn its_id_is_a_uuid_of_version_4(directory: &Directory) {
    let location = directory.post(&anonymous()).headers["location"].clone();
    let id = uuid::Uuid::parse_str(location.strip_prefix("/things/urn:uuid:").unwrap()).unwrap();
    assert_eq!(
        (id.get_version_num(), id.get_variant()),
        (4, uuid::Variant::RFC4122)
    );
}

// [wot-discovery tdd-anonymous-td-identifier]
fn an_anonymous_td_shows_its_id(directory: &Directory) {
    let location = directory.post(&anonymous()).headers["location"].clone();
    let id = directory.get(&location).json()["id"].clone();
    assert_eq!(location, format!("/things/{}", id.as_str().unwrap()));
}

// [wot-discovery tdd-anonymous-td-identifier]
fn an_anonymous_td_shows_its_id_in_lists_and_searches(directory: &Directory) {
    let tag = fresh();
    let location = directory.post(&with(anonymous(), "tag", &*tag)).headers["location"].clone();
    let id = location.strip_prefix("/things/").unwrap();
    let listed = directory.tagged(&tag);
    let query = format!("/search/jsonpath?query=$[?@.tag=='{tag}'].id");
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!(id)));
    assert_eq!(directory.get(&query).json(), json!([id]));
}

// [wot-discovery tdd-things-create-anonymous-id]
fn two_equal_anonymous_tds_are_two(directory: &Directory) {
    let locations =
        [anonymous(), anonymous()].map(|td| directory.post(&td).headers["location"].clone());
    assert_ne!(locations[0], locations[1]);
}

// [wot-discovery tdd-things-create-known-vs-anonymous tdd-http-unsupported-feature]
fn an_anonymous_td_cannot_be_put(directory: &Directory) {
    let td = anonymous().to_string();
    is_problem(&directory.ask("PUT /things", &[TD], &td), 405);
    let answer = directory.ask(&format!("PUT {}", path(&fresh())), &[TD], &td);
    assert_eq!(is_invalid(&answer, "id"), ["id"]);
}

// [wot-discovery tdd-things-create-known-vs-anonymous tdd-things-create-anonymous-td]
fn a_td_with_an_id_cannot_be_posted(directory: &Directory) {
    let id = fresh();
    let answer = directory.post(&minimal(&id));
    is_invalid(&answer, "PUT");
    is_problem(&directory.retrieve(&id), 404);
}

// [wot-discovery tdd-validation-syntactic tdd-validation-result tdd-validation-response
// tdd-http-error-response]
fn an_anonymous_td_without_a_title_is_refused(directory: &Directory) {
    let before = directory.state();
    is_invalid(&directory.post(&without(anonymous(), "title")), "title");
    assert_eq!(directory.state(), before);
}
