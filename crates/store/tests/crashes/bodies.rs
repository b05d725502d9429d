//! What may happen to long bodies on disks that crash, fail, fill up and rot.

use std::sync::mpsc;

use bytes::Bytes;
use quartet_store::{
    Append, AppendError, Batch, Journal, Key, Owner, ReadError, SHARDS_MAX, Seq, Shard,
    log::{Log, LogOptions, verify},
    sim::{Sim, SimDisk},
};

const LONG: usize = 3000;

fn options(key: Option<Key>) -> LogOptions {
    LogOptions {
        segment_bytes: 16 << 10,
        body_inline_bytes_max: 1000,
        key,
        ..LogOptions::default()
    }
}

fn open(disk: &SimDisk) -> Sim {
    Sim::open(disk, options(None)).unwrap()
}

fn append(owner: Owner, first: Seq, bodies: &[&[u8]]) -> Append {
    let mut batch = Batch::default();
    for body in bodies {
        let body = Bytes::copy_from_slice(body);
        batch.push_with_body(|head| head.extend_from_slice(b"head "), body);
    }
    Append {
        owner,
        first,
        batch,
    }
}

fn keep(sim: &Sim, appends: Vec<Append>) -> Result<(), AppendError> {
    let (tell, told) = mpsc::channel();
    sim.append(appends, Box::new(move |result| tell.send(result).unwrap()));
    sim.sync();
    told.recv().unwrap()
}

fn read(sim: &Sim, shard: u8, from: Seq) -> Result<Vec<Vec<u8>>, ReadError> {
    let mut bodies = Vec::new();
    sim.read(Shard(shard), from, &mut |_, record| {
        bodies.push(record.strip_prefix(b"head ").unwrap().to_vec());
        true
    })?;
    Ok(bodies)
}

/// Names of files with bodies, whole ones and others.
fn blobs(disk: &SimDisk) -> Vec<String> {
    let names = disk.files().into_iter().map(|(name, _)| name);
    names.filter(|name| name.ends_with(".blob")).collect()
}

/// Appends until another segment is begun; says where the next record goes.
fn fill_segment(sim: &Sim, owner: Owner) -> Seq {
    let segments = sim.figures().segments;
    while sim.figures().segments == segments {
        let (_, next) = sim.span(owner.shard);
        keep(sim, vec![append(owner, next, &[&[0; 900]])]).unwrap();
    }
    sim.span(owner.shard).1
}

#[test]
fn a_body_that_a_crash_tore_is_never_taken_for_the_content() {
    let mut torn = 0;
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        let sim = open(&disk);
        let owner = sim.own(Shard(1)).unwrap();
        match seed % 3 {
            0 => disk.fail_writes_after(0),
            1 => disk.fail_writes_after(1),
            _ => disk.fail_sync_after(0),
        }
        let broken = keep(&sim, vec![append(owner, 1, &[&[7; LONG]])]);
        assert!(matches!(broken, Err(AppendError::Broken(_))), "{broken:?}");
        let disk = disk.crash(seed);
        torn += blobs(&disk).len();
        let sim = open(&disk);
        assert_eq!(blobs(&disk), [""; 0], "seed {seed}");
        let owner = sim.own(Shard(1)).unwrap();
        keep(&sim, vec![append(owner, 1, &[&[7; LONG]])]).unwrap();
        assert_eq!(read(&sim, 1, 1).unwrap(), [[7; LONG]]);
    }
    assert!(20 < torn, "only {torn} were torn");
}

#[test]
fn a_crash_between_a_body_and_its_frame_leaves_nothing() {
    let (mut left, mut gone) = (0, 0);
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let sim = open(&disk);
        let owner = sim.own(Shard(1)).unwrap();
        if seed % 2 == 0 {
            // Then it is not the first thing in its segment.
            keep(&sim, vec![append(owner, 1, &[&[1; LONG]])]).unwrap();
        }
        let first = sim.span(Shard(1)).1;
        drop(sim);
        let mut log = Log::open(disk.clone(), options(None)).unwrap();
        let owner = log.stage_own(Shard(1)).unwrap();
        log.commit().unwrap();
        log.stage(&[append(owner, first, &[&[2; LONG]])]).unwrap();
        drop(log);
        let kept = first as usize - 1;
        let disk = disk.crash(seed);
        left += usize::from(kept < blobs(&disk).len());
        gone += usize::from(kept == blobs(&disk).len());
        let sim = open(&disk);
        assert_eq!(blobs(&disk).len(), kept, "seed {seed}");
        assert_eq!(sim.figures().blobs, kept as u64);
        assert_eq!(read(&sim, 1, 1).unwrap(), vec![[1; LONG]; kept]);
    }
    assert!(20 < left && 20 < gone, "{left} left, {gone} gone");
}

