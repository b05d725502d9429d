//! The record on the disk: a journal of its own, with lines in one shard, and how far the hub's journal
//! was followed in another. Nothing in it is ever altered; when it is full, the oldest goes.

use std::{collections::HashMap, path::Path, sync::mpsc};

use quartet_model::Time;
use quartet_people::audit::{Chain, Entry, What};
use quartet_store::{
    Append, AppendError, Batch, Journal, Key, Local, LocalOptions, OpenError, Owner, ReadError,
    SHARDS_MAX, Seq, Shard, log::LogError,
};
use serde_json::{Value, json};

use super::{Audit, LINES, tell};
use crate::{
    flow::keep::{NotARecord, Record},
    shell::Start,
};

/// Where it is kept how far the hub's journal was followed.
const PLACES: Shard = Shard(1);
/// Bytes and lines that are appended together.
const APPEND_BYTES: usize = 1 << 20;
const APPEND_LINES: usize = 500;
/// So much is told before it is made safe.
const TOLD_MAX: usize = 10_000;
/// So many records of the hub's journal are followed again after a crash, at most.
const FOLLOWED_AGAIN: u64 = 100_000;
/// Accounts of which is remembered what was said of them.
const ACCOUNTS_MAX: usize = 10_000;

/// How an audit is kept.
pub(super) fn options(key: Option<Key>) -> LocalOptions {
    LocalOptions {
        segment_bytes: 8 << 20,
        waiting_bytes_max: usize::MAX, // One who writes, and waits.
        key,
    }
}

/// Why nothing can be written down now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be read, nor put aside.
    #[error("it cannot be read, and not be renamed: {0}")]
    SetAside(std::io::Error),
}

impl NotKept {
    /// Whether what is on the disk is not what was written: neither another key nor a newer version
    /// helps.
    pub(crate) fn is_damage(&self) -> bool {
        let read = match self {
            Self::Read(read) => read,
            Self::Open(OpenError::Log {
                source: LogError::Read(read),
                ..
            }) => read,
            _ => return false,
        };
        matches!(read, ReadError::Corrupt { .. } | ReadError::Gap { .. })
    }
}

/// What is to be written down: the entries of one event together, and where that is in the hub's journal.
struct Told {
    place: Option<(u8, Seq)>,
    entries: Vec<Entry>,
}

/// The one who writes.
pub(crate) struct Keeper {
    audit: Audit,
    log: std::sync::Arc<Local>,
    lines: Owner,
    places: Owner,
    chain: Chain,
    /// The last record of each shard of the hub's journal that was followed.
    followed: Start,
    /// How many of them since that was written down.
    followed_since: u64,
    /// What is not safe yet.
    told: Vec<Told>,
    accounts: HashMap<String, Value>,
}

/// The line in a record: behind the place from which it is told.
pub(super) fn line_in(record: &[u8]) -> &str {
    let text = std::str::from_utf8(record).unwrap_or_default();
    text.find('{').map_or("", |at| &text[at..])
}

/// The place in the hub's journal from which a record is told.
fn place_in(record: &[u8]) -> Option<(u8, Seq)> {
    let text = std::str::from_utf8(record).ok()?;
    let (place, _) = text.split_once('{')?;
    let (shard, seq) = place.trim_end().split_once(' ')?;
    Some((shard.parse().ok()?, seq.parse().ok()?))
}

