//! Appending: frames are staged in memory, then written and made safe as one group.

use std::{io, sync::Arc};

use super::{
    Current, Log, LogFigures, Place, Shelf, Unsealed,
    frame::{HEAD_BYTES, Head, Kind, Reference, frame_bytes, push_frame},
    header::{HEADER_BYTES, Header},
    index::Index,
    segment::{self, Segment},
};
use crate::{
    Append, AppendError, Batch, Owner, SHARDS_MAX, Shard,
    disk::{Disk, DiskFile},
};

/// Room at the end of each segment that only trims may use: they are what makes room.
const RESERVE_BYTES: u64 = (SHARDS_MAX * HEAD_BYTES) as u64;
const SEGMENT_BYTES_MIN: u64 = 16 << 10;
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

impl<D: Disk> Log<D> {
    /// What all threads may ask.
    pub fn shelf(&self) -> Arc<Shelf<D>> {
        Arc::clone(&self.shelf)
    }

    /// Figures as of now.
    pub fn figures(&self) -> LogFigures {
        self.figures
    }

    /// Stages one call's appends: all or none.
    pub fn stage(&mut self, appends: &[Append]) -> Result<(), AppendError> {
        self.check_whole()?;
        let bytes = self.check(appends)?;
        if bytes == 0 {
            return Ok(());
        }
        // All go into one segment: so all that can fail does before the first is staged, and the
        // blobs are those of the segment that the frames are in.
        self.make_room(bytes, RESERVE_BYTES)?;
        self.lighten(bytes)?;
        let blobs = self.keep_bodies(appends)?;
        for (append, blobs) in appends.iter().zip(&blobs) {
            if !append.batch.is_empty() {
                self.stage_batch(append, blobs);
            }
        }
        Ok(())
    }

    /// Whether these may be appended together; says how long their frames will be.
    fn check(&self, appends: &[Append]) -> Result<u64, AppendError> {
        let mut next: [u64; SHARDS_MAX] = std::array::from_fn(|shard| self.shards[shard].next);
        let mut bytes = 0;
        for Append {
            owner,
            first,
            batch,
        } in appends
        {
            batch.check()?;
            let shard = usize::from(owner.shard.0);
            let is_owned = self.shards.get(shard).map(|standing| standing.epoch)
                == Some(owner.epoch)
                && owner.epoch != 0;
            if !is_owned || next[shard] != *first {
                return Err(AppendError::Fenced(owner.shard));
            }
            next[shard] += batch.len() as u64;
            if !batch.is_empty() {
                let long = self.options.body_inline_bytes_max;
                bytes += frame_bytes(batch, long, self.is_sealed()) as u64;
            }
        }
        if SEGMENT_BYTES_MAX < bytes {
            return Err(AppendError::Busy(format!(
                "{bytes} bytes together are more than a segment takes"
            )));
        }
        Ok(bytes)
    }

    /// Stages a frame, which has room.
    fn stage_batch(&mut self, append: &Append, blobs: &[Reference]) {
        let shard = usize::from(append.owner.shard.0);
        let offset = self.staged_end();
        let kind = match blobs {
            [] => Kind::Records,
            _ => Kind::RecordsWithBlobs,
        };
        self.push(shard, kind, self.shards[shard].next, &append.batch, blobs);
        let standing = &mut self.shards[shard];
        self.places.push(Place {
            shard,
            offset,
            before: standing.next - self.current.first[shard],
        });
        standing.next += append.batch.len() as u64;
    }

    /// Stages that somebody takes a shard over; nobody is the owner before it is committed.
    pub fn stage_own(&mut self, shard: Shard) -> Result<Owner, AppendError> {
        self.check_whole()?;
        let at = usize::from(shard.0);
        if SHARDS_MAX <= at {
            return Err(AppendError::Fenced(shard));
        }
        self.make_room(HEAD_BYTES as u64, RESERVE_BYTES)?;
        self.shards[at].epoch += 1;
        let (epoch, next) = (self.shards[at].epoch, self.shards[at].next);
        self.push(at, Kind::Owner, next, &Batch::default(), &[]);
        Ok(Owner { shard, epoch, next })
    }

    /// Stages what was let go of each shard since that was last written down.
    pub(super) fn stage_trims(&mut self, trimmed: &[u64; SHARDS_MAX]) -> Result<(), AppendError> {
        for (shard, &first) in trimmed.iter().enumerate() {
            if self.trimmed_safe[shard] < first {
                self.make_room(HEAD_BYTES as u64, 0)?;
                self.push(shard, Kind::Trim, first, &Batch::default(), &[]);
            }
        }
        Ok(())
    }

    /// Ends a log that will not be written any more. From now on its last group has one behind
    /// it, so that rot in it cannot be taken for what a crash tore.
    pub fn close(mut self) -> Result<(), AppendError> {
        self.commit()?;
        if self.figures.groups == 0 {
            return Ok(());
        }
        let trimmed = self.shelf.view().trimmed();
        self.make_room(HEAD_BYTES as u64, 0)?;
        self.push(0, Kind::Trim, trimmed[0], &Batch::default(), &[]);
        self.commit()
    }

