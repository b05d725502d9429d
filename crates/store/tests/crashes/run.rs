//! One run: commands from a seed, on the journal and on the model.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use quartet_store::{
    Append, AppendError, Batch, Journal, Key, Owner, ReadError, SHARDS_MAX, Seq, Shard,
    log::{LogOptions, verify},
    sim::{Dice, Sim, SimDisk},
};

use crate::model::{Model, SHARDS, Sent};

const COMMANDS: usize = 60;
const BODY_INLINE_BYTES_MAX: usize = 1000;

type Answers = Arc<Mutex<Vec<(usize, Result<(), AppendError>)>>>;

/// A journal and what must be in it.
pub(crate) struct Run {
    pub(crate) dice: Dice,
    pub(crate) sim: Sim,
    pub(crate) model: Model,
    pub(crate) owners: [Owner; SHARDS],
    key: Option<Key>,
    answers: Answers,
    /// The answers that must come, and of which call that waits in the model they are.
    expected: Vec<(usize, Result<(), AppendError>, bool)>,
    calls: usize,
}

pub(crate) fn run(seed: u64) {
    let mut run = Run::new(seed);
    for _ in 0..COMMANDS {
        run.step();
    }
    run.crash();
    run.check();
}

impl Run {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new(dice.any());
        if dice.once_in(4) {
            disk.shorten_reads();
        }
        if dice.once_in(4) {
            disk.refuse_links();
        }
        let key = dice.once_in(4).then(|| Key::new([7; 32]));
        let sim = Sim::open(&disk, options(&mut dice, key.clone())).unwrap();
        let mut model = Model::new();
        let owners = std::array::from_fn(|shard| own(&sim, &mut model, shard));
        Self {
            dice,
            sim,
            model,
            owners,
            key,
            answers: Answers::default(),
            expected: Vec::new(),
            calls: 0,
        }
    }

    pub(crate) fn options(&mut self) -> LogOptions {
        options(&mut self.dice, self.key.clone())
    }

    fn step(&mut self) {
        let shard = self.dice.below(SHARDS);
        match self.dice.below(32) {
            0..=12 => self.append(),
            13 => self.append_stale(shard),
            14 => self.append_elsewhere(shard),
            15..=18 => self.sync(usize::MAX),
            19..=20 => {
                let calls = self.dice.below(4);
                self.sync(calls);
            }
            21 => {
                self.owners[shard] = own(&self.sim, &mut self.model, shard);
                self.acknowledged(usize::MAX);
            }
            22..=25 => self.read(shard),
            26..=27 => self.trim(shard),
            28 => {
                self.replay();
                self.copy();
            }
            29 => self.crash(),
            30 => self.kill(),
            _ => self.reopen(),
        }
    }

    /// Appends to one shard or several, in one call.
    pub(crate) fn append(&mut self) {
        let mut call = Vec::new();
        let mut appends = Vec::new();
        self.model.waiting.push(Vec::new());
        for _ in 0..=self.dice.below(3) {
            let shard = self.dice.below(SHARDS);
            let sent = self.sent(shard);
            let first = self.model.next(shard);
            appends.push(append_sent(self.owners[shard], first, &sent));
            call.push(sent.clone());
            self.model.waiting.last_mut().unwrap().push(sent);
        }
        self.call(appends, Ok(()), true);
    }

    fn append_stale(&mut self, shard: usize) {
        let mut owner = self.owners[shard];
        owner.epoch = self.dice.any() % owner.epoch;
        let stale = append(owner, self.model.next(shard), &[b"stale".to_vec()]);
        let other = (shard + 1) % SHARDS;
        let first = self.model.next(other);
        let along = append(self.owners[other], first, &[b"along".to_vec()]);
        let fenced = Err(AppendError::Fenced(Shard(shard as u8)));
        self.call(vec![along, stale], fenced, false);
    }

    fn append_elsewhere(&mut self, shard: usize) {
        let wrong = self.model.next(shard) + 1 + self.dice.any() % 3;
        let elsewhere = append(self.owners[shard], wrong, &[b"elsewhere".to_vec()]);
        let fenced = Err(AppendError::Fenced(Shard(shard as u8)));
        self.call(vec![elsewhere], fenced, false);
    }

    fn call(&mut self, appends: Vec<Append>, expected: Result<(), AppendError>, waits: bool) {
        let number = self.calls;
        self.calls += 1;
        let answers = Arc::clone(&self.answers);
        let then = Box::new(move |result| answers.lock().unwrap().push((number, result)));
        self.sim.append(appends, then);
        self.expected.push((number, expected, waits));
    }

    pub(crate) fn sync(&mut self, calls: usize) {
        self.sim.sync_some(calls);
        self.acknowledged(calls);
    }

    /// The first calls that wait must have been answered, and no others.
    fn acknowledged(&mut self, calls: usize) {
        let calls = calls.min(self.expected.len());
        let answered = std::mem::take(&mut *self.answers.lock().unwrap());
        let expected: Vec<_> = self.expected.drain(..calls).collect();
        let waiting = expected.iter().filter(|(_, _, waits)| *waits).count();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(number, result, _)| (number, result))
            .collect();
        assert_eq!(answered, expected);
        // What `own` made safe is known to the model already.
        self.model
            .acknowledge(waiting.min(self.model.waiting.len()));
    }

    fn read(&mut self, shard: usize) {
        let next = self.model.next_safe(shard);
        let from = 1 + self.dice.any() % (next + 1);
        let found = read(&self.sim, shard, from);
        let first = self.model.shards[shard].trimmed;
        if from < first {
            let shard = Shard(shard as u8);
            let asked = from;
            let trimmed = ReadError::Trimmed {
                shard,
                first,
                asked,
            };
            assert_eq!(found, Err(trimmed));
        } else {
            assert_eq!(found.unwrap(), self.model.read(shard, from));
        }
    }

    pub(crate) fn trim(&mut self, shard: usize) {
        let before = self.dice.any() % (self.model.next_safe(shard) + 2);
        self.sim.trim(&self.owners[shard], before).unwrap();
        let next = self.model.next_safe(shard);
        let trimmed = &mut self.model.shards[shard].trimmed;
        *trimmed = before.min(next).max(*trimmed);
    }

    fn replay(&self) {
        let mut found: [Vec<(Seq, Vec<u8>)>; SHARDS] = Default::default();
        let mut keep = |shard: Shard, seq, record: &[u8]| {
            found[usize::from(shard.0)].push((seq, record.to_vec()));
        };
        self.sim.replay(&[0; SHARDS_MAX], &mut keep).unwrap();
        for (shard, found) in found.iter().enumerate() {
            let first = self.model.shards[shard].trimmed;
            assert_eq!(found, &self.model.read(shard, first));
        }
    }

    /// A copy has what is safe, whatever waits.
    fn copy(&mut self) {
        let copy = SimDisk::new(1);
        self.sim.shelf().copy_to(&copy).unwrap();
        assert_eq!(verify(&copy).unwrap().problems, []);
        let copy = Sim::open(&copy.crash(2), self.options()).unwrap();
        for (shard, kept) in self.model.shards.iter().enumerate() {
            let found = read(&copy, shard, kept.trimmed).unwrap();
            assert_eq!(found, self.model.read(shard, kept.trimmed), "shard {shard}");
        }
    }

    /// Nothing may differ when a journal is opened again that nobody wrote to.
    fn reopen(&mut self) {
        self.sync(usize::MAX);
        let disk = self.sim.disk().clone();
        self.open(&disk);
    }

    pub(crate) fn crash(&mut self) {
        let disk = self.sim.crash(self.dice.any());
        self.expected.clear();
        self.answers.lock().unwrap().clear();
        self.open(&disk);
    }

    fn kill(&mut self) {
        let disk = self.sim.kill(self.dice.any());
        self.expected.clear();
        self.answers.lock().unwrap().clear();
        self.open(&disk);
    }

    fn open(&mut self, disk: &SimDisk) {
        self.sim = Sim::open(disk, self.options()).unwrap();
        self.adopt();
        if self.dice.once_in(4) {
            // What was found and shown must not vanish, even if the power goes at once.
            let disk = self.sim.crash(self.dice.any());
            self.sim = Sim::open(&disk, self.options()).unwrap();
            self.adopt();
        }
        self.owners = std::array::from_fn(|shard| own(&self.sim, &mut self.model, shard));
        self.check();
    }

    /// What was found after a crash must be what was acknowledged, and of what was not the first
    /// part; from now on the model has that too.
    pub(crate) fn adopt(&mut self) {
        let sent = std::mem::take(&mut self.model.waiting);
        for sent in sent.into_iter().flatten() {
            let (_, found) = self.sim.span(Shard(sent.shard as u8));
            let next = self.model.next_safe(sent.shard);
            if next + sent.records.len() as u64 <= found {
                self.model.keep(sent);
            } else {
                // Neither half of it, nor anything behind it in any shard.
                break;
            }
        }
        for shard in 0..SHARDS {
            let (first, next) = self.sim.span(Shard(shard as u8));
            assert_eq!(next, self.model.next_safe(shard), "shard {shard}");
            // That something was let go may be forgotten, but not made up.
            assert!(first <= self.model.shards[shard].trimmed, "shard {shard}");
            self.model.shards[shard].trimmed = first;
        }
    }

    pub(crate) fn check(&self) {
        let report = verify(self.sim.disk()).unwrap();
        assert_eq!(report.problems, []);
        self.no_blob_is_left_over(report.blobs);
        for (shard, first, next) in report.spans {
            // What was let go lately is not yet written down.
            let span = self.sim.span(shard);
            assert!(
                first <= span.0 && next == span.1,
                "{shard}: {first} to {next}"
            );
        }
        for (shard, kept) in self.model.shards.iter().enumerate() {
            let found = read(&self.sim, shard, kept.trimmed).unwrap();
            assert_eq!(found, self.model.read(shard, kept.trimmed), "shard {shard}");
        }
        self.replay();
    }

    /// All blobs belong to records of segments that are there.
    fn no_blob_is_left_over(&self, referred: u64) {
        assert_eq!(self.sim.figures().blobs, referred);
        let files = self.sim.disk().files();
        for (name, _) in &files {
            if name.ends_with(".blob") {
                let segment = format!("{}.seg", &name[..16]);
                assert!(files.iter().any(|(other, _)| *other == segment), "{name}");
            }
        }
    }

    pub(crate) fn sent(&mut self, shard: usize) -> Sent {
        let mut sent = Sent {
            shard,
            records: Vec::new(),
            heads: Vec::new(),
        };
        for _ in 0..=self.dice.below(5) {
            let length = match self.dice.below(10) {
                0 => self.dice.below(9000),
                1..=3 => self.dice.below(900),
                _ => self.dice.below(40),
            };
            let mut record = vec![self.dice.any() as u8; length];
            sent.heads.push(length);
            if self.dice.once_in(8) {
                record.extend(self.body());
            }
            sent.records.push(record);
        }
        sent
    }

    /// Some bodies come again and again.
    fn body(&mut self) -> Vec<u8> {
        let length = self.dice.below(2 * BODY_INLINE_BYTES_MAX);
        match self.dice.below(4) {
            0 => vec![self.dice.any() as u8; length],
            1 => vec![self.dice.any() as u8; 3 * BODY_INLINE_BYTES_MAX + length],
            again => vec![again as u8; again * BODY_INLINE_BYTES_MAX],
        }
    }
}

