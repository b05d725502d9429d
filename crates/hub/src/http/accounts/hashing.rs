//! Argon2id, a few at a time: it is slow and takes 19 MiB on purpose. It gives way to all else. Those
//! who wait are counted, and when there are too many, more are sent away at once; so is, after a while,
//! who waits in vain on a machine that has much else to do. Whoever floods the hub with passwords slows
//! down signing in, and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::{StatusCode, header};
use quartet_people::account::password::{self, SALT_BYTES};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    http::{credentials::random, problem::Problem},
    shell::aside,
};

/// How many run at once.
const AT_ONCE: usize = 2;
/// How many wait or run, at most.
const PLACES: usize = 24;
/// How long somebody waits for those before: longer than all places take where nothing else is done. Its own
/// password then takes as long as it takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who hashes.
#[derive(Clone, Debug)]
pub(super) struct Hashing {
    permits: Arc<Semaphore>,
    taken: Arc<AtomicUsize>,
    patience: Duration,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            taken: Arc::default(),
            patience: PATIENCE,
        }
    }
}

/// A place in the queue, until it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Hashing {
    /// What is kept of a new password.
    pub(super) async fn hash(&self, password: String) -> Result<String, Problem> {
        let salt = random::<SALT_BYTES>()?;
        self.run(move || password::hash(&password, salt)).await
    }

    /// Whether a password is the one of which this was kept.
    pub(super) async fn is_right(&self, password: String, kept: String) -> Result<bool, Problem> {
        self.run(move || password::is_right(&password, &kept)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.place()?;
        let permit = timeout(self.patience, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| busy())?.map_err(|_| busy())?;
        // Whoever asked may go meanwhile: the work is done, and counted, all the same.
        let work = move || {
            let done = work();
            drop((permit, place));
            done
        };
        aside(work).await.map_err(|_| busy())
    }

    fn place(&self) -> Result<Place, Problem> {
        let place = Place(Arc::clone(&self.taken));
        if PLACES <= self.taken.fetch_add(1, Ordering::AcqRel) {
            return Err(busy());
        }
        Ok(place)
    }
}

fn busy() -> Problem {
    let what = "many sign in at this moment; try again in a few seconds";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, what).with(header::RETRY_AFTER, "2".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_is_sent_away_at_once() {
        let hashing = Hashing::default();
        let waiting: Vec<_> = (0..PLACES).map(|_| hashing.place().unwrap()).collect();
        let sent_away = hashing.is_right("a".to_owned(), "b".to_owned()).await;
        assert_eq!(
            sent_away.unwrap_err().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        drop(waiting);
        let kept = hashing.hash("four words".to_owned()).await.unwrap();
        assert_eq!(
            hashing.is_right("four words".to_owned(), kept).await,
            Ok(true)
        );
        assert_eq!(hashing.taken.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn who_waits_in_vain_is_sent_away_and_leaves_its_place() {
        let hashing = Hashing {
            patience: Duration::ZERO,
            ..Hashing::default()
        };
        let others: Vec<_> = (0..AT_ONCE)
            .map(|_| hashing.permits.try_acquire().unwrap())
            .collect();
        let sent_away = hashing.hash("four words".to_owned()).await;
        assert_eq!(
            sent_away.unwrap_err().status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(hashing.taken.load(Ordering::Acquire), 0);
        drop(others);
        assert!(hashing.hash("four words".to_owned()).await.is_ok());
    }
}
