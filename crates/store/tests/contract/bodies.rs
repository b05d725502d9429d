//! The promises about bodies, long and short.

use bytes::Bytes;
use quartet_store::{
    Append, AppendError, BODY_BYTES_MAX, BODY_INLINE_BYTES_MAX, Batch, Owner, Seq, Shard,
};

use crate::subject::{Kind, Records, Subject, append};

/// A body that does not stand in a record.
const LONG: usize = BODY_INLINE_BYTES_MAX + 1;

fn with_bodies(owner: Owner, first: Seq, bodies: &[Bytes]) -> Append {
    let mut batch = Batch::default();
    for body in bodies {
        batch.push_with_body(|head| head.extend_from_slice(b"head "), body.clone());
    }
    Append {
        owner,
        first,
        batch,
    }
}

fn at(first: Seq, bodies: &[Bytes]) -> Records {
    let records = bodies.iter().map(|body| [b"head ", &body[..]].concat());
    (first..).zip(records).collect()
}

fn body(byte: u8, bytes: usize) -> Bytes {
    vec![byte; bytes].into()
}

/// One of each length at which something changes, and one twice.
fn bodies() -> Vec<Bytes> {
    let lengths = [0, 1, LONG - 1, LONG, 2 * LONG, LONG];
    let bodies = lengths.into_iter().map(|bytes| body(7, bytes));
    bodies.collect()
}

pub(crate) fn a_record_is_read_with_its_body<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    let bodies = bodies();
    let call = vec![with_bodies(owner, 1, &bodies)];
    subject.append_all(call).unwrap();
    for (first, body) in (7..).zip(&bodies) {
        let call = vec![with_bodies(owner, first, std::slice::from_ref(body))];
        subject.append_all(call).unwrap();
    }
    let expected = [at(1, &bodies), at(7, &bodies)].concat();
    assert!(subject.read(3, 1).unwrap() == expected);
    assert!(subject.replay(&[0; 64]).unwrap()[3] == expected);
}

pub(crate) fn bodies_are_there_after_reopening<K: Kind>() {
    let kind = K::new();
    let mut expected = Vec::new();
    for round in 0..4 {
        let subject = kind.open();
        assert!(subject.read(3, 1).unwrap() == expected);
        let owner = subject.own(3);
        // One is new each time, and one the same.
        let bodies = [body(round, LONG), body(9, LONG)];
        let call = vec![with_bodies(owner, owner.next, &bodies)];
        subject.append_all(call).unwrap();
        expected.extend(at(owner.next, &bodies));
    }
    let subject = kind.open();
    assert!(subject.read(3, 1).unwrap() == expected);
}

pub(crate) fn a_body_that_is_too_long_is_refused<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    let call = vec![with_bodies(owner, 1, &[body(0, BODY_BYTES_MAX + 1)])];
    let refused = subject.append_all(call);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    // What is not long counts as a part of its record.
    let mut batch = Batch::default();
    for _ in 0..17 {
        batch.push_with_body(|_| {}, body(0, BODY_INLINE_BYTES_MAX));
    }
    let first = 1;
    let call = Append {
        owner,
        first,
        batch,
    };
    let refused = subject.append_all(vec![call]);
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    assert_eq!(subject.span(3), (1, 1));
}

pub(crate) fn a_call_with_a_body_is_there_as_a_whole_or_not_at_all<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let (owner, before) = (subject.own(3), subject.own(4));
    subject.own(4);
    let long = [body(1, LONG)];
    let bytes = subject.journal.bytes();
    let call = vec![with_bodies(owner, 1, &long), append(before, 1, &[b"stale"])];
    let refused = subject.append_all(call);
    assert_eq!(refused, Err(AppendError::Fenced(Shard(4))));
    assert_eq!(subject.span(3), (1, 1));
    assert_eq!(subject.journal.bytes(), bytes);
    let call = vec![with_bodies(owner, 1, &long), with_bodies(owner, 2, &long)];
    subject.append_all(call).unwrap();
    let expected = [at(1, &long), at(2, &long)].concat();
    assert!(subject.read(3, 1).unwrap() == expected);
}

pub(crate) fn the_room_of_a_body_is_free_when_all_who_have_it_were_let_go<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let (owner, other) = (subject.own(3), subject.own(4));
    let long = [body(1, LONG)];
    let append_long = |owner, first| {
        let call = vec![with_bodies(owner, first, &long)];
        subject.append_all(call).unwrap();
    };
    append_long(owner, 1);
    fill_a_segment(&subject, owner, 2);
    append_long(other, 1);
    let bytes = subject.journal.bytes();
    assert!((LONG as u64..2 * LONG as u64).contains(&bytes), "{bytes}");
    // The first who had it goes, and the other still has it.
    subject.journal.trim(&owner, Seq::MAX).unwrap();
    let next = subject.span(3).1;
    subject.append(owner, next, &[b"x"]).unwrap();
    assert!(subject.read(4, 1).unwrap() == at(1, &long));
    subject.journal.trim(&other, 2).unwrap();
    fill_a_segment(&subject, owner, next + 1);
    let next = subject.span(3).1;
    subject.journal.trim(&owner, Seq::MAX).unwrap();
    subject.append(owner, next, &[b"x"]).unwrap();
    drop(subject);
    let subject = kind.open();
    assert!(subject.journal.bytes() < LONG as u64);
    assert_eq!(subject.read(4, 0).unwrap(), []);
}

/// So that what comes next is in another one.
fn fill_a_segment(subject: &Subject, owner: Owner, first: Seq) {
    for seq in first..first + 20 {
        subject.append(owner, seq, &[&[1; 1000]]).unwrap();
    }
}

pub(crate) fn reading_begins_and_ends_at_any_body<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    let bodies: Vec<_> = (0..6).map(|byte| body(byte, LONG)).collect();
    subject
        .append_all(vec![
            with_bodies(owner, 1, &bodies[..4]),
            with_bodies(owner, 5, &bodies[4..]),
        ])
        .unwrap();
    let all = at(1, &bodies);
    for from in 1..=6 {
        assert!(subject.read(3, from).unwrap() == all[from as usize - 1..]);
    }
    let mut seen = Vec::new();
    let mut until_3 = |seq, _: &[u8]| {
        seen.push(seq);
        seq < 3
    };
    subject.journal.read(Shard(3), 2, &mut until_3).unwrap();
    assert_eq!(seen, [2, 3]);
}

pub(crate) fn there_is_room_for_a_body_until_there_is_not<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    for bytes in [0, LONG - 1, LONG, BODY_BYTES_MAX] {
        assert!(subject.journal.has_room(bytes as u64), "{bytes}");
    }
    assert!(!subject.journal.has_room(u64::MAX));
}
