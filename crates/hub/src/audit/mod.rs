//! The audit: a record of who came in, who was given or lost which right, who acted on what, and who
//! was refused; each line of it names the one before (`quartet_people::audit`).
//!
//! What changes something is in the journal before anybody hears that it was done; the audit takes it
//! from there, so that neither a crash nor a disk that is full loses a line. What changes nothing (who
//! comes in, who is refused) is noted at the doors, and is safe within a second.

pub(crate) mod csv; // lines as a table
mod keep; // the record on the disk
mod tell; // an event into entries

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use blake3::Hash;
use parking_lot::{Mutex, RwLock};
use quartet_model::Time;
use quartet_people::audit::{Entry, Tally, head_of};
use quartet_store::{Journal, Key, Local, OpenError, ReadError, Seq, Shard};

pub(crate) use keep::{Keeper, NotKept, set_aside};

/// The folder in the data folder.
pub(crate) const AUDIT: &str = "audit";
/// Where the lines are.
const LINES: Shard = Shard(0);

/// What the doors tell; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Tally>>);

impl Notes {
    /// Something happened that changes nothing.
    pub(crate) fn note(&self, entry: Entry) {
        self.0.lock().note(entry);
    }

    /// The same of all that a turn of a lane brought, and of what it could not tell apart.
    pub(crate) fn note_all(&self, entries: impl Iterator<Item = Entry>, more: u64) {
        let mut tally = self.0.lock();
        entries.for_each(|entry| tally.note(entry));
        tally.note_more(more);
    }

    /// What is to be written down by now; all of it, if the hub stops.
    fn take(&self, now: Time, stops: bool) -> Vec<Entry> {
        let mut tally = self.0.lock();
        match stops {
            true => tally.take_all(),
            false => tally.take(now),
        }
    }
}

/// Whoever reads the audit while it is written; cheap to clone.
#[derive(Clone)]
pub(crate) struct Audit {
    notes: Notes,
    folder: PathBuf,
    /// Another one after it had to be opened again.
    log: Arc<RwLock<Option<Arc<Local>>>>,
}

impl Audit {
    /// The one of a data folder, once a keeper has opened it.
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            notes: Notes::default(),
            folder: data.join(AUDIT),
            log: Arc::default(),
        }
    }

    /// Where the doors tell what happens.
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The numbers of the first line that is kept and of the next one to come.
    pub(crate) fn span(&self) -> (u64, u64) {
        let log = self.log.read().clone();
        log.map_or((1, 1), |log| log.span(LINES))
    }

    /// Visits lines in order, from one on, until `visit` says false.
    pub(crate) fn read(
        &self,
        from: u64,
        visit: &mut dyn FnMut(u64, &str) -> bool,
    ) -> Result<(), ReadError> {
        match self.log.read().clone() {
            Some(log) => lines(&*log, from, visit),
            None => Ok(()),
        }
    }

    /// The number and the hash of the last line, if there is one.
    pub(crate) fn head(&self) -> Result<Option<(u64, Hash)>, ReadError> {
        let (first, next) = self.span();
        let mut head = None;
        if first < next {
            self.read(next - 1, &mut |n, line| {
                head = Some((n, head_of(line)));
                true
            })?;
        }
        Ok(head)
    }

    /// Room that it takes on the disk, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let log = self.log.read().clone();
        log.map_or(0, |log| log.bytes())
    }

    /// Copies it into another folder, for a backup.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<(), OpenError> {
        match self.log.read().clone() {
            Some(log) => log.copy_to(folder),
            None => Ok(()),
        }
    }
}

/// Opens the audit of a data folder, or of a backup, that no hub uses, to read it.
pub(crate) fn open(data: &Path, key: Option<Key>) -> Result<Local, OpenError> {
    Local::open(&data.join(AUDIT), keep::options(key))
}

/// Visits the lines of an audit in order, from one on, until `visit` says false.
pub(crate) fn lines(
    log: &dyn Journal,
    from: u64,
    visit: &mut dyn FnMut(u64, &str) -> bool,
) -> Result<(), ReadError> {
    let (first, next) = log.span(LINES);
    let from = from.max(first);
    if next <= from {
        return Ok(());
    }
    log.read(LINES, from, &mut |n: Seq, record| {
        visit(n, keep::line_in(record))
    })
}
