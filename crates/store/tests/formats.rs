//! What other versions wrote. `format-1` has two logs that the first version made, one of them
//! encrypted; each later format keeps logs of its own beside it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, sync::mpsc};

use quartet_store::{
    Append, BODY_INLINE_BYTES_MAX, Batch, Journal, Key, Local, LocalOptions, SHARDS_MAX, Shard,
    verify,
};

/// The format in the header of a segment.
fn format_of(folder: &Path, number: u64) -> u8 {
    let segment = folder.join(format!("{number:016}.seg"));
    std::fs::read(segment).unwrap()[8]
}

fn goes_on(name: &str, key: Option<Key>) {
    let kept = Path::new("tests/format-1");
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(kept.join(name)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let report = verify(folder.path()).unwrap();
    assert_eq!(
        (report.records, report.blobs, report.problems),
        (4, 0, vec![])
    );
    let open = || {
        let key = key.clone();
        let options = LocalOptions {
            key,
            ..LocalOptions::default()
        };
        Local::open(folder.path(), options).unwrap()
    };
    let mut expected = vec![
        b"one".to_vec(),
        b"two".to_vec(),
        vec![3; 300],
        b"four".to_vec(),
    ];
    let read = |journal: &Local| {
        let mut records = Vec::new();
        let mut keep = |shard, _, record: &[u8]| {
            assert_eq!(shard, Shard(3));
            records.push(record.to_vec());
        };
        journal.replay(&[0; SHARDS_MAX], &mut keep).unwrap();
        records
    };
    let journal = open();
    assert_eq!(read(&journal), expected);
    let owner = journal.own(Shard(3)).unwrap();
    assert_eq!((owner.epoch, owner.next), (3, 5));
    let body = vec![5; BODY_INLINE_BYTES_MAX + 1];
    let mut batch = Batch::default();
    batch.push_with_body(|_| {}, body.clone().into());
    let (tell, told) = mpsc::channel();
    let first = 5;
    let append = Append {
        owner,
        first,
        batch,
    };
    let then = Box::new(move |result| tell.send(result).unwrap());
    journal.append(vec![append], then);
    told.recv().unwrap().unwrap();
    drop(journal);
    expected.push(body);
    assert!(read(&open()) == expected);
    assert_eq!(
        [1, 2, 3].map(|number| format_of(folder.path(), number)),
        [1, 1, 2]
    );
    assert_eq!(verify(folder.path()).unwrap().problems, []);
}

#[test]
fn a_log_of_the_first_format_is_read_and_goes_on_in_the_newest() {
    goes_on("plain", None);
    goes_on("sealed", Some(Key::new([1; 32])));
}