impl Keeper {
    /// Opens the audit, or begins one. It is `now`.
    pub(crate) fn open(audit: &Audit, key: Option<Key>, now: Time) -> Result<Self, NotKept> {
        *audit.log.write() = None; // One at a time.
        let log = std::sync::Arc::new(Local::open(&audit.folder, options(key))?);
        let (lines, places) = (log.own(LINES)?, log.own(PLACES)?);
        let (told_up_to, mut followed) = places_of(&log)?;
        let mut chain = Chain::default();
        let mut is_there = false;
        let (first, next) = log.span(LINES);
        if first < next {
            // What was told since the places were written down is not told again.
            let from = (told_up_to + 1).clamp(first, next - 1);
            log.read(LINES, from, &mut |n, record| {
                if let Some((shard, seq)) = place_in(record)
                    && let Some(there) = followed.get_mut(usize::from(shard))
                {
                    *there = seq.max(*there);
                }
                chain = Chain::after(n, line_in(record));
                is_there = true;
                true
            })?;
        }
        *audit.log.write() = Some(std::sync::Arc::clone(&log));
        let mut keeper = Self {
            audit: audit.clone(),
            log,
            lines,
            places,
            chain,
            followed,
            followed_since: 0,
            told: Vec::new(),
            accounts: HashMap::new(),
        };
        if !is_there {
            keeper.tell(Entry::new(now, What::Begun, "hub"));
        }
        Ok(keeper)
    }

    /// Goes on in this journal where it was, or where the journal begins. It is `now`.
    pub(crate) fn go_on(&mut self, journal: &dyn Journal, now: Time) {
        for shard in 0..SHARDS_MAX {
            let followed = self.followed[shard];
            let (first, next) = journal.span(Shard(shard as u8));
            if (first..=next).contains(&(followed + 1)) {
                continue;
            }
            self.followed[shard] = first.saturating_sub(1);
            let why = match followed {
                0 => continue, // It was never followed.
                _ if next < followed + 1 => "the journal is an older one than was followed before",
                _ => "the journal let this go before it was told",
            };
            tracing::warn!(
                shard,
                why,
                "something is missing in the audit, and it says so"
            );
            let gap = json!({ "shard": shard, "from": followed + 1, "to": first.max(1) - 1 });
            let entry = Entry::new(now, What::Missing, "hub").because(why);
            self.tell(entry.with(gap));
        }
    }

    /// The next record of each shard of the hub's journal.
    pub(crate) fn next(&self) -> Start {
        self.followed.map(|seq| seq + 1)
    }

    /// Whether so much is told that it should be made safe before there is more.
    pub(crate) fn is_full(&self) -> bool {
        TOLD_MAX <= self.told.len()
    }

    /// Follows a record of the hub's journal.
    pub(crate) fn take(&mut self, shard: u8, seq: Seq, bytes: &[u8]) -> Result<(), NotARecord> {
        if Record::tells_of_the_hubs_word(bytes)
            && let Record::Kept {
                is_new: true,
                event,
                ..
            } = Record::read(bytes)?
        {
            let entries = tell::entries(&event);
            let entries: Vec<Entry> = entries
                .into_iter()
                .filter(|one| self.is_news(one))
                .collect();
            if !entries.is_empty() {
                let place = Some((shard, seq));
                self.told.push(Told { place, entries });
            }
        }
        self.followed[usize::from(shard)] = seq;
        self.followed_since += 1;
        Ok(())
    }

    /// A code that was used changes an account, too; that is no news.
    fn is_news(&mut self, entry: &Entry) -> bool {
        let (What::Account, Some(value)) = (entry.what, &entry.value) else {
            return true;
        };
        if ACCOUNTS_MAX <= self.accounts.len() {
            self.accounts.clear();
        }
        let before = self.accounts.insert(entry.on.clone(), value.clone());
        before.as_ref() != Some(value)
    }

    /// Why the record begins here.
    pub(crate) fn say_why(&mut self, why: &str, now: Time) {
        self.told.clear();
        self.tell(Entry::new(now, What::Begun, "hub").because(why));
    }

    fn tell(&mut self, entry: Entry) {
        self.told.push(Told {
            place: None,
            entries: vec![entry],
        });
    }

    /// Makes all safe that was followed, and what the doors told by now.
    pub(crate) fn commit(&mut self, now: Time, stops: bool, bytes_max: u64) -> Result<(), NotKept> {
        for entry in self.audit.notes.take(now, stops) {
            self.tell(entry);
        }
        self.append_told()?;
        if FOLLOWED_AGAIN <= self.followed_since || stops && self.followed_since != 0 {
            self.note_places()?;
        }
        self.trim(bytes_max)
    }

