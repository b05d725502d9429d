//! What every journal promises, checked on each of them.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::mpsc;

use quartet_store::{Append, AppendError, Batch, Journal, Local, LocalOptions, Owner, Seq, Shard};

fn batch(records: &[&[u8]]) -> Batch {
    let mut batch = Batch::default();
    for record in records {
        batch.push(record);
    }
    batch
}

fn append(
    journal: &dyn Journal,
    owner: Owner,
    first: Seq,
    records: &[&[u8]],
) -> Result<(), AppendError> {
    let (tell, told) = mpsc::channel();
    let append = Append {
        owner,
        first,
        batch: batch(records),
    };
    journal.append(
        vec![append],
        Box::new(move |result| tell.send(result).unwrap()),
    );
    told.recv().unwrap()
}

fn read(journal: &dyn Journal, shard: Shard, from: Seq) -> Vec<(Seq, Vec<u8>)> {
    let mut records = Vec::new();
    journal
        .read(shard, from, &mut |seq, record| {
            records.push((seq, record.to_vec()));
            true
        })
        .unwrap();
    records
}

#[test]
fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    let options = LocalOptions {
        segment_bytes: 16 << 10,
        ..LocalOptions::default()
    };
    let journal = Local::open(folder.path(), options.clone()).unwrap();
    assert!(Local::open(folder.path(), options.clone()).is_err());
    let owner = journal.own(Shard(5)).unwrap();
    assert_eq!(owner.next, 1);
    for round in 0..100 {
        append(&journal, owner, 1 + 2 * round, &[b"one", &[7; 1000]]).unwrap();
    }
    assert_eq!(
        append(&journal, owner, 1, &[b"x"]),
        Err(AppendError::Fenced(Shard(5)))
    );
    assert_eq!(read(&journal, Shard(5), 0).len(), 200);
    assert_eq!(read(&journal, Shard(5), 150).len(), 51);
    println!("{:?}", journal.figures());
    drop(journal);
    let journal = Local::open(folder.path(), options.clone()).unwrap();
    assert_eq!(read(&journal, Shard(5), 0).len(), 200);
    let owner = journal.own(Shard(5)).unwrap();
    assert_eq!((owner.epoch, owner.next), (2, 201));
    journal.trim(&owner, 150).unwrap();
    assert_eq!(journal.span(Shard(5)), (150, 201));
    assert_eq!(read(&journal, Shard(5), 0).len(), 51);
    let mut n = 0;
    journal.replay(&[0; 64], &mut |_, _, _| n += 1).unwrap();
    assert_eq!(n, 51);
    append(&journal, owner, 201, &[b"x"]).unwrap();
    append(&journal, owner, 202, &[&[7; 1 << 20]]).unwrap();
    append(&journal, owner, 203, &[b"x"]).unwrap();
    println!("{:?}", journal.figures());
    drop(journal);
    for e in std::fs::read_dir(folder.path()).unwrap() {
        let e = e.unwrap();
        println!("{:?} {}", e.file_name(), e.metadata().unwrap().len());
    }
    let journal = Local::open(folder.path(), options).unwrap();
    assert_eq!(read(&journal, Shard(5), 0).len(), 54);
}
