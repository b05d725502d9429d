//! The one thread that writes the log.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

use super::queue::{Job, OwnAnswer, Queue};
use crate::{AppendError, Then, disk::Files, log::Log};

/// What is to be said when a group is safe.
enum Answer {
    Then(Result<(), AppendError>, Then),
    Own(OwnAnswer, mpsc::Sender<OwnAnswer>),
}

/// The writer's life. It holds the lock: the folder is in use as long as it writes.
pub(super) fn write(mut log: Log<Files>, queue: &Queue, _lock: File) {
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
    let _ = log.close(); // it opens without that too
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
