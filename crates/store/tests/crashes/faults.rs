//! Runs on disks that fail and rot.

use quartet_store::{
    AppendError, Journal, SHARDS_MAX, Shard,
    log::{LogError, LogOptions, verify},
    sim::Sim,
};

use crate::{
    for_seeds,
    model::{Model, SHARDS},
    run::{Run, append, append_sent, read},
};

/// A run in which much is safe and nothing waits; also the model without the last group.
fn written(seed: u64) -> (Run, Model) {
    let mut run = Run::new(seed);
    for _ in 0..5 + run.dice.below(20) {
        for _ in 0..run.dice.below(4) {
            run.append();
        }
        run.sync(usize::MAX);
        if run.dice.once_in(8) {
            let shard = run.dice.below(SHARDS);
            run.trim(shard);
        }
        if run.dice.once_in(16) {
            run.crash();
        }
    }
    run.sync(usize::MAX); // so that what was let go is removed
    let before = run.model.clone();
    run.append();
    run.sync(usize::MAX);
    (run, before)
}

/// What is read must be what was written: all of it, or all but a part of the last group. Or it
/// is not read.
fn nothing_false_is_read(sim: &Sim, model: &Model, before: &Model, is_open: bool) {
    for shard in 0..SHARDS {
        let (first, next) = sim.span(Shard(shard as u8));
        assert!(first <= model.shards[shard].trimmed);
        let least = if is_open { model } else { before };
        assert!(
            least.next_safe(shard) <= next,
            "acknowledged records are gone"
        );
        if let Ok(found) = read(sim, shard, first) {
            let mut expected = model.read(shard, first);
            expected.truncate((next - first) as usize);
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn rot_is_never_read_as_if_it_were_good() {
    let (mut noticed, mut cut) = (0, 0);
    let counts = std::cell::RefCell::new((&mut noticed, &mut cut));
    for_seeds(3000, |seed| {
        let (mut run, before) = written(seed);
        let disk = run.sim.disk().clone();
        let files = disk.files();
        let (name, length) = &files[run.dice.below(files.len())];
        let byte = match run.dice.below(3) {
            0 => run.dice.below(4096.min(*length)),
            _ => run.dice.below(*length),
        };
        assert!(disk.flip(name, byte, run.dice.any() as u32));
        nothing_false_is_read(&run.sim, &run.model, &before, true);
        let mut counts = counts.borrow_mut();
        let report = verify(&disk).unwrap();
        match Sim::open(&disk, run.options()) {
            Ok(sim) => {
                nothing_false_is_read(&sim, &run.model, &before, false);
                let is_cut = (0..SHARDS)
                    .any(|shard| sim.span(Shard(shard as u8)).1 < run.model.next_safe(shard));
                *counts.1 += usize::from(is_cut);
                let all = sim.replay(&[0; SHARDS_MAX], &mut |_, _, _| {});
                assert!(all.is_ok() || !report.problems.is_empty(), "{report:?}");
            }
            Err(LogError::Read(_)) => {
                *counts.0 += 1;
                assert!(!report.problems.is_empty());
            }
            Err(error) => panic!("{error}"),
        }
    });
    // The test would see nothing if nothing happened.
    assert!(100 < noticed && 10 < cut, "{noticed} noticed, {cut} cut");
}

#[test]
fn a_segment_that_is_gone_is_missed() {
    for_seeds(500, |seed| {
        let (mut run, _) = written(seed);
        let disk = run.sim.disk().clone();
        let mut segments = disk.files();
        segments.retain(|(name, _)| name != "next.seg" && name.ends_with(".seg"));
        if segments.len() < 2 {
            return;
        }
        let (name, _) = &segments[run.dice.below(segments.len())];
        assert!(disk.lose(name));
        assert!(
            !verify(&disk).unwrap().problems.is_empty(),
            "without {name}"
        );
        let opened = Sim::open(&disk, run.options());
        assert!(matches!(opened, Err(LogError::Read(_))), "without {name}");
    });
}

#[test]
fn a_disk_that_fails_breaks_the_journal_until_it_is_opened_again() {
    for_seeds(1000, |seed| {
        let (mut run, _) = written(seed);
        let mut disk = run.sim.disk().clone();
        let left = run.dice.below(12);
        match run.dice.below(2) {
            0 => disk.fail_writes_after(left),
            _ => disk.fail_sync_after(left),
        }
        let mut is_broken = false;
        for _ in 0..40 {
            is_broken |= try_append(&mut run, is_broken);
        }
        if is_broken {
            let owned = run.sim.own(Shard(0));
            assert!(matches!(owned, Err(AppendError::Broken(_))));
        }
        for shard in 0..SHARDS {
            let first = run.model.shards[shard].trimmed;
            let found = read(&run.sim, shard, first).unwrap();
            assert_eq!(found, run.model.read(shard, first));
        }
        disk = run.sim.crash(run.dice.any());
        run.sim = Sim::open(&disk, run.options()).unwrap();
        run.adopt();
        run.check();
    });
}

/// Appends one batch and says whether the journal is broken; once it is, it stays so.
fn try_append(run: &mut Run, was_broken: bool) -> bool {
    let shard = run.dice.below(SHARDS);
    let sent = run.sent(shard);
    let first = run.model.next(shard);
    let (tell, told) = std::sync::mpsc::channel();
    let then = Box::new(move |result| tell.send(result).unwrap());
    let call = vec![append_sent(run.owners[shard], first, &sent)];
    run.sim.append(call, then);
    run.sim.sync();
    let answer = told.recv().unwrap();
    match answer {
        Ok(()) if !was_broken => run.model.keep(sent),
        Err(AppendError::Broken(_)) if was_broken => {}
        // It may be there or not.
        Err(AppendError::Broken(_)) => run.model.waiting.push(vec![sent]),
        Err(AppendError::Busy(_)) if !was_broken => {}
        other => panic!("{other:?} while it was broken: {was_broken}"),
    }
    was_broken || answer_is_broken(run)
}

fn answer_is_broken(run: &Run) -> bool {
    !run.model.waiting.is_empty()
}

#[test]
fn opening_on_a_disk_that_fails_loses_nothing() {
    for_seeds(1000, |seed| {
        let (mut run, _) = written(seed);
        run.append();
        for _ in 0..3 {
            let disk = run.sim.crash(run.dice.any());
            let left = run.dice.below(6);
            match run.dice.below(2) {
                0 => disk.fail_writes_after(left),
                _ => disk.fail_sync_after(left),
            }
            drop(Sim::open(&disk, run.options()));
            let disk = disk.crash(run.dice.any());
            run.sim = Sim::open(&disk, run.options()).unwrap();
            run.adopt();
            run.check();
        }
    });
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let (mut run, _) = written(7);
    let disk = run.sim.disk().clone();
    let options = LogOptions {
        segment_bytes: 16 << 10,
        ..run.options()
    };
    run.sim = Sim::open(&disk, options.clone()).unwrap();
    assert!(run.sim.has_room(0));
    disk.set_full(true);
    let owner = run.sim.own(Shard(0)).unwrap();
    let mut next = owner.next;
    let record = vec![vec![7; 1000]];
    let mut fill = |sim: &Sim, most: usize| {
        for _ in 0..most {
            let (tell, told) = std::sync::mpsc::channel();
            let then = Box::new(move |result| tell.send(result).unwrap());
            sim.append(vec![append(owner, next, &record)], then);
            sim.sync();
            match told.recv().unwrap() {
                Ok(()) => next += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    let refused = fill(&run.sim, 100);
    assert!(matches!(refused, Err(AppendError::Busy(_))), "{refused:?}");
    assert!(!run.sim.has_room(0));
    // It is full, but what it takes to let go fits.
    let segments = run.sim.figures().segments;
    run.sim.trim(&owner, u64::MAX).unwrap();
    for shard in 1..SHARDS as u8 {
        let owner = run.owners[usize::from(shard)];
        run.sim.trim(&owner, u64::MAX).unwrap();
    }
    run.sim.sync();
    assert!(run.sim.figures().segments < segments);
    disk.set_full(false);
    fill(&run.sim, 100).unwrap();
    assert!(run.sim.has_room(0));
    let (_, found) = run.sim.span(Shard(0));
    assert_eq!(found, next);
    drop(run.sim);
    let sim = Sim::open(&disk, options).unwrap();
    assert_eq!(sim.span(Shard(0)).1, next);
}