    /// Makes all that is staged safe, and only then visible. After an error nothing can be
    /// appended any more, and what was staged may be in the log or not.
    pub fn commit(&mut self) -> Result<(), AppendError> {
        self.write()?;
        self.sync()
    }

    /// Writes what is staged, so that only [`sync`](Self::sync) is left of a commit.
    pub fn write(&mut self) -> Result<(), AppendError> {
        self.check_whole()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        if !self.blobs.is_empty() {
            // No frame is ever there without its blobs.
            let synced = self.shelf.disk.sync_folder();
            self.unbroken("make safe the names of the blobs of", synced)?;
        }
        let written = self.current.file.write_at(&self.buffer, self.current.end);
        self.unbroken("write to", written)
    }

    /// Makes what was written safe and visible. Nothing may be staged in between.
    pub fn sync(&mut self) -> Result<(), AppendError> {
        self.check_whole()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let synced = self.current.file.sync_data();
        self.unbroken("make safe what was written to", synced)?;
        self.figures.groups += 1;
        self.figures.syncs += 1;
        self.figures.bytes_written += self.buffer.len() as u64;
        self.current.end += self.buffer.len() as u64;
        self.buffer.clear();
        self.group += 1;
        self.publish();
        Ok(())
    }

    /// Lets all see what is safe.
    fn publish(&mut self) {
        if !self.blobs.is_empty() {
            let mut view = self.shelf.view_mut();
            for blob in self.blobs.drain(..) {
                view.blobs.add(self.current.number, blob.hash, blob.bytes);
            }
            drop(view);
            self.measure_free();
        }
        self.measure();
        let mut view = self.shelf.view_mut();
        for (seen, standing) in view.shards.iter_mut().zip(&self.shards) {
            (seen.next, seen.epoch) = (standing.next, standing.epoch);
        }
        for place in self.places.drain(..) {
            view.current_index
                .add(place.shard, place.offset, place.before);
        }
        view.current.end = self.current.end;
        view.current.next = std::array::from_fn(|shard| self.shards[shard].next);
        view.figures = self.figures;
    }

    fn push(&mut self, shard: usize, kind: Kind, first: u64, batch: &Batch, blobs: &[Reference]) {
        let standing = self.shards[shard];
        let head = Head {
            mark: segment::mark(&self.current.salt),
            group: self.group,
            group_start: self.current.end as u32, // segments are shorter than 4 GiB
            shard: shard as u8,
            kind,
            count: batch.len() as u16, // at most BATCH_RECORDS_MAX
            epoch: standing.epoch,
            first,
            chain: standing.chain,
        };
        let offset = self.staged_end();
        let seal = self.shelf.seal(&self.current.salt);
        let seal = seal.filter(|_| kind.has_records());
        self.shards[shard].chain = push_frame(&mut self.buffer, &head, batch, blobs, offset, seal);
    }

    fn is_sealed(&self) -> bool {
        self.options.key.is_some()
    }

    fn staged_end(&self) -> u64 {
        self.current.end + self.buffer.len() as u64
    }

    pub(super) fn has_room(&self, bytes: u64, reserve: u64) -> bool {
        self.staged_end() + bytes + reserve <= self.current.bytes
    }

    /// Sees to it that frames of `bytes` fit, if need be in the next segment.
    fn make_room(&mut self, bytes: u64, reserve: u64) -> Result<(), AppendError> {
        if self.has_room(bytes, reserve) {
            return Ok(());
        }
        self.prepare_spare(bytes)?;
        self.commit()?; // the next segment says where this one safely ends
        self.roll()
    }

    /// Goes on in the next segment if this one has as many bytes of blobs as a segment has of
    /// frames: blobs go with their segments, and must not wait for it to be full of frames. If
    /// there is no room for another one, this one will do.
    fn lighten(&mut self, bytes: u64) -> Result<(), AppendError> {
        let is_heavy = self.options.segment_bytes <= self.current.blob_bytes;
        if !is_heavy || self.prepare_spare(bytes).is_err() {
            return Ok(());
        }
        self.commit()?;
        self.roll()
    }

    /// Sees to it that there is a spare segment for frames of `bytes`.
    pub(super) fn prepare_spare(&mut self, bytes: u64) -> Result<(), AppendError> {
        let needed = segment_bytes(self.options.segment_bytes, bytes);
        if self
            .spare
            .as_ref()
            .is_some_and(|spare| needed <= spare.bytes)
        {
            return Ok(());
        }
        self.spare = None; // `create` takes its place
        let prepared = segment::prepare(&*self.shelf.disk, needed);
        match prepared {
            Ok(spare) => {
                self.spare = Some(spare);
                Ok(())
            }
            Err(error) => {
                // Nothing of the log was touched: this may succeed later.
                self.figures.is_low = true;
                Err(AppendError::Busy(format!(
                    "cannot make room for a segment of {needed} bytes: {error}"
                )))
            }
        }
    }

