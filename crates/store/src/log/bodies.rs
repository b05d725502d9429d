//! Bodies that are too long for a frame: written as blobs before the frames that refer to them,
//! and read with them.

use std::io;

use super::{
    Log, Shelf,
    blob::{self, Hash},
    frame::{Frame, Reference},
    is_full, place, segment,
};
use crate::{Append, AppendError, ReadError, Seq, Shard, disk::Disk};

/// A blob of the current segment that belongs to what is staged.
pub(super) struct Staged {
    pub(super) hash: Hash,
    /// How long the file is.
    pub(super) bytes: u64,
}

impl<D: Disk> Log<D> {
    /// Sees to it that the current segment has the long bodies of a call as blobs; says for each
    /// append which they are. After an error nothing is left of any. What else is in the group
    /// waits meanwhile.
    pub(super) fn keep_bodies(
        &mut self,
        appends: &[Append],
    ) -> Result<Vec<Vec<Reference>>, AppendError> {
        let before = self.blobs.len();
        let kept = appends.iter().map(|append| self.keep_bodies_of(append));
        let kept: Result<_, _> = kept.collect();
        if kept.is_err() {
            for blob in self.blobs.drain(before..) {
                self.current.blob_bytes -= blob.bytes;
                let name = blob::name(self.current.number, &blob.hash);
                let _ = self.shelf.disk.remove(&name); // else the next opening does it
            }
        }
        kept
    }

    fn keep_bodies_of(&mut self, append: &Append) -> Result<Vec<Reference>, AppendError> {
        let long = self.options.body_inline_bytes_max;
        let records = append.batch.records().enumerate();
        records
            .filter(|(_, record)| long < record.body.len())
            .map(|(at, record)| {
                let hash = blob::hash(record.body, self.shelf.cipher());
                self.keep_body(hash, record.body)?;
                Ok(Reference {
                    record: at as u16,               // at most BATCH_RECORDS_MAX
                    bytes: record.body.len() as u32, // at most BODY_BYTES_MAX
                    hash,
                })
            })
            .collect()
    }

    /// Sees to it that the current segment has a blob with this content: it may have it already,
    /// or an older one may, whose file gets one more name.
    fn keep_body(&mut self, hash: Hash, content: &[u8]) -> Result<(), AppendError> {
        if self.blobs.iter().any(|blob| blob.hash == hash) {
            return Ok(());
        }
        let number = self.current.number;
        let name = blob::name(number, &hash);
        let disk = &*self.shelf.disk;
        let known = self.shelf.view().blobs.newest(&hash);
        let written = match known {
            Some((newest, _)) if newest == number => return Ok(()),
            Some((newest, bytes)) if disk.link(&blob::name(newest, &hash), &name).is_ok() => {
                Ok(bytes)
            }
            // It is new, or the disk has no links.
            _ => blob::write(disk, &name, &hash, content, self.shelf.cipher()),
        };
        match written {
            Ok(bytes) => {
                self.current.blob_bytes += bytes;
                self.blobs.push(Staged { hash, bytes });
                Ok(())
            }
            Err(error) if is_full(&error) => {
                // Nothing of the log was touched: this may succeed later.
                self.measure_free();
                let bytes = content.len();
                Err(AppendError::Busy(format!(
                    "cannot make room for a body of {bytes} bytes: {error}"
                )))
            }
            Err(error) => self.unbroken("write a body beside", Err(error)),
        }
    }
}

impl<D: Disk> Shelf<D> {
    /// Visits the records of a frame from `from` on, until `visit` says false, which is then said.
    /// The frame stands at `offset` in segment `number`.
    pub(super) fn visit(
        &self,
        number: u64,
        salt: &[u8; 16],
        offset: u64,
        frame: &Frame<'_>,
        from: Seq,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Result<bool, ReadError> {
        let shard = Shard(frame.head.shard);
        let mut failed = None;
        let mut with_body = |seq, head: &[u8], body: Option<Reference>| match body {
            None => visit(seq, head),
            Some(body) => match self.with_body(number, shard, seq, head, &body) {
                Ok(record) => visit(seq, &record),
                Err(error) => {
                    failed = Some(error);
                    false
                }
            },
        };
        let goes_on = frame.visit(from, offset, self.seal(salt), &mut with_body);
        if let Some(error) = failed {
            return Err(error);
        }
        goes_on.ok_or_else(|| ReadError::Corrupt {
            place: place(&segment::name(number), offset),
            what: "the frame's records cannot be decrypted, or do not fill it as it says"
                .to_owned(),
        })
    }

    /// The record `seq` of a shard in one piece; its body is a blob of segment `number`.
    fn with_body(
        &self,
        number: u64,
        shard: Shard,
        seq: Seq,
        head: &[u8],
        body: &Reference,
    ) -> Result<Vec<u8>, ReadError> {
        let name = blob::name(number, &body.hash);
        let file = self.disk.open(&name).map_err(|error| {
            if seq < self.span(shard).0 {
                return self.gone(usize::from(shard.0), seq); // meanwhile
            }
            match error.kind() {
                io::ErrorKind::NotFound => blob::missing(&name, shard, seq),
                _ => ReadError::Io {
                    place: name.clone(),
                    what: error.to_string(),
                },
            }
        })?;
        let mut record = head.to_vec();
        let bytes = body.bytes as usize;
        blob::read(&file, &name, &body.hash, bytes, self.cipher(), &mut record)?;
        Ok(record)
    }
}
