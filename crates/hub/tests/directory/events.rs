use serde_json::{Value, json};

use super::{
    Directory, anonymous, fresh, is_invalid, is_problem, minimal, reachable, story, with, without,
};
use crate::support::{Events, Sent};

story!(what_happens_to_things_is_told:
    a_created_td_is_an_event,
    an_anonymous_td_is_an_event_too,
    a_created_td_comes_whole_with_diff,
    an_updated_td_is_an_event,
    an_update_comes_as_a_merge_patch_with_diff,
    a_deleted_td_is_an_event,
    diff_is_ignored_when_a_td_is_deleted,
    all_events_come_without_a_filter,
    a_filter_lets_nothing_else_through,
    an_unknown_filter_is_not_found,
    who_comes_back_gets_what_was_missed,
    an_event_id_that_is_not_kept_any_more_is_said,
    a_refused_change_is_no_event,
    head_of_events_ends,
    a_value_that_is_reported_is_no_event_of_the_directory,
);

#[track_caller]
fn is_event(sent: &Sent, event: &str, data: &Value) {
    assert_eq!((&*sent.event, &sent.data), (event, data));
    assert!(!sent.id.is_empty());
}

// [wot-discovery tdd-notification tdd-notification-sse tdd-notification-event-types
// tdd-notification-event-id tdd-notification-filter-type tdd-notification-data
// tdd-notification-data-td-id]
fn a_created_td_is_an_event(directory: &Directory) {
    let id = fresh();
    let mut events = directory.events("/events/thing_created");
    directory.create(&minimal(&id));
    is_event(&events.next(), "thing_created", &json!({ "id": id }));
}

// [wot-discovery tdd-notification-data-td-id]
fn an_anonymous_td_is_an_event_too(directory: &Directory) {
    let mut events = directory.events("/events/thing_created");
    let location = directory.post(&anonymous()).headers["location"].clone();
    let id = location.strip_prefix("/things/").unwrap();
    is_event(&events.next(), "thing_created", &json!({ "id": id }));
}

// [wot-discovery tdd-notification-data-create-full]
fn a_created_td_comes_whole_with_diff(directory: &Directory) {
    let id = fresh();
    let mut events = directory.events("/events/thing_created?diff=true");
    directory.create(&reachable(&id));
    let sent = events.next();
    let mut found = directory.retrieve(&id).json();
    let registration = without(found["registration"].take(), "retrieved");
    assert_eq!(sent.event, "thing_created");
    assert_eq!(sent.data["registration"], registration);
    assert_eq!(without(sent.data, "registration"), reachable(&id));
}

// [wot-discovery tdd-notification-event-types tdd-notification-filter-type
// tdd-notification-data-td-id]
fn an_updated_td_is_an_event(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let mut events = directory.events("/events/thing_updated");
    directory.put(&with(minimal(&id), "title", "new"));
    directory.patch(&id, &json!({ "title": "newer" }));
    for _ in 0..2 {
        is_event(&events.next(), "thing_updated", &json!({ "id": id }));
    }
}

// [wot-discovery tdd-notification-data-update-diff tdd-notification-data-update-id]
fn an_update_comes_as_a_merge_patch_with_diff(directory: &Directory) {
    let id = fresh();
    directory.create(&with(minimal(&id), "description", "goes"));
    let mut events = directory.events("/events/thing_updated?diff=true");
    directory.put(&with(minimal(&id), "title", "new"));
    let sent = events.next();
    assert_eq!(sent.event, "thing_updated");
    let expected = json!({ "id": id, "title": "new", "description": null });
    assert_eq!(without(sent.data, "registration"), expected);
}

// [wot-discovery tdd-notification-event-types tdd-notification-filter-type
// tdd-notification-data-td-id]
fn a_deleted_td_is_an_event(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let mut events = directory.events("/events/thing_deleted");
    directory.delete(&id);
    is_event(&events.next(), "thing_deleted", &json!({ "id": id }));
}

