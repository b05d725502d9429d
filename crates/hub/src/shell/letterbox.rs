//! What others put into a lane's box. A lane that sleeps is woken; one that runs is not, so
//! that letters cost no system call while there is work.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use mio::Waker;
use quartet_model::Time;

use super::connection::Connection;
use super::journal::Found;
use crate::flow::{ClientKey, Flow, Mail, Peer};

/// Something to do with a flow, once.
pub(super) type Act = Box<dyn FnOnce(&mut Flow, Time) + Send>;

/// What a lane is told.
pub(super) enum Letter {
    /// Another lane says something.
    Mail(Mail),
    /// A connection that just came in.
    Enter(Box<Connection>, Peer),
    /// A connection that belongs to this lane, with what was read of it.
    Adopt(Box<Connection>, Peer, Bytes),
    /// Something to do with the flow: a question, a message of the API, new limits.
    Do(Act),
    /// A message of the API.
    Say(Box<super::control::Call>),
    /// What has this ticket is safe.
    Committed(u64),
    /// Messages that were fetched from the journal.
    Fetched(ClientKey, Found),
    /// A subscription of the API.
    OpenStream(super::control::OpenStream),
    /// Close everything and end.
    ShutDown,
}

/// One lane's letter box.
pub(super) struct LetterBox {
    letters: Mutex<Vec<Letter>>,
    count: AtomicUsize,
    is_asleep: AtomicBool,
    waker: Waker,
}

impl LetterBox {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            letters: Mutex::new(Vec::new()),
            count: AtomicUsize::new(0),
            is_asleep: AtomicBool::new(false),
            waker,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one letter in.
    pub(super) fn post(&self, letter: Letter) {
        self.post_all(&mut vec![letter]);
    }

    /// Puts letters in, in order, and leaves the list empty.
    pub(super) fn post_all(&self, letters: &mut Vec<Letter>) {
        if letters.is_empty() {
            return;
        }
        let added = letters.len();
        {
            let mut box_ = self.lock();
            box_.append(letters);
            self.count.fetch_add(added, Ordering::SeqCst);
        }
        if self.is_asleep.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            // The lane wakes at its next deadline, within a second.
            tracing::error!(%error, "cannot wake a lane");
        }
    }

    /// Whether there is something in the box.
    pub(super) fn has_letters(&self) -> bool {
        self.count.load(Ordering::SeqCst) != 0
    }

    /// How many letters are in the box.
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes all letters out, in order, into an empty list.
    pub(super) fn take(&self, into: &mut Vec<Letter>) {
        let mut box_ = self.lock();
        std::mem::swap(&mut *box_, into);
        self.count.store(0, Ordering::SeqCst);
    }

    /// The lane is about to sleep, unless there are letters; says whether it may.
    pub(super) fn fall_asleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        if self.has_letters() {
            self.is_asleep.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Whether the lane sleeps, as far as can be told.
    pub(super) fn is_asleep(&self) -> bool {
        self.is_asleep.load(Ordering::Relaxed)
    }

    /// The lane woke up.
    pub(super) fn wake_up(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}
