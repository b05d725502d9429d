//! The threads that follow the journal. They read what is safe and hold nobody up; whatever goes
//! wrong with what they write, the hub goes on without it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use quartet_model::Time;
use quartet_store::{Journal, Key, SHARDS_MAX, Seq, Shard};

use super::{
    Shared, Standing, Views,
    file::{self, Tables, Trouble, Where},
    history::History,
};
use crate::{
    audit::{Audit, Keeper},
    shell::{Clock, JOURNAL, Start, start_of},
};

/// How often it looks what is new.
const EVERY: Duration = Duration::from_millis(500);
/// A step that took long is followed by a pause of so many times that, up to the most: following
/// costs a tenth of a core at most, however much is said.
const PAUSE_TIMES: u32 = 9;
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often it is tried again whether the file can be used.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How often what nobody gets any more is forgotten.
const EXPIRE: Duration = Duration::from_secs(60);
/// Up to so many records are looked up shard by shard; more are found faster by reading all that
/// is new from front to back.
const FEW: u64 = 1_000;
/// How often a broken file is made anew before it is given up.
const BROKEN_MAX: u32 = 1;

/// Whoever follows the journal.
pub(super) trait Follow {
    /// The next record of each shard.
    fn next(&self) -> Start;

    /// Applies a record. What is applied may be committed at any time.
    fn take(&mut self, shard: u8, seq: Seq, bytes: &[u8]) -> Result<(), Trouble>;
}

/// How the audit is kept.
pub(crate) struct Audited {
    pub(crate) audit: Audit,
    /// The one who writes it, which was opened already.
    pub(crate) keeper: Keeper,
    /// To open it again.
    pub(crate) key: Option<Key>,
    /// Room that it may take, in bytes; 0 for no limit.
    pub(crate) bytes_max: Arc<AtomicU64>,
}

/// The threads: one makes the lists, one the history and the audit. They end with this value.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Follower {
    /// Begins to follow the journal of a data folder, which went on at `next` when it was opened.
    pub(crate) fn start(
        place: Where,
        journal: Arc<dyn Journal>,
        data: &Path,
        next: Start,
        clock: Clock,
        audited: Audited,
    ) -> io::Result<(Self, Views)> {
        let shared = Arc::new(Shared::default());
        let course = Course {
            shared: Arc::clone(&shared),
            place: place.clone(),
            journal,
            folder: data.join(JOURNAL),
            next,
            clock,
        };
        let record = course.clone();
        let audit = audited.audit.clone();
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let threads = vec![
            named("views").spawn(move || course.run())?,
            named("history").spawn(move || record.keep_record(audited))?,
        ];
        let views = Views::new(place, Arc::clone(&shared), audit);
        Ok((Self { shared, threads }, views))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the lists ended with a panic");
            }
        }
    }
}

/// The history and the audit, which read the journal together.
#[derive(Default)]
struct Pass {
    history: Option<History>,
    keeper: Option<Keeper>,
}

impl Pass {
    /// Goes on in this journal where it was, or where the journal begins.
    fn go_on(&mut self, journal: &dyn Journal, now: Time) {
        if let Some(history) = &mut self.history
            && history.go_on(journal)
        {
            tracing::warn!(
                "the journal let go what was not in the history yet: changes are missing there"
            );
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.go_on(journal, now);
        }
    }
}

impl Follow for Pass {
    fn next(&self) -> Start {
        let history = self.history.as_ref().map(History::next);
        let keeper = self.keeper.as_ref().map(Keeper::next);
        match (history, keeper) {
            (Some(one), Some(other)) => std::array::from_fn(|shard| one[shard].min(other[shard])),
            (Some(next), None) | (None, Some(next)) => next,
            (None, None) => [Seq::MAX; SHARDS_MAX],
        }
    }

