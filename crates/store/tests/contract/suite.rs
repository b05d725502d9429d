//! The promises.

use std::sync::{Arc, Mutex};

use quartet_store::{
    Append, AppendError, BATCH_RECORDS_MAX, Batch, Owner, RECORD_BYTES_MAX, ReadError, SHARDS_MAX,
    Shard,
};

use crate::subject::{Kind, append, at};

const FENCED: Result<(), AppendError> = Err(AppendError::Fenced(Shard(3)));

pub(crate) fn records_come_back_in_their_order<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    assert_eq!((owner.epoch, owner.next), (1, 1));
    subject.append(owner, 1, &[b"one", b"two"]).unwrap();
    subject.append(owner, 3, &[b"three"]).unwrap();
    let expected = at(1, &[b"one", b"two", b"three"]);
    assert_eq!(subject.read(3, 1).unwrap(), expected);
    assert_eq!(subject.span(3), (1, 4));
}

pub(crate) fn an_append_is_there_as_a_whole_or_not_at_all<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let (ours, theirs) = (subject.own(3), subject.own(4));
    subject.own(4);
    let both = vec![append(ours, 1, &[b"a"]), append(theirs, 1, &[b"b"])];
    let refused = subject.append_all(both);
    assert_eq!(refused, Err(AppendError::Fenced(Shard(4))));
    assert_eq!((subject.span(3), subject.span(4)), ((1, 1), (1, 1)));
    let twice = vec![append(ours, 1, &[b"a", b"b"]), append(ours, 3, &[b"c"])];
    subject.append_all(twice).unwrap();
    assert_eq!(subject.read(3, 1).unwrap(), at(1, &[b"a", b"b", b"c"]));
}

pub(crate) fn who_owned_a_shard_before_is_fenced<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let before = subject.own(3);
    let owner = subject.own(3);
    assert!(before.epoch < owner.epoch);
    assert_eq!(subject.append(before, 1, &[b"stale"]), FENCED);
    subject.append(owner, 1, &[b"ours"]).unwrap();
    assert_eq!(subject.read(3, 1).unwrap(), at(1, &[b"ours"]));
    let nobody = Owner { epoch: 0, ..owner };
    assert_eq!(subject.append(nobody, 2, &[b"stale"]), FENCED);
}

pub(crate) fn an_append_to_another_place_is_fenced<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    for wrong in [0, 2, u64::MAX] {
        assert_eq!(subject.append(owner, wrong, &[b"x"]), FENCED);
    }
    subject.append(owner, 1, &[b"one"]).unwrap();
    assert_eq!(subject.append(owner, 1, &[b"again"]), FENCED);
    assert_eq!(subject.read(3, 1).unwrap(), at(1, &[b"one"]));
}

pub(crate) fn a_batch_that_is_too_large_is_refused<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    let long = vec![0; RECORD_BYTES_MAX + 1];
    let tiny = vec![&b""[..]; BATCH_RECORDS_MAX + 1];
    let heavy = vec![&long[1..]; 4];
    for records in [&[&long[..]][..], &tiny, &heavy] {
        let refused = subject.append(owner, 1, records);
        assert!(matches!(refused, Err(AppendError::TooLarge { .. })));
    }
    assert_eq!(subject.span(3), (1, 1));
    subject.append(owner, 1, &tiny[1..]).unwrap();
    subject.append(owner, 1001, &heavy[1..]).unwrap();
    assert_eq!(subject.read(3, 1).unwrap().len(), 1003);
}

pub(crate) fn an_empty_batch_is_answered_and_leaves_nothing<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    subject.append(owner, 1, &[]).unwrap();
    subject.append_all(Vec::new()).unwrap();
    assert_eq!(subject.append(owner, 2, &[]), FENCED);
    assert_eq!(subject.span(3), (1, 1));
}

pub(crate) fn a_shard_that_does_not_exist_has_nothing_and_takes_nothing<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let nowhere = Shard(SHARDS_MAX as u8);
    let fenced = AppendError::Fenced(nowhere);
    assert_eq!(subject.journal.own(nowhere), Err(fenced.clone()));
    let owner = Owner {
        shard: nowhere,
        epoch: 1,
        next: 1,
    };
    assert_eq!(subject.append(owner, 1, &[b"x"]), Err(fenced.clone()));
    assert_eq!(subject.journal.trim(&owner, 1), Err(fenced));
    assert_eq!(subject.read(nowhere.0, 1), Ok(Vec::new()));
    assert_eq!(subject.span(nowhere.0), (1, 1));
}

