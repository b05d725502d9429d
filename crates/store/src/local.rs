//! The journal in a folder of this machine: one log, and one thread that writes it. All that waits
//! while a group is made safe goes into the next group.

use std::{
    collections::VecDeque,
    fs::File,
    hash::{BuildHasher, RandomState},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle, ThreadId},
};

use rustix::fs::FlockOperation;

use crate::{
    Append, AppendError, Journal, Owner, ReadError, SHARDS_MAX, Seq, Shard, Then,
    disk::Files,
    log::{Key, Log, LogError, LogFigures, LogOptions, Shelf},
};

/// A group is closed when it has this many bytes.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// What waits for every job besides its records.
const JOB_BYTES: usize = 256;

/// How a local journal is kept.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// How large a segment file is, in bytes.
    pub segment_bytes: u64,
    /// How many bytes may wait for the disk; what is more gets [`AppendError::Busy`].
    pub waiting_bytes_max: usize,
    /// Encrypts the records; all or none of a journal are.
    pub key: Option<Key>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            waiting_bytes_max: 64 << 20,
            key: None,
        }
    }
}

/// Why a folder cannot be opened as a journal.
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
}

/// A journal in a folder. When it is dropped, all that was handed to it is finished first.
pub struct Local {
    shelf: Arc<Shelf<Files>>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    writer_id: ThreadId,
    waiting_bytes_max: usize,
}

enum Job {
    Append(Vec<Append>, Then),
    /// Is answered in its turn.
    Refused(AppendError, Then),
    Own(Shard, mpsc::Sender<Result<Owner, AppendError>>),
}

/// What waits for the writer.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    come: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<(Job, usize)>,
    /// Of the jobs, and of those that are being written.
    bytes: usize,
    /// Something was trimmed.
    is_untidy: bool,
    is_closed: bool,
    /// The writer has nothing to do.
    is_idle: bool,
}

impl Local {
    /// Opens the journal in `folder`, which is made if it is not there.
    pub fn open(folder: &Path, options: LocalOptions) -> Result<Self, OpenError> {
        let lock = lock(folder)?;
        let log_options = LogOptions {
            segment_bytes: options.segment_bytes,
            salt: random(),
            key: options.key,
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
            .spawn(move || write(log, &jobs, lock))
            .map_err(io_error("start the writer of", folder))?;
        Ok(Self {
            shelf,
            queue,
            writer_id: writer.thread().id(),
            writer: Some(writer),
            waiting_bytes_max: options.waiting_bytes_max,
        })
    }

    /// How large the journal is, how much room it has, and what was done.
    pub fn figures(&self) -> LogFigures {
        self.shelf.figures()
    }

    /// How many bytes wait for the disk.
    pub fn waiting_bytes(&self) -> usize {
        self.queue.waiting().bytes
    }
}

impl Journal for Local {
    fn own(&self, shard: Shard) -> Result<Owner, AppendError> {
        if thread::current().id() == self.writer_id {
            let what = "the writer cannot wait for itself within an answer";
            return Err(AppendError::Busy(what.to_owned()));
        }
        let (answer, answered) = mpsc::channel();
        self.queue.push(Job::Own(shard, answer), JOB_BYTES);
        answered
            .recv()
            .unwrap_or_else(|_| Err(AppendError::Broken("the writer has stopped".to_owned())))
    }

