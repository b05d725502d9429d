//! What waits for the writer.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc},
};

use crate::{Append, AppendError, Owner, Shard, Then};

/// A group is closed when it has this many bytes, long bodies included.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// What every job takes besides its records.
const JOB_BYTES: usize = 256;

pub(super) type OwnAnswer = Result<Owner, AppendError>;

/// One call.
pub(super) enum Job {
    Append(Vec<Append>, Then),
    /// Is answered in its turn.
    Refused(AppendError, Then),
    Own(Shard, mpsc::Sender<OwnAnswer>),
}

/// What a call takes while it waits.
fn call_bytes(appends: &[Append]) -> usize {
    let batches = appends.iter().map(|append| &append.batch);
    let records: usize = batches
        .map(|batch| batch.bytes() + batch.body_bytes())
        .sum();
    records + JOB_BYTES * (1 + appends.len())
}

/// Calls on their way to the writer.
#[derive(Default)]
pub(super) struct Queue {
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

impl Queue {
    /// Lets the writer append. If more than `bytes_max` would wait then, it refuses instead.
    pub(super) fn append(&self, appends: Vec<Append>, then: Then, bytes_max: usize) {
        let too_large = appends.iter().find_map(|append| append.batch.check().err());
        let bytes = call_bytes(&appends);
        let waiting = self.waiting();
        let busy = || {
            let what = format!("{} bytes wait for the disk", waiting.bytes);
            (bytes_max < waiting.bytes + bytes).then_some(AppendError::Busy(what))
        };
        match too_large.or_else(busy) {
            Some(error) => self.push(waiting, Job::Refused(error, then), JOB_BYTES),
            None => self.push(waiting, Job::Append(appends, then), bytes),
        }
    }

    /// Lets the writer take a shard over, and waits for it.
    pub(super) fn own(&self, shard: Shard) -> OwnAnswer {
        let (answer, answered) = mpsc::channel();
        self.push(self.waiting(), Job::Own(shard, answer), JOB_BYTES);
        answered
            .recv()
            .unwrap_or_else(|_| Err(AppendError::Broken("the writer has stopped".to_owned())))
    }

    /// Something was let go.
    pub(super) fn trimmed(&self) {
        let mut waiting = self.waiting();
        waiting.is_untidy = true;
        self.wake(waiting);
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        self.wake(waiting);
    }

    /// What waits, and what is being written.
    pub(super) fn bytes(&self) -> usize {
        self.waiting().bytes
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut waiting: MutexGuard<'_, Waiting>, job: Job, bytes: usize) {
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
    pub(super) fn take(&self) -> Option<(Vec<Job>, usize)> {
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

    /// Jobs of `bytes` wait no more.
    pub(super) fn done(&self, bytes: usize) {
        self.waiting().bytes -= bytes;
    }
}
