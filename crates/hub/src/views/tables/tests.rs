use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};
use quartet_fabric::{
    mqtt::{Session as State, Will},
    retained::Cursor,
    routes::Wish,
};
use quartet_model::{Actor, EventId, Qos, Said};

use super::*;
use crate::{
    flow::keep::{Recall, Recalled},
    views::ask::{Page, Retained, Session, Subscription as Row},
};

const SHARD: u8 = 3;

/// What tables say after these records.
#[derive(PartialEq, Eq, Debug)]
struct Says {
    sessions: Vec<(Session, Vec<Row>)>,
    retained: Vec<Retained>,
}

fn tables() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    make(&db).unwrap();
    db
}

fn put(db: &Connection, records: &[Record]) {
    for record in records {
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        if Record::tells_of_state(&bytes) {
            apply(db, SHARD, Record::read(&bytes).unwrap()).unwrap();
        }
    }
}

fn says(db: &Connection) -> Says {
    let page = Page {
        search: String::new(),
        after: String::new(),
        limit: 1000,
    };
    let (sessions, _) = page.sessions(db).unwrap();
    let with_subscriptions = |session: Session| Session::of(db, &session.client).unwrap().unwrap();
    Says {
        sessions: sessions.into_iter().map(with_subscriptions).collect(),
        retained: page.retained(db, Time::ZERO).unwrap().0,
    }
}

#[track_caller]
fn check(records: &[Record], expected: &[&str]) {
    let db = tables();
    put(&db, records);
    let Says { sessions, retained } = says(&db);
    let session = |(session, subscriptions): &(Session, Vec<Row>)| {
        let row = |row: &Row| format!(" {}/{}:{}", row.share, row.filter, row.qos);
        let away = session.away_at.map(|at| at.as_micros());
        let rows: String = subscriptions.iter().map(row).collect();
        let (client, expiry_s) = (&session.client, session.expiry_s);
        format!(
            "{client} {expiry_s} {away:?} {:?}{rows}",
            session.will_topic
        )
    };
    let retained = retained.iter().map(|it| {
        let payload = it.payload.as_deref();
        format!("{} {} {} {payload:?}", it.topic, it.bytes, it.qos)
    });
    let found: Vec<String> = sessions.iter().map(session).chain(retained).collect();
    assert_eq!(found, expected);
}

fn opened(session: SessionNumber, expiry_s: u32, will: Option<&str>) -> Opened {
    Opened {
        session,
        id: format!("client-{session}").into(),
        owner: String::new().into(),
        expiry_s,
        will: will.map(|topic| Will {
            topic: topic.into(),
            payload: Bytes::from_static(b"gone"),
            qos: Qos::AtLeastOnce,
            retain: false,
            delay_s: 0,
            expiry_s: None,
            properties: Bytes::new(),
        }),
    }
}

fn comes(session: SessionNumber, expiry_s: u32, will: Option<&str>) -> Record {
    Record::Opened(Box::new(opened(session, expiry_s, will)))
}

fn to(share: &str, filter: &str, qos: Qos) -> Subscription {
    Subscription {
        share: share.into(),
        filter: filter.into(),
        wish: Wish {
            qos,
            no_local: false,
            retain_as_published: false,
            id: 0,
        },
    }
}

fn subscribes(session: SessionNumber, share: &str, filter: &str, qos: Qos) -> Record {
    Record::Subscribed {
        session,
        subscription: to(share, filter, qos),
    }
}

fn whole(
    session: SessionNumber,
    away_at: Option<Time>,
    will: Option<&str>,
    subscriptions: Vec<Subscription>,
) -> Record {
    let mut state = Vec::new();
    State::default().write_down(1 << 10, |part| state.extend_from_slice(part));
    Record::Whole(Box::new(Whole {
        opened: opened(session, 60, will),
        away_at,
        subscriptions,
        has_more_subscriptions: false,
        parts: 0,
        state: state.into(),
    }))
}

fn away(session: SessionNumber, at: u64, forgets_will: bool) -> Record {
    Record::Away {
        session,
        at: Time::from_micros(at),
        expiry_s: 30,
        forgets_will,
    }
}

fn event(topic: &str, payload: impl Into<Bytes>, at: u64, expires: Time) -> Box<Event> {
    let id = EventId {
        at: Time::from_micros(at),
        serial: 7,
    };
    let said = Said {
        topic: topic.into(),
        payload: payload.into(),
        properties: Bytes::new(),
        qos: Qos::AtLeastOnce,
        retain: true,
        expires,
    };
    Box::new(Event::new(id, Actor::Api, said))
}

fn kept(topic: &str, payload: impl Into<Bytes>) -> Record {
    Record::Kept {
        from: None,
        is_new: true,
        event: event(topic, payload, 1, Time::NEVER),
    }
}

fn said(session: SessionNumber, is_will: bool) -> Record {
    Record::Said {
        passed: 300,
        session,
        packet_id: 9,
        is_will,
        event: event("said", "x", 1, Time::NEVER),
    }
}

