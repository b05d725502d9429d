//! Where the tables are, and whether they can be used.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use quartet_model::Time;
use quartet_store::{Journal, ReadError, SHARDS_MAX, Seq, Shard};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    follow::Follow,
    tables::{self, FORMAT, time, us},
};
use crate::{
    flow::keep::{NotARecord, Record},
    shell::Start,
};

/// The file's name in the data folder; SQLite keeps two more beside it.
const VIEWS: &str = "views.sqlite";
/// The name of the history's.
const HISTORY: &str = "history.sqlite";
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// How long a foreign program may hold the file.
const PATIENCE: Duration = Duration::from_secs(1);
/// Changes in one transaction.
const CHANGES_MAX: usize = 5_000;

/// Where the tables are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Where {
    File(PathBuf),
    /// What is encrypted in the journal must not be on the disk in the clear.
    Memory(String),
}

/// Why tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// They are of another version or of another journal, are gone, or are too far behind.
    #[error("the tables do not belong to this journal")]
    Stale,
    /// What is in the file cannot be.
    #[error("{VIEWS} is broken: {0}")]
    Broken(String),
    /// The file cannot be used now.
    #[error("{VIEWS} cannot be used: {0}")]
    Sql(rusqlite::Error),
    /// The history cannot be written.
    #[error("{HISTORY} cannot be used: {0}")]
    History(rusqlite::Error),
    /// It cannot be removed.
    #[error("{VIEWS} cannot be removed: {0}")]
    Remove(#[from] io::Error),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(ReadError),
    /// It holds what this version does not know.
    #[error("record {seq} of shard {shard}: {why}")]
    Record {
        /// Whose.
        shard: u8,
        /// Where.
        seq: Seq,
        /// What is wrong with it.
        why: NotARecord,
    },
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        if is_broken(&error) {
            Self::Broken(error.to_string())
        } else {
            Self::Sql(error)
        }
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Trimmed { .. } => Self::Stale,
            other => Self::Journal(other),
        }
    }
}

/// Whether only a new file helps.
pub(super) fn is_broken(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase),
        None => true, // Columns hold what they cannot hold.
    }
}

/// Whether a file of the data folder is one of tables, which nobody but SQLite copies.
pub(crate) fn is_table(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(VIEWS) || name.starts_with(HISTORY)
}

/// Copies the history of a data folder, which a hub may use, into another folder.
pub(crate) fn copy_history(data: &Path, to: &Path) -> io::Result<()> {
    let place = Where::of(data, false).of_history();
    if !place.is_there() {
        return Ok(());
    }
    let to = to.join(HISTORY);
    let target = to.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    let copy = place
        .read()
        .and_then(|db| db.execute("VACUUM INTO ?1", [target]));
    copy.map_err(|error| io::Error::other(format!("{HISTORY}: {error}")))?;
    fs::File::open(to)?.sync_all()
}

/// Removes all tables from a data folder: what is restored there has its own.
pub fn throw_away(data: &Path) -> io::Result<()> {
    let place = Where::of(data, false);
    place.throw_away()?;
    place.of_history().throw_away()
}

impl Where {
    /// Of a hub with this data folder.
    pub(crate) fn of(data: &Path, is_encrypted: bool) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if is_encrypted {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            // Connections of this process that open this name share what is in it.
            Self::Memory(format!("file:/views-{number}?vfs=memdb"))
        } else {
            Self::File(data.join(VIEWS))
        }
    }

    /// Where the history is that belongs to them.
    pub(super) fn of_history(&self) -> Self {
        match self {
            Self::File(path) => Self::File(path.with_file_name(HISTORY)),
            Self::Memory(name) => Self::Memory(name.replace("/views-", "/history-")),
        }
    }

    /// Puts a broken file out of the way, for people to look at.
    pub(super) fn set_aside(&self) -> io::Result<()> {
        for path in self.paths().iter().filter(|path| path.exists()) {
            let mut name = path.clone().into_os_string();
            name.push(".broken");
            fs::rename(path, name)?;
        }
        Ok(())
    }

    /// A connection that only reads.
    pub(super) fn read(&self) -> rusqlite::Result<Connection> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    pub(super) fn write(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let db = self.connect(flags)?;
        // After a power cut the file may be older, but whole.
        db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY")?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(db)
    }

    fn connect(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(name) => {
                Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_URI)?
            }
        };
        db.busy_timeout(PATIENCE)?;
        Ok(db)
    }

    fn is_there(&self) -> bool {
        matches!(self, Self::File(path) if path.exists())
    }

    pub(super) fn throw_away(&self) -> io::Result<()> {
        self.paths()
            .iter()
            .try_for_each(|path| match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            })
    }

    fn paths(&self) -> Vec<PathBuf> {
        let Self::File(path) = self else {
            return Vec::new();
        };
        let beside = BESIDE.map(|end| {
            let mut name = path.clone().into_os_string();
            name.push(end);
            name.into()
        });
        [path.clone()].into_iter().chain(beside).collect()
    }

    /// Which files these are now: they are others when somebody deleted them meanwhile.
    fn files(&self) -> Vec<Option<(u64, u64)>> {
        let id = |path: &PathBuf| {
            let about = fs::metadata(path).ok()?;
            Some((about.dev(), about.ino()))
        };
        self.paths().iter().map(id).collect()
    }
}

/// The one who writes the tables.
pub(super) struct Tables {
    db: Connection,
    place: Where,
    files: Vec<Option<(u64, u64)>>,
    /// The last record of each shard that is in them.
    applied: Start,
    /// The same, as far as it is committed.
    committed: Start,
    changes: usize,
}

