//! Reading a shard from any record on, and reading all shards at once.

use std::{ops::ControlFlow, sync::Arc};

use super::{
    frame::{self, HEAD_BYTES},
    header::{HEADER_BYTES, Header},
    place,
    scan::{Course, Found, Scan},
    segment::{self, Segment, no_frame},
    shelf::{Passage, Shelf},
};
use crate::{
    ReadError, SHARDS_MAX, Seq, Shard,
    disk::{Disk, DiskFile},
};

impl<D: Disk> Shelf<D> {
    /// Visits the records of a shard in order, from `from` on (0 for the first that is kept) to
    /// the last that was safe when this began, until `visit` says false.
    pub fn read(
        &self,
        shard: Shard,
        from: Seq,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Result<(), ReadError> {
        let (first, next) = self.span(shard);
        let mut seq = start(shard, from, first)?;
        let mut buffer = Vec::new();
        while seq < next {
            let passage = self.find(usize::from(shard.0), seq)?;
            let mut pass = |at: Seq, record: &[u8]| at < next && visit(at, record);
            match self.read_passage(&passage, shard, seq, &mut buffer, &mut pass)? {
                ControlFlow::Continue(after) => seq = after,
                ControlFlow::Break(()) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Visits the records of all shards that were safe when this began, from the place in each
    /// that `from` says (0 for the first that is kept), as they stand in the log.
    pub fn replay(
        &self,
        from: &[Seq; SHARDS_MAX],
        visit: &mut dyn FnMut(Shard, Seq, &[u8]),
    ) -> Result<(), ReadError> {
        let (shards, segments, current_file) = {
            let view = self.view();
            let mut segments: Vec<_> = view.sealed.iter().cloned().collect();
            segments.push(Arc::new(view.current.clone()));
            (view.shards, segments, Arc::clone(&view.current_file))
        };
        let mut wanted = *from;
        for (shard, wanted) in wanted.iter_mut().enumerate() {
            *wanted = start(Shard(shard as u8), *wanted, shards[shard].trimmed)?;
        }
        let (current, sealed) = segments
            .split_last()
            .expect("the current segment was pushed above");
        for segment in sealed.iter().filter(|segment| has_any(segment, &wanted)) {
            let shard = (0..SHARDS_MAX).find(|&shard| wanted[shard] < segment.next[shard]);
            let shard = shard.unwrap_or_default();
            let asked = wanted[shard].max(segment.first[shard]);
            let file = self.open_file(segment, shard, asked)?;
            self.replay_segment(segment, &file, &wanted, visit)?;
        }
        if has_any(current, &wanted) {
            self.replay_segment(current, &current_file, &wanted, visit)?;
        }
        Ok(())
    }

    /// Visits what a passage has of a shard from `seq` on; says the place after the last that it has.
    fn read_passage(
        &self,
        passage: &Passage<D::File>,
        shard: Shard,
        mut seq: Seq,
        buffer: &mut Vec<u8>,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Result<ControlFlow<(), Seq>, ReadError> {
        let name = segment::name(passage.number);
        let mark = segment::mark(&passage.salt);
        let asked = seq;
        let mut offset = passage.region.start;
        let until = passage.region.until.min(passage.end);
        let window = (until - offset.min(until)) as usize;
        buffer.clear();
        fill(&*passage.file, &name, buffer, 0, window, offset)?;
        let mut at = 0;
        while offset < until {
            let missing = || no_frame(&name, offset);
            fill(&*passage.file, &name, buffer, at, HEAD_BYTES, offset)?;
            let length = frame::peek(&buffer[at..], mark).ok_or_else(missing)?;
            if passage.end < offset + length as u64 {
                return Err(missing());
            }
            fill(&*passage.file, &name, buffer, at, length, offset)?;
            let frame = frame::parse(&buffer[at..], mark).ok_or_else(missing)?;
            let is_ours = frame.head.kind.has_records() && frame.head.shard == shard.0;
            if is_ours && seq < frame.next() {
                if seq < frame.head.first {
                    return Err(gap(shard, seq, frame.head.first, &name, offset));
                }
                let (number, salt) = (passage.number, &passage.salt);
                if !self.visit(number, salt, offset, &frame, seq, visit)? {
                    return Ok(ControlFlow::Break(()));
                }
                seq = frame.next();
            }
            offset += length as u64;
            at += length;
        }
        if seq == asked {
            return Err(gap(shard, seq, seq + 1, &name, offset)); // the index said that it is here
        }
        Ok(ControlFlow::Continue(seq))
    }

    fn replay_segment(
        &self,
        segment: &Segment,
        file: &D::File,
        wanted: &[Seq; SHARDS_MAX],
        visit: &mut dyn FnMut(Shard, Seq, &[u8]),
    ) -> Result<(), ReadError> {
        let name = segment.name();
        let io = |error: std::io::Error| ReadError::Io {
            place: name.clone(),
            what: error.to_string(),
        };
        let mut block = vec![0; HEADER_BYTES];
        let filled = file.fill_at(&mut block, 0).map_err(io)?;
        let header = Header::decode(&block[..filled], segment.number, &name)?;
        let mut course = Course::new(&header);
        let mut scan = Scan::new(file, segment.mark(), HEADER_BYTES as u64, segment.end);
        loop {
            match scan.next().map_err(io)? {
                Found::Frame(offset, frame) => {
                    course.follow(&name, offset, &frame)?;
                    let shard = frame.head.shard;
                    let from = wanted[usize::from(shard)];
                    if frame.head.kind.has_records() && from < frame.next() {
                        let mut pass = |seq, record: &[u8]| {
                            visit(Shard(shard), seq, record);
                            true
                        };
                        let (number, salt) = (segment.number, &segment.salt);
                        self.visit(number, salt, offset, &frame, from, &mut pass)?;
                    }
                }
                Found::Bad(offset) => return Err(no_frame(&name, offset)),
                Found::End => break,
            }
        }
        for shard in 0..SHARDS_MAX {
            let reached = course.shards[shard].next;
            if reached < segment.next[shard] {
                let shard_name = Shard(shard as u8);
                return Err(gap(
                    shard_name,
                    reached,
                    segment.next[shard],
                    &name,
                    segment.end,
                ));
            }
        }
        Ok(())
    }
}

/// Where to begin if `asked` for.
fn start(shard: Shard, asked: Seq, first: Seq) -> Result<Seq, ReadError> {
    match asked {
        0 => Ok(first),
        _ if asked < first => Err(ReadError::Trimmed {
            shard,
            first,
            asked,
        }),
        _ => Ok(asked),
    }
}

fn has_any(segment: &Segment, wanted: &[Seq; SHARDS_MAX]) -> bool {
    (0..SHARDS_MAX).any(|shard| segment.has(shard) && wanted[shard] < segment.next[shard])
}

/// Sees to it that `length` bytes from `at` on are in the buffer, if the file has them; what is at
/// `at` stands at `offset` in the file.
fn fill<F: DiskFile>(
    file: &F,
    name: &str,
    buffer: &mut Vec<u8>,
    at: usize,
    length: usize,
    offset: u64,
) -> Result<(), ReadError> {
    let have = buffer.len();
    if at + length <= have {
        return Ok(());
    }
    buffer.resize(at + length, 0);
    let from = offset + (have - at) as u64;
    let filled = file
        .fill_at(&mut buffer[have..], from)
        .map_err(|error| ReadError::Io {
            place: place(name, from),
            what: error.to_string(),
        })?;
    buffer.truncate(have + filled);
    Ok(())
}

/// Records from `from` to before `until` are not where they should be.
fn gap(shard: Shard, from: Seq, until: Seq, name: &str, offset: u64) -> ReadError {
    ReadError::Gap {
        shard,
        from,
        to: until - 1,
        place: place(name, offset),
    }
}
