use super::*;

fn register(id: u16, token: u8) -> Packet {
    let get = message(MessageType::Confirmable, 1, id, &[token]);
    with(
        get,
        &[(CoapOption::UriPath, b"on"), (CoapOption::Observe, &[])],
    )
}

fn sequence(packet: &Packet) -> u32 {
    packet.get_observe_value().unwrap().unwrap()
}

#[test]
fn an_observer_gets_the_present_value_and_each_change_in_order() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    assert!(asked.request.observes);
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    let mut last = table.one();
    assert_eq!(line(&last), "ACK 2.05 0");
    for value in ["1", "2", "3"] {
        assert!(table.tells(whom, value));
        table.waits(0.1);
        let next = table.one();
        assert_eq!(line(&next), format!("CON 2.05 {value}"));
        assert_eq!(next.get_token(), [5]);
        assert!(sequence(&last) < sequence(&next));
        assert_ne!(last.header.message_id, next.header.message_id);
        table.settles(MessageType::Acknowledgement, &next);
        last = next;
    }
}

#[test]
fn a_slow_observer_of_a_state_gets_the_last_one() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    table.waits(1.0);
    table.goes();
    for value in 1..=100 {
        table.tells(whom, &value.to_string());
    }
    let first = table.one();
    assert_eq!(line(&first), "CON 2.05 1");
    table.waits(1.0);
    assert!(table.goes().is_empty(), "one at a time");
    table.settles(MessageType::Acknowledgement, &first);
    assert_eq!(table.goes(), ["CON 2.05 100"]);
}

#[test]
fn a_slow_observer_of_events_gets_the_last_of_them() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "", Kept::Each).unwrap();
    table.goes();
    for value in 1..=40 {
        table.tells(whom, &value.to_string());
    }
    for value in 9..=40 {
        table.waits(0.1);
        let next = table.one();
        assert_eq!(line(&next), format!("CON 2.05 {value}"));
        table.settles(MessageType::Acknowledgement, &next);
    }
    table.waits(0.1);
    assert!(table.goes().is_empty());
}

#[test]
fn a_reset_ends_an_observation() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    table.waits(1.0);
    table.goes();
    table.tells(whom, "1");
    let news = table.one();
    table.settles(MessageType::Reset, &news);
    assert_eq!(table.ended(), [whom]);
    assert!(!table.tells(whom, "2"));
    assert!(table.goes().is_empty());
}

#[test]
fn an_observer_that_does_not_acknowledge_is_forgotten() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    table.waits(1.0);
    table.goes();
    table.tells(whom, "1");
    table.waits(100.0);
    assert_eq!(table.goes(), ["CON 2.05 1"; 5]);
    assert_eq!(table.ended(), [whom]);
}

#[test]
fn a_silent_observer_is_asked_whether_it_is_there() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    table.goes();
    table.waits(600.0);
    let ping = table.one();
    assert_eq!(line(&ping), "CON 0.00");
    table.settles(MessageType::Reset, &ping);
    assert!(table.ended().is_empty(), "it is there");
    table.waits(800.0);
    assert_eq!(table.ended(), [whom]);
    table.waits(300.0);
    assert_eq!(table.endpoint.next_at(), None);
}

#[test]
fn whoever_registers_again_is_one_observer_and_whoever_goes_is_none() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let first = table.observed(&asked, "0", Kept::Last).unwrap();
    let asked = table.asks(&register(2, 5));
    let second = table.observed(&asked, "0", Kept::Last).unwrap();
    assert_eq!(table.ended(), [first]);
    let goes = with(
        message(MessageType::Confirmable, 1, 3, &[5]),
        &[(CoapOption::UriPath, b"on"), (CoapOption::Observe, &[1])],
    );
    let asked = table.asks(&goes);
    assert!(!asked.request.observes);
    assert_eq!(table.ended(), [second]);
    assert_eq!(table.observed(&asked, "0", Kept::Last), None);
    let answers = table.packets();
    let observe = |packet: &Packet| packet.get_observe_value().is_some();
    assert_eq!(
        answers.iter().map(observe).collect::<Vec<_>>(),
        [true, true, false]
    );
}

#[test]
fn one_observer_too_many_is_answered_and_told_nothing() {
    let mut table = Table::new();
    for token in 0..16 {
        let asked = table.asks(&register(token.into(), token));
        assert!(table.observed(&asked, "0", Kept::Last).is_some());
    }
    table.packets();
    let asked = table.asks(&register(99, 99));
    assert_eq!(table.observed(&asked, "0", Kept::Last), None);
    let answer = table.one();
    assert_eq!(line(&answer), "ACK 2.05 0");
    assert!(answer.get_observe_value().is_none());
}

#[test]
fn a_refusal_is_the_last_that_an_observer_hears() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    table.waits(1.0);
    table.goes();
    let gone = Response::refusal(Code::new(4, 4), "it is gone");
    table.endpoint.notify(whom, gone, table.now);
    let last = table.one();
    assert_eq!(line(&last), "CON 4.04 it is gone");
    assert!(last.get_observe_value().is_none());
    assert_eq!(table.ended(), [whom]);
}

#[test]
fn a_refusal_begins_no_observation() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let none = Response::refusal(Code::new(4, 4), "nothing");
    let observation = table
        .endpoint
        .answer(asked.exchange, none, Some(Kept::Last), table.now);
    assert_eq!(observation, None);
    assert_eq!(table.goes(), ["ACK 4.04 nothing"]);
}

#[test]
fn a_long_notification_goes_in_blocks() {
    let mut table = Table::new();
    let asked = table.asks(&register(1, 5));
    let whom = table.observed(&asked, "0", Kept::Last).unwrap();
    table.waits(1.0);
    table.goes();
    table.tells(whom, &"x".repeat(1030));
    let first = table.one();
    assert_eq!(first.payload.len(), 1024);
    table.settles(MessageType::Acknowledgement, &first);
    let rest = with(
        con(1, 9),
        &[(CoapOption::UriPath, b"on"), (CoapOption::Block2, &[0x16])],
    );
    assert!(table.comes(&rest).is_none());
    assert_eq!(table.goes(), ["ACK 2.05 xxxxxx"]);
}
