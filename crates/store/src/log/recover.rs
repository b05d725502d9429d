//! Opening: looks at what is there, cuts off what a crash tore, and begins a new segment, whose
//! header says where the one before ends. So what was cut off never comes back.

use std::{collections::HashSet, io, sync::Arc};

use super::{
    Current, Log, LogError, LogFigures, LogOptions, Shelf, Spare, Unsealed,
    blob::{self, Hash},
    blobs::Blobs,
    cipher::Cipher,
    header::{HEADER_BYTES, Header, NOTHING, Standings},
    index::Index,
    is_full, place,
    scan::{Course, Found, Scan, has_later_group},
    segment::{self, NEXT, Segment, no_frame},
    shelf::View,
    write::{salt, segment_bytes},
};
use crate::{
    BODY_INLINE_BYTES_MAX, ReadError, SHARDS_MAX, Shard,
    disk::{Disk, DiskFile},
};

impl<D: Disk> Log<D> {
    /// Opens the log on `disk`; an empty disk is an empty log.
    pub fn open(disk: D, mut options: LogOptions) -> Result<Self, LogError> {
        let long = &mut options.body_inline_bytes_max;
        *long = BODY_INLINE_BYTES_MAX.min(*long);
        let cipher = options.key.as_ref().map(Cipher::new);
        let found = look(&disk, cipher.as_ref())?;
        let blobs = keep_blobs(&disk, &found)?;
        let disk = Arc::new(disk);
        let (header, spare) = begin(&*disk, &found, &options, cipher.as_ref())?;
        let current = Current::new(&header, spare.file, spare.bytes);
        let trimmed_safe = std::array::from_fn(|shard| header.shards[shard].trimmed);
        let shelf = Shelf::new(
            disk,
            cipher,
            &options,
            View {
                shards: header.shards,
                sealed: found.sealed.into_iter().map(Arc::new).collect(),
                current: Segment::new(&header),
                current_file: Arc::clone(&current.file),
                current_index: Index::new(),
                blobs,
                figures: LogFigures::default(),
            },
        );
        let mut log = Self {
            shelf: Arc::new(shelf),
            options,
            shards: header.shards,
            group: header.group,
            segments_bytes: found.bytes + current.bytes,
            current,
            buffer: Vec::new(),
            places: Vec::new(),
            blobs: Vec::new(),
            spare: None,
            unsealed: found.unsealed,
            trimmed_safe,
            broken: None,
            figures: LogFigures::default(),
        };
        log.figures.segments = log.shelf.view().sealed.len() as u64 + 1;
        let tidied = log.tidy();
        match log.broken.take() {
            Some(what) => Err(io_error("open the log", io::Error::other(what))),
            None => {
                // No room for what can wait is no reason to stay closed.
                let _ = tidied;
                Ok(log)
            }
        }
    }
}

/// What is on the disk.
struct Kept<F> {
    sealed: Vec<Segment>,
    unsealed: Vec<Unsealed<F>>,
    /// Of the segment to begin.
    number: u64,
    /// Where all ends.
    previous_end: u64,
    group: u64,
    shards: Standings,
    bytes: u64,
    /// The number of the last segment, even if nothing was written to it.
    last: u64,
    /// The blobs that it refers to; the segments before it have no others than such.
    referred: HashSet<Hash>,
}

/// A segment's file and what its first block says.
struct Begun<F> {
    file: F,
    header: Header,
    bytes: u64,
}

/// Looks at all segments. Changes nothing but what stands behind the last one's end.
fn look<D: Disk>(disk: &D, cipher: Option<&Cipher>) -> Result<Kept<D::File>, LogError> {
    let mut begun = headers(disk)?;
    for begun in &begun {
        is_right_key(&begun.header, cipher)?;
    }
    let mut kept = Kept {
        sealed: Vec::new(),
        unsealed: Vec::new(),
        number: 1,
        previous_end: 0,
        group: 1,
        shards: NOTHING,
        bytes: 0,
        last: 0,
        referred: HashSet::new(),
    };
    let Some(last) = begun.pop() else {
        return Ok(kept);
    };
    let first = begun.first().unwrap_or(&last).header.clone();
    let headers = begun
        .iter()
        .chain([&last])
        .map(|begun| begun.header.clone());
    let following: Vec<_> = headers.skip(1).collect();
    for (begun, following) in begun.into_iter().zip(&following) {
        keep_whole(&mut kept, begun, following)?;
    }
    kept.last = last.header.number;
    keep_last(&mut kept, last)?;
    nothing_is_missing_before(&first, &kept.shards)?;
    Ok(kept)
}

