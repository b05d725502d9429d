//! Reads the frames of a segment one after the other, and checks that each follows the one before.

use std::io;

use super::{
    bytes::u64_at,
    frame::{self, ALIGN, Frame, HEAD_BYTES, Kind, chain_of},
    header::{Header, Standings},
    place,
};
use crate::{ReadError, Shard, disk::DiskFile};

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

/// The frames of a file between two offsets.
pub(super) struct Scan<'f, F> {
    file: &'f F,
    mark: u64,
    /// Where the next frame begins.
    offset: u64,
    /// Nothing from here on counts.
    end: u64,
    buffer: Vec<u8>,
    /// Which part of the buffer has not been taken; it begins with what is at `offset`.
    taken: usize,
    filled: usize,
}

/// What stands at a place.
pub(super) enum Found<'b> {
    Frame(u64, Frame<'b>),
    /// No frame begins here, or not all of it is there.
    Bad(u64),
    End,
}

impl<'f, F: DiskFile> Scan<'f, F> {
    pub(super) fn new(file: &'f F, mark: u64, offset: u64, end: u64) -> Self {
        Self {
            file,
            mark,
            offset,
            end,
            buffer: Vec::new(),
            taken: 0,
            filled: 0,
        }
    }

    /// The next frame. After [`Found::Bad`] it says the same for ever.
    pub(super) fn next(&mut self) -> io::Result<Found<'_>> {
        let offset = self.offset;
        if self.end <= offset {
            return Ok(Found::End);
        }
        self.have(HEAD_BYTES)?;
        let Some(length) = frame::peek(&self.buffer[self.taken..self.filled], self.mark) else {
            return Ok(Found::Bad(offset));
        };
        self.have(length)?;
        let bytes = &self.buffer[self.taken..self.filled];
        let Some(frame) = frame::parse(bytes, self.mark) else {
            return Ok(Found::Bad(offset));
        };
        self.taken += length;
        self.offset += length as u64;
        Ok(Found::Frame(offset, frame))
    }

    /// Reads on until `bytes` are in the buffer, or all up to the end are.
    fn have(&mut self, bytes: usize) -> io::Result<()> {
        let rest = self.filled - self.taken;
        if bytes <= rest {
            return Ok(());
        }
        self.buffer.copy_within(self.taken..self.filled, 0);
        (self.taken, self.filled) = (0, rest);
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let wanted = READ_BYTES.max(bytes).min(left);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let target = wanted.max(rest);
        let at = self.offset + rest as u64;
        self.filled += self.file.fill_at(&mut self.buffer[rest..target], at)?;
        Ok(())
    }
}

/// Whether anywhere in the file a frame stands whose group begins behind `bad`: then that group
/// was begun when what is bad was safe.
pub(super) fn has_later_group<F: DiskFile>(
    file: &F,
    mark: u64,
    bad: u64,
    end: u64,
) -> io::Result<bool> {
    let mut offset = bad;
    let mut buffer = vec![0; READ_BYTES];
    while offset < end {
        let wanted = buffer
            .len()
            .min(usize::try_from(end - offset).unwrap_or(usize::MAX));
        let filled = file.fill_at(&mut buffer[..wanted], offset)?;
        for at in (0..(filled + 1).saturating_sub(HEAD_BYTES)).step_by(ALIGN) {
            if u64_at(&buffer, at + 8) != mark {
                continue;
            }
            let here = offset + at as u64;
            if let Found::Frame(_, frame) = Scan::new(file, mark, here, end).next()?
                && bad < u64::from(frame.head.group_start)
            {
                return Ok(true);
            }
        }
        if filled < READ_BYTES {
            break;
        }
        offset += (READ_BYTES - HEAD_BYTES) as u64; // a head may stand across the border
    }
    Ok(false)
}

/// Where the shards stand while the frames pass by.
pub(super) struct Course {
    pub(super) shards: Standings,
    /// The group of the last frame.
    pub(super) group: u64,
}

impl Course {
    /// Where a segment begins.
    pub(super) fn new(header: &Header) -> Self {
        Self {
            shards: header.shards,
            group: header.group.saturating_sub(1),
        }
    }

    /// Goes on by a frame, if it follows. `name` is the file's.
    pub(super) fn follow(
        &mut self,
        name: &str,
        offset: u64,
        frame: &Frame<'_>,
    ) -> Result<(), ReadError> {
        let head = &frame.head;
        let standing = &mut self.shards[usize::from(head.shard)];
        let corrupt = |what: &str| ReadError::Corrupt {
            place: place(name, offset),
            what: what.to_owned(),
        };
        if head.kind.has_records() && standing.next < head.first {
            return Err(ReadError::Gap {
                shard: Shard(head.shard),
                from: standing.next,
                to: head.first - 1,
                place: place(name, offset),
            });
        }
        if head.chain != standing.chain {
            return Err(corrupt("the frame does not follow its shard's last one"));
        }
        let (is_next, epoch) = match head.kind {
            Kind::Records | Kind::RecordsWithBlobs => {
                (head.first == standing.next && 0 < head.count, head.epoch)
            }
            Kind::Owner => (head.first == standing.next, head.epoch.wrapping_sub(1)),
            Kind::Trim => (head.first <= standing.next, head.epoch),
        };
        if !is_next || epoch != standing.epoch || head.group < self.group {
            return Err(corrupt("the frame is out of its order"));
        }
        self.group = head.group;
        standing.epoch = head.epoch;
        standing.chain = chain_of(frame.all);
        match head.kind {
            Kind::Records | Kind::RecordsWithBlobs => standing.next = frame.next(),
            Kind::Owner => {}
            Kind::Trim => standing.trimmed = standing.trimmed.max(head.first),
        }
        Ok(())
    }
}
