//! What nobody waits for: footers of segments that are full, a spare segment, and the removal of
//! segments of which all was let go, with their blobs.

use std::io;

use super::{
    Log,
    blob::{self, Hash},
    segment,
};
use crate::{
    AppendError,
    disk::{Disk, DiskFile},
};

impl<D: Disk> Log<D> {
    /// Does what is to do besides appending. Nothing is staged. The writer calls it after its
    /// groups and after trims; what cannot be done now is tried again the next time.
    pub fn tidy(&mut self) -> Result<(), AppendError> {
        self.check_whole()?;
        self.write_footers();
        let removed = self.remove_segments();
        let usual = self.options.segment_bytes;
        let has_room = || self.shelf.disk.free_bytes().is_ok_and(|free| usual < free);
        if self.spare.is_none() && has_room() {
            // Without a spare the log is low, which is in its figures; whether it is broken is
            // seen below.
            let _ = self.prepare_spare(0);
        }
        self.figures.is_low = self.spare.is_none();
        self.measure_free();
        self.measure();
        self.shelf.view_mut().figures = self.figures;
        removed?;
        self.check_whole()
    }

    /// A footer that cannot be written is none: readers do without.
    fn write_footers(&mut self) {
        for old in self.unsealed.drain(..) {
            let bytes = segment::seal(&*old.file, old.end, &old.index).unwrap_or(old.bytes);
            self.segments_bytes = self.segments_bytes + bytes - old.bytes;
        }
    }

    fn remove_segments(&mut self) -> Result<(), AppendError> {
        let trimmed = self.shelf.view().trimmed();
        if self.shelf.view().removable(&trimmed).is_none() {
            return Ok(());
        }
        // A segment goes only when it is safe that nobody wants it: else it would be missing.
        self.stage_trims(&trimmed)?;
        self.commit()?;
        self.trimmed_safe = trimmed;
        loop {
            let mut view = self.shelf.view_mut();
            let Some(oldest) = view.removable(&trimmed) else {
                return Ok(());
            };
            view.sealed.pop_front();
            let blobs = view.blobs.remove(oldest.number);
            drop(view);
            self.shelf.close(oldest.number);
            let disk = &*self.shelf.disk;
            let bytes = self.bytes_of(&oldest.name());
            let removed = disk
                .remove(&oldest.name())
                .and_then(|()| disk.sync_folder());
            self.figures.segments -= 1;
            self.segments_bytes = self.segments_bytes.saturating_sub(bytes);
            self.unbroken("remove a segment before", removed)?;
            // Blobs go after the segment: those of one that is not there are what a crash left.
            let removed = self.remove_blobs(oldest.number, &blobs);
            self.unbroken("remove blobs of a segment before", removed)?;
        }
    }

    fn remove_blobs(&self, number: u64, blobs: &[Hash]) -> io::Result<()> {
        for hash in blobs {
            match self.shelf.disk.remove(&blob::name(number, hash)) {
                // It was lost; whoever wanted to read it has heard.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    fn bytes_of(&self, name: &str) -> u64 {
        let file = self.shelf.disk.open(name);
        file.and_then(|file| file.bytes()).unwrap_or_default()
    }
}
