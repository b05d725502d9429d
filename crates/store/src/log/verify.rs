//! Looks at every byte of a log that nobody writes, and says all that is wrong with it. Changes
//! nothing, and needs no key: checksums are of what is on the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use super::{
    blob::{self, Hash},
    frame::Frame,
    header::{HEADER_BYTES, Header, NOTHING, Standings},
    place,
    scan::{Course, Found, Scan, has_later_group},
    segment,
};
use crate::{
    ReadError, SHARDS_MAX, Seq, Shard,
    disk::{Disk, DiskFile},
};

/// What is in a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How many segments there are.
    pub segments: u64,
    /// Bytes of frames.
    pub bytes: u64,
    /// Appends.
    pub frames: u64,
    /// Records.
    pub records: u64,
    /// Long bodies, each content once.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// For each shard that ever had a record the first that is kept and the place of the next.
    pub spans: Vec<(Shard, Seq, Seq)>,
    /// All that is wrong; nothing if the log is whole.
    pub problems: Vec<ReadError>,
}

/// What is known when a segment has been looked at.
struct So {
    report: Report,
    /// The number of the last segment.
    number: u64,
    /// Where the shards stand behind it; unknown behind one that is damaged.
    shards: Option<Standings>,
    /// The blobs that segments refer to, how long they are, and the first record of each.
    blobs: BTreeMap<(u64, Hash), (u32, Shard, Seq)>,
}

/// Looks at the log on `disk`, which nobody writes meanwhile.
pub fn verify<D: Disk>(disk: &D) -> io::Result<Report> {
    let names = disk.list()?;
    let mut numbers: Vec<_> = names
        .iter()
        .filter_map(|name| segment::number(name))
        .collect();
    numbers.sort_unstable();
    let mut begun = Vec::new();
    for number in numbers {
        let file = disk.open(&segment::name(number))?;
        let mut block = vec![0; HEADER_BYTES];
        let filled = file.fill_at(&mut block, 0)?;
        let header = Header::decode(&block[..filled], number, &segment::name(number));
        begun.push((number, file, header));
    }
    let mut so = So {
        report: Report::default(),
        number: 0,
        shards: None,
        blobs: BTreeMap::new(),
    };
    for (at, (number, file, header)) in begun.iter().enumerate() {
        so.report.segments += 1;
        if 0 < at && so.number + 1 != *number {
            let what = format!("segments from {} on are missing before it", so.number + 1);
            so.problem(&segment::name(*number), 0, &what);
            so.shards = None;
        }
        so.number = *number;
        let end = match begun.get(at + 1) {
            // Without the next one's header it is not known where this one ends.
            Some((_, _, following)) => following.as_ref().ok().map(|header| header.previous_end),
            None => None,
        };
        let is_last = at + 1 == begun.len();
        match header {
            Ok(header) => so.look(file, header, end, is_last)?,
            Err(error) => {
                so.report.problems.push(error.clone());
                so.shards = None;
            }
        }
    }
    so.conclude(
        begun
            .first()
            .and_then(|(_, _, header)| header.as_ref().ok()),
    );
    so.look_at_blobs(disk)?;
    let later = |name: &&String| {
        let number = blob::parse_name(name).map(|(number, _)| number);
        number.is_some_and(|number| so.number < number)
    };
    let problems = names
        .iter()
        .filter(later)
        .map(|name| blob::no_segment(name));
    so.report.problems.extend(problems);
    Ok(so.report)
}

impl So {
    /// Looks at one segment.
    fn look<F: DiskFile>(
        &mut self,
        file: &F,
        header: &Header,
        end: Option<u64>,
        is_last: bool,
    ) -> io::Result<()> {
        let name = segment::name(header.number);
        if self
            .shards
            .is_some_and(|shards| !goes_on(&shards, &header.shards))
        {
            self.problem(
                &name,
                0,
                "the shards do not stand where the segment before ends",
            );
        }
        let bytes = file.bytes()?;
        let mut course = Course::new(header);
        let mark = segment::mark(&header.salt);
        let mut scan = Scan::new(file, mark, HEADER_BYTES as u64, end.unwrap_or(bytes));
        let mut reached = HEADER_BYTES as u64;
        let mut is_whole = true;
        while let Found::Frame(offset, frame) = scan.next()? {
            if let Err(error) = course.follow(&name, offset, &frame) {
                self.report.problems.push(error);
                is_whole = false;
                break;
            }
            self.report.frames += u64::from(frame.head.kind.has_records());
            self.report.records += u64::from(frame.head.count);
            self.note_blobs(header.number, &frame);
            reached = offset + frame.all.len() as u64;
        }
        self.report.bytes += reached - HEADER_BYTES as u64;
        let is_rotten = match end {
            Some(end) => reached != end,
            // What was being written when the power went is no damage.
            None => has_later_group(file, mark, reached, bytes)?,
        };
        if is_whole && is_rotten {
            self.report.problems.push(segment::no_frame(&name, reached));
            is_whole = false;
        }
        if is_last && segment::is_sealed(file, reached)? {
            self.problem(&name, reached, "the segment that follows it is missing");
        }
        self.shards = is_whole.then_some(course.shards);
        Ok(())
    }

    fn note_blobs(&mut self, number: u64, frame: &Frame<'_>) {
        for blob in frame.references() {
            let seq = frame.head.first + Seq::from(blob.record);
            let first = (blob.bytes, Shard(frame.head.shard), seq);
            self.blobs.entry((number, blob.hash)).or_insert(first);
        }
    }

    /// Looks at all blobs that records have.
    fn look_at_blobs<D: Disk>(&mut self, disk: &D) -> io::Result<()> {
        let mut hashes = BTreeSet::new();
        for (&(number, hash), &(bytes, shard, seq)) in &self.blobs {
            let name = blob::name(number, &hash);
            match disk.open(&name) {
                Ok(file) => {
                    let checked = blob::check(&file, &name, &hash, bytes as usize)?;
                    self.report.problems.extend(checked.err());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let missing = blob::missing(&name, shard, seq);
                    self.report.problems.push(missing);
                }
                Err(error) => return Err(error),
            }
            if hashes.insert(hash) {
                self.report.blobs += 1;
                self.report.blob_bytes += u64::from(bytes);
            }
        }
        Ok(())
    }

    /// Says what is kept, and whether it reaches back as far as it should.
    fn conclude(&mut self, first: Option<&Header>) {
        let Some(shards) = self.shards else { return };
        for (at, standing) in shards.iter().enumerate() {
            let shard = Shard(at as u8);
            let begins = first.map_or(NOTHING[at].next, |first| first.shards[at].next);
            if standing.trimmed < begins {
                self.report.problems.push(ReadError::Gap {
                    shard,
                    from: standing.trimmed,
                    to: begins - 1,
                    place: "segments before the first one".to_owned(),
                });
            }
            if 1 < standing.next {
                let span = (shard, standing.trimmed, standing.next);
                self.report.spans.push(span);
            }
        }
    }

    fn problem(&mut self, name: &str, offset: u64, what: &str) {
        self.report.problems.push(ReadError::Corrupt {
            place: place(name, offset),
            what: what.to_owned(),
        });
    }
}

/// Whether a segment may begin with `to` behind one that ends with `from`: what was let go is
/// written down now and then.
fn goes_on(from: &Standings, to: &Standings) -> bool {
    (0..SHARDS_MAX).all(|shard| {
        let (from, to) = (&from[shard], &to[shard]);
        (from.next, from.epoch, from.chain) == (to.next, to.epoch, to.chain)
            && from.trimmed <= to.trimmed
    })
}
