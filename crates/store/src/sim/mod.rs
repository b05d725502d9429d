//! A journal for tests on a disk in memory: nothing is safe before the test says so, and the test
//! can crash it at any moment. All that chance decides follows from seeds.

mod dice; // numbers from a seed
mod disk; // the disk

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use dice::Dice;
pub use disk::{SimDisk, SimFile};

use crate::{
    Append, AppendError, Journal, Owner, ReadError, SHARDS_MAX, Seq, Shard, Then,
    log::{Log, LogError, LogFigures, LogOptions, Shelf},
};

/// A journal whose appends wait until [`sync`](Self::sync).
pub struct Sim {
    disk: SimDisk,
    log: Mutex<Log<SimDisk>>,
    shelf: Arc<Shelf<SimDisk>>,
    waiting: Mutex<VecDeque<(Vec<Append>, Then)>>,
}

impl Sim {
    /// An empty journal on a disk of its own, with small segments; bodies are long early.
    pub fn new(seed: u64) -> Self {
        let options = LogOptions {
            segment_bytes: 256 << 10,
            body_inline_bytes_max: 4 << 10,
            ..LogOptions::default()
        };
        Self::open(&SimDisk::new(seed), options).expect("nothing is wrong with an empty disk")
    }

    /// Opens what is on a disk. Segments take as much memory as they are large.
    pub fn open(disk: &SimDisk, options: LogOptions) -> Result<Self, LogError> {
        let log = Log::open(disk.clone(), options)?;
        Ok(Self {
            disk: disk.clone(),
            shelf: log.shelf(),
            log: Mutex::new(log),
            waiting: Mutex::default(),
        })
    }

    /// The disk.
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// What all threads may ask of its log.
    pub fn shelf(&self) -> &Shelf<SimDisk> {
        &self.shelf
    }

    /// How large it is and what was done.
    pub fn figures(&self) -> LogFigures {
        self.shelf.figures()
    }

    /// How many appends wait.
    pub fn waiting(&self) -> usize {
        self.queue().len()
    }

    /// Makes all that waits safe, as one group, and answers it. What is appended within the
    /// answers waits again.
    pub fn sync(&self) {
        self.sync_some(self.waiting());
    }

    /// The same for the first `calls` that wait.
    pub fn sync_some(&self, calls: usize) {
        let mut answers = Vec::new();
        let mut log = self.log();
        for (appends, then) in self.take(calls) {
            answers.push((log.stage(&appends), then));
        }
        let committed = log.commit();
        let _ = log.tidy(); // what is broken is heard at the next commit
        drop(log);
        for (staged, then) in answers {
            then(staged.and_then(|()| committed.clone()));
        }
    }

    /// Loses the power while some of what waits is being written; says what is found on the disk.
    /// What waits is never answered.
    pub fn crash(&self, seed: u64) -> SimDisk {
        self.kill(seed).crash(seed)
    }

    /// Ends as a process does that is killed while some of what waits is being written: the disk
    /// still has all that was written, until the power is lost.
    pub fn kill(&self, seed: u64) -> SimDisk {
        let mut dice = Dice::new(seed);
        let writing = dice.below(self.waiting() + 1);
        let mut log = self.log();
        for (appends, _) in self.take(writing) {
            let _ = log.stage(&appends); // nobody is there any more to hear of it
        }
        let _ = log.write();
        drop(log);
        self.queue().clear();
        self.disk.clone()
    }

    fn take(&self, calls: usize) -> Vec<(Vec<Append>, Then)> {
        let mut queue = self.queue();
        let calls = calls.min(queue.len());
        queue.drain(..calls).collect()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<(Vec<Append>, Then)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Log<SimDisk>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for Sim {
    /// All that waits is made safe before.
    fn own(&self, shard: Shard) -> Result<Owner, AppendError> {
        self.sync();
        let mut log = self.log();
        let owner = log.stage_own(shard)?;
        log.commit()?;
        let _ = log.tidy(); // what is broken is heard at the next commit
        Ok(owner)
    }

    fn append(&self, appends: Vec<Append>, then: Then) {
        self.queue().push_back((appends, then));
    }

    fn read(
        &self,
        shard: Shard,
        from: Seq,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Result<(), ReadError> {
        self.shelf.read(shard, from, visit)
    }

    fn replay(
        &self,
        from: &[Seq; SHARDS_MAX],
        visit: &mut dyn FnMut(Shard, Seq, &[u8]),
    ) -> Result<(), ReadError> {
        self.shelf.replay(from, visit)
    }

    fn span(&self, shard: Shard) -> (Seq, Seq) {
        self.shelf.span(shard)
    }

    fn has_room(&self, bytes: u64) -> bool {
        let queue = self.queue();
        let batches = queue.iter().flat_map(|(appends, _)| appends);
        let waiting = batches.map(|append| append.batch.bytes() + append.batch.body_bytes());
        let waiting_bytes: usize = waiting.sum();
        self.shelf.has_room(bytes, waiting_bytes as u64)
    }

    fn bytes(&self) -> u64 {
        self.figures().bytes_on_disk
    }

    fn body_bytes(&self) -> u64 {
        self.figures().blob_bytes
    }

    fn newest(&self, bytes_max: u64) -> [Seq; SHARDS_MAX] {
        self.shelf().newest(bytes_max)
    }

    fn trim(&self, owner: &Owner, before: Seq) -> Result<(), AppendError> {
        self.shelf.trim(owner, before)
    }
}
