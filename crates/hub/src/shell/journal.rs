//! The journal as the lanes see it: each hands over what it wrote down and hears when that is
//! safe; messages that are not in memory are fetched by a thread of their own.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
    mpsc::{self, Receiver, Sender},
};

use quartet_model::{Event, Place};
use quartet_store::{Append, AppendError, BODY_BYTES_MAX, Journal, Owner, Shard};

use super::letterbox::{Letter, LetterBox};
use crate::{
    audit::Notes,
    flow::{
        Out,
        keep::{Fetch, Written, event_at},
    },
};

/// Messages that were asked for; `None` for what is not kept any more.
pub(super) type Found = Vec<(Place, Option<Arc<Event>>)>;

/// A lane asks for messages.
pub(super) type Request = (Arc<LetterBox>, Fetch);

/// What keeps the hub from going on.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<OnceLock<String>>);

impl Failure {
    /// The hub cannot keep anything any more, so it must not say that it does: it stops, and
    /// finds what is safe when it is started again.
    fn fail(&self, error: &AppendError) {
        if self.0.set(error.to_string()).is_ok() {
            tracing::error!(%error, "nothing can be kept any more; the hub stops");
            if let Err(error) = signal_hook::low_level::raise(signal_hook::consts::SIGTERM) {
                tracing::error!(%error, "cannot end myself");
            }
        }
    }

    /// What happened, if it did.
    pub(super) fn what(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Whether there is room on the disk.
#[derive(Clone)]
pub(super) struct Room {
    journal: Arc<dyn Journal>,
    /// See [`Room::bytes`]; [`NONE`] if there is hardly any.
    bytes: Arc<AtomicU64>,
}

const NONE: u64 = u64::MAX;

impl Room {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            bytes: Arc::new(AtomicU64::new(BODY_BYTES_MAX as u64)),
        }
    }

    /// Whether there is hardly any left, as of the last look.
    pub(super) fn is_low(&self) -> bool {
        self.bytes().is_none()
    }

    /// The longest payload for which there is room, as of the last look; `None` if there is
    /// hardly any.
    pub(super) fn bytes(&self) -> Option<u64> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        (bytes != NONE).then_some(bytes)
    }

    /// Looks.
    pub(super) fn look(&self) {
        let halves = std::iter::successors(Some(BODY_BYTES_MAX as u64), |&bytes| {
            (bytes != 0).then_some(bytes / 2)
        });
        let mut halves = halves.skip_while(|&bytes| !self.journal.has_room(bytes));
        self.bytes
            .store(halves.next().unwrap_or(NONE), Ordering::Relaxed);
    }
}

/// One lane's access to the journal.
#[derive(Clone)]
pub(super) struct Desk {
    journal: Arc<dyn Journal>,
    owners: Arc<[Owner]>,
    fetches: Sender<Request>,
    failure: Failure,
    room: Room,
    notes: Notes,
}

impl Desk {
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        owners: Arc<[Owner]>,
        fetches: Sender<Request>,
        failure: Failure,
        room: Room,
        notes: Notes,
    ) -> Self {
        Self {
            journal,
            owners,
            fetches,
            failure,
            room,
            notes,
        }
    }

    /// Tells the audit what a turn brought.
    pub(super) fn note(&self, out: &mut Out) {
        let more = std::mem::take(&mut out.noted_more);
        if !out.noted.is_empty() || more != 0 {
            self.notes.note_all(out.noted.drain(..), more);
        }
    }

    /// Whether nothing will be safe any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.what().is_some()
    }

    /// See [`Room::bytes`].
    pub(super) fn room_bytes(&self) -> Option<u64> {
        self.room.bytes()
    }

    /// Puts batches into the journal; the lane finds the ticket in its box when all is safe.
    pub(super) fn append(&self, ticket: u64, written: Vec<Written>, lane: &Arc<LetterBox>) {
        let appends = written.into_iter().map(|written| Append {
            owner: self.owners[usize::from(written.shard)],
            first: written.first,
            batch: written.batch,
        });
        let lane = Arc::clone(lane);
        let (room, failure) = (self.room.clone(), self.failure.clone());
        let then = move |result| match result {
            Ok(()) => {
                room.look();
                lane.post(Letter::Committed(ticket));
            }
            Err(error) => failure.fail(&error),
        };
        self.journal.append(appends.collect(), Box::new(then));
    }

    /// Has messages fetched for a session of this lane.
    pub(super) fn fetch(&self, fetch: Fetch, lane: &Arc<LetterBox>) {
        if self.fetches.send((Arc::clone(lane), fetch)).is_err() {
            tracing::error!("nobody fetches from the journal any more");
        }
    }
}

/// Fetches messages for all lanes until they have ended.
pub(super) fn fetch_all(journal: &dyn Journal, fetches: &Receiver<Request>) {
    while let Ok((lane, Fetch { client, places })) = fetches.recv() {
        let found = places
            .into_iter()
            .map(|place| (place, find(journal, place)));
        lane.post(Letter::Fetched(client, found.collect()));
    }
}

fn find(journal: &dyn Journal, place: Place) -> Option<Arc<Event>> {
    let mut found = None;
    let read = journal.read(Shard(place.shard()), place.seq(), &mut |_, record| {
        found = event_at(place, record);
        false
    });
    if let Err(error) = read {
        tracing::warn!(%error, "a message that waited cannot be read; it is dropped");
    }
    found.map(Arc::new)
}

/// A way to ask for messages.
pub(super) fn fetch_channel() -> (Sender<Request>, Receiver<Request>) {
    mpsc::channel()
}
