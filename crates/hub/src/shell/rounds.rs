//! Rounds: when enough was written, all that holds is written down anew, and what nobody needs
//! any more is let go. A small file says where the next start may begin to read; without it, it
//! reads from the first record that is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quartet_store::{Journal, Owner, SHARDS_MAX, Seq, Shard};

use super::control::{Control, Ended};
use crate::flow::keep::RoundDone;

/// Bytes that are written before a round is worth it.
const BYTES_MIN: u64 = 64 << 20;
/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// How full the journal may be before the oldest goes, in percent of what it may take.
const FULL_PERCENT: u64 = 75;
/// How often it is asked whether a round is over.
const PATIENCE: Duration = Duration::from_millis(20);

/// Where a start begins to read each shard.
pub(crate) type Start = [Seq; SHARDS_MAX];

/// Where a start begins to read this journal, which is in `folder`.
pub(crate) fn start_of(journal: &dyn Journal, folder: &Path) -> Start {
    let mut start = read_start(folder);
    for (shard, seq) in start.iter_mut().enumerate() {
        let (first, next) = journal.span(Shard(shard as u8));
        if !(first..=next).contains(seq) {
            *seq = first; // A start may begin earlier than it must.
        }
    }
    start
}

/// Reads the file that says where to begin.
fn read_start(folder: &Path) -> Start {
    let mut start = [0; SHARDS_MAX];
    if let Ok(text) = fs::read_to_string(folder.join(START)) {
        for (seq, line) in start.iter_mut().zip(text.lines().skip(1)) {
            *seq = line.parse().unwrap_or(0);
        }
    }
    start
}

const START: &str = "start";

fn write_start(folder: &Path, start: &Start) -> std::io::Result<()> {
    let lines: Vec<String> = start.iter().map(Seq::to_string).collect();
    let new = folder.join("start.new");
    fs::write(&new, format!("quartet start 1\n{}\n", lines.join("\n")))?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, folder.join(START))?;
    fs::File::open(folder)?.sync_all()
}

/// What rounds need.
pub(super) struct Rounds {
    pub(super) control: Control,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) owners: Arc<[Owner]>,
    pub(super) folder: PathBuf,
    /// Where the last round began.
    pub(super) start: Start,
    /// What the journal may take; 0 for no limit.
    pub(super) bytes_max: Arc<AtomicU64>,
}

impl Rounds {
    /// Goes round whenever enough was written.
    pub(super) async fn run(mut self) -> Result<(), Ended> {
        let mut before = 0;
        let mut size = 0;
        loop {
            tokio::time::sleep(EVERY).await;
            let written = self.control.figures().await?.journal_bytes;
            let enough = match self.bytes_wanted() {
                // What holds is small beside what waits: a round makes room.
                Some(bytes_wanted) if bytes_wanted < self.journal.bytes() => BYTES_MIN / 4,
                _ => BYTES_MIN,
            };
            if written - before < enough.max(2 * size) {
                continue;
            }
            before = written;
            self.go().await?;
            let after = self.control.figures().await?.journal_bytes;
            size = after - before;
            before = after;
        }
    }

    /// One round.
    async fn go(&mut self) -> Result<(), Ended> {
        self.each(|flow| flow.begin_round()).await?;
        self.each(|flow| flow.go_round()).await?;
        let mut done = Vec::new();
        for lane in 0..self.control.lanes() {
            loop {
                let one = self.control.ask(lane, |flow, _| flow.take_round()).await?;
                if let Some(one) = one {
                    done.push(one);
                    break;
                }
                tokio::time::sleep(PATIENCE).await;
            }
        }
        self.forget(&done);
        Ok(())
    }

    /// What the journal is brought down to, if it may not take as much as it wants.
    fn bytes_wanted(&self) -> Option<u64> {
        match self.bytes_max.load(Ordering::Relaxed) {
            0 => None,
            bytes_max => Some(bytes_max / 100 * FULL_PERCENT),
        }
    }

    async fn each(&self, act: fn(&mut crate::flow::Flow)) -> Result<(), Ended> {
        for lane in 0..self.control.lanes() {
            self.control.ask(lane, move |flow, _| act(flow)).await?;
        }
        Ok(())
    }

    fn forget(&mut self, done: &[RoundDone]) {
        // What is retained was written anew in the round before at the latest, so queues that
        // got it since point no further back than there.
        let before = self.start;
        for &(shard, basis) in done.iter().flat_map(|done| &done.bases) {
            self.start[usize::from(shard)] = basis;
        }
        if let Err(error) = write_start(&self.folder, &self.start) {
            return tracing::warn!(%error, "cannot note where a start may begin; nothing is let go");
        }
        let newest = self
            .bytes_wanted()
            .map(|bytes_wanted| self.journal.newest(bytes_wanted));
        for owner in &*self.owners {
            let Shard(shard) = owner.shard;
            let index = usize::from(shard);
            let floors = done.iter().map(|done| done.floors[index]);
            let mut floor = floors.min().unwrap_or(0).min(before[index]);
            if let Some(newest) = newest {
                // What waits for clients that stay away does not get more than its room.
                floor = floor.max(newest[index].min(self.start[index]));
            }
            if let Err(error) = self.journal.trim(owner, floor) {
                tracing::warn!(%error, shard, "cannot let go of old records");
            }
        }
        tracing::debug!("what holds is written down anew");
    }
}
