use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::{Directory, fresh, is_invalid, is_problem, minimal, story, time, with};
use crate::support::until;

story!(things_end:
    a_td_is_deleted,
    a_ttl_makes_an_expiry,
    a_ttl_beats_an_expiry_that_the_client_said,
    an_expiry_alone_is_kept,
    an_expiry_without_an_offset_is_refused,
    an_expiry_that_is_over_is_refused,
    what_has_expired_is_purged,
);

// [wot-discovery tdd-things-crud tdd-things-crudl tdd-things-delete tdd-things-delete-resp]
fn a_td_is_deleted(directory: &Directory) {
    let (id, tag) = (fresh(), fresh());
    directory.create(&with(minimal(&id), "tag", &*tag));
    assert_eq!(directory.tagged(&tag).len(), 1);
    let answer = directory.delete(&id);
    assert_eq!((answer.status, &*answer.body), (204, ""));
    is_problem(&directory.retrieve(&id), 404);
    assert_eq!(directory.tagged(&tag), [Value::Null; 0]);
    is_problem(&directory.delete(&id), 404);
}

/// What the directory says of what is registered with this.
#[track_caller]
fn registered(directory: &Directory, registration: Value) -> Value {
    let td = with(minimal(&fresh()), "registration", registration);
    directory.create(&td);
    let found = directory.retrieve(td["id"].as_str().unwrap());
    found.json()["registration"].clone()
}

// [wot-discovery tdd-registrationinfo-vocab-ttl tdd-registrationinfo-vocab-expires]
fn a_ttl_makes_an_expiry(directory: &Directory) {
    let said = registered(directory, json!({ "ttl": 3600 }));
    assert_eq!(said["ttl"], 3600);
    assert_eq!(time(&said["expires"]), time(&said["modified"]) + 1.hour());
}

// [wot-discovery tdd-registrationinfo-vocab-expires tdd-registrationinfo-vocab-ttl]
fn a_ttl_beats_an_expiry_that_the_client_said(directory: &Directory) {
    let said = json!({ "ttl": 3600, "expires": "2099-01-01T00:00:00Z" });
    let said = registered(directory, said);
    assert_eq!(time(&said["expires"]), time(&said["modified"]) + 1.hour());
}

// [wot-discovery tdd-registrationinfo-vocab-expires tdd-absolute-time]
fn an_expiry_alone_is_kept(directory: &Directory) {
    let expires = Timestamp::now() + 1.hour();
    let there = format!("{}", expires + 2.hours()).replace('Z', "+02:00");
    let said = registered(directory, json!({ "expires": there }));
    let off = time(&said["expires"]).duration_since(expires);
    assert!(off.abs() < jiff::SignedDuration::from_millis(1), "{said}");
    assert_eq!(said["ttl"], Value::Null);
}

// [wot-discovery tdd-absolute-time tdd-validation-response]
fn an_expiry_without_an_offset_is_refused(directory: &Directory) {
    for (field, value) in [
        ("expires", json!("2099-01-01T00:00:00")),
        ("expires", json!(5)),
        ("ttl", json!(-1)),
        ("ttl", json!("x")),
    ] {
        let id = fresh();
        let td = with(minimal(&id), "registration", json!({ field: value }));
        let fields = is_invalid(&directory.put(&td), field);
        assert_eq!(fields, [format!("registration.{field}")]);
        is_problem(&directory.retrieve(&id), 404);
    }
}

fn an_expiry_that_is_over_is_refused(directory: &Directory) {
    let over = json!({ "expires": "2000-01-01T00:00:00Z" });
    let td = with(minimal(&fresh()), "registration", over);
    let fields = is_invalid(&directory.put(&td), "over");
    assert_eq!(fields, ["registration.expires"]);
}

// [wot-discovery tdd-registrationinfo-expiry-purge tdd-notification-event-types]
fn what_has_expired_is_purged(directory: &Directory) {
    let (id, tag) = (fresh(), fresh());
    let mut events = directory.events("/events/thing_deleted");
    let td = with(minimal(&id), "registration", json!({ "ttl": 1 }));
    directory.create(&with(td, "tag", &*tag));
    while events.next().data["id"] != *id {} // What happened before may be told late.
    is_problem(&directory.retrieve(&id), 404);
    assert_eq!(directory.tagged(&tag), [Value::Null; 0]);
}

// [wot-discovery tdd-registrationinfo-expiry-purge]
#[test]
fn an_expiry_survives_a_restart() {
    let mut directory = Directory::start();
    let [long, short] = [3600, 2].map(|ttl| {
        let td = with(minimal(&fresh()), "registration", json!({ "ttl": ttl }));
        directory.create(&td);
        td["id"].as_str().unwrap().to_owned()
    });
    let expires =
        |directory: &Directory| directory.retrieve(&long).json()["registration"]["expires"].clone();
    let before = expires(&directory);
    directory.die_and_begin_again();
    assert_eq!(expires(&directory), before);
    until("what lasted for two seconds is gone", || {
        let list = directory.get("/things").body;
        list.contains(&long) && !list.contains(&short)
    });
    is_problem(&directory.retrieve(&short), 404);
}