/// The segments in their order, of which none may be missing.
fn headers<D: Disk>(disk: &D) -> Result<Vec<Begun<D::File>>, LogError> {
    let names = disk
        .list()
        .map_err(|error| io_error("list the segments", error))?;
    let mut numbers: Vec<_> = names
        .iter()
        .filter_map(|name| segment::number(name))
        .collect();
    numbers.sort_unstable();
    let mut begun: Vec<Begun<D::File>> = Vec::new();
    for number in numbers {
        let name = segment::name(number);
        let read = || {
            let file = disk.open(&name)?;
            let mut block = vec![0; HEADER_BYTES];
            let filled = file.fill_at(&mut block, 0)?;
            block.truncate(filled);
            let bytes = file.bytes()?;
            Ok((file, block, bytes))
        };
        let (file, block, bytes) =
            read().map_err(|error| io_error(&format!("read {name}"), error))?;
        let header = Header::decode(&block, number, &name)?;
        if let Some(before) = begun.last() {
            follows(&before.header, &header)?;
        }
        begun.push(Begun {
            file,
            header,
            bytes,
        });
    }
    Ok(begun)
}

fn is_right_key(header: &Header, cipher: Option<&Cipher>) -> Result<(), LogError> {
    match (header.key_check, cipher) {
        (None, None) => Ok(()),
        (Some(check), Some(cipher)) if cipher.check(&header.salt) == check => Ok(()),
        (Some(_), Some(_)) => Err(LogError::KeyWrong),
        (Some(_), None) => Err(LogError::KeyMissing),
        (None, Some(_)) => Err(LogError::NotEncrypted),
    }
}

/// Whether a segment is the next one.
fn follows(before: &Header, header: &Header) -> Result<(), ReadError> {
    let (one, other) = (segment::name(before.number), segment::name(header.number));
    if before.number + 1 != header.number {
        let mut missing = (0..SHARDS_MAX).filter_map(|shard| {
            let (from, until) = (before.shards[shard].next, header.shards[shard].next);
            (from < until).then_some((Shard(shard as u8), from, until - 1))
        });
        return Err(match missing.next() {
            Some((shard, from, to)) => ReadError::Gap {
                shard,
                from,
                to,
                place: format!("segments between {one} and {other}"),
            },
            None => ReadError::Corrupt {
                place: other,
                what: format!("the segments between it and {one} are missing"),
            },
        });
    }
    let goes_on = (0..SHARDS_MAX).all(|shard| {
        let (from, to) = (&before.shards[shard], &header.shards[shard]);
        from.next <= to.next && from.epoch <= to.epoch && from.trimmed <= to.trimmed
    });
    if !goes_on || header.group < before.group {
        return Err(ReadError::Corrupt {
            place: place(&other, 0),
            what: format!("it does not follow {one}"),
        });
    }
    Ok(())
}

/// The segments before the first one were removed because nobody wanted what was in them.
fn nothing_is_missing_before(first: &Header, shards: &Standings) -> Result<(), ReadError> {
    for (shard, standing) in shards.iter().enumerate() {
        let begins = first.shards[shard].next;
        if standing.trimmed < begins {
            return Err(ReadError::Gap {
                shard: Shard(shard as u8),
                from: standing.trimmed,
                to: begins - 1,
                place: format!("segments before {}", segment::name(first.number)),
            });
        }
    }
    Ok(())
}

/// A segment behind which another one was begun: what it held then was safe.
fn keep_whole<F: DiskFile>(
    kept: &mut Kept<F>,
    begun: Begun<F>,
    following: &Header,
) -> Result<(), LogError> {
    let mut segment = Segment::new(&begun.header);
    segment.end = following.previous_end;
    segment.next = std::array::from_fn(|shard| following.shards[shard].next);
    if begun.bytes < segment.end || segment.end < HEADER_BYTES as u64 {
        let what = format!(
            "the file ends before byte {}, up to where it was written",
            segment.end
        );
        let place = place(&segment.name(), begun.bytes);
        return Err(ReadError::Corrupt { place, what }.into());
    }
    let io = |error| io_error(&format!("read {}", segment.name()), error);
    if !segment::is_sealed(&begun.file, segment.end).map_err(io)? {
        // The process ended before it had written the footer.
        kept.unsealed.push(Unsealed {
            index: Arc::new(segment.index(&begun.file)?),
            file: Arc::new(begun.file),
            end: segment.end,
            bytes: begun.bytes,
        });
    }
    kept.bytes += begun.bytes;
    kept.sealed.push(segment);
    Ok(())
}