#[test]
fn a_client_comes_subscribes_and_goes() {
    let mut records = vec![
        comes(1, 60, Some("last/words")),
        subscribes(1, "", "a/#", Qos::AtMostOnce),
        subscribes(1, "", "a/#", Qos::ExactlyOnce),
        subscribes(1, "group", "a/#", Qos::AtLeastOnce),
    ];
    let rows = " /a/#:2 group/a/#:1";
    let is_here = format!("client-1 60 None Some(\"last/words\"){rows}");
    check(&records, &[&is_here]);
    records.push(away(1, 5, false));
    let is_away = format!("client-1 30 Some(5) Some(\"last/words\"){rows}");
    check(&records, &[&is_away]);
    records.push(comes(1, 10, None));
    check(&records, &[&format!("client-1 10 None None{rows}")]);
    records.push(Record::Unsubscribed {
        session: 1,
        share: "".into(),
        filter: "a/#".into(),
    });
    check(&records, &["client-1 10 None None group/a/#:1"]);
    records.push(Record::Ended(1));
    check(&records, &[]);
}

#[test]
fn a_will_is_spent_when_it_is_said_and_gone_when_it_is_not_wanted() {
    for spends in [said(1, true), Record::WillGone(1), away(1, 5, true)] {
        let is_away = matches!(spends, Record::Away { .. });
        let expected = ["client-1 60 None None", "client-1 30 Some(5) None"];
        check(
            &[comes(1, 60, Some("last/words")), said(1, false), spends],
            &[expected[usize::from(is_away)]],
        );
    }
}

#[test]
fn a_session_that_is_said_anew_replaces_what_was_known() {
    let anew = whole(
        1,
        Some(Time::from_micros(8)),
        None,
        vec![to("", "b", Qos::AtMostOnce)],
    );
    let records = [
        comes(1, 10, Some("last/words")),
        subscribes(1, "", "a", Qos::AtMostOnce),
        anew.clone(),
        anew,
    ];
    check(&records, &["client-1 60 Some(8) None /b:0"]);
}

#[test]
fn what_a_session_says_before_it_was_said_as_a_whole_is_passed_over() {
    let records = [
        subscribes(1, "", "a", Qos::AtMostOnce),
        away(1, 5, false),
        Record::Ended(2),
    ];
    check(&records, &[]);
}

#[test]
fn a_payload_is_shown_if_it_is_a_short_text() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let records = [
        kept("bytes", &b"\xFF\x00"[..]),
        kept("forgotten", "once"),
        kept("forgotten", ""),
        kept("long", long),
        kept("short", "old"),
        kept("short", "21.5 \u{b0}C"),
    ];
    let expected = [
        "bytes 2 1 None",
        "long 513 1 None",
        "short 8 1 Some(\"21.5 \u{b0}C\")",
    ];
    check(&records, &expected);
}

#[test]
fn what_nobody_gets_any_more_is_not_listed_and_then_forgotten() {
    let db = tables();
    let ends = Record::Kept {
        from: None,
        is_new: true,
        event: event("ends", "x", 1, Time::from_micros(10)),
    };
    put(&db, &[ends, kept("stays", "x")]);
    let page = Page {
        search: String::new(),
        after: String::new(),
        limit: 10,
    };
    let listed = |now| page.retained(&db, Time::from_micros(now)).unwrap().0.len();
    assert_eq!((listed(9), listed(10)), (2, 1));
    expire(&db, Time::from_micros(10)).unwrap();
    assert_eq!(listed(9), 1);
}

#[test]
fn pages_are_searched_by_any_part_and_follow_each_other() {
    let db = tables();
    let topics = ["a/100%", "a/100x", "a_b", "B/Lamp", "b/lamp/on", "axb"];
    put(&db, &topics.map(|topic| kept(topic, "x")));
    let find = |search: &str, after: &str, limit| {
        let page = Page {
            search: search.to_owned(),
            after: after.to_owned(),
            limit,
        };
        let (found, has_more) = page.retained(&db, Time::ZERO).unwrap();
        let topics: Vec<String> = found.into_iter().map(|it| it.topic).collect();
        (topics.join(" "), has_more)
    };
    let is = |found: &str, has_more| (found.to_owned(), has_more);
    assert_eq!(find("100%", "", 9), is("a/100%", false));
    assert_eq!(find("a_b", "", 9), is("a_b", false));
    assert_eq!(find("LAMP", "", 9), is("B/Lamp b/lamp/on", false));
    assert_eq!(find("", "", 4), is("B/Lamp a/100% a/100x a_b", true));
    assert_eq!(find("", "a_b", 2), is("axb b/lamp/on", false));
    assert_eq!(find("\\", "", 9), is("", false));
}