    /// Goes on in the spare segment. Nothing is staged.
    fn roll(&mut self) -> Result<(), AppendError> {
        let Some(spare) = self.spare.take() else {
            return Err(AppendError::Busy("no segment is prepared".to_owned()));
        };
        let header = self.next_header();
        let begun = segment::begin(&*self.shelf.disk, &spare, &header);
        self.unbroken("begin the segment after", begun)?;
        let next = Current::new(&header, spare.file, spare.bytes);
        let old = std::mem::replace(&mut self.current, next);
        self.trimmed_safe = std::array::from_fn(|shard| header.shards[shard].trimmed);
        let (number, index) = self.shelf_new_segment(&header);
        let file = Arc::clone(&old.file);
        self.shelf.keep_open(number, file, Arc::clone(&index));
        self.unsealed.push(Unsealed {
            file: old.file,
            end: old.end,
            bytes: old.bytes,
            index,
        });
        Ok(())
    }

    /// The header of the segment after the current one.
    fn next_header(&self) -> Header {
        let trimmed = self.shelf.view().trimmed();
        let mut shards = self.shards;
        for (standing, trimmed) in shards.iter_mut().zip(trimmed) {
            standing.trimmed = trimmed;
        }
        let number = self.current.number + 1;
        let salt = salt(&self.options.salt, number, self.group);
        Header {
            number,
            previous_end: self.current.end,
            group: self.group,
            key_check: self.shelf.seal(&salt).map(|seal| seal.cipher.check(&salt)),
            salt,
            shards,
        }
    }

    /// Shows the readers the segment that was begun; gives the one before and its index.
    fn shelf_new_segment(&mut self, header: &Header) -> (u64, Arc<Index>) {
        let mut view = self.shelf.view_mut();
        let old = std::mem::replace(&mut view.current, Segment::new(header));
        let index = std::mem::replace(&mut view.current_index, Index::new());
        let (number, index) = (old.number, Arc::new(index));
        view.sealed.push_back(Arc::new(old));
        view.current_file = Arc::clone(&self.current.file);
        drop(view);
        self.figures.segments += 1;
        self.segments_bytes += self.current.bytes;
        (number, index)
    }

    /// Brings the figures up to date that follow from others.
    pub(super) fn measure(&mut self) {
        let rest = self.current.bytes.saturating_sub(self.staged_end());
        let spare = self.spare.as_ref().map_or(0, |spare| spare.bytes);
        self.figures.headroom_bytes = rest.saturating_sub(RESERVE_BYTES)
            + spare.saturating_sub(HEADER_BYTES as u64 + RESERVE_BYTES);
        let view = self.shelf.view();
        self.figures.blobs = view.blobs.len() as u64;
        self.figures.blob_bytes = view.blobs.bytes();
        self.figures.bytes_on_disk = self.segments_bytes + spare + view.blobs.bytes();
    }

    /// Looks how much is free on the disk.
    pub(super) fn measure_free(&mut self) {
        self.figures.free_bytes = self.shelf.disk.free_bytes().unwrap_or_default();
    }

    pub(super) fn check_whole(&self) -> Result<(), AppendError> {
        match &self.broken {
            Some(what) => Err(AppendError::Broken(what.clone())),
            None => Ok(()),
        }
    }

    /// Nobody can say what a disk holds that failed once; so nothing is tried again.
    pub(super) fn unbroken(
        &mut self,
        tried: &str,
        result: io::Result<()>,
    ) -> Result<(), AppendError> {
        if let Err(error) = result {
            let name = segment::name(self.current.number);
            self.broken = Some(format!("cannot {tried} {name}: {error}"));
        }
        self.check_whole()
    }
}

impl<F> Current<F> {
    pub(super) fn new(header: &Header, file: F, bytes: u64) -> Self {
        Self {
            number: header.number,
            salt: header.salt,
            file: Arc::new(file),
            end: HEADER_BYTES as u64,
            bytes,
            blob_bytes: 0,
            first: std::array::from_fn(|shard| header.shards[shard].next),
        }
    }
}

/// How large a segment must be that has room for frames of `bytes`.
pub(super) fn segment_bytes(usual: u64, bytes: u64) -> u64 {
    usual
        .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
        .max(HEADER_BYTES as u64 + bytes + RESERVE_BYTES)
}

/// Different for each segment that is ever begun.
pub(super) fn salt(opening: &[u8; 16], number: u64, group: u64) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(opening);
    hasher.update(&number.to_le_bytes());
    hasher.update(&group.to_le_bytes());
    let mut salt = [0; 16];
    hasher.finalize_xof().fill(&mut salt);
    salt
}