/// The last segment: whatever is not whole at its end was not yet safe.
fn keep_last<F: DiskFile>(kept: &mut Kept<F>, last: Begun<F>) -> Result<(), LogError> {
    let name = segment::name(last.header.number);
    let io = |error| io_error(&format!("read {name}"), error);
    let mut segment = Segment::new(&last.header);
    let mut course = Course::new(&last.header);
    let mut index = Index::new();
    let mut scan = Scan::new(&last.file, segment.mark(), segment.end, last.bytes);
    while let Found::Frame(offset, frame) = scan.next().map_err(io)? {
        course.follow(&name, offset, &frame)?;
        let first = segment.first[usize::from(frame.head.shard)];
        index.add_frame(offset, &frame, first);
        let blobs = frame.references().map(|blob| blob.hash);
        kept.referred.extend(blobs);
        segment.end = offset + frame.all.len() as u64;
    }
    if segment::is_sealed(&last.file, segment.end).map_err(io)? {
        let what = "the segment that follows it is missing".to_owned();
        let place = place(&name, segment.end);
        return Err(ReadError::Corrupt { place, what }.into());
    }
    if has_later_group(&last.file, segment.mark(), segment.end, last.bytes).map_err(io)? {
        return Err(no_frame(&name, segment.end).into());
    }
    segment.next = std::array::from_fn(|shard| course.shards[shard].next);
    kept.shards = course.shards;
    kept.group = course.group + 1;
    if segment.end == HEADER_BYTES as u64 {
        // Nothing was written: the new segment takes its place.
        (kept.number, kept.previous_end) = (segment.number, last.header.previous_end);
        return Ok(());
    }
    (kept.number, kept.previous_end) = (segment.number + 1, segment.end);
    // What a killed process wrote may be in memory only; from now on it is shown.
    let cut = last
        .file
        .sync_data()
        .and_then(|()| last.file.truncate(segment.end));
    cut.map_err(|error| io_error(&format!("cut {name} at its end"), error))?;
    kept.bytes += segment.end;
    kept.unsealed.push(Unsealed {
        file: Arc::new(last.file),
        end: segment.end,
        bytes: segment.end,
        index: Arc::new(index),
    });
    kept.sealed.push(segment);
    Ok(())
}

/// Finds the blobs of what was kept, and removes those that a crash left: of a segment that was
/// being removed, or of a frame that was not written any more.
fn keep_blobs<D: Disk>(disk: &D, kept: &Kept<D::File>) -> Result<Blobs, LogError> {
    let mut names = disk
        .list()
        .map_err(|error| io_error("list the blobs", error))?;
    names.sort_unstable(); // the oldest segment first
    let first = kept.sealed.first().map_or(kept.number, |one| one.number);
    let mut blobs = Blobs::default();
    let mut left_over = Vec::new();
    for name in names {
        let Some((number, hash)) = blob::parse_name(&name) else {
            if name == blob::NEXT {
                left_over.push(name);
            }
            continue;
        };
        if kept.last < number {
            return Err(blob::no_segment(&name).into());
        }
        let is_kept = first <= number && (number < kept.last || kept.referred.contains(&hash));
        if is_kept {
            let bytes = disk.open(&name).and_then(|file| file.bytes());
            let bytes = bytes.map_err(|error| io_error(&format!("read {name}"), error))?;
            blobs.add(number, hash, bytes);
        } else {
            left_over.push(name);
        }
    }
    for name in left_over {
        let removed = disk.remove(&name);
        removed.map_err(|error| io_error(&format!("remove {name}"), error))?;
    }
    Ok(blobs)
}

/// Begins the segment behind all that was kept.
fn begin<D: Disk>(
    disk: &D,
    kept: &Kept<D::File>,
    options: &LogOptions,
    cipher: Option<&Cipher>,
) -> Result<(Header, Spare<D::File>), LogError> {
    let salt = salt(&options.salt, kept.number, kept.group);
    let header = Header {
        number: kept.number,
        previous_end: kept.previous_end,
        group: kept.group,
        salt,
        key_check: cipher.map(|cipher| cipher.check(&salt)),
        shards: kept.shards,
    };
    let what = || format!("begin {}", segment::name(kept.number));
    let spare = first_spare(disk, segment_bytes(options.segment_bytes, 0))
        .map_err(|error| io_error(&what(), error))?;
    segment::begin(disk, &spare, &header).map_err(|error| io_error(&what(), error))?;
    Ok((header, spare))
}

/// A file for the new segment: the one that was prepared when the log was last open, or a new one.
/// A full disk gives what it has: without opening, nobody could let go of anything.
fn first_spare<D: Disk>(disk: &D, bytes: u64) -> io::Result<Spare<D::File>> {
    if let Ok(file) = disk.open(NEXT)
        && file.bytes().is_ok_and(|found| found == bytes)
    {
        return Ok(Spare { file, bytes });
    }
    let mut tried = bytes;
    loop {
        match segment::prepare(disk, tried) {
            Err(error) if is_full(&error) && segment_bytes(0, 0) < tried => {
                tried = segment_bytes(tried / 4, 0);
            }
            other => return other,
        }
    }
}

fn io_error(what: &str, source: io::Error) -> LogError {
    LogError::Io {
        what: what.to_owned(),
        source,
    }
}
