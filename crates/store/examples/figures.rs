//! What the local journal does on this machine:
//! `cargo run --release -p quartet-store --example figures [FOLDER]`.
#![allow(
    clippy::disallowed_methods,
    reason = "it measures time, which the journal never asks for"
)]

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Instant,
};

use bytes::Bytes;
use quartet_store::{Append, Batch, Journal, Local, LocalOptions, Owner, SHARDS_MAX, Seq, Shard};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How many appends are under way at once, and how often.
const DEPTHS: [(usize, usize); 4] = [(1, 2000), (8, 8000), (64, 40_000), (1000, 400_000)];
const RECORD_BYTES: usize = 256;

fn main() -> Outcome {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join("quartet-figures"));
    let journal = Arc::new(Local::open(&folder, LocalOptions::default())?);
    let mut places = Vec::new();
    for shard in 0..SHARDS_MAX as u8 {
        let owner = journal.own(Shard(shard))?;
        places.push((owner, owner.next));
    }
    for (depth, appends) in DEPTHS {
        small_appends(&journal, &mut places, depth, appends)?;
    }
    large_appends(&journal, &mut places)?;
    one_at_a_time(&journal, &places)?;
    let journal = Arc::into_inner(journal).ok_or("the journal is still in use")?;
    drop(journal);
    opening_and_replay(&folder)?;
    long_bodies(&folder)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Appends of one record of 256 bytes, to one shard after the other.
fn small_appends(
    journal: &Local,
    places: &mut [(Owner, Seq)],
    depth: usize,
    appends: usize,
) -> Outcome {
    let before = journal.figures();
    let begun = Instant::now();
    let (tell, told) = mpsc::channel();
    for sent in 0..appends + depth {
        if depth <= sent {
            told.recv()??;
        }
        if sent < appends {
            let (owner, next) = &mut places[sent % SHARDS_MAX];
            let append = append(*owner, *next, 1, RECORD_BYTES);
            *next += 1;
            let tell = tell.clone();
            journal.append(
                vec![append],
                Box::new(move |result| drop(tell.send(result))),
            );
        }
    }
    let s = begun.elapsed().as_secs_f64();
    let groups = journal.figures().groups - before.groups;
    println!(
        "{depth:>5} under way: {:>8.0} appends/s, {:>6.0} fdatasync/s",
        appends as f64 / s,
        groups as f64 / s
    );
    Ok(())
}

/// Appends of a hundred records of 1 KiB, 32 under way, 2 GiB together.
fn large_appends(journal: &Local, places: &mut [(Owner, Seq)]) -> Outcome {
    let begun = Instant::now();
    let (tell, told) = mpsc::channel();
    let appends = 20_000;
    for sent in 0..appends + 32 {
        if 32 <= sent {
            told.recv()??;
        }
        if sent < appends {
            let (owner, next) = &mut places[sent % SHARDS_MAX];
            let append = append(*owner, *next, 100, 1024);
            *next += 100;
            let tell = tell.clone();
            journal.append(
                vec![append],
                Box::new(move |result| drop(tell.send(result))),
            );
        }
    }
    let mb = (appends * 100 * 1024) as f64 / 1e6;
    let s = begun.elapsed().as_secs_f64();
    println!("large appends: {:.0} MB/s", mb / s);
    Ok(())
}

/// Records with bodies of 16 MiB, two under way, 1 GiB together; and the same bodies again.
fn long_bodies(folder: &Path) -> Outcome {
    let journal = Local::open(folder, LocalOptions::default())?;
    let owner = journal.own(Shard(0))?;
    let mut next = owner.next;
    let bodies: Vec<_> = (0..64).map(|byte| vec![byte; 16 << 20].into()).collect();
    for what in ["new", "known"] {
        let begun = Instant::now();
        let (tell, told) = mpsc::channel();
        for sent in 0..bodies.len() + 2 {
            if 2 <= sent {
                told.recv()??;
            }
            if let Some(body) = bodies.get(sent) {
                let mut batch = Batch::default();
                batch.push_with_body(|_| {}, Bytes::clone(body));
                let append = Append {
                    owner,
                    first: next,
                    batch,
                };
                next += 1;
                let tell = tell.clone();
                let then = Box::new(move |result| drop(tell.send(result)));
                journal.append(vec![append], then);
            }
        }
        let mb = (bodies.len() * (16 << 20)) as f64 / 1e6;
        println!(
            "{what} bodies: {:.0} MB/s",
            mb / begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Single records from anywhere, as a client that comes back asks for them.
fn one_at_a_time(journal: &Local, places: &[(Owner, Seq)]) -> Outcome {
    let reads = 100_000;
    let begun = Instant::now();
    let mut bytes = 0;
    for read in 0..reads {
        let (owner, next) = places[read % SHARDS_MAX];
        let seq = 1 + (read as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % (next - 1);
        journal.read(owner.shard, seq, &mut |_, record| {
            bytes += record.len();
            false
        })?;
    }
    let us = begun.elapsed().as_secs_f64() * 1e6 / reads as f64;
    println!("one record from anywhere: {us:.1} us");
    Ok(())
}

fn opening_and_replay(folder: &Path) -> Outcome {
    let begun = Instant::now();
    let journal = Local::open(folder, LocalOptions::default())?;
    let figures = journal.figures();
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    println!("opening {} segments: {ms:.1} ms", figures.segments);
    let begun = Instant::now();
    let (mut records, mut bytes) = (0_u64, 0);
    journal.replay(&[0; SHARDS_MAX], &mut |_, _, record| {
        records += 1;
        bytes += record.len();
    })?;
    let s = begun.elapsed().as_secs_f64();
    println!(
        "replay: {:.2} GB/s, {:.1} million records/s",
        bytes as f64 / s / 1e9,
        records as f64 / s / 1e6
    );
    Ok(())
}

fn append(owner: Owner, first: Seq, records: usize, bytes: usize) -> Append {
    let mut batch = Batch::default();
    let record = vec![owner.shard.0; bytes];
    for _ in 0..records {
        batch.push(&record);
    }
    Append {
        owner,
        first,
        batch,
    }
}