#[test]
fn a_crash_while_bodies_are_removed_leaves_nothing() {
    let mut left = [0; 4];
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let sim = open(&disk);
        let owner = sim.own(Shard(1)).unwrap();
        let bodies: [&[u8]; 3] = [&[1; LONG], &[2; LONG], &[3; LONG]];
        keep(&sim, vec![append(owner, 1, &bodies)]).unwrap();
        let next = fill_segment(&sim, owner);
        sim.trim(&owner, next).unwrap();
        sim.sync();
        assert_eq!(blobs(&disk), [""; 0]);
        let disk = disk.crash(seed);
        left[blobs(&disk).len()] += 1;
        assert_eq!(verify(&disk).unwrap().problems, []);
        let sim = open(&disk);
        assert_eq!(blobs(&disk), [""; 0]);
        assert_eq!((sim.figures().blobs, sim.figures().blob_bytes), (0, 0));
    }
    assert!(left.iter().all(|&times| 20 < times), "{left:?}");
}

#[test]
fn bodies_are_let_go_although_their_frames_fill_no_segment() {
    let disk = SimDisk::new(1);
    let sim = open(&disk);
    let owner = sim.own(Shard(0)).unwrap();
    let all_bytes = options(None).segment_bytes as usize;
    let mut most = 0;
    for seq in 1..=100_u64 {
        let body = vec![seq as u8; LONG];
        assert_eq!(keep(&sim, vec![append(owner, seq, &[&body])]), Ok(()));
        // Whoever says it anew lets go of it.
        sim.trim(&owner, seq).unwrap();
        sim.sync();
        most = most.max(sim.figures().blob_bytes as usize);
    }
    // Those of the segment that is written, and of the one before until the next is begun.
    assert!(most <= 2 * (all_bytes + LONG), "{most}");
    assert_eq!(read(&sim, 0, 100).unwrap(), [vec![100; LONG]]);
}

#[test]
fn a_body_that_is_lost_is_missed_by_name() {
    let disk = SimDisk::new(1);
    let sim = open(&disk);
    let owner = sim.own(Shard(1)).unwrap();
    let bodies: [&[u8]; 3] = [&[1; 10], &[2; LONG], &[3; 10]];
    keep(&sim, vec![append(owner, 1, &bodies)]).unwrap();
    let name = blobs(&disk).remove(0);
    assert!(disk.lose(&name));
    let missing = ReadError::Gap {
        shard: Shard(1),
        from: 2,
        to: 2,
        place: name.clone(),
    };
    let says = format!("records 2 to 2 of shard 1 are missing ({name})");
    assert_eq!(missing.to_string(), says);
    assert_eq!(read(&sim, 1, 1), Err(missing.clone()));
    assert_eq!(read(&sim, 1, 3).unwrap(), [[3; 10]]);
    let replayed = sim.replay(&[0; SHARDS_MAX], &mut |_, _, _| {});
    assert_eq!(replayed, Err(missing.clone()));
    let report = verify(&disk).unwrap();
    assert_eq!((report.problems, report.blobs), (vec![missing], 1));
    sim.trim(&owner, 3).unwrap();
    let trimmed = read(&sim, 1, 2);
    assert!(matches!(trimmed, Err(ReadError::Trimmed { .. })));
    // The same content is written again, and what is left of it can be let go.
    let next = fill_segment(&sim, owner);
    keep(&sim, vec![append(owner, next, &[&[2; LONG]])]).unwrap();
    assert_eq!(read(&sim, 1, next).unwrap(), [[2; LONG]]);
    sim.trim(&owner, next).unwrap();
    sim.sync();
    assert_eq!(verify(&disk).unwrap().problems, []);
}