fn options(dice: &mut Dice, key: Option<Key>) -> LogOptions {
    LogOptions {
        segment_bytes: [16, 20, 64][dice.below(3)] << 10,
        body_inline_bytes_max: BODY_INLINE_BYTES_MAX * (1 + dice.below(2)),
        salt: [dice.any() as u8; 16],
        key,
    }
}

/// Owns a shard, which makes all safe that waits.
fn own(sim: &Sim, model: &mut Model, shard: usize) -> Owner {
    model.acknowledge(model.waiting.len());
    let owner = sim.own(Shard(shard as u8)).unwrap();
    assert!(model.shards[shard].epoch < owner.epoch);
    assert_eq!(owner.next, model.next_safe(shard));
    model.shards[shard].epoch = owner.epoch;
    owner
}

pub(crate) fn append(owner: Owner, first: Seq, records: &[Vec<u8>]) -> Append {
    append_sent(
        owner,
        first,
        &Sent {
            shard: usize::from(owner.shard.0),
            records: records.to_vec(),
            heads: records.iter().map(Vec::len).collect(),
        },
    )
}

pub(crate) fn append_sent(owner: Owner, first: Seq, sent: &Sent) -> Append {
    let mut batch = Batch::default();
    for (record, &head) in sent.records.iter().zip(&sent.heads) {
        let (head, body) = record.split_at(head);
        let body = Bytes::copy_from_slice(body);
        batch.push_with_body(|bytes| bytes.extend_from_slice(head), body);
    }
    Append {
        owner,
        first,
        batch,
    }
}

pub(crate) fn read(sim: &Sim, shard: usize, from: Seq) -> Result<Vec<(Seq, Vec<u8>)>, ReadError> {
    let mut records = Vec::new();
    sim.read(Shard(shard as u8), from, &mut |seq, record| {
        records.push((seq, record.to_vec()));
        true
    })?;
    Ok(records)
}
