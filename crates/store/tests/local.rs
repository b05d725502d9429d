//! What is special about the journal in a folder: its thread, its queue and its lock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    sync::{Arc, Barrier, Mutex, mpsc},
};

use quartet_store::{
    Append, AppendError, Batch, Journal, Key, Local, LocalOptions, OpenError, Owner, Seq, Shard,
    verify,
};

fn open(folder: &Path) -> Local {
    let options = LocalOptions {
        segment_bytes: 64 << 10,
        waiting_bytes_max: 100_000,
        key: None,
    };
    Local::open(folder, options).unwrap()
}

fn append(owner: Owner, first: Seq, bytes: usize) -> Vec<Append> {
    let mut batch = Batch::default();
    batch.push(&vec![7; bytes]);
    vec![Append {
        owner,
        first,
        batch,
    }]
}

#[test]
fn a_folder_is_used_by_one_hub_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let error = Local::open(folder.path(), LocalOptions::default())
        .err()
        .unwrap();
    assert!(matches!(error, OpenError::InUse { .. }));
    let says = format!("another hub uses {}", folder.path().display());
    assert_eq!(error.to_string(), says);
    drop(journal);
    open(&folder.path().join("a/b"));
    open(folder.path());
}

#[test]
fn what_was_handed_over_is_finished_before_it_closes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let owner = journal.own(Shard(1)).unwrap();
    let answers = Arc::new(Mutex::new(Vec::new()));
    for first in 1..=100 {
        let answers = Arc::clone(&answers);
        let then = Box::new(move |result| answers.lock().unwrap().push(result));
        journal.append(append(owner, first, 100), then);
    }
    drop(journal);
    assert_eq!(*answers.lock().unwrap(), vec![Ok(()); 100]);
    assert_eq!(open(folder.path()).span(Shard(1)), (1, 101));
}

#[test]
fn too_much_under_way_is_refused_and_room_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let owner = journal.own(Shard(1)).unwrap();
    let (tell, told) = mpsc::channel();
    // The writer is held up in an answer, so that the queue fills.
    let gate = Arc::new(Barrier::new(2));
    let held = Arc::clone(&gate);
    let hold = Box::new(move |_| {
        held.wait();
        held.wait();
    });
    journal.append(Vec::new(), hold);
    gate.wait();
    for first in 1..=3 {
        let tell = tell.clone();
        let then = Box::new(move |result| tell.send((first, result)).unwrap());
        journal.append(append(owner, first, 40_000), then);
    }
    gate.wait();
    assert_eq!(told.recv().unwrap(), (1, Ok(())));
    assert_eq!(told.recv().unwrap(), (2, Ok(())));
    let (first, refused) = told.recv().unwrap();
    assert!(matches!((first, &refused), (3, Err(AppendError::Busy(_)))));
    let then = Box::new(move |result| tell.send((4, result)).unwrap());
    journal.append(append(owner, 3, 40_000), then);
    assert_eq!(told.recv().unwrap(), (4, Ok(())));
}

#[test]
fn an_answer_that_panics_or_asks_for_a_shard_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(folder.path()));
    let owner = journal.own(Shard(1)).unwrap();
    journal.append(append(owner, 1, 10), Box::new(|_| panic!("on purpose")));
    let (tell, told) = mpsc::channel();
    let again = Arc::clone(&journal);
    let then = Box::new(move |_| tell.send(again.own(Shard(1))).unwrap());
    journal.append(append(owner, 2, 10), then);
    assert!(matches!(told.recv().unwrap(), Err(AppendError::Busy(_))));
    assert_eq!(journal.own(Shard(1)).unwrap().next, 3);
}

#[test]
fn many_threads_append_and_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    std::thread::scope(|scope| {
        for shard in 0..4 {
            let journal = &journal;
            scope.spawn(move || {
                let owner = journal.own(Shard(shard)).unwrap();
                for first in 1..=300 {
                    let (tell, told) = mpsc::channel();
                    let then = Box::new(move |result| tell.send(result).unwrap());
                    journal.append(append(owner, first, 400), then);
                    assert_eq!(told.recv().unwrap(), Ok(()));
                    let mut read = 0;
                    let mut count = |_, _: &[u8]| {
                        read += 1;
                        true
                    };
                    let kept = journal.span(owner.shard).0;
                    journal.read(owner.shard, kept, &mut count).unwrap();
                    assert_eq!(read, first + 1 - kept);
                    journal.trim(&owner, first.saturating_sub(50)).unwrap();
                }
            });
        }
    });
    assert!(journal.figures().segments < 10);
}

