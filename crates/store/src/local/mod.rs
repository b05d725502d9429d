//! The journal in a folder of this machine: one log, and one thread that writes it. All that waits
//! while a group is made safe goes into the next group.

mod queue; // what waits for the writer
mod writer; // the thread

use std::{
    fs::File,
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle, ThreadId},
};

use rustix::fs::FlockOperation;

use self::queue::Queue;
use crate::{
    Append, AppendError, BODY_BYTES_MAX, Journal, Owner, ReadError, SHARDS_MAX, Seq, Shard, Then,
    disk::Files,
    log::{self, Key, Log, LogError, LogFigures, LogOptions, Report, Shelf},
};

/// How a local journal is kept.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// How large a segment file is, in bytes.
    pub segment_bytes: u64,
    /// How many bytes may wait for the disk, long bodies included; what is more gets
    /// [`AppendError::Busy`].
    pub waiting_bytes_max: usize,
    /// Encrypts the records; all or none of a journal are.
    pub key: Option<Key>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            waiting_bytes_max: (64 << 20) + BODY_BYTES_MAX,
            key: None,
        }
    }
}

/// Why a folder cannot be opened as a journal, or take a copy of one.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another hub uses {folder}")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be made or locked, or the writer cannot be started.
    #[error("cannot {what} {folder}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it cannot be opened.
    #[error("cannot open the journal in {folder}: {source}")]
    Log {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: LogError,
    },
    /// It does not take a copy.
    #[error("cannot copy the journal to {folder}: {source}")]
    Copy {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: LogError,
    },
}

/// A journal in a folder. When it is dropped, all that was handed to it is finished first.
pub struct Local {
    shelf: Arc<Shelf<Files>>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    writer_id: ThreadId,
    waiting_bytes_max: usize,
}

impl Local {
    /// Opens the journal in `folder`, which is made if it is not there.
    pub fn open(folder: &Path, options: LocalOptions) -> Result<Self, OpenError> {
        make(folder)?;
        let lock = lock(folder)?;
        let log_options = LogOptions {
            segment_bytes: options.segment_bytes,
            salt: random(),
            key: options.key,
            ..LogOptions::default()
        };
        let log = Log::open(Files::new(folder), log_options).map_err(|source| OpenError::Log {
            folder: folder.to_owned(),
            source,
        })?;
        let shelf = log.shelf();
        let queue = Arc::new(Queue::default());
        let jobs = Arc::clone(&queue);
        let writer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer::write(log, &jobs, lock))
            .map_err(io_error("start the writer of", folder))?;
        Ok(Self {
            shelf,
            queue,
            writer_id: writer.thread().id(),
            writer: Some(writer),
            waiting_bytes_max: options.waiting_bytes_max,
        })
    }

    /// Copies all that is safe to `folder`, which is made if it is not there and must hold no
    /// journal. The copy opens as a journal, with the same key. Nobody has to wait meanwhile.
    pub fn copy_to(&self, folder: &Path) -> Result<(), OpenError> {
        make(folder)?;
        let _lock = lock(folder)?;
        self.shelf
            .copy_to(&Files::new(folder))
            .map_err(|source| OpenError::Copy {
                folder: folder.to_owned(),
                source,
            })
    }

    /// How large the journal is, how much room it has, and what was done.
    pub fn figures(&self) -> LogFigures {
        self.shelf.figures()
    }

    /// How many bytes wait for the disk.
    pub fn waiting_bytes(&self) -> usize {
        self.queue.bytes()
    }
}

impl Journal for Local {
    fn own(&self, shard: Shard) -> Result<Owner, AppendError> {
        if thread::current().id() == self.writer_id {
            let what = "the writer cannot wait for itself within an answer";
            return Err(AppendError::Busy(what.to_owned()));
        }
        self.queue.own(shard)
    }

    fn append(&self, appends: Vec<Append>, then: Then) {
        self.queue.append(appends, then, self.waiting_bytes_max);
    }

    fn read(
        &self,
        shard: Shard,
        from: Seq,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Result<(), ReadError> {
        self.shelf.read(shard, from, visit)
    }

    fn replay(
        &self,
        from: &[Seq; SHARDS_MAX],
        visit: &mut dyn FnMut(Shard, Seq, &[u8]),
    ) -> Result<(), ReadError> {
        self.shelf.replay(from, visit)
    }

    fn span(&self, shard: Shard) -> (Seq, Seq) {
        self.shelf.span(shard)
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.shelf.has_room(bytes, self.queue.bytes() as u64)
    }

    fn bytes(&self) -> u64 {
        self.shelf.figures().bytes_on_disk
    }

    fn body_bytes(&self) -> u64 {
        self.shelf.figures().blob_bytes
    }

    fn newest(&self, bytes_max: u64) -> [Seq; SHARDS_MAX] {
        self.shelf.newest(bytes_max)
    }

    fn trim(&self, owner: &Owner, before: Seq) -> Result<(), AppendError> {
        self.shelf.trim(owner, before)?;
        self.queue.trimmed();
        Ok(())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.queue.close();
        // An answer may hold the last reference: then this is the writer, and it ends by itself.
        if let Some(writer) = self.writer.take()
            && thread::current().id() != self.writer_id
        {
            let _ = writer.join(); // a panic of the writer was printed already
        }
    }
}

/// Looks at every byte of the journal in `folder`, which nobody may use meanwhile, and says what
/// is in it and all that is wrong with it. Changes nothing; needs no key.
pub fn verify(folder: &Path) -> Result<Report, OpenError> {
    let _lock = lock(folder)?;
    log::verify(&Files::new(folder)).map_err(io_error("read", folder))
}

/// Makes the folder, safely, if it is not there.
fn make(folder: &Path) -> Result<(), OpenError> {
    let missing: Vec<_> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    std::fs::create_dir_all(folder).map_err(io_error("make", folder))?;
    for made in missing {
        let parent = made
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|parent| parent.sync_all())
            .map_err(io_error("make", made))?;
    }
    Ok(())
}

/// Keeps others out of the folder as long as the file is open.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let file = File::create(folder.join("lock")).map_err(io_error("lock", folder))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse {
            folder: folder.to_owned(),
        }),
        Err(error) => Err(io_error("lock", folder)(error.into())),
    }
}

fn io_error(what: &'static str, folder: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io {
        what,
        folder: folder.to_owned(),
        source,
    }
}

/// Bytes that nobody can guess; the standard library's hash seeds come from the system.
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    for half in bytes.chunks_exact_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
    }
    bytes
}
