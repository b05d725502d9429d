use jiff::ToSpan;
use serde_json::json;

use super::{
    Directory, bare, fresh, is_invalid, is_problem, minimal, path, reachable, story, time, with,
};

story!(things_are_changed_in_part:
    a_patch_replaces_a_title,
    a_patch_with_null_removes,
    a_patch_adds_a_property_beside_the_others,
    a_patch_replaces_arrays_whole,
    a_patch_that_makes_the_td_invalid_changes_nothing,
    a_patch_needs_its_content_type,
    a_patch_cannot_change_the_id,
    an_empty_patch_extends_a_registration,
);

// [wot-discovery tdd-things-update-partial tdd-things-update-partial-mergepatch
// tdd-things-update-partial-contenttype tdd-things-update-partial-partialtd
// tdd-things-update-partial-resp]
fn a_patch_replaces_a_title(directory: &Directory) {
    let id = fresh();
    directory.create(&reachable(&id));
    let answer = directory.patch(&id, &json!({ "title": "new" }));
    assert_eq!((answer.status, &*answer.body), (204, ""));
    let expected = with(reachable(&id), "title", "new");
    assert_eq!(bare(&directory.retrieve(&id).json()), expected);
}

// [wot-discovery tdd-things-update-partial tdd-things-update-partial-mergepatch]
fn a_patch_with_null_removes(directory: &Directory) {
    let id = fresh();
    directory.create(&with(reachable(&id), "description", "goes"));
    assert_eq!(
        directory.patch(&id, &json!({ "description": null })).status,
        204
    );
    assert_eq!(bare(&directory.retrieve(&id).json()), reachable(&id));
}

// [wot-discovery tdd-things-update-partial tdd-things-update-partial-mergepatch]
fn a_patch_adds_a_property_beside_the_others(directory: &Directory) {
    let id = fresh();
    directory.create(&reachable(&id));
    let other = json!({ "forms": [{ "href": "https://example.com/other" }] });
    let answer = directory.patch(&id, &json!({ "properties": { "other": other } }));
    assert_eq!(answer.status, 204, "{answer:?}");
    let mut expected = reachable(&id);
    expected["properties"]["other"] = other;
    assert_eq!(bare(&directory.retrieve(&id).json()), expected);
}

// [wot-discovery tdd-things-update-partial tdd-things-update-partial-mergepatch]
fn a_patch_replaces_arrays_whole(directory: &Directory) {
    let id = fresh();
    directory.create(&reachable(&id));
    let forms = json!([{ "href": "coaps://example.com/a" }, { "href": "https://example.com/b" }]);
    let patch = json!({ "properties": { "status": { "forms": forms } } });
    assert_eq!(directory.patch(&id, &patch).status, 204);
    let found = bare(&directory.retrieve(&id).json());
    assert_eq!(found["properties"]["status"]["forms"], forms);
}

// [wot-discovery tdd-validation-syntactic tdd-validation-result tdd-validation-response
// tdd-http-error-response tdd-things-update-partial-partialtd]
fn a_patch_that_makes_the_td_invalid_changes_nothing(directory: &Directory) {
    let id = fresh();
    directory.create(&reachable(&id));
    is_invalid(&directory.patch(&id, &json!({ "title": null })), "title");
    assert_eq!(bare(&directory.retrieve(&id).json()), reachable(&id));
}

// [wot-discovery tdd-things-update-partial-contenttype]
fn a_patch_needs_its_content_type(directory: &Directory) {
    let id = fresh();
    directory.create(&reachable(&id));
    for kind in ["application/json", "application/td+json", ""] {
        let headers = [("content-type", kind)];
        let headers = if kind.is_empty() { &[][..] } else { &headers };
        let body = r#"{"title":"new"}"#;
        let answer = directory.ask(&format!("PATCH {}", path(&id)), headers, body);
        is_problem(&answer, 415);
        assert_eq!(
            answer.headers["accept-patch"],
            "application/merge-patch+json"
        );
    }
    assert_eq!(directory.retrieve(&id).json()["title"], "example");
}

// [wot-discovery tdd-things-update-partial-partialtd]
fn a_patch_cannot_change_the_id(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    for other in [json!(fresh()), json!(null)] {
        let answer = directory.patch(&id, &json!({ "id": other }));
        assert_eq!(is_invalid(&answer, "id"), ["id"]);
    }
    assert_eq!(directory.retrieve(&id).status, 200);
}

// [wot-discovery tdd-things-update-partial tdd-registrationinfo-vocab-ttl
// tdd-registrationinfo-vocab-expires]
fn an_empty_patch_extends_a_registration(directory: &Directory) {
    let id = fresh();
    directory.create(&with(minimal(&id), "registration", json!({ "ttl": 60 })));
    let before = directory.retrieve(&id).json()["registration"].clone();
    assert_eq!(directory.patch(&id, &json!({})).status, 204);
    let after = directory.retrieve(&id).json()["registration"].clone();
    for name in ["modified", "expires"] {
        assert!(time(&before[name]) < time(&after[name]), "{name}");
    }
    assert_eq!(
        time(&after["expires"]),
        time(&after["modified"]) + 60.seconds()
    );
    assert_eq!(before["created"], after["created"]);
}
