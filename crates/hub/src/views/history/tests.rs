use quartet_model::{Said, Time};
use serde_json::json;

use super::*;

fn history(file: &tempfile::TempDir) -> (History, Where) {
    let place = Where::of(file.path(), false).of_history();
    (History::open(&place).unwrap(), place)
}

fn said(at: u64, topic: &str, payload: &str, author: &str) -> Event {
    let id = EventId {
        at: Time::from_micros(at),
        serial: 0,
    };
    let said = Said::kept(topic.to_owned(), payload.to_owned());
    Event::new(id, Actor::Hub, said).said_by(author.into())
}

/// All changes of the lamp, the last first, as short texts.
fn told(place: &Where) -> Vec<String> {
    let db = place.read().unwrap();
    let (found, _) = Change::of_element(&db, "things/lamp", None, None, 100).unwrap();
    let text = |it: Change| {
        let about = [
            it.name,
            it.status,
            it.value.map(|value| value.to_string()),
            it.why,
        ];
        let about: Vec<String> = about.into_iter().flatten().collect();
        format!("{} {} {}", it.by, it.what, about.join(" "))
    };
    found.into_iter().map(text).collect()
}

#[test]
fn who_did_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (mut history, place) = history(&folder);
    let wish = |status: &str| json!({"value": true, "status": status, "revision": "r1", "by": "people/ana", "since": ""});
    let mut refused = wish("refused");
    refused["reason"] = json!("it is broken");
    let asked = |status: &str| json!({"status": status, "input": 3, "by": "people/bo", "timeRequested": ""});
    let mut done = asked("completed");
    done["output"] = json!({"took": 2});
    for event in [
        said(
            1,
            "things/lamp",
            r#"{"title":"Lamp","properties":{}}"#,
            "people/ana",
        ),
        said(
            2,
            "things/lamp",
            r#"{"title":"Night lamp","properties":{}}"#,
            "people/bo",
        ),
        said(
            3,
            "things/lamp/properties/on/desired",
            &wish("pending").to_string(),
            "people/ana",
        ),
        said(
            4,
            "things/lamp/properties/on/desired",
            &refused.to_string(),
            "things/lamp",
        ),
        said(
            5,
            "things/lamp/actions/fade/i1",
            &asked("pending").to_string(),
            "people/bo",
        ),
        said(
            6,
            "things/lamp/actions/fade/i1",
            &done.to_string(),
            "things/lamp",
        ),
        said(7, "things/lamp/properties/on", "true", "things/lamp"),
        said(8, &credentials::topic_of("things/lamp"), "{}", "people/ana"),
        said(9, "things/lamp", "", "people/ana"),
    ] {
        history.note(&event).unwrap();
    }
    history.commit().unwrap();
    assert_eq!(
        told(&place),
        [
            "people/ana forgotten ",
            "people/ana admitted ",
            r#"things/lamp asked fade completed {"took":2}"#,
            "people/bo asked fade pending 3",
            "things/lamp wanted on refused true it is broken",
            "people/ana wanted on pending true",
            r#"people/bo described {"title":"Night lamp"}"#,
            "people/ana described ",
        ]
    );
}

#[test]
fn what_is_followed_again_is_known_already() {
    let folder = tempfile::tempdir().unwrap();
    let (mut history, place) = history(&folder);
    let events = [
        said(1, "things/lamp", r#"{"title":"Lamp"}"#, "people/ana"),
        said(2, "things/lamp", r#"{"title":"Night lamp"}"#, "people/bo"),
    ];
    for event in events.iter().chain(&events) {
        history.note(event).unwrap();
    }
    history.commit().unwrap();
    drop(history);
    let mut history = History::open(&place).unwrap();
    // Only the last is said anew when there is a round of checkpoints.
    history.note(&events[1]).unwrap();
    history
        .note(&said(
            3,
            "things/lamp",
            r#"{"title":"Night lamp"}"#,
            "people/bo",
        ))
        .unwrap();
    history.commit().unwrap();
    assert_eq!(told(&place).len(), 2);
    assert_eq!(history.count, 2);
}

#[test]
fn what_others_say_at_such_addresses_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let (mut history, place) = history(&folder);
    let mut event = said(
        1,
        "things/lamp/properties/on/desired",
        r#"{"value":1}"#,
        "x",
    );
    event.by = Actor::Api;
    history.note(&event).unwrap();
    history.note(&said(2, "lamps/1", "on", "x")).unwrap();
    history.commit().unwrap();
    assert_eq!(told(&place), [] as [&str; 0]);
}

#[test]
fn pages_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (mut history, place) = history(&folder);
    for at in 1..=5 {
        let text = format!(r#"{{"title":"{at}"}}"#);
        history.note(&said(at, "things/lamp", &text, "x")).unwrap();
    }
    history.commit().unwrap();
    let db = place.read().unwrap();
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let (page, has_more) = Change::of_element(&db, "things/lamp", None, before, 2).unwrap();
        seen.extend(page.iter().map(|it| it.event.at.as_micros()));
        before = page.last().map(|it| it.event);
        if !has_more {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}
