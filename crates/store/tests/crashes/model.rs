//! What must be in a journal: the plainest way to say it.

use quartet_store::Seq;

/// How many shards the runs use.
pub(crate) const SHARDS: usize = 3;

/// Records that were appended together.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) shard: usize,
    pub(crate) records: Vec<Vec<u8>>,
    /// How much of each is its head.
    pub(crate) heads: Vec<usize>,
}

/// One shard.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// All that was acknowledged, from the first one ever.
    pub(crate) records: Vec<Vec<u8>>,
    /// The first that is kept.
    pub(crate) trimmed: Seq,
    /// The last that was given out.
    pub(crate) epoch: u64,
}

/// All shards, and what is under way.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) shards: [Kept; SHARDS],
    /// Calls that were not answered, in their order.
    pub(crate) waiting: Vec<Vec<Sent>>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let empty = Kept {
            records: Vec::new(),
            trimmed: 1,
            epoch: 0,
        };
        Self {
            shards: std::array::from_fn(|_| empty.clone()),
            waiting: Vec::new(),
        }
    }

    /// Where the next append to a shard goes.
    pub(crate) fn next(&self, shard: usize) -> Seq {
        let waiting = self.waiting.iter().flatten();
        let ours = waiting.filter(|sent| sent.shard == shard);
        let waiting: usize = ours.map(|sent| sent.records.len()).sum();
        self.next_safe(shard) + waiting as u64
    }

    /// The same of what was acknowledged.
    pub(crate) fn next_safe(&self, shard: usize) -> Seq {
        1 + self.shards[shard].records.len() as u64
    }

    /// The first calls that wait were acknowledged.
    pub(crate) fn acknowledge(&mut self, calls: usize) {
        let calls: Vec<_> = self.waiting.drain(..calls).collect();
        for sent in calls.into_iter().flatten() {
            self.keep(sent);
        }
    }

    pub(crate) fn keep(&mut self, sent: Sent) {
        self.shards[sent.shard].records.extend(sent.records);
    }

    /// What is read of a shard from `from` on.
    pub(crate) fn read(&self, shard: usize, from: Seq) -> Vec<(Seq, Vec<u8>)> {
        let records = self.shards[shard].records.iter();
        (1..)
            .zip(records.cloned())
            .filter(|(seq, _)| from <= *seq)
            .collect()
    }
}