    /// Makes all safe that is told. What the doors told and is not safe then, they tell again.
    pub(crate) fn append_told(&mut self) -> Result<(), AppendError> {
        let told = std::mem::take(&mut self.told);
        let mut rest = &told[..];
        while !rest.is_empty() {
            let (mut batch, mut count) = (Batch::default(), 0);
            let first = self.chain.next();
            while batch.len() < APPEND_LINES && batch.bytes() < APPEND_BYTES && count < rest.len() {
                let Told { place, entries } = &rest[count];
                let place = place.map(|(shard, seq)| format!("{shard} {seq} "));
                for entry in entries {
                    let line = self.chain.link(entry.clone());
                    let record = place.clone().unwrap_or_default() + &line;
                    batch.push(record.as_bytes());
                }
                count += 1;
            }
            if let Err(error) = append(&*self.log, self.lines, first, batch) {
                let by_doors = rest.iter().filter(|told| told.place.is_none());
                for entry in by_doors.flat_map(|told| &told.entries) {
                    self.audit.notes.note(entry.clone());
                }
                return Err(error);
            }
            rest = &rest[count..];
        }
        Ok(())
    }

    fn note_places(&mut self) -> Result<(), NotKept> {
        let places: Vec<String> = self.followed.iter().map(Seq::to_string).collect();
        let text = format!("{} {}", self.chain.next() - 1, places.join(" "));
        let mut batch = Batch::default();
        batch.push(text.as_bytes());
        let (_, next) = self.log.span(PLACES);
        append(&*self.log, self.places, next, batch)?;
        self.log.trim(&self.places, next)?;
        self.followed_since = 0;
        Ok(())
    }

    /// Lets the oldest lines go, if they take too much room; 0 is no limit.
    fn trim(&mut self, bytes_max: u64) -> Result<(), NotKept> {
        if bytes_max == 0 || self.log.bytes() <= bytes_max {
            return Ok(());
        }
        let Shard(lines) = LINES;
        let before = self.log.newest(bytes_max)[usize::from(lines)];
        let (first, next) = self.log.span(LINES);
        let before = before.min(next - 1);
        if first < before {
            tracing::warn!(first, before, "the audit is full: its oldest lines go");
            self.log.trim(&self.lines, before)?;
        }
        Ok(())
    }
}

/// How many lines were told when it was written down how far the hub's journal was followed; and that.
fn places_of(log: &Local) -> Result<(u64, Start), ReadError> {
    let (first, next) = log.span(PLACES);
    let (mut told, mut followed) = (0, [0; SHARDS_MAX]);
    if first < next {
        log.read(PLACES, next - 1, &mut |_, record| {
            let text = std::str::from_utf8(record).unwrap_or_default();
            let mut numbers = text.split(' ').map(|number| number.parse().unwrap_or(0));
            told = numbers.next().unwrap_or(0);
            for (there, number) in followed.iter_mut().zip(numbers) {
                *there = number;
            }
            true
        })?;
    }
    Ok((told, followed))
}

/// Appends, and returns when that is safe.
fn append(log: &dyn Journal, owner: Owner, first: Seq, batch: Batch) -> Result<(), AppendError> {
    let (safe, is_safe) = mpsc::channel();
    let append = Append {
        owner,
        first,
        batch,
    };
    let then = Box::new(move |result| {
        let _ = safe.send(result); // Somebody waits.
    });
    log.append(vec![append], then);
    match is_safe.recv() {
        Ok(result) => result,
        Err(_) => Err(AppendError::Unknown("the journal ended".to_owned())),
    }
}

/// Puts an audit that cannot be read out of the way, for people to look at.
pub(crate) fn set_aside(audit: &Audit, now: Time) -> std::io::Result<std::path::PathBuf> {
    let name = format!("{}.broken-{}", super::AUDIT, now.as_micros());
    let to = audit.folder.with_file_name(name);
    std::fs::rename(&audit.folder, &to)?;
    if let Some(parent) = Path::new(&to).parent() {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(to)
}

#[cfg(test)]
mod tests;