/// The same from what a start of the hub would know.
fn recalled(records: &[Record]) -> (Vec<String>, Vec<String>) {
    let mut recall = Recall::new(1);
    for (seq, record) in (1..).zip(records) {
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        recall.record(SHARD, seq, &bytes).unwrap();
    }
    let [known]: [Recalled; 1] = recall.finish().try_into().ok().unwrap();
    let sessions = known.sessions().map(|session| {
        let rows = session.subscriptions().iter();
        let row = |it: &Subscription| {
            (
                it.filter.to_string(),
                it.share.to_string(),
                it.wish.qos.level(),
            )
        };
        let mut rows: Vec<_> = rows.map(row).collect();
        rows.sort();
        let will = session.will().map(|will| will.topic.to_string());
        let (expiry_s, away_at) = (session.expiry_s(), session.away_at());
        format!("{} {expiry_s} {away_at:?} {will:?} {rows:?}", session.id())
    });
    let mut sessions: Vec<String> = sessions.collect();
    sessions.sort();
    let mut found = Vec::new();
    let mut from: Option<Cursor> = None;
    loop {
        from = known.retained().walk(from, 16, usize::MAX, &mut found);
        if from.is_none() {
            break;
        }
    }
    let retained = found.iter().map(|event| {
        let bytes = event.payload.len();
        let expires = (event.expires != Time::NEVER).then_some(event.expires);
        format!(
            "{} {bytes} {} {expires:?} {:?}",
            event.topic,
            event.id,
            event.qos.level()
        )
    });
    let mut retained: Vec<String> = retained.collect();
    retained.sort();
    (sessions, retained)
}

fn listed(records: &[Record]) -> (Vec<String>, Vec<String>) {
    let db = tables();
    put(&db, records);
    let Says { sessions, retained } = says(&db);
    let session = |(session, rows): (Session, Vec<Row>)| {
        assert_eq!(session.subscriptions as usize, rows.len());
        let row = |it: Row| (it.filter, it.share, it.qos);
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        let (expiry_s, away_at, will) = (session.expiry_s, session.away_at, session.will_topic);
        format!(
            "{} {expiry_s} {away_at:?} {will:?} {rows:?}",
            session.client
        )
    };
    let kept = |it: Retained| {
        let expires = it.expires;
        format!(
            "{} {} {} {expires:?} {:?}",
            it.topic, it.bytes, it.event, it.qos
        )
    };
    (
        sessions.into_iter().map(session).collect(),
        retained.into_iter().map(kept).collect(),
    )
}

fn any_subscription() -> impl Strategy<Value = Subscription> {
    let share = prop::sample::select(vec!["", "", "g"]);
    let filter = prop::sample::select(vec!["a", "a/#", "+"]);
    let qos = (0..3_u8).prop_map(|level| Qos::from_level(level).unwrap());
    (share, filter, qos).prop_map(|(share, filter, qos)| to(share, filter, qos))
}

fn any_record() -> impl Strategy<Value = Record> {
    let session = 1..4_u32;
    let will = || option::of(prop::sample::select(vec!["w/1", "w/2"]));
    let topic = prop::sample::select(vec!["t", "t/u", "T"]);
    let expires = prop::sample::select(vec![Time::NEVER, Time::from_micros(50)]);
    let unsubscribes = |(session, subscription): (_, Subscription)| Record::Unsubscribed {
        session,
        share: subscription.share,
        filter: subscription.filter,
    };
    prop_oneof![
        3 => (session.clone(), 0..99_u32, will()).prop_map(|(n, s, will)| comes(n, s, will)),
        2 => (session.clone(), 1..99_u64, any::<bool>()).prop_map(|(n, at, f)| away(n, at, f)),
        4 => (session.clone(), any_subscription()).prop_map(|(session, subscription)| {
            Record::Subscribed { session, subscription }
        }),
        2 => (session.clone(), any_subscription()).prop_map(unsubscribes),
        1 => session.clone().prop_map(Record::Ended),
        1 => session.clone().prop_map(Record::WillGone),
        1 => (session.clone(), any::<bool>()).prop_map(|(n, is_will)| said(n, is_will)),
        1 => (session.clone(), option::of(1..99_u64), will(), vec(any_subscription(), 0..3))
            .prop_map(|(n, at, will, mut subscriptions)| {
                let key = |it: &Subscription| (it.share.clone(), it.filter.clone());
                subscriptions.sort_by_key(key);
                subscriptions.dedup_by_key(|it| key(it));
                whole(n, at.map(Time::from_micros), will, subscriptions)
            }),
        3 => (topic, vec(any::<u8>(), 0..4), 1..99_u64, expires).prop_map(|(topic, payload, at, expires)| {
            Record::Kept { from: None, is_new: true, event: event(topic, payload, at, expires) }
        }),
        1 => session.prop_map(Record::Dropped),
        1 => (1..99_u64).prop_map(Record::Passed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_tables_know_what_a_start_would_know(records in vec(any_record(), 0..40)) {
        prop_assert_eq!(listed(&records), recalled(&records));
    }

    #[test]
    fn a_record_changes_nothing_the_second_time(records in vec(any_record(), 0..40)) {
        let twice: Vec<Record> = records.iter().flat_map(|it| [it.clone(), it.clone()]).collect();
        prop_assert_eq!(listed(&twice), listed(&records));
    }
}