    fn append(&self, appends: Vec<Append>, then: Then) {
        let refused = appends.iter().find_map(|append| append.batch.check().err());
        let bytes: usize = appends.iter().map(|append| append.batch.bytes()).sum();
        let bytes = bytes + JOB_BYTES * (1 + appends.len());
        let mut waiting = self.queue.waiting();
        let is_full = self.waiting_bytes_max < waiting.bytes + bytes;
        let (job, bytes) = match refused {
            Some(error) => (Job::Refused(error, then), JOB_BYTES),
            None if is_full => {
                let what = format!("{} bytes wait for the disk", waiting.bytes);
                (Job::Refused(AppendError::Busy(what), then), JOB_BYTES)
            }
            None => (Job::Append(appends, then), bytes),
        };
        waiting.jobs.push_back((job, bytes));
        waiting.bytes += bytes;
        self.queue.wake(waiting);
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

    fn is_low(&self) -> bool {
        self.shelf.figures().is_low
    }

    fn trim(&self, owner: &Owner, before: Seq) -> Result<(), AppendError> {
        self.shelf.trim(owner, before)?;
        let mut waiting = self.queue.waiting();
        waiting.is_untidy = true;
        self.queue.wake(waiting);
        Ok(())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        waiting.is_closed = true;
        self.queue.wake(waiting);
        // An answer may hold the last reference: then this is the writer, and it ends by itself.
        if let Some(writer) = self.writer.take()
            && thread::current().id() != self.writer_id
        {
            let _ = writer.join(); // a panic of the writer was printed already
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job, bytes: usize) {
        let mut waiting = self.waiting();
        waiting.jobs.push_back((job, bytes));
        waiting.bytes += bytes;
        self.wake(waiting);
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let is_idle = std::mem::take(&mut waiting.is_idle);
        drop(waiting);
        if is_idle {
            self.come.notify_one();
        }
    }

    /// Waits until there is something to do; takes the jobs of one group and says how many bytes
    /// they have. `None` when all is done and nothing more will come.
    fn take(&self) -> Option<(Vec<Job>, usize)> {
        let mut waiting = self.waiting();
        while waiting.jobs.is_empty() && !waiting.is_untidy {
            if waiting.is_closed {
                return None;
            }
            waiting.is_idle = true;
            waiting = self
                .come
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.is_untidy = false;
        let (mut jobs, mut group_bytes) = (Vec::new(), 0);
        while let Some(&(_, bytes)) = waiting.jobs.front() {
            let is_full = GROUP_BYTES_MAX < group_bytes + bytes;
            if is_full && !jobs.is_empty() {
                break;
            }
            group_bytes += bytes;
            jobs.extend(waiting.jobs.pop_front().map(|(job, _)| job));
        }
        Some((jobs, group_bytes))
    }

    fn done(&self, bytes: usize) {
        self.waiting().bytes -= bytes;
    }
}

/// What is to be said when a group is safe.
enum Answer {
    Then(Result<(), AppendError>, Then),
    Own(
        Result<Owner, AppendError>,
        mpsc::Sender<Result<Owner, AppendError>>,
    ),
}

/// The writer's life. It holds the lock: the folder is in use as long as it writes.
fn write(mut log: Log<Files>, queue: &Queue, _lock: File) {
    while let Some((jobs, bytes)) = queue.take() {
        let answers: Vec<_> = jobs.into_iter().map(|job| stage(&mut log, job)).collect();
        let committed = log.commit();
        queue.done(bytes);
        for answer in answers {
            answer.give(&committed);
        }
        // What cannot be tidied is tried again after the next group; whether the log is broken
        // is heard then.
        let _ = log.tidy();
    }
}

fn stage(log: &mut Log<Files>, job: Job) -> Answer {
    match job {
        Job::Append(appends, then) => Answer::Then(log.stage(&appends), then),
        Job::Refused(error, then) => Answer::Then(Err(error), then),
        Job::Own(shard, answer) => Answer::Own(log.stage_own(shard), answer),
    }
}

impl Answer {
    fn give(self, committed: &Result<(), AppendError>) {
        match self {
            Self::Then(staged, then) => {
                let result = staged.and_then(|()| committed.clone());
                // A panic there must not stop the journal for all others; it was printed.
                let _ = catch_unwind(AssertUnwindSafe(|| then(result)));
            }
            Self::Own(staged, answer) => {
                let result = staged.and_then(|owner| committed.clone().map(|()| owner));
                let _ = answer.send(result); // `own` waits for it
            }
        }
    }
}

/// Makes the folder if need be, and keeps others out of it.
fn lock(folder: &Path) -> Result<File, OpenError> {
    std::fs::create_dir_all(folder).map_err(io_error("make", folder))?;
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
