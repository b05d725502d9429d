//! A copy of a log that is being written: what was safe at one moment, as a log of its own.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::Arc,
};

use super::{
    LogError,
    blob::{self, Hash},
    segment::{self, Segment},
    shelf::Shelf,
};
use crate::disk::{Disk, DiskFile};

/// How much is copied at once.
const COPY_BYTES: usize = 1 << 20;

/// What of a log is on the target.
#[derive(Default)]
struct Copied {
    /// Segments that are there, with their blobs.
    segments: BTreeSet<u64>,
    /// For each content a segment that has it.
    blobs: HashMap<Hash, u64>,
}

impl<D: Disk> Shelf<D> {
    /// Copies all that is safe to an empty disk. Nobody has to wait for it; what is let go
    /// meanwhile may be in the copy or not.
    pub fn copy_to<T: Disk>(&self, target: &T) -> Result<(), LogError> {
        let io = |source| LogError::Io {
            what: "copy the log".to_owned(),
            source,
        };
        let names = target.list().map_err(io)?;
        if names.iter().any(|name| number_of(name).is_some()) {
            return Err(LogError::NotEmpty);
        }
        let mut copied = Copied::default();
        loop {
            let (sealed, current, file) = {
                let view = self.view();
                let sealed: Vec<_> = view.sealed.iter().cloned().collect();
                (sealed, view.current.clone(), Arc::clone(&view.current_file))
            };
            if !self.copy_sealed(&sealed, &mut copied, target)?
                || !self.copy_blobs(&current, &mut copied, target)?
            {
                continue; // some were let go meanwhile, so the last one must say so
            }
            copy_frames(&*file, &current, target).map_err(io)?;
            let first = sealed.first().map_or(current.number, |first| first.number);
            for name in target.list().map_err(io)? {
                if number_of(&name).is_some_and(|number| number < first) {
                    target.remove(&name).map_err(io)?;
                }
            }
            return target.sync_folder().map_err(io);
        }
    }

    /// Copies those that were not yet; says false if one is not there any more.
    fn copy_sealed<T: Disk>(
        &self,
        sealed: &[Arc<Segment>],
        copied: &mut Copied,
        target: &T,
    ) -> Result<bool, LogError> {
        for segment in sealed {
            if copied.segments.contains(&segment.number) {
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
            if !self.copy_blobs(segment, copied, target)? {
                return Ok(false);
            }
            let copy = copy_frames(&file, segment, target).map_err(io)?;
            let index = segment.index(&file)?;
            segment::seal(&copy, segment.end, &index).map_err(io)?;
            copied.segments.insert(segment.number);
        }
        Ok(true)
    }

    /// Copies the blobs of a segment; says false if the segment is not there any more.
    fn copy_blobs<T: Disk>(
        &self,
        segment: &Segment,
        copied: &mut Copied,
        target: &T,
    ) -> Result<bool, LogError> {
        let number = segment.number;
        let hashes = self.view().blobs.of(number);
        for hash in hashes {
            let name = blob::name(number, &hash);
            let known = copied.blobs.insert(hash, number);
            if known.is_some_and(|known| target.link(&blob::name(known, &hash), &name).is_ok()) {
                continue;
            }
            match self.copy_blob(&name, target) {
                Ok(()) => {}
                Err(_) if self.is_gone(segment) => return Ok(false),
                Err(source) => {
                    let what = format!("copy {name}");
                    return Err(LogError::Io { what, source });
                }
            }
        }
        // One that went before this began has no blobs any more.
        Ok(!self.is_gone(segment))
    }

    fn copy_blob<T: Disk>(&self, name: &str, target: &T) -> io::Result<()> {
        let file = self.disk.open(name)?;
        copy_file(&file, blob::NEXT, file.bytes()?, target)?;
        target.rename(blob::NEXT, name)
    }

    fn is_gone(&self, segment: &Segment) -> bool {
        let view = self.view();
        let mut sealed = view.sealed.iter();
        view.current.number != segment.number && sealed.all(|one| one.number != segment.number)
    }
}

/// The segment that a file belongs to; `None` if it is none of a log's.
fn number_of(name: &str) -> Option<u64> {
    let of_blob = || blob::parse_name(name).map(|(number, _)| number);
    segment::number(name).or_else(of_blob)
}

/// Copies a segment up to where its frames end.
fn copy_frames<F: DiskFile, T: Disk>(
    file: &F,
    segment: &Segment,
    target: &T,
) -> io::Result<T::File> {
    copy_file(file, &segment.name(), segment.end, target)
}

/// Copies the first `bytes` of a file to one that is called `name`.
fn copy_file<F: DiskFile, T: Disk>(
    file: &F,
    name: &str,
    bytes: u64,
    target: &T,
) -> io::Result<T::File> {
    let copy = target.create(name, bytes)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < bytes {
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
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
