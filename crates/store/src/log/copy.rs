//! A copy of a log that is being written: what was safe at one moment, as a log of its own.

use std::{collections::BTreeSet, io, sync::Arc};

use super::{
    LogError,
    segment::{self, Segment},
    shelf::Shelf,
};
use crate::disk::{Disk, DiskFile};

/// How much is copied at once.
const COPY_BYTES: usize = 1 << 20;

impl<D: Disk> Shelf<D> {
    /// Copies all that is safe to an empty disk. Nobody has to wait for it; what is let go
    /// meanwhile may be in the copy or not.
    pub fn copy_to<T: Disk>(&self, target: &T) -> Result<(), LogError> {
        let io = |source| LogError::Io {
            what: "copy the log".to_owned(),
            source,
        };
        let names = target.list().map_err(io)?;
        if names.iter().any(|name| segment::number(name).is_some()) {
            return Err(LogError::NotEmpty);
        }
        let mut copied = BTreeSet::new();
        loop {
            let (sealed, current, file) = {
                let view = self.view();
                let sealed: Vec<_> = view.sealed.iter().cloned().collect();
                (sealed, view.current.clone(), Arc::clone(&view.current_file))
            };
            if !self.copy_sealed(&sealed, &mut copied, target)? {
                continue; // some were let go meanwhile, so the last one must say so
            }
            copy_frames(&*file, &current, target).map_err(io)?;
            let first = sealed.first().map_or(current.number, |first| first.number);
            for gone in copied.range(..first) {
                target.remove(&segment::name(*gone)).map_err(io)?;
            }
            return target.sync_folder().map_err(io);
        }
    }

    /// Copies those that were not yet; says false if one is not there any more.
    fn copy_sealed<T: Disk>(
        &self,
        sealed: &[Arc<Segment>],
        copied: &mut BTreeSet<u64>,
        target: &T,
    ) -> Result<bool, LogError> {
        for segment in sealed {
            if copied.contains(&segment.number) {
                continue;
            }
            let io = |source| LogError::Io {
                what: format!("copy {}", segment.name()),
                source,
            };
            let file = match self.disk.open(&segment.name()) {
                Ok(file) => file,
                Err(_) if self.is_gone(segment) => return Ok(false),
                Err(error) => return Err(io(error)),
            };
            let copy = copy_frames(&file, segment, target).map_err(io)?;
            let index = segment.index(&file)?;
            segment::seal(&copy, segment.end, &index).map_err(io)?;
            copied.insert(segment.number);
        }
        Ok(true)
    }

    fn is_gone(&self, segment: &Segment) -> bool {
        let view = self.view();
        view.sealed.iter().all(|one| one.number != segment.number)
    }
}

/// Copies a segment up to where its frames end.
fn copy_frames<F: DiskFile, T: Disk>(
    file: &F,
    segment: &Segment,
    target: &T,
) -> io::Result<T::File> {
    let copy = target.create(&segment.name(), segment.end)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < segment.end {
        let left = usize::try_from(segment.end - offset).unwrap_or(usize::MAX);
        let wanted = COPY_BYTES.min(left);
        let filled = file.fill_at(&mut buffer[..wanted], offset)?;
        if filled < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        copy.write_at(&buffer[..filled], offset)?;
        offset += filled as u64;
    }
    copy.sync_data()?;
    Ok(copy)
}