#[test]
fn a_body_whose_segment_is_lost_says_so_and_stays() {
    let disk = SimDisk::new(1);
    let sim = open(&disk);
    let owner = sim.own(Shard(1)).unwrap();
    keep(&sim, vec![append(owner, 1, &[&[2; LONG]])]).unwrap();
    let names = blobs(&disk);
    drop(sim);
    assert!(disk.lose("0000000000000001.seg"));
    let error = Sim::open(&disk, options(None)).err().unwrap().to_string();
    assert!(
        error.ends_with("the segment that it belongs to is missing"),
        "{error}"
    );
    let report = verify(&disk).unwrap();
    assert_eq!(report.problems[0].to_string(), error);
    assert_eq!(blobs(&disk), names);
}

#[test]
fn what_is_let_go_while_it_is_read_is_trimmed_and_not_missing() {
    let disk = SimDisk::new(1);
    let sim = open(&disk);
    let owner = sim.own(Shard(1)).unwrap();
    let bodies: [&[u8]; 2] = [&[1; LONG], &[2; LONG]];
    keep(&sim, vec![append(owner, 1, &bodies)]).unwrap();
    let next = fill_segment(&sim, owner);
    let let_go = |seq| {
        assert_eq!(seq, 1);
        sim.trim(&owner, next).unwrap();
        sim.sync();
        assert_eq!(blobs(&disk), [""; 0]);
    };
    let trimmed = Err(ReadError::Trimmed {
        shard: Shard(1),
        first: next,
        asked: 2,
    });
    let mut visit = |seq, _: &[u8]| {
        let_go(seq);
        true
    };
    assert_eq!(sim.read(Shard(1), 1, &mut visit), trimmed);
}

#[test]
fn rot_in_a_body_is_named() {
    for key in [None, Some(Key::new([5; 32]))] {
        let disk = SimDisk::new(1);
        let sim = Sim::open(&disk, options(key)).unwrap();
        let owner = sim.own(Shard(1)).unwrap();
        keep(&sim, vec![append(owner, 1, &[&[1; LONG]])]).unwrap();
        let name = blobs(&disk).remove(0);
        assert!(disk.flip(&name, 2000, 3));
        let error = read(&sim, 1, 1).unwrap_err();
        let says = format!(
            "the journal is damaged at {name} at byte 0: the content is not the one that its name says"
        );
        assert_eq!(error.to_string(), says);
        let problems = verify(&disk).unwrap().problems;
        assert!(
            matches!(&problems[..], [ReadError::Corrupt { place, .. }] if place.contains(&name))
        );
    }
}

#[test]
fn a_body_that_finds_no_room_is_refused_and_leaves_nothing() {
    let disk = SimDisk::new(1);
    let sim = open(&disk);
    let (owner, other) = (sim.own(Shard(1)).unwrap(), sim.own(Shard(2)).unwrap());
    keep(&sim, vec![append(owner, 1, &[&[1; LONG]])]).unwrap();
    let names = || -> Vec<_> { disk.files() };
    let before = names();
    let call = |short: &[u8]| {
        vec![
            append(owner, 2, &[short, &[1; LONG], &[2; LONG]]),
            append(other, 1, &[&[3; LONG], &[4; 2 * LONG]]),
        ]
    };
    let refuse = |what: &str| {
        let refused = keep(&sim, call(b"short"));
        assert!(
            matches!(refused, Err(AppendError::Busy(_))),
            "{what}: {refused:?}"
        );
        assert_eq!(names(), before, "{what}");
        assert_eq!((sim.span(Shard(1)), sim.span(Shard(2))), ((1, 2), (1, 1)));
        assert_eq!(sim.figures().blobs, 1);
    };
    for free in [0, LONG, 2 * LONG] {
        disk.set_free(free as u64);
        refuse(&format!("with room for {free} bytes"));
    }
    disk.set_full(false);
    for writes in 0..6 {
        disk.fill_after(Some(writes));
        refuse(&format!("after {writes} writes"));
    }
    disk.fill_after(None);
    keep(&sim, call(b"short")).unwrap();
    assert_eq!(sim.figures().blobs, 4);
    drop(sim);
    let sim = open(&disk);
    assert_eq!(
        read(&sim, 2, 1).unwrap(),
        [vec![3; LONG], vec![4; 2 * LONG]]
    );
    assert_eq!(read(&sim, 1, 3).unwrap(), [[1; LONG], [2; LONG]]);
}

