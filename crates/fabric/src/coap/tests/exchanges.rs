use proptest::prelude::*;

use super::*;
use crate::coap::refuse;

#[test]
fn an_answer_in_time_goes_with_the_acknowledgement() {
    let mut table = Table::new();
    let get = with(
        con(1, 7),
        &[
            (CoapOption::UriPath, b"things"),
            (CoapOption::UriQuery, b"a=1"),
        ],
    );
    let asked = table.asks(&get);
    assert_eq!(asked.request.path, ["things"]);
    assert_eq!(asked.request.query, ["a=1"]);
    assert!(table.goes().is_empty());
    table.answers(&asked, content("lamp"));
    let answer = table.one();
    assert_eq!(line(&answer), "ACK 2.05 lamp");
    assert_eq!(
        (answer.header.message_id, answer.get_token()),
        (7, &[7][..])
    );
    table.waits(100.0);
    assert!(table.goes().is_empty());
}

#[test]
fn a_late_answer_is_one_of_its_own_and_comes_again_until_it_is_acknowledged() {
    let mut table = Table::new();
    let asked = table.asks(&con(2, 7));
    table.waits(1.0);
    assert_eq!(table.goes(), ["ACK 0.00"]);
    // The acknowledgement was lost.
    assert!(table.comes(&con(2, 7)).is_none());
    assert_eq!(table.goes(), ["ACK 0.00"]);
    table.waits(4.0);
    table.answers(&asked, content("done"));
    let answer = table.one();
    assert_eq!(line(&answer), "CON 2.05 done");
    assert_eq!(answer.get_token(), [7]);
    table.waits(3.0);
    let again = table.one();
    assert_eq!(again, answer);
    table.settles(MessageType::Acknowledgement, &again);
    table.waits(100.0);
    assert!(table.goes().is_empty());
}

#[test]
fn whoever_never_acknowledges_is_given_up() {
    let mut table = Table::new();
    let asked = table.asks(&con(2, 7));
    table.waits(2.0);
    table.answers(&asked, content("done"));
    table.waits(300.0);
    let sent = table.goes();
    assert_eq!(sent[0], "ACK 0.00");
    assert_eq!(sent[1..], ["CON 2.05 done"; 5], "once and four times again");
}

#[test]
fn a_request_that_comes_twice_is_followed_once() {
    let mut table = Table::new();
    let post = con(2, 7);
    let asked = table.asks(&post);
    assert!(table.comes(&post).is_none(), "it is being answered");
    assert!(table.goes().is_empty());
    table.answers(&asked, content("done"));
    let answer = table.one();
    assert!(table.comes(&post).is_none());
    assert_eq!(table.one(), answer);
    table.waits(247.0);
    assert!(table.comes(&post).is_some(), "it is another one by now");
}

#[test]
fn what_is_not_confirmable_is_answered_alike() {
    let mut table = Table::new();
    let get = message(MessageType::NonConfirmable, 1, 7, b"t");
    let asked = table.asks(&get);
    table.waits(5.0);
    table.answers(&asked, content("lamp"));
    assert_eq!(table.goes(), ["NON 2.05 lamp"]);
    assert!(table.comes(&get).is_none());
    assert!(table.goes().is_empty());
}

#[test]
fn a_ping_is_reset() {
    let mut table = Table::new();
    table.comes(&message(MessageType::Confirmable, 0, 9, &[]));
    let answer = table.one();
    assert_eq!(
        (line(&answer).as_str(), answer.header.message_id),
        ("RST 0.00", 9)
    );
}

#[test]
fn what_makes_no_sense_is_rejected_or_ignored() {
    let mut table = Table::new();
    let mut check = |bytes: &[u8], expected: &[&str]| {
        assert!(table.endpoint.read(CLIENT, bytes, table.now).is_none());
        assert_eq!(table.goes(), expected, "{bytes:x?}");
    };
    check(b"", &[]);
    check(b"GET", &[]);
    check(&[0x80, 1, 0, 1], &[]); // Version 2.
    check(&[0x49, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], &["RST 0.00"]); // A token of 9 bytes.
    check(&[0x59, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]); // The same, not confirmable.
    check(&[0x40, 1, 0, 1, 0xf0], &["RST 0.00"]); // A reserved option delta.
    check(&[0x40, 0x45, 0, 1], &["RST 0.00"]); // An answer that nobody awaits.
    check(&[0x40, 0x20, 0, 1], &["RST 0.00"]); // A reserved class.
    check(&[0x60, 0, 0, 1], &[]); // An acknowledgement of nothing.
    check(&[0x70, 0, 0, 1], &[]); // A reset of nothing.
}

