//! What all threads may ask of a log while one of them writes it. It sees only what is safe, and
//! nobody waits for a disk while the view is locked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{
    LogFigures, LogOptions,
    blobs::Blobs,
    cipher::Cipher,
    frame::Seal,
    header::Standings,
    index::{Index, Region},
    segment::Segment,
};
use crate::{AppendError, Owner, ReadError, SHARDS_MAX, Seq, Shard, disk::Disk};

/// How many sealed segments are kept open, with their indexes.
const OPEN_MAX: usize = 128;
/// What these indexes may take together, in bytes.
const INDEX_BYTES_MAX: usize = 32 << 20;

/// The side of a log that reads; see [`Log::shelf`](super::Log::shelf).
pub struct Shelf<D: Disk> {
    pub(super) disk: Arc<D>,
    cipher: Option<Cipher>,
    segment_bytes: u64,
    body_inline_bytes_max: usize,
    view: RwLock<View<D::File>>,
    /// Segments that were read lately, the last one last.
    open: Mutex<VecDeque<Open<D::File>>>,
}

/// A sealed segment that is open.
struct Open<F> {
    number: u64,
    file: Arc<F>,
    index: Arc<Index>,
}

/// What is safe.
pub(super) struct View<F> {
    pub(super) shards: Standings,
    /// All segments but the last, the oldest first.
    pub(super) sealed: VecDeque<Arc<Segment>>,
    pub(super) current: Segment,
    pub(super) current_file: Arc<F>,
    pub(super) current_index: Index,
    pub(super) blobs: Blobs,
    pub(super) figures: LogFigures,
}

/// A part of a segment that is to be read.
pub(super) struct Passage<F> {
    pub(super) number: u64,
    pub(super) salt: [u8; 16],
    /// Where the segment's frames end.
    pub(super) end: u64,
    pub(super) region: Region,
    pub(super) file: Arc<F>,
}

impl<D: Disk> Shelf<D> {
    pub(super) fn new(
        disk: Arc<D>,
        cipher: Option<Cipher>,
        options: &LogOptions,
        view: View<D::File>,
    ) -> Self {
        Self {
            disk,
            cipher,
            segment_bytes: options.segment_bytes,
            body_inline_bytes_max: options.body_inline_bytes_max,
            view: RwLock::new(view),
            open: Mutex::new(VecDeque::new()),
        }
    }

    /// The first record that is kept of a shard and the place of the next one to come.
    pub fn span(&self, shard: Shard) -> (Seq, Seq) {
        let standing = self.view().shards.get(usize::from(shard.0)).copied();
        standing.map_or((1, 1), |standing| (standing.trimmed, standing.next))
    }

    /// Whether there is room for a new body of `bytes` when `waiting_bytes` that were not staged
    /// yet have been written. A long one leaves room for a segment.
    pub fn has_room(&self, bytes: u64, waiting_bytes: u64) -> bool {
        let figures = self.figures();
        let is_long = (self.body_inline_bytes_max as u64) < bytes;
        let needed = bytes.saturating_add(waiting_bytes);
        let needed = needed.saturating_add(self.segment_bytes);
        !figures.is_low && (!is_long || needed <= figures.free_bytes)
    }