#[test]
fn what_is_free_is_known_without_asking() {
    let disk = SimDisk::new(1);
    disk.set_free(100_000);
    let sim = open(&disk);
    let owner = sim.own(Shard(1)).unwrap();
    // One segment of 16 KiB is left alone.
    assert!(sim.has_room(100_000 - (16 << 10)));
    assert!(!sim.has_room(100_001 - (16 << 10)));
    // What waits is taken off.
    sim.append(vec![append(owner, 1, &[&[1; LONG]])], Box::new(|_| {}));
    let waiting = (LONG + 5) as u64;
    assert!(sim.has_room(100_000 - (16 << 10) - waiting));
    assert!(!sim.has_room(100_001 - (16 << 10) - waiting));
    disk.set_free(20_000);
    assert!(sim.has_room(50_000));
    sim.sync();
    assert!(!sim.has_room(50_000));
    assert!(sim.has_room(3000));
    disk.set_free(10_000);
    sim.sync();
    assert!(!sim.has_room(1001) && sim.has_room(1000));
}

#[test]
fn one_content_has_one_file_however_many_have_it() {
    for has_links in [true, false] {
        let disk = SimDisk::new(1);
        if !has_links {
            disk.refuse_links();
        }
        let sim = open(&disk);
        let owner = sim.own(Shard(1)).unwrap();
        let mut firsts = Vec::new();
        for _ in 0..3 {
            let next = sim.span(Shard(1)).1;
            keep(&sim, vec![append(owner, next, &[&[1; LONG], &[1; LONG]])]).unwrap();
            keep(&sim, vec![append(owner, next + 2, &[&[1; LONG]])]).unwrap();
            firsts.push(next);
            fill_segment(&sim, owner);
        }
        assert_eq!(blobs(&disk).len(), 3);
        let figures = sim.figures();
        assert_eq!(figures.blobs, 1);
        assert_eq!(figures.blob_bytes, 64 + LONG as u64);
        let report = verify(&disk).unwrap();
        assert_eq!((report.blobs, report.blob_bytes), (1, LONG as u64));
        // It counts for the newest segment that has it.
        // The last segment, the spare, footers, and the frames of the segment before the last.
        let others = (16 << 10) + (16 << 10) + (2 << 10) + (12 << 10);
        let newest = sim.shelf().newest(others + LONG as u64 + 64);
        assert_eq!(newest[1], firsts[2] - 1); // which found no room before it
        assert!(firsts[2] < sim.shelf().newest(others)[1]);
        for (left, first) in [2, 1].into_iter().zip(&firsts[1..]) {
            sim.trim(&owner, *first).unwrap();
            sim.sync();
            assert_eq!(blobs(&disk).len(), left);
            assert_eq!(sim.figures().blobs, 1);
            assert_eq!(read(&sim, 1, *first).unwrap()[2], [1; LONG]);
        }
        sim.trim(&owner, Seq::MAX).unwrap();
        sim.sync();
        assert_eq!(blobs(&disk), [""; 0]);
        assert_eq!((sim.figures().blobs, sim.figures().blob_bytes), (0, 0));
    }
}

#[test]
fn nobody_without_the_key_can_tell_what_a_body_is() {
    let written = |key: u8| {
        let disk = SimDisk::new(1);
        let sim = Sim::open(&disk, options(Some(Key::new([key; 32])))).unwrap();
        let owner = sim.own(Shard(1)).unwrap();
        keep(&sim, vec![append(owner, 1, &[&[1; LONG]])]).unwrap();
        blobs(&disk).remove(0)
    };
    let plain = blake3_name(&[1; LONG]);
    assert_ne!(written(1), written(2));
    assert_ne!(written(1), plain);
    let disk = SimDisk::new(1);
    let sim = open(&disk);
    let owner = sim.own(Shard(1)).unwrap();
    keep(&sim, vec![append(owner, 1, &[&[1; LONG]])]).unwrap();
    assert_eq!(blobs(&disk), [plain]);
}

fn blake3_name(content: &[u8]) -> String {
    format!("{:016}-{}.blob", 1, blake3::hash(content).to_hex())
}
