//! What all threads may ask of a log while one of them writes it. It sees only what is safe, and
//! nobody waits for a disk while the view is locked.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    LogFigures,
    header::Standings,
    index::{Index, Region},
    place,
    segment::Segment,
};
use crate::{AppendError, Owner, ReadError, SHARDS_MAX, Seq, Shard, disk::Disk};

/// How many indexes of sealed segments are kept in memory.
const INDEXES_MAX: usize = 8;

/// The side of a log that reads; see [`Log::shelf`](super::Log::shelf).
pub struct Shelf<D: Disk> {
    pub(super) disk: Arc<D>,
    view: RwLock<View<D::File>>,
    /// The latest used last.
    indexes: Mutex<VecDeque<(u64, Arc<Index>)>>,
}

/// What is safe.
pub(super) struct View<F> {
    pub(super) shards: Standings,
    /// All segments but the last, the oldest first.
    pub(super) sealed: VecDeque<Arc<Segment>>,
    pub(super) current: Segment,
    pub(super) current_file: Arc<F>,
    pub(super) current_index: Index,
    pub(super) figures: LogFigures,
}

/// A part of a segment that is to be read.
pub(super) struct Passage<F> {
    pub(super) number: u64,
    pub(super) mark: u64,
    /// Where the segment's frames end.
    pub(super) end: u64,
    pub(super) region: Region,
    pub(super) file: Arc<F>,
}

impl<D: Disk> Shelf<D> {
    pub(super) fn new(disk: Arc<D>, view: View<D::File>) -> Self {
        Self {
            disk,
            view: RwLock::new(view),
            indexes: Mutex::default(),
        }
    }

    /// The first record that is kept of a shard and the place of the next one to come.
    pub fn span(&self, shard: Shard) -> (Seq, Seq) {
        let standing = self.view().shards.get(usize::from(shard.0)).copied();
        standing.map_or((1, 1), |standing| (standing.trimmed, standing.next))
    }

    /// Lets go of the records before `before`. Their room is free after the writer's next
    /// [`Log::tidy`](super::Log::tidy).
    pub fn trim(&self, owner: &Owner, before: Seq) -> Result<(), AppendError> {
        let mut view = self.view_mut();
        match view.shards.get_mut(usize::from(owner.shard.0)) {
            Some(standing) if standing.epoch == owner.epoch => {
                standing.trimmed = standing.trimmed.max(before.min(standing.next));
                Ok(())
            }
            _ => Err(AppendError::Fenced(owner.shard)),
        }
    }

    /// How large the log is and what was done, as of the last commit.
    pub fn figures(&self) -> LogFigures {
        self.view().figures
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View<D::File>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View<D::File>> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn indexes(&self) -> MutexGuard<'_, VecDeque<(u64, Arc<Index>)>> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which part of which segment has the record `seq` of a shard. `open` is the file that was
    /// used last.
    pub(super) fn find(
        &self,
        shard: usize,
        seq: Seq,
        open: Option<(u64, Arc<D::File>)>,
    ) -> Result<Passage<D::File>, ReadError> {
        let missing = |segment: &Segment| ReadError::Gap {
            shard: Shard(shard as u8),
            from: seq,
            to: seq,
            place: place(&segment.name(), segment.end),
        };
        let segment = {
            let view = self.view();
            let current = &view.current;
            if current.first[shard] <= seq {
                let before = seq - current.first[shard];
                let region = view.current_index.region(shard, before);
                return Ok(Passage {
                    number: current.number,
                    mark: current.mark,
                    end: current.end,
                    region: region.ok_or_else(|| missing(current))?,
                    file: Arc::clone(&view.current_file),
                });
            }
            let at = view
                .sealed
                .partition_point(|segment| segment.next[shard] <= seq);
            Arc::clone(view.sealed.get(at).ok_or_else(|| missing(current))?)
        };
        let file = match open {
            Some((number, file)) if number == segment.number => file,
            _ => Arc::new(self.open(&segment).map_err(|error| {
                let first = self.view().shards[shard].trimmed;
                self.unopened(&segment, &error, Shard(shard as u8), first, seq)
            })?),
        };
        let index = self.index(&segment, &file)?;
        let before = seq.saturating_sub(segment.first[shard]);
        let region = index.region(shard, before);
        Ok(Passage {
            number: segment.number,
            mark: segment.mark,
            end: segment.end,
            region: region.ok_or_else(|| missing(&segment))?,
            file,
        })
    }

    /// The file of a segment.
    pub(super) fn open(&self, segment: &Segment) -> io::Result<D::File> {
        self.disk.open(&segment.name())
    }

    /// Why a segment could not be opened: what was wanted of it may have been let go meanwhile.
    pub(super) fn unopened(
        &self,
        segment: &Segment,
        error: &io::Error,
        shard: Shard,
        first: Seq,
        asked: Seq,
    ) -> ReadError {
        if asked < first {
            return ReadError::Trimmed {
                shard,
                first,
                asked,
            };
        }
        ReadError::Io {
            place: segment.name(),
            what: error.to_string(),
        }
    }

    fn index(&self, segment: &Segment, file: &D::File) -> Result<Arc<Index>, ReadError> {
        let mut indexes = self.indexes();
        if let Some(at) = indexes
            .iter()
            .position(|(number, _)| *number == segment.number)
            && let Some(known) = indexes.remove(at)
        {
            let index = Arc::clone(&known.1);
            indexes.push_back(known);
            return Ok(index);
        }
        drop(indexes);
        let index = Arc::new(segment.index(file)?);
        self.keep_index(segment.number, Arc::clone(&index));
        Ok(index)
    }

    pub(super) fn keep_index(&self, number: u64, index: Arc<Index>) {
        let mut indexes = self.indexes();
        if INDEXES_MAX <= indexes.len() {
            indexes.pop_front();
        }
        indexes.push_back((number, index));
    }
}

impl<F> View<F> {
    /// The oldest segment, if all that is in it was let go and others follow it.
    pub(super) fn removable(&self, trimmed: &[Seq; SHARDS_MAX]) -> Option<Arc<Segment>> {
        let oldest = self.sealed.front()?;
        let is_free =
            (0..SHARDS_MAX).all(|shard| !oldest.has(shard) || oldest.next[shard] <= trimmed[shard]);
        is_free.then(|| Arc::clone(oldest))
    }

    /// Up to where each shard was let go.
    pub(super) fn trimmed(&self) -> [Seq; SHARDS_MAX] {
        std::array::from_fn(|shard| self.shards[shard].trimmed)
    }
}