    fn take(&mut self, shard: u8, seq: Seq, bytes: &[u8]) -> Result<(), Trouble> {
        let at = usize::from(shard);
        if let Some(keeper) = &mut self.keeper
            && keeper.next()[at] <= seq
        {
            let taken = keeper.take(shard, seq, bytes);
            taken.map_err(|why| Trouble::Record { shard, seq, why })?;
            if keeper.is_full()
                && let Err(error) = keeper.append_told()
            {
                tracing::error!(%error, "the audit does not go on now; it is tried again");
                self.keeper = None;
            }
        }
        match &mut self.history {
            Some(history) if history.next()[at] <= seq => history.take(shard, seq, bytes),
            _ => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Course {
    shared: Arc<Shared>,
    place: Where,
    journal: Arc<dyn Journal>,
    /// The journal's.
    folder: PathBuf,
    next: Start,
    clock: Clock,
}

impl Course {
    fn run(self) {
        let mut broken = 0;
        while !self.shared.stops() {
            let trouble = match self.follow() {
                Ok(()) => return,
                Err(trouble) => trouble,
            };
            match &trouble {
                // Made anew by the next round of this loop.
                Trouble::Stale => {
                    self.shared.set(Standing::Making);
                    continue;
                }
                Trouble::Broken(_) if broken < BROKEN_MAX => {
                    broken += 1;
                    tracing::warn!(%trouble, "the lists are made anew from the journal");
                    match self.place.throw_away() {
                        Ok(()) => self.shared.set(Standing::Making),
                        Err(error) => self.fail(&Trouble::Remove(error)),
                    }
                }
                Trouble::Broken(_) => {
                    self.fail(&trouble);
                    return;
                }
                _ => {
                    self.fail(&trouble);
                    self.shared.wait(TRY_AGAIN);
                }
            }
        }
    }

    /// Fills the history and the audit until the hub stops.
    fn keep_record(self, audited: Audited) {
        let place = self.place.of_history();
        let Audited {
            audit,
            keeper,
            key,
            bytes_max,
        } = audited;
        let mut pass = Pass {
            history: None,
            keeper: Some(keeper),
        };
        loop {
            // What is safe by now is all that there will be.
            let stops = self.shared.stops();
            let now = self.clock.now();
            if pass.history.is_none() {
                pass.history = self.open_history(&place);
            }
            if pass.keeper.is_none() {
                pass.keeper = Keeper::open(&audit, key.clone(), now)
                    .inspect_err(|error| tracing::error!(%error, "the audit cannot be opened"))
                    .ok();
            }
            pass.go_on(&*self.journal, now);
            if let Err(trouble) = catch_up(&mut pass, &*self.journal, &|| false) {
                self.lose(&mut pass, &place, &trouble);
            }
            if let Some(history) = &mut pass.history {
                let kept = history.trim().and_then(|()| history.commit());
                match kept.map_err(Trouble::History) {
                    Ok(()) => self.shared.lock().history = Standing::AsOf(now),
                    Err(trouble) => self.lose(&mut pass, &place, &trouble),
                }
            }
            if let Some(keeper) = &mut pass.keeper {
                let bytes_max = bytes_max.load(Ordering::Relaxed);
                if let Err(error) = keeper.commit(now, stops, bytes_max) {
                    tracing::error!(%error, "the audit does not go on now; it is tried again");
                    pass.keeper = None;
                }
            }
            if stops {
                return;
            }
            let is_whole = pass.history.is_some() && pass.keeper.is_some();
            self.shared.rest(if is_whole { EVERY } else { TRY_AGAIN });
        }
    }

    fn open_history(&self, place: &Where) -> Option<History> {
        match History::open(place) {
            Ok(history) => Some(history),
            Err(error) => {
                let mut pass = Pass::default();
                self.lose(&mut pass, place, &Trouble::History(error));
                None
            }
        }
    }

    /// The history does not go on for now.
    fn lose(&self, pass: &mut Pass, place: &Where, trouble: &Trouble) {
        tracing::error!(%trouble, "the history does not go on now; all else does");
        pass.history = None;
        self.shared.lock().history = Standing::Failed(trouble.to_string());
        if let Trouble::History(error) = trouble
            && file::is_broken(error)
            && place.set_aside().is_ok()
        {
            tracing::error!("the broken history is put aside, and a new one begins");
        }
    }

    /// There are no lists for now.
    fn fail(&self, trouble: &Trouble) {
        let why = trouble.to_string();
        let mut told = self.shared.lock();
        if !matches!(&told.standing, Standing::Failed(before) if *before == why) {
            tracing::warn!(%trouble, "there are no lists; all else goes on");
        }
        told.standing = Standing::Failed(why);
    }

    /// Follows until the hub stops.
    fn follow(&self) -> Result<(), Trouble> {
        let start = || start_of(&*self.journal, &self.folder);
        let mut tables = Tables::open(&self.place, &*self.journal, start, &self.next)?;
        self.shared.lock().broken = None;
        if let Some(at) = tables.as_of()? {
            self.shared.set(Standing::AsOf(at));
        }
        let mut expire_at = Time::ZERO;
        loop {
            let stops = self.shared.stops();
            let now = self.clock.now();
            if expire_at <= now {
                tables.expire(now)?;
                expire_at = now.after(EXPIRE);
            }
            self.step(&mut tables, now)?;
            if stops {
                return Ok(());
            }
            let took = self.clock.now().since(now);
            let pause = (took * PAUSE_TIMES).clamp(EVERY, PAUSE_MAX);
            self.shared.wait(pause);
        }
    }

    /// Applies what is safe `now`.
    fn step(&self, tables: &mut Tables, now: Time) -> Result<(), Trouble> {
        if tables.is_gone() {
            return Err(Trouble::Stale);
        }
        let broken = self.shared.lock().broken.take();
        if let Some(why) = broken {
            return Err(Trouble::Broken(why));
        }
        let stops = || self.shared.stops();
        if catch_up(tables, &*self.journal, &stops)? {
            tables.commit(Some(now))?;
            self.shared.set(Standing::AsOf(now));
        } else {
            tables.commit(None)?;
        }
        Ok(())
    }
}

/// Applies what is safe. Says whether that was all; `stops` ends it early if it is much.
fn catch_up(
    tables: &mut impl Follow,
    journal: &dyn Journal,
    stops: &dyn Fn() -> bool,
) -> Result<bool, Trouble> {
    let next = tables.next();
    let behind = |(shard, &seq): (usize, &u64)| {
        let (_, end) = journal.span(Shard(shard as u8));
        (shard as u8, seq, end.saturating_sub(seq))
    };
    let behind: Vec<_> = next.iter().enumerate().map(behind).collect();
    let records: u64 = behind.iter().map(|(.., records)| records).sum();
    let mut failed = None;
    if records <= FEW {
        for &(shard, seq, _) in behind.iter().filter(|(.., records)| 0 < *records) {
            journal.read(Shard(shard), seq, &mut |seq, record| {
                failed = tables.take(shard, seq, record).err();
                failed.is_none()
            })?;
            if let Some(trouble) = failed {
                return Err(trouble);
            }
        }
        return Ok(true);
    }
    let mut was_stopped = false;
    journal.replay(&next, &mut |Shard(shard), seq, record| {
        was_stopped |= stops();
        if failed.is_none() && !was_stopped {
            failed = tables.take(shard, seq, record).err();
        }
    })?;
    failed.map_or(Ok(!was_stopped), Err)
}

/// What was made by [`rebuild`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Made {
    /// Sessions that are kept.
    pub sessions: u64,
    /// Retained messages.
    pub retained: u64,
}

/// Makes the views of a data folder anew from its journal, which no hub uses. It is `now`.
pub fn rebuild(data: &Path, journal: &dyn Journal, now: Time) -> Result<Made, Trouble> {
    let start = start_of(journal, &data.join(JOURNAL));
    let mut tables = Tables::make(&Where::of(data, false), &start)?;
    catch_up(&mut tables, journal, &|| false)?;
    tables.expire(now)?;
    tables.commit(Some(now))?;
    let (sessions, retained) = tables.counts()?;
    Ok(Made { sessions, retained })
}

#[cfg(test)]
mod tests;