#[test]
fn what_cannot_be_obeyed_is_refused() {
    let check = |options: &[(CoapOption, &[u8])], expected: &str| {
        let mut table = Table::new();
        assert!(table.comes(&with(con(1, 7), options)).is_none());
        let said = table.goes();
        assert!(said[0].starts_with(expected), "{said:?}");
        let unconfirmed = with(message(MessageType::NonConfirmable, 1, 8, &[]), options);
        table.comes(&unconfirmed);
        assert_eq!(table.goes().is_empty(), expected.contains("4.02"));
    };
    check(&[(CoapOption::Unknown(9999), b"")], "ACK 4.02 option 9999");
    check(&[(CoapOption::Oscore, b"")], "ACK 4.02 option 9");
    check(&[(CoapOption::UriHost, b"")], "ACK 4.02 option 3");
    check(&[(CoapOption::Accept, b"123")], "ACK 4.02 option 17");
    check(
        &[(CoapOption::Accept, b"1"), (CoapOption::Accept, b"2")],
        "ACK 4.02 option 17",
    );
    check(&[(CoapOption::ProxyUri, b"coap://x")], "ACK 5.05");
    check(&[(CoapOption::UriPath, b"..")], "ACK 4.00");
    check(&[(CoapOption::UriPath, b"\xff")], "ACK 4.00");
    check(&[(CoapOption::Block2, &[7])], "ACK 4.00");
    let mut table = Table::new();
    let elective = with(con(1, 7), &[(CoapOption::Unknown(9998), b"x")]);
    assert!(table.comes(&elective).is_some());
    assert!(table.comes(&con(8, 8)).is_none());
    assert_eq!(table.goes(), ["ACK 4.05 the method is unknown"]);
}

#[test]
fn only_so_many_requests_of_one_peer_are_answered_at_once() {
    let mut table = Table::new();
    let all: Vec<Asked> = (0..16).map(|id| table.asks(&con(1, id))).collect();
    assert!(table.comes(&con(1, 16)).is_none());
    assert_eq!(
        table.goes(),
        ["ACK 5.03 too many requests at the same time"]
    );
    table.answers(&all[0], content("x"));
    assert_eq!(table.goes(), ["ACK 2.05 x"]);
    assert!(table.comes(&con(1, 17)).is_some());
}

#[test]
fn peers_that_want_nothing_make_room_for_others() {
    let mut table = Table::new();
    let get = con(1, 1).to_bytes().unwrap();
    let mut ask = |port: u16| {
        let from = SocketAddr::new(CLIENT.ip(), port);
        let asked = table.endpoint.read(from, &get, table.now);
        let is_asked = asked.is_some();
        if let Some(asked) = asked {
            table
                .endpoint
                .answer(asked.exchange, content(""), None, table.now);
        }
        is_asked
    };
    for port in 1..=5000 {
        assert!(ask(port), "{port}");
    }
    assert!(!ask(5000), "its last request is remembered");
    assert!(ask(1), "this one's is not");
}

#[test]
fn whoever_is_not_known_gets_no_more_than_three_times_what_it_sent() {
    let why = "x".repeat(1000);
    for bytes in [
        &[0x40, 1, 0, 1][..],
        &[0x58, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x40, 1, 0, 1, 0xb1, b'a'],
        &[0x40, 0, 0, 1],
    ] {
        let refusal = refuse(bytes, Code::FORBIDDEN, &why).unwrap();
        assert!(refusal.len() <= 3 * bytes.len(), "{bytes:x?}");
    }
    assert_eq!(refuse(&[0x60, 0, 0, 1], Code::FORBIDDEN, &why), None);
}

proptest! {
    #[test]
    fn no_datagram_is_a_panic(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16),
        is_valid in any::<bool>(),
    ) {
        let mut table = Table::new();
        for mut datagram in datagrams {
            if is_valid && datagram.len() > 1 {
                datagram[0] = 0x40 | datagram[0] & 0x12;
                datagram[1] &= 7;
            }
            if let Some(asked) = table.endpoint.read(CLIENT, &datagram, table.now) {
                table.observed(&asked, &"x".repeat(3000), Kept::Each);
            }
            let _ = refuse(&datagram, Code::FORBIDDEN, "no");
            table.waits(1.5);
        }
        table.waits(2000.0);
        prop_assert!(table.endpoint.next_at().is_none(), "nothing is left");
    }
}