    /// Where in each shard the records begin that are in files of no more than `bytes_max`
    /// together, the newest ones.
    pub fn newest(&self, bytes_max: u64) -> [Seq; SHARDS_MAX] {
        let view = self.view();
        let bytes_of = |segment: &Segment| segment.end + view.blobs.bytes_of(segment.number);
        let sealed: u64 = view.sealed.iter().map(|segment| bytes_of(segment)).sum();
        // What is written now, and the spare.
        let others = view.figures.bytes_on_disk.saturating_sub(sealed);
        let mut left = bytes_max.saturating_sub(others);
        for segment in view.sealed.iter().rev() {
            match left.checked_sub(bytes_of(segment)) {
                Some(rest) => left = rest,
                None => return segment.next,
            }
        }
        view.trimmed()
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

    /// How the frames of a segment with this salt are encrypted, if they are.
    pub(super) fn seal<'s>(&'s self, salt: &'s [u8; 16]) -> Option<Seal<'s>> {
        let cipher = self.cipher.as_ref()?;
        Some(Seal { cipher, salt })
    }

    pub(super) fn cipher(&self) -> Option<&Cipher> {
        self.cipher.as_ref()
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View<D::File>> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View<D::File>> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which part of which segment has the record `seq` of a shard.
    pub(super) fn find(&self, shard: usize, seq: Seq) -> Result<Passage<D::File>, ReadError> {
        let (segment, file, region) = {
            let view = self.view();
            if view.current.first[shard] <= seq {
                let before = seq - view.current.first[shard];
                let region = view.current_index.region(shard, before);
                let file = Arc::clone(&view.current_file);
                (Arc::new(view.current.clone()), file, region)
            } else {
                let at = view
                    .sealed
                    .partition_point(|segment| segment.next[shard] <= seq);
                let segment = view.sealed.get(at).map(Arc::clone);
                drop(view);
                let segment = segment.ok_or_else(|| self.gone(shard, seq))?;
                let (file, index) = self.open(&segment, shard, seq)?;
                let before = seq.saturating_sub(segment.first[shard]);
                let region = index.region(shard, before);
                (segment, file, region)
            }
        };
        let region = region.ok_or_else(|| ReadError::Gap {
            shard: Shard(shard as u8),
            from: seq,
            to: seq,
            place: segment.name(),
        })?;
        Ok(Passage {
            number: segment.number,
            salt: segment.salt,
            end: segment.end,
            region,
            file,
        })
    }

    /// A sealed segment's file and index; record `asked` of `shard` is wanted of it.
    fn open(
        &self,
        segment: &Segment,
        shard: usize,
        asked: Seq,
    ) -> Result<(Arc<D::File>, Arc<Index>), ReadError> {
        let mut open = self.opened();
        let known = open.iter().position(|open| open.number == segment.number);
        if let Some(known) = known.and_then(|at| open.remove(at)) {
            let found = (Arc::clone(&known.file), Arc::clone(&known.index));
            open.push_back(known);
            return Ok(found);
        }
        drop(open);
        let file = Arc::new(self.open_file(segment, shard, asked)?);
        let index = Arc::new(segment.index(&*file)?);
        self.keep_open(segment.number, Arc::clone(&file), Arc::clone(&index));
        Ok((file, index))
    }

    /// The same file without its index.
    pub(super) fn open_file(
        &self,
        segment: &Segment,
        shard: usize,
        asked: Seq,
    ) -> Result<D::File, ReadError> {
        self.disk.open(&segment.name()).map_err(|error| {
            if asked < self.view().shards[shard].trimmed {
                return self.gone(shard, asked); // meanwhile
            }
            ReadError::Io {
                place: segment.name(),
                what: error.to_string(),
            }
        })
    }

    pub(super) fn gone(&self, shard: usize, asked: Seq) -> ReadError {
        ReadError::Trimmed {
            shard: Shard(shard as u8),
            first: self.view().shards[shard].trimmed,
            asked,
        }
    }

    pub(super) fn keep_open(&self, number: u64, file: Arc<D::File>, index: Arc<Index>) {
        let mut open = self.opened();
        let is_wanted = self.view().sealed.iter().any(|one| one.number == number);
        // Not if it was removed meanwhile: its room is free only when nobody has it open.
        if is_wanted && open.iter().all(|one| one.number != number) {
            open.push_back(Open {
                number,
                file,
                index,
            });
        }
        let mut bytes: usize = open.iter().map(|one| one.index.bytes()).sum();
        while OPEN_MAX < open.len() || INDEX_BYTES_MAX < bytes {
            let oldest = open.pop_front();
            bytes -= oldest.map_or(bytes, |one| one.index.bytes());
        }
    }

    /// The segments up to `number` were removed.
    pub(super) fn close(&self, number: u64) {
        self.opened().retain(|open| number < open.number);
    }

    fn opened(&self) -> MutexGuard<'_, VecDeque<Open<D::File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