// [wot-discovery tdd-notification-data-delete-diff]
fn diff_is_ignored_when_a_td_is_deleted(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let mut events = directory.events("/events/thing_deleted?diff=true");
    directory.delete(&id);
    is_event(&events.next(), "thing_deleted", &json!({ "id": id }));
}

/// Creates a thing, changes it twice and deletes it.
fn four(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    directory.put(&with(minimal(&id), "title", "new"));
    directory.patch(&id, &json!({ "title": "newer" }));
    directory.delete(&id);
}

// [wot-discovery tdd-notification tdd-notification-sse tdd-notification-event-types
// tdd-notification-event-id]
fn all_events_come_without_a_filter(directory: &Directory) {
    let mut events = directory.events("/events");
    four(directory);
    let sent = [(); 4].map(|()| events.next());
    let names = sent.each_ref().map(|sent| &*sent.event);
    let expected = [
        "thing_created",
        "thing_updated",
        "thing_updated",
        "thing_deleted",
    ];
    assert_eq!(names, expected);
    let ids: std::collections::BTreeSet<_> = sent.iter().map(|sent| &sent.id).collect();
    assert_eq!(ids.len(), 4);
}

// [wot-discovery tdd-notification-filter-type]
fn a_filter_lets_nothing_else_through(directory: &Directory) {
    let id = fresh();
    let mut events = directory.events("/events/thing_updated");
    directory.create(&minimal(&id));
    directory.put(&with(minimal(&id), "title", "new"));
    is_event(&events.next(), "thing_updated", &json!({ "id": id }));
}

// [wot-discovery tdd-http-unsupported-feature tdd-notification-filter-type]
fn an_unknown_filter_is_not_found(directory: &Directory) {
    let problem = is_problem(&directory.get("/events/thing_moved"), 404);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("thing_updated")
    );
}

// [wot-discovery tdd-notification-event-id]
fn who_comes_back_gets_what_was_missed(directory: &Directory) {
    let mut events = directory.events("/events");
    four(directory);
    let sent = [(); 4].map(|()| events.next());
    drop(events);
    let last = [("last-event-id", &*sent[0].id)];
    let mut again = Events::open(directory.at, "/events", &last);
    assert_eq!([(); 3].map(|()| again.next())[..], sent[1..]);
    let id = fresh();
    directory.create(&minimal(&id));
    assert_eq!(again.next().data["id"], *id);
}

// [wot-discovery tdd-notification-event-id]
fn an_event_id_that_is_not_kept_any_more_is_said(directory: &Directory) {
    let mut events = directory.events("/events");
    directory.create(&minimal(&fresh()));
    let sent = events.next();
    let last = [("last-event-id", "nonsense")];
    let mut again = Events::open(directory.at, "/events", &last);
    let first = again.next();
    assert_ne!(first, sent, "what happened before is told, too");
    while again.next() != sent {}
}

// [wot-discovery tdd-notification-event-types]
fn a_refused_change_is_no_event(directory: &Directory) {
    let mut events = directory.events("/events");
    is_invalid(
        &directory.put(&without(minimal(&fresh()), "title")),
        "title",
    );
    let id = fresh();
    directory.create(&minimal(&id));
    is_event(&events.next(), "thing_created", &json!({ "id": id }));
}

// [wot-discovery tdd-http-head]
fn head_of_events_ends(directory: &Directory) {
    let head = directory.ask("HEAD /events", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.headers["content-type"], "text/event-stream");
}

// [wot-discovery tdd-notification-event-types]
fn a_value_that_is_reported_is_no_event_of_the_directory(directory: &Directory) {
    let id = fresh();
    let mut events = directory.events("/events");
    directory.create(&reachable(&id));
    is_event(&events.next(), "thing_created", &json!({ "id": id }));
    let report = format!("POST /api/publish/things/{id}/properties/status?qos=1");
    assert_eq!(directory.ask(&report, &[], "5").status, 202);
    directory.patch(&id, &json!({ "title": "new" }));
    is_event(&events.next(), "thing_updated", &json!({ "id": id }));
}
