//! A journal as the hub's contract has it, and no better: a batch is safe some time after it was
//! written, or not at all, and at a crash each shard keeps a beginning of what was not safe yet,
//! whatever the others keep.

use std::{collections::VecDeque, sync::Arc};

use quartet_hub::flow::keep::{Fetch, RoundDone, SHARDS, Written, event_at};
use quartet_model::{Event, Place};

use crate::Chance;

/// Messages that were asked for; `None` for what is not kept.
pub(crate) type Found = Vec<(Place, Option<Arc<Event>>)>;

pub(crate) struct Journal {
    shards: Vec<Vec<Vec<u8>>>,
    /// Where a start begins in each shard.
    from: Vec<u64>,
    /// What came before in each shard is gone.
    trimmed: Vec<u64>,
    /// Written and not safe, lane by lane: what has a ticket is safe together.
    pending: Vec<VecDeque<(u64, Vec<Written>)>>,
    /// Nothing becomes safe for now.
    pub(crate) is_stuck: bool,
    /// Nothing of this lane becomes safe for now.
    pub(crate) stuck_lane: Option<usize>,
}

impl Journal {
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            shards: vec![Vec::new(); SHARDS],
            from: vec![1; SHARDS],
            trimmed: vec![1; SHARDS],
            pending: vec![VecDeque::new(); lanes],
            is_stuck: false,
            stuck_lane: None,
        }
    }

    /// A lane wrote something down.
    pub(crate) fn write(&mut self, lane: usize, ticket: u64, written: Vec<Written>) {
        for written in &written {
            let owner = usize::from(written.shard) % self.pending.len();
            assert_eq!(owner, lane, "shard {} is another lane's", written.shard);
        }
        self.pending[lane].push_back((ticket, written));
    }

    /// Lanes with something that is not safe.
    pub(crate) fn busy(&self) -> Vec<usize> {
        let lanes = 0..self.pending.len();
        lanes
            .filter(|&lane| !self.is_stuck && self.stuck_lane != Some(lane))
            .filter(|&lane| !self.pending[lane].is_empty())
            .collect()
    }

    /// What a lane wrote down first is safe now; gives its ticket.
    pub(crate) fn commit(&mut self, lane: usize) -> Option<u64> {
        let (ticket, written) = self.pending[lane].pop_front()?;
        for written in written {
            self.keep(&written);
        }
        Some(ticket)
    }

    fn keep(&mut self, written: &Written) {
        let shard = &mut self.shards[usize::from(written.shard)];
        written.batch.check().expect("every journal takes it");
        assert_eq!(
            written.first,
            shard.len() as u64 + 1,
            "shard {}",
            written.shard
        );
        shard.extend(written.batch.records().map(|record| record.to_vec()));
    }

    /// The hub dies, and comes back with so many lanes.
    pub(crate) fn crash(&mut self, lanes: usize, chance: &mut Chance) {
        let mut is_cut = [false; SHARDS];
        for (_, written) in std::mem::take(&mut self.pending).into_iter().flatten() {
            for written in written {
                let cut = &mut is_cut[usize::from(written.shard)];
                *cut |= chance.once_in(3);
                if !*cut {
                    self.keep(&written);
                }
            }
        }
        self.pending = vec![VecDeque::new(); lanes];
        self.is_stuck = false;
        self.stuck_lane = None;
    }

    /// Where the next record of each shard goes.
    pub(crate) fn next(&self) -> Vec<u64> {
        let next = self.shards.iter().map(|shard| shard.len() as u64 + 1);
        next.collect()
    }

    /// What a start reads.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u8, u64, &[u8])> {
        let shards = self.shards.iter().zip(&self.from).enumerate();
        shards.flat_map(|(shard, (records, &from))| {
            let kept = records.iter().zip(1..).skip(from as usize - 1);
            kept.map(move |(record, seq)| (shard as u8, seq, &**record))
        })
    }

    /// A round is over: a start begins there, and what no queue needs and is older than the
    /// round before is gone.
    pub(crate) fn forget(&mut self, done: &[RoundDone]) {
        for shard in 0..SHARDS {
            let floor = done.iter().map(|done| done.floors[shard]).min();
            self.trimmed[shard] = floor.unwrap_or(u64::MAX).min(self.from[shard]);
        }
        for &(shard, basis) in done.iter().flat_map(|done| &done.bases) {
            self.from[usize::from(shard)] = basis;
        }
    }

    pub(crate) fn fetch(&self, fetch: &Fetch) -> Found {
        let find = |&place: &Place| {
            let shard = &self.shards[usize::from(place.shard())];
            let is_kept = self.trimmed[usize::from(place.shard())] <= place.seq();
            let record = shard.get(place.seq() as usize - 1).filter(|_| is_kept);
            let event = record.and_then(|record| event_at(place, record));
            (place, event.map(Arc::new))
        };
        fetch.places.iter().map(find).collect()
    }
}
