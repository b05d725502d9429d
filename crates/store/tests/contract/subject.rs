//! A journal under test, and words to use it by.

use std::sync::{Arc, mpsc};

use quartet_store::{
    Append, AppendError, Batch, Journal, Owner, ReadError, SHARDS_MAX, Seq, Shard,
};

/// A kind of journal, with a place of its own where its journals are.
pub(crate) trait Kind {
    fn new() -> Self;
    /// Opens what is there; all that was opened before was dropped.
    fn open(&self) -> Subject;
}

/// An open journal.
pub(crate) struct Subject {
    pub(crate) journal: Arc<dyn Journal>,
    /// Sees to it that what waits is made safe, where that does not happen by itself.
    pub(crate) settle: Box<dyn Fn()>,
}

pub(crate) type Records = Vec<(Seq, Vec<u8>)>;

impl Subject {
    pub(crate) fn new(journal: Arc<dyn Journal>, settle: Box<dyn Fn()>) -> Self {
        Self { journal, settle }
    }

    pub(crate) fn own(&self, shard: u8) -> Owner {
        self.journal.own(Shard(shard)).unwrap()
    }

    /// Appends batches in one call and waits for the answer.
    pub(crate) fn append_all(&self, appends: Vec<Append>) -> Result<(), AppendError> {
        let (tell, told) = mpsc::channel();
        let then = Box::new(move |result| tell.send(result).unwrap());
        self.journal.append(appends, then);
        (self.settle)();
        told.recv().unwrap()
    }

    pub(crate) fn append(
        &self,
        owner: Owner,
        first: Seq,
        records: &[&[u8]],
    ) -> Result<(), AppendError> {
        self.append_all(vec![append(owner, first, records)])
    }

    pub(crate) fn read(&self, shard: u8, from: Seq) -> Result<Records, ReadError> {
        let mut records = Vec::new();
        let mut keep = |seq, record: &[u8]| {
            records.push((seq, record.to_vec()));
            true
        };
        self.journal.read(Shard(shard), from, &mut keep)?;
        Ok(records)
    }

    pub(crate) fn replay(&self, from: &[Seq; SHARDS_MAX]) -> Result<Vec<Records>, ReadError> {
        let mut records = vec![Records::new(); SHARDS_MAX];
        self.journal.replay(from, &mut |shard, seq, record| {
            records[usize::from(shard.0)].push((seq, record.to_vec()));
        })?;
        Ok(records)
    }

    pub(crate) fn span(&self, shard: u8) -> (Seq, Seq) {
        self.journal.span(Shard(shard))
    }
}

pub(crate) fn append(owner: Owner, first: Seq, records: &[&[u8]]) -> Append {
    let mut batch = Batch::default();
    for record in records {
        batch.push(record);
    }
    Append {
        owner,
        first,
        batch,
    }
}

/// The records as they are read, if the first of them is at `first`.
pub(crate) fn at(first: Seq, records: &[&[u8]]) -> Records {
    (first..)
        .zip(records.iter().map(|record| record.to_vec()))
        .collect()
}
