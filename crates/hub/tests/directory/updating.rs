use serde_json::{Value, json};

use super::{
    Directory, TD, bare, fresh, is_about_now, is_invalid, is_problem, minimal, path, reachable,
    story, time, with, without,
};

story!(things_are_replaced:
    a_td_is_replaced_by_put,
    an_update_keeps_created_and_moves_modified,
    times_said_by_the_client_are_ignored,
    an_invalid_update_changes_nothing,
    a_change_is_seen_by_who_made_it_at_once,
    what_was_not_seen_is_not_replaced,
);

// [wot-discovery tdd-things-crud tdd-things-crudl tdd-things-update tdd-things-update-resp
// tdd-things-update-contenttype]
fn a_td_is_replaced_by_put(directory: &Directory) {
    let id = fresh();
    directory.create(&with(reachable(&id), "description", "goes"));
    let other = with(reachable(&id), "title", "other");
    let answer = directory.put(&other);
    assert_eq!((answer.status, &*answer.body), (204, ""));
    assert_eq!(bare(&directory.retrieve(&id).json()), other);
}

// [wot-discovery tdd-registrationinfo-vocab-created tdd-registrationinfo-vocab-modified]
fn an_update_keeps_created_and_moves_modified(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let before = directory.retrieve(&id).json()["registration"].clone();
    assert_eq!(directory.put(&minimal(&id)).status, 204);
    let after = directory.retrieve(&id).json()["registration"].clone();
    assert_eq!(before["created"], after["created"]);
    assert!(time(&before["modified"]) < time(&after["modified"]));
}

// [wot-discovery tdd-registrationinfo-vocab-created tdd-registrationinfo-vocab-modified
// tdd-registrationinfo-vocab-retrieved]
fn times_said_by_the_client_are_ignored(directory: &Directory) {
    let past = "2000-01-01T00:00:00Z";
    let registration = json!({ "created": past, "modified": past, "retrieved": past });
    let td = with(minimal(&fresh()), "registration", registration);
    for status in [201, 204] {
        assert_eq!(directory.put(&td).status, status);
        let found = directory.retrieve(td["id"].as_str().unwrap()).json();
        for name in ["created", "modified", "retrieved"] {
            is_about_now(&found["registration"][name]);
        }
    }
}

// [wot-discovery tdd-validation-syntactic tdd-validation-result tdd-validation-response
// tdd-http-error-response]
fn an_invalid_update_changes_nothing(directory: &Directory) {
    let id = fresh();
    let mut events = directory.events("/events");
    directory.create(&reachable(&id));
    while events.next().data["id"] != *id {} // What happened before may be told late.
    is_invalid(&directory.put(&without(reachable(&id), "title")), "title");
    assert_eq!(bare(&directory.retrieve(&id).json()), reachable(&id));
    let other = fresh();
    directory.create(&minimal(&other));
    assert_eq!(events.next().data["id"], *other);
}

// [wot-discovery tdd-things-create-known-td tdd-things-update tdd-things-delete]
fn a_change_is_seen_by_who_made_it_at_once(directory: &Directory) {
    let title = |id: &str| match directory.retrieve(id) {
        found if found.status == 200 => found.json()["title"].clone(),
        _ => Value::Null,
    };
    for _ in 0..50 {
        let id = fresh();
        directory.create(&minimal(&id));
        assert_eq!(title(&id), "example");
        assert_eq!(
            directory.put(&with(minimal(&id), "title", "new")).status,
            204
        );
        assert_eq!(title(&id), "new");
        assert_eq!(
            directory.patch(&id, &json!({ "title": "newer" })).status,
            204
        );
        assert_eq!(title(&id), "newer");
        assert_eq!(directory.delete(&id).status, 204);
        assert_eq!(title(&id), Value::Null);
    }
}

fn what_was_not_seen_is_not_replaced(directory: &Directory) {
    let id = fresh();
    let td = reachable(&id);
    directory.create(&td);
    let seen = directory.retrieve(&id).headers["etag"].clone();
    let replace = |etag: &str| {
        let headers = [TD, ("if-match", etag)];
        directory.ask(&format!("PUT {}", path(&id)), &headers, &td.to_string())
    };
    is_problem(&replace("\"other\""), 412);
    assert_eq!(replace(&seen).status, 204);
    is_problem(&replace(&seen), 412);
    let delete = [("if-match", &*seen)];
    is_problem(
        &directory.ask(&format!("DELETE {}", path(&id)), &delete, ""),
        412,
    );
}
