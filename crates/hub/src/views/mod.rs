//! Views: what the journal says of sessions, subscriptions and retained messages, as tables that
//! can be searched.
//!
//! A view is never the truth and nothing waits for it: it follows the journal a moment later, may
//! be deleted at any time, and is made again. Beside an encrypted journal it is in memory only.
//!
//! A thread beside it fills the [history](history) and the [audit](crate::audit), which the journal
//! cannot make again.

mod ask; // questions, and their answers as rows
mod elements; // elements as rows
mod file; // where the tables are, and whether they can be used
mod follow; // the threads that follow the journal
mod history; // what became otherwise, and by whom
mod tables; // a record into changes of tables

pub(crate) use ask::{Page, Retained, Session, Subscription};
pub(crate) use elements::{Comparison, Found, Query};
pub use file::{Trouble, throw_away};
pub(crate) use file::{Where, copy_history, is_table};
pub(crate) use follow::{Audited, Follower};
pub use follow::{Made, rebuild};
pub(crate) use history::Change;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quartet_model::Time;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::audit::Audit;

/// Questions that are answered at the same time.
const QUESTIONS_MAX: usize = 2;

/// Who asks; cheap to clone.
#[derive(Clone)]
pub(crate) struct Views {
    place: Where,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    audit: Audit,
}

/// Why there is no answer now.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there are no lists now: {0}")]
pub(crate) struct Unavailable(String);

/// What the thread and those who ask tell each other.
#[derive(Default)]
struct Shared {
    told: Mutex<Told>,
    tell: Condvar,
}

#[derive(Default)]
struct Told {
    standing: Standing,
    /// The same of the history.
    history: Standing,
    /// The hub stops.
    stops: bool,
    /// What somebody who asked found wrong with the file.
    broken: Option<String>,
}

#[derive(Clone, Default)]
enum Standing {
    /// They are made anew.
    #[default]
    Making,
    /// All that was safe at this time is in them.
    AsOf(Time),
    /// They cannot be written.
    Failed(String),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, standing: Standing) {
        self.lock().standing = standing;
    }

    /// Waits until there is something to do at once, or for some time.
    fn wait(&self, at_most: Duration) {
        let told = self.lock();
        let idle = |told: &mut Told| !told.stops && told.broken.is_none();
        drop(self.tell.wait_timeout_while(told, at_most, idle));
    }

    /// Waits for some time, or until the hub stops.
    fn rest(&self, at_most: Duration) {
        let told = self.lock();
        drop(
            self.tell
                .wait_timeout_while(told, at_most, |told| !told.stops),
        );
    }

    fn stops(&self) -> bool {
        self.lock().stops
    }

    fn stop(&self) {
        self.lock().stops = true;
        self.tell.notify_all();
    }
}

impl Views {
    fn new(place: Where, shared: Arc<Shared>, audit: Audit) -> Self {
        Self {
            place,
            shared,
            audit,
            room: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        }
    }

    /// The audit, which is told and read.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Asks the tables as they are. All that was safe at the time that comes with the answer is
    /// in it.
    pub(crate) async fn ask<A: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<A> + Send + 'static,
    ) -> Result<(Time, A), Unavailable> {
        let asked = self.ask_at(&self.place, |told| &told.standing, question);
        asked.await?.map_err(|error| self.complain(&error))
    }

    /// The same of the history.
    pub(crate) async fn ask_history<A: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<A> + Send + 'static,
    ) -> Result<(Time, A), Unavailable> {
        let place = self.place.of_history();
        let asked = self.ask_at(&place, |told| &told.history, question);
        asked.await?.map_err(|error| Unavailable(error.to_string()))
    }

    /// Asks the tables at a place, of which `standing` says how they are.
    async fn ask_at<A: Send + 'static>(
        &self,
        place: &Where,
        standing: impl FnOnce(&Told) -> &Standing,
        question: impl FnOnce(&Connection) -> rusqlite::Result<A> + Send + 'static,
    ) -> Result<rusqlite::Result<(Time, A)>, Unavailable> {
        let no = |why: &str| Unavailable(why.to_owned());
        let _room = self
            .room
            .acquire()
            .await
            .map_err(|_| no("the hub is shutting down"))?;
        // Before the tables are looked at: they are never older than that.
        let as_of = match standing(&self.shared.lock()) {
            Standing::AsOf(at) => *at,
            Standing::Making => return Err(no("they are being made from the journal")),
            Standing::Failed(why) => return Err(no(why)),
        };
        let place = place.clone();
        let asked = tokio::task::spawn_blocking(move || question(&place.read()?));
        match asked.await {
            Ok(answer) => Ok(answer.map(|answer| (as_of, answer))),
            Err(_) => Err(no("the question was broken off")),
        }
    }

    /// A broken file is made anew.
    fn complain(&self, error: &rusqlite::Error) -> Unavailable {
        if file::is_broken(error) {
            self.shared.lock().broken = Some(error.to_string());
            self.shared.tell.notify_all();
        }
        Unavailable(error.to_string())
    }
}
