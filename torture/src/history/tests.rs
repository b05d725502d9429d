//! Histories by hand: each broken promise is found, and nothing else.

use super::*;

const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;

fn id(number: usize) -> MessageId {
    MessageId {
        publisher: 0,
        number,
    }
}

/// Said once and acknowledged, at the time of its number.
fn said(number: u64, qos: Qos) -> Said {
    Said {
        topic: "t".to_owned(),
        qos,
        retain: false,
        first_sent: Some(number),
        last_sent: Some(number),
        is_acknowledged: true,
    }
}

fn heard(numbers: &[usize], qos: Qos) -> Vec<Heard> {
    let one = |&number| Heard {
        id: id(number),
        qos,
        packet_id: 1,
        life: 1,
    };
    numbers.iter().map(one).collect()
}

/// One publisher that said `said`, one group at `qos` whose members heard these numbers.
fn check(said: Vec<Said>, qos: Qos, members: &[&[usize]], expected: &[Kind]) {
    let members = members.iter().map(|numbers| heard(numbers, qos));
    let history = History {
        said: vec![said],
        groups: vec![Group {
            name: "ana".to_owned(),
            qos,
            members: members.collect(),
        }],
        retained: BTreeMap::new(),
    };
    let findings = history.findings();
    let kinds: Vec<Kind> = findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, expected, "{findings:?}");
}

fn said_all(count: u64, qos: Qos) -> Vec<Said> {
    (0..count).map(|number| said(number, qos)).collect()
}

#[test]
fn a_good_history_has_no_findings() {
    check(said_all(3, Q2), Q2, &[&[0, 1, 2]], &[]);
    check(said_all(3, Q2), Q2, &[&[0, 2], &[1]], &[]);
}

#[test]
fn what_was_acknowledged_and_not_heard_is_lost() {
    check(said_all(3, Q2), Q2, &[&[0, 2]], &[Kind::Lost]);
    check(said_all(3, Q2), Q2, &[&[0], &[]], &[Kind::Lost, Kind::Lost]);
    let mut unacknowledged = said_all(3, Q2);
    unacknowledged[1].is_acknowledged = false;
    check(unacknowledged, Q2, &[&[0, 2]], &[]);
}

#[test]
fn what_is_heard_twice_is_doubled_at_qos_2_only() {
    check(said_all(3, Q2), Q2, &[&[0, 1, 2, 1]], &[Kind::Doubled]);
    check(said_all(3, Q2), Q2, &[&[0, 1], &[1, 2]], &[Kind::Doubled]);
    check(said_all(3, Q1), Q1, &[&[0, 1, 2, 1, 2]], &[]);
}

#[test]
fn what_is_heard_first_comes_in_order_by_topic_and_qos() {
    check(said_all(3, Q1), Q1, &[&[1, 0, 2]], &[Kind::OutOfOrder]);
    check(
        said_all(4, Q1),
        Q1,
        &[&[3, 0, 1, 2]],
        &[Kind::OutOfOrder; 3],
    );
    let mut elsewhere = said_all(3, Q1);
    elsewhere[0].topic = "elsewhere".to_owned();
    check(elsewhere, Q1, &[&[1, 0, 2]], &[]);
    let mut otherwise = said_all(3, Q1);
    otherwise[0].qos = Q2;
    check(otherwise, Q1, &[&[1, 0, 2]], &[]);
}

#[test]
fn what_nobody_said_and_a_higher_qos_are_found() {
    check(said_all(1, Q2), Q2, &[&[0, 1]], &[Kind::Broken]);
    check(said_all(1, Q1), Q2, &[&[0]], &[Kind::Broken]);
}

/// What is retained at the end, after these were said to be retained.
fn check_retained(said: Vec<Said>, retained: Option<usize>, is_fine: bool) {
    let retain = |said| Said {
        retain: true,
        ..said
    };
    let retained = retained.map(|number| ("t".to_owned(), id(number)));
    let history = History {
        said: vec![said.into_iter().map(retain).collect()],
        groups: Vec::new(),
        retained: retained.into_iter().collect(),
    };
    let findings = history.findings();
    assert_eq!(findings.is_empty(), is_fine, "{findings:?}");
    assert!(findings.iter().all(|one| one.kind == Kind::RetainedWrong));
}

#[test]
fn the_last_that_was_acknowledged_is_retained_or_a_later_one() {
    check_retained(said_all(3, Q1), Some(2), true);
    check_retained(said_all(3, Q1), Some(1), false);
    check_retained(said_all(3, Q1), None, false);
    check_retained(said_all(3, Q1), Some(7), false);
    let mut last = said_all(3, Q2);
    last[2].is_acknowledged = false;
    check_retained(last.clone(), Some(2), true);
    check_retained(last.clone(), Some(1), true);
    check_retained(last, Some(0), false);
    check_retained(Vec::new(), Some(0), false);
}

#[test]
fn what_is_sent_again_at_qos_1_may_be_the_last_word() {
    // The first is sent again after the second, which the hub knew already.
    let mut again = vec![said(0, Q1), said(1, Q2)];
    again[0].last_sent = Some(2);
    again[1].last_sent = Some(3);
    check_retained(again.clone(), Some(0), true);
    check_retained(again.clone(), Some(1), true);
    // At QoS 1 the second is taken again as well.
    again[1].qos = Q1;
    check_retained(again, Some(0), false);
}

#[test]
fn each_member_of_a_share_hears_in_order_what_is_never_said_again() {
    check(said_all(3, Q2), Q2, &[&[2, 0], &[1]], &[Kind::OutOfOrder]);
    check(said_all(3, Q1), Q1, &[&[0, 2], &[1, 0]], &[]);
}