#[test]
fn an_encrypted_journal_opens_with_its_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let open = |key: Option<[u8; 32]>| {
        let options = LocalOptions {
            key: key.map(Key::new),
            ..LocalOptions::default()
        };
        Local::open(folder.path(), options)
    };
    let journal = open(Some([1; 32])).unwrap();
    let owner = journal.own(Shard(1)).unwrap();
    let (tell, told) = mpsc::channel();
    let then = Box::new(move |result| tell.send(result).unwrap());
    journal.append(append(owner, 1, 1000), then);
    told.recv().unwrap().unwrap();
    drop(journal);
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    };
    let before = files();
    let is_plain = |file: &Vec<u8>| file.windows(1000).any(|bytes| bytes == [7; 1000]);
    assert!(!before.iter().any(is_plain));
    for (key, says) in [(None, "no key was given"), (Some([2; 32]), "another key")] {
        let error = open(key).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(files() == before, "a wrong key changed something");
    let journal = open(Some([1; 32])).unwrap();
    let mut records = Vec::new();
    let mut keep = |_, record: &[u8]| {
        records.push(record.to_vec());
        true
    };
    journal.read(Shard(1), 1, &mut keep).unwrap();
    assert_eq!(records, [[7; 1000]]);
    let plain = tempfile::tempdir().unwrap();
    drop(self::open(plain.path()));
    let options = LocalOptions {
        key: Some(Key::new([1; 32])),
        ..LocalOptions::default()
    };
    let error = Local::open(plain.path(), options)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("the journal is not encrypted"), "{error}");
}

#[test]
fn a_copy_is_taken_while_others_write_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let owner = journal.own(Shard(1)).unwrap();
    let last = 2000;
    std::thread::scope(|scope| {
        let journal = &journal;
        scope.spawn(move || {
            for first in 1..=last {
                let (tell, told) = mpsc::channel();
                let then = Box::new(move |result| tell.send(result).unwrap());
                journal.append(append(owner, first, 1000), then);
                assert_eq!(told.recv().unwrap(), Ok(()));
                journal.trim(&owner, first.saturating_sub(200)).unwrap();
            }
        });
        for number in 0..20 {
            let target = copies.path().join(number.to_string());
            let safe = journal.span(Shard(1)).1;
            journal.copy_to(&target).unwrap();
            let report = verify(&target).unwrap();
            assert_eq!(report.problems, []);
            let copy = open(&target);
            let (first, next) = copy.span(Shard(1));
            assert!(safe <= next);
            let mut seq = first;
            let mut count = |at, _: &[u8]| {
                assert_eq!(at, seq);
                seq += 1;
                true
            };
            copy.read(Shard(1), 0, &mut count).unwrap();
            assert_eq!(seq, next);
        }
    });
    let error = journal.copy_to(&copies.path().join("0")).unwrap_err();
    assert!(
        error.to_string().ends_with("there is a log already"),
        "{error}"
    );
}

#[test]
fn rot_in_the_last_group_is_noticed_if_the_journal_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    let owner = journal.own(Shard(1)).unwrap();
    journal.append(append(owner, 1, 1000), Box::new(|_| {}));
    drop(journal);
    let segment = folder.path().join("0000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let record = bytes.windows(1000).position(|bytes| bytes == [7; 1000]);
    bytes[record.unwrap() + 500] = 8;
    std::fs::write(&segment, bytes).unwrap();
    let error = Local::open(folder.path(), LocalOptions::default()).err();
    let says = error.unwrap().to_string();
    assert!(says.contains("0000000000000001.seg at byte 4160"), "{says}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Local::open(&file.join("journal"), LocalOptions::default()).err();
    let says = error.unwrap().to_string();
    assert!(
        says.starts_with("cannot make ") && says.contains("file/journal"),
        "{says}"
    );
}