pub(crate) fn reading_can_begin_anywhere_and_end_anywhere<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let (owner, other) = (subject.own(3), subject.own(9));
    for round in 0..200 {
        let first = 1 + 3 * round;
        let records: [&[u8]; 3] = [&[round as u8; 300], b"", &[1; 7]];
        subject.append(owner, first, &records).unwrap();
        subject.append(other, 1 + round, &[&[9; 500]]).unwrap();
    }
    let all = subject.read(3, 1).unwrap();
    assert_eq!(all.len(), 600);
    for from in (1..=600).step_by(7) {
        assert_eq!(subject.read(3, from).unwrap(), all[from as usize - 1..]);
    }
    for from in [601, 602, u64::MAX] {
        assert_eq!(subject.read(3, from).unwrap(), []);
    }
    let mut seen = Vec::new();
    let mut until_300 = |seq, _: &[u8]| {
        seen.push(seq);
        seq < 300
    };
    subject.journal.read(Shard(3), 250, &mut until_300).unwrap();
    assert_eq!(seen, (250..=300).collect::<Vec<_>>());
}

pub(crate) fn what_was_let_go_is_not_read<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    subject
        .append(owner, 1, &[b"one", b"two", b"three"])
        .unwrap();
    subject.journal.trim(&owner, 3).unwrap();
    subject.journal.trim(&owner, 2).unwrap(); // nothing comes back
    assert_eq!(subject.span(3), (3, 4));
    let trimmed = ReadError::Trimmed {
        shard: Shard(3),
        first: 3,
        asked: 2,
    };
    assert_eq!(subject.read(3, 2), Err(trimmed.clone()));
    let mut from = [0; SHARDS_MAX];
    from[3] = 2;
    assert_eq!(subject.replay(&from), Err(trimmed));
    assert_eq!(subject.read(3, 3).unwrap(), at(3, &[b"three"]));
    subject.journal.trim(&owner, u64::MAX).unwrap();
    assert_eq!(subject.span(3), (4, 4));
    subject.append(owner, 4, &[b"four"]).unwrap();
    assert_eq!(subject.read(3, 4).unwrap(), at(4, &[b"four"]));
}

pub(crate) fn nobody_trims_what_is_another_ones<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let before = subject.own(3);
    subject.append(before, 1, &[b"one"]).unwrap();
    subject.own(3);
    assert_eq!(subject.journal.trim(&before, 2), FENCED);
    assert_eq!(subject.span(3), (1, 2));
}

pub(crate) fn what_was_acknowledged_is_there_after_reopening<K: Kind>() {
    let kind = K::new();
    let mut expected = Vec::new();
    for round in 0..5 {
        let subject = kind.open();
        assert_eq!(subject.read(3, 1).unwrap(), expected);
        let owner = subject.own(3);
        assert_eq!(owner.next, 1 + 40 * round);
        for step in 0..20 {
            let first = owner.next + 2 * step;
            let records: [&[u8]; 2] = [&[step as u8; 900], b"x"];
            subject.append(owner, first, &records).unwrap();
            expected.extend(at(first, &records));
        }
        assert_eq!(subject.read(3, 1).unwrap(), expected);
    }
}

pub(crate) fn epochs_grow_over_reopening<K: Kind>() {
    let kind = K::new();
    let mut last = 0;
    for _ in 0..5 {
        let subject = kind.open();
        for _ in 0..2 {
            let owner = subject.own(3);
            assert_eq!(owner.epoch, last + 1);
            last = owner.epoch;
        }
    }
}

pub(crate) fn answers_come_in_the_order_of_the_appends<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    let answers = Arc::new(Mutex::new(Vec::new()));
    let call = |number: usize, appends: Vec<Append>| {
        let answers = Arc::clone(&answers);
        let then = Box::new(move |result: Result<(), AppendError>| {
            answers.lock().unwrap().push((number, result.is_ok()));
        });
        subject.journal.append(appends, then);
    };
    let mut large = Batch::default();
    large.push(&vec![0; RECORD_BYTES_MAX + 1]);
    let mut large = Some(large);
    for number in 0..100 {
        call(3 * number, vec![append(owner, 1 + number as u64, &[b"x"])]);
        call(3 * number + 1, vec![append(owner, 1, &[b"fenced"])]);
        let batch = large.take().unwrap_or_default();
        let first = 2 + number as u64;
        let last = Append {
            owner,
            first,
            batch,
        };
        call(3 * number + 2, vec![last]);
    }
    subject.append(owner, 101, &[b"end"]).unwrap();
    let answers = answers.lock().unwrap();
    let numbers: Vec<_> = answers.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    let refused = answers.iter().filter(|(_, is_ok)| !is_ok).count();
    assert_eq!(refused, 101);
}

