//! What is special about the journal in a folder: its thread, its queue and its lock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Barrier, Mutex, mpsc},
};

use bytes::Bytes;
use quartet_store::{
    Append, AppendError, BODY_BYTES_MAX, BODY_INLINE_BYTES_MAX, Batch, Journal, Key, Local,
    LocalOptions, OpenError, Owner, Seq, Shard, verify,
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
fn a_copy_with_bodies_opens_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let options = || LocalOptions {
        segment_bytes: 16 << 10,
        key: Some(Key::new([1; 32])),
        ..LocalOptions::default()
    };
    let journal = Local::open(folder.path(), options()).unwrap();
    let owner = journal.own(Shard(1)).unwrap();
    let last = 60;
    std::thread::scope(|scope| {
        let journal = &journal;
        scope.spawn(move || {
            for first in 1..=last {
                // Five contents, each again and again.
                append_body(journal, owner, first, (first % 5) as u8);
                journal.trim(&owner, first.saturating_sub(9)).unwrap();
            }
        });
        for number in 0..8 {
            let target = copies.path().join(number.to_string());
            let safe = journal.span(Shard(1)).1;
            journal.copy_to(&target).unwrap();
            let report = verify(&target).unwrap();
            assert_eq!(report.problems, []);
            let copy = Local::open(&target, options()).unwrap();
            assert_eq!(copy.figures().blobs, report.blobs);
            let (first, next) = copy.span(Shard(1));
            assert!(safe <= next);
            let mut seq = first;
            let mut check = |at, record: &[u8]| {
                assert_eq!(at, seq);
                assert!(record == body((seq % 5) as u8));
                seq += 1;
                true
            };
            copy.read(Shard(1), 0, &mut check).unwrap();
            assert_eq!(seq, next);
            // Each content is there once, whoever has it.
            let inodes: BTreeSet<_> = blobs(&target).iter().map(|blob| blob.ino()).collect();
            assert!(inodes.len() as u64 <= report.blobs);
        }
    });
    let target = copies.path().join("with a blob");
    std::fs::create_dir(&target).unwrap();
    let name = format!("{:016}-{}.blob", 1, "0".repeat(64));
    std::fs::write(target.join(name), "").unwrap();
    let error = journal.copy_to(&target).unwrap_err().to_string();
    assert!(error.ends_with("there is a log already"), "{error}");
}

#[test]
fn a_body_that_came_again_is_one_file_with_two_names() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Local::open(folder.path(), LocalOptions::default()).unwrap();
    let journal = open();
    let owner = journal.own(Shard(1)).unwrap();
    append_body(&journal, owner, 1, 7);
    append_body(&journal, owner, 2, 7);
    assert_eq!(blobs(folder.path()).len(), 1);
    drop(journal);
    let journal = open();
    let owner = journal.own(Shard(1)).unwrap();
    append_body(&journal, owner, 3, 7);
    let files = blobs(folder.path());
    let links: Vec<_> = files.iter().map(|blob| blob.nlink()).collect();
    assert_eq!(links, [2, 2]);
    let figures = journal.figures();
    assert_eq!((figures.blobs, figures.blob_bytes), (1, files[0].len()));
}

#[test]
fn the_longest_body_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Local::open(folder.path(), LocalOptions::default()).unwrap();
    let owner = journal.own(Shard(1)).unwrap();
    let body: Bytes = vec![7; BODY_BYTES_MAX].into();
    assert!(journal.has_room(body.len() as u64));
    append_bytes(&journal, owner, 1, body.clone());
    let mut is_same = false;
    let mut check = |_, record: &[u8]| {
        is_same = *record == body;
        true
    };
    journal.read(Shard(1), 1, &mut check).unwrap();
    assert!(is_same);
}

fn body(byte: u8) -> Bytes {
    vec![byte; BODY_INLINE_BYTES_MAX + 1].into()
}

/// Appends a record that is all body, and waits for the answer.
fn append_body(journal: &Local, owner: Owner, first: Seq, byte: u8) {
    append_bytes(journal, owner, first, body(byte));
}

fn append_bytes(journal: &Local, owner: Owner, first: Seq, body: Bytes) {
    let mut batch = Batch::default();
    batch.push_with_body(|_| {}, body);
    let append = Append {
        owner,
        first,
        batch,
    };
    let (tell, told) = mpsc::channel();
    let then = Box::new(move |result| tell.send(result).unwrap());
    journal.append(vec![append], then);
    assert_eq!(told.recv().unwrap(), Ok(()));
}

/// The files with long bodies in a folder.
fn blobs(folder: &Path) -> Vec<Metadata> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files
        .filter(|file| file.path().extension() == Some(OsStr::new("blob")))
        .map(|file| file.metadata().unwrap())
        .collect()
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