impl Tables {
    /// Opens the tables if they belong to this journal; else makes new ones, which begin at
    /// `start`. The journal goes on at `next`.
    pub(super) fn open(
        place: &Where,
        journal: &dyn Journal,
        start: impl FnOnce() -> Start,
        next: &Start,
    ) -> Result<Self, Trouble> {
        if place.is_there() {
            match Self::open_old(place, journal, next) {
                Err(Trouble::Stale) => {}
                other => return other,
            }
        }
        Self::make(place, &start())
    }

    fn open_old(place: &Where, journal: &dyn Journal, next: &Start) -> Result<Self, Trouble> {
        let tables = Self::new(place.write()?, place, [0; SHARDS_MAX])?;
        let applied = match tables.load() {
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::Unknown => {
                return Err(Trouble::Stale); // Other tables.
            }
            other => other?.ok_or(Trouble::Stale)?,
        };
        let fits = |shard: usize| {
            let (first, _) = journal.span(Shard(shard as u8));
            (first..=next[shard]).contains(&(applied[shard] + 1))
        };
        if !(0..SHARDS_MAX).all(fits) {
            return Err(Trouble::Stale);
        }
        Ok(Self {
            files: place.files(),
            applied,
            committed: applied,
            ..tables
        })
    }

    /// Makes empty tables, which begin at `start`.
    pub(super) fn make(place: &Where, start: &Start) -> Result<Self, Trouble> {
        place.throw_away()?;
        let db = place.write()?;
        let tx = db.unchecked_transaction()?;
        tables::make(&tx)?;
        let applied = start.map(|seq| seq.saturating_sub(1));
        for (shard, &seq) in applied.iter().enumerate() {
            tx.execute(
                "INSERT INTO applied VALUES (?1, ?2)",
                [shard as i64, seq as i64],
            )?;
        }
        tx.commit()?;
        Self::new(db, place, applied)
    }

    fn new(db: Connection, place: &Where, applied: Start) -> Result<Self, Trouble> {
        Ok(Self {
            db,
            files: place.files(),
            place: place.clone(),
            applied,
            committed: applied,
            changes: 0,
        })
    }

    /// What was applied, if the tables are of this version.
    fn load(&self) -> rusqlite::Result<Option<Start>> {
        if self.about("format")? != Some(FORMAT) {
            return Ok(None);
        }
        let mut rows = self.db.prepare("SELECT shard, seq FROM applied")?;
        let rows = rows.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?)))?;
        let mut applied = [None; SHARDS_MAX];
        for row in rows {
            let (shard, seq) = row?;
            if let Some(there) = applied.get_mut(usize::from(shard)) {
                *there = u64::try_from(seq).ok();
            }
        }
        Ok(applied
            .iter()
            .all(Option::is_some)
            .then(|| applied.map(Option::unwrap_or_default)))
    }

    fn about(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let mut about = self.db.prepare("SELECT value FROM about WHERE name = ?1")?;
        about
            .query_map([name], |row| row.get(0))?
            .next()
            .transpose()
    }

    /// All that was safe at this time is in them; `None` if they were never so far.
    pub(super) fn as_of(&self) -> Result<Option<Time>, Trouble> {
        Ok(self.about("as_of")?.map(time))
    }

    /// Whether somebody deleted the files.
    pub(super) fn is_gone(&self) -> bool {
        self.files != self.place.files()
    }

    /// Forgets what nobody gets any more.
    pub(super) fn expire(&mut self, now: Time) -> Result<(), Trouble> {
        self.begin()?;
        Ok(tables::expire(&self.db, now)?)
    }

    fn begin(&self) -> rusqlite::Result<()> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// Commits what was applied; with the last of it all is applied that was safe `as_of` then.
    pub(super) fn commit(&mut self, as_of: Option<Time>) -> Result<(), Trouble> {
        let has_moved = self.applied != self.committed;
        if !has_moved && self.db.is_autocommit() {
            return Ok(());
        }
        self.begin()?;
        let mut note = self
            .db
            .prepare_cached("UPDATE applied SET seq = ?2 WHERE shard = ?1")?;
        let pairs = self.applied.iter().zip(&self.committed).enumerate();
        for (shard, (&seq, _)) in pairs.filter(|(_, (now, before))| now != before) {
            note.execute([shard as i64, seq as i64])?;
        }
        if let Some(at) = as_of {
            let sql = "INSERT OR REPLACE INTO about VALUES ('as_of', ?1)";
            self.db.prepare_cached(sql)?.execute([us(at)])?;
        }
        self.db.execute_batch("COMMIT")?;
        self.committed = self.applied;
        self.changes = 0;
        Ok(())
    }

    /// How many sessions and retained messages there are.
    pub(super) fn counts(&self) -> Result<(u64, u64), Trouble> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.db.query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        Ok((
            count("sessions")?.unsigned_abs(),
            count("retained")?.unsigned_abs(),
        ))
    }
}

impl Follow for Tables {
    fn next(&self) -> Start {
        self.applied.map(|seq| seq + 1)
    }

    fn take(&mut self, shard: u8, seq: Seq, bytes: &[u8]) -> Result<(), Trouble> {
        if Record::tells_of_state(bytes) {
            let record = Record::read(bytes).map_err(|why| Trouble::Record { shard, seq, why })?;
            self.begin()?;
            tables::apply(&self.db, shard, record)?;
            self.changes += 1;
        }
        self.applied[usize::from(shard)] = seq;
        if CHANGES_MAX <= self.changes {
            self.commit(None)?;
        }
        Ok(())
    }
}