pub(crate) fn replay_visits_what_reading_visits<K: Kind>() {
    let kind = K::new();
    for reopened in [false, true] {
        let subject = kind.open();
        for shard in [0, 3, 63] {
            let owner = subject.own(shard);
            for step in 0..50 {
                let records: [&[u8]; 2] = [&[shard; 400], &[step; 3]];
                let first = owner.next + 2 * u64::from(step);
                subject.append(owner, first, &records).unwrap();
            }
            let before = owner.next + u64::from(shard);
            subject.journal.trim(&owner, before).unwrap();
        }
        let all = subject.replay(&[0; SHARDS_MAX]).unwrap();
        for (shard, records) in all.iter().enumerate() {
            let read = subject.read(shard as u8, 0).unwrap();
            assert_eq!(records, &read, "shard {shard}, reopened: {reopened}");
        }
        assert_eq!(all[0].len(), 100);
    }
}

pub(crate) fn replay_begins_where_it_is_told_to<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owners = [subject.own(3), subject.own(4)];
    for step in 1..=100 {
        for owner in owners {
            subject.append(owner, step, &[&[step as u8; 500]]).unwrap();
        }
    }
    let mut from = [u64::MAX; SHARDS_MAX];
    (from[3], from[4]) = (90, 40);
    let records = subject.replay(&from).unwrap();
    assert_eq!(records[3], subject.read(3, 90).unwrap());
    assert_eq!(records[4], subject.read(4, 40).unwrap());
    assert_eq!((records[3].len(), records[4].len()), (11, 61));
}

pub(crate) fn segments_go_when_all_in_them_was_let_go<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let (owner, slow) = (subject.own(3), subject.own(4));
    subject.append(slow, 1, &[b"still wanted"]).unwrap();
    for step in 1..=100 {
        subject.append(owner, step, &[&[step as u8; 1000]]).unwrap();
    }
    subject.journal.trim(&owner, 95).unwrap();
    subject.append(owner, 101, &[b"x"]).unwrap();
    assert_eq!(subject.read(4, 1).unwrap(), at(1, &[b"still wanted"]));
    subject.journal.trim(&slow, 2).unwrap();
    subject.append(owner, 102, &[b"x"]).unwrap();
    drop(subject);
    let subject = kind.open();
    assert_eq!(subject.span(3), (95, 103));
    assert_eq!(subject.span(4), (2, 2));
    assert_eq!(subject.read(3, 95).unwrap().len(), 8);
    assert_eq!(subject.read(4, 0).unwrap(), []);
}

pub(crate) fn every_size_of_record_comes_back<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owner = subject.own(3);
    let sizes = [0, 1, 127, 128, 16_383, 16_384, 70_000, RECORD_BYTES_MAX];
    let records: Vec<Vec<u8>> = sizes
        .iter()
        .map(|&bytes| vec![bytes as u8; bytes])
        .collect();
    for (first, record) in (1..).zip(&records) {
        subject.append(owner, first, &[record]).unwrap();
    }
    drop(subject);
    let subject = kind.open();
    let slices: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    assert_eq!(subject.read(3, 1).unwrap(), at(1, &slices));
}

pub(crate) fn shards_do_not_see_each_other<K: Kind>() {
    let kind = K::new();
    let subject = kind.open();
    let owners: Vec<_> = (0..SHARDS_MAX as u8)
        .map(|shard| subject.own(shard))
        .collect();
    for step in 1..=5 {
        let call = owners.iter().map(|&owner| {
            let record = [owner.shard.0, step as u8];
            append(owner, step, &[&record])
        });
        subject.append_all(call.collect()).unwrap();
    }
    drop(subject);
    let subject = kind.open();
    for shard in 0..SHARDS_MAX as u8 {
        let records = subject.read(shard, 1).unwrap();
        let expected: Vec<_> = (1..=5)
            .map(|step| (step, vec![shard, step as u8]))
            .collect();
        assert_eq!(records, expected);
    }
}
