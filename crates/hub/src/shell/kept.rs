//! What the hub knows again after a start: the journal is opened and read, and the lanes take
//! over what they knew.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use quartet_store::{Journal, Local, LocalOptions, Owner, SHARDS_MAX, Shard};

use super::{
    clock::Clock,
    control::Control,
    rounds::{Rounds, Start, read_start},
    start::StartError,
};
use crate::flow::{
    Flow,
    keep::{Recall, recover},
};

/// An open journal.
pub(super) struct Kept {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) owners: Arc<[Owner]>,
    folder: PathBuf,
    start: Start,
}

impl Kept {
    /// Opens the journal in `folder` and gives the lanes what they knew.
    pub(super) fn open(
        folder: &Path,
        flows: &mut [Flow],
        clock: Clock,
    ) -> Result<Self, StartError> {
        let error = |why: String| StartError::Journal {
            path: folder.display().to_string(),
            why,
        };
        let begun = clock.now();
        let options = LocalOptions::default();
        let journal = Local::open(folder, options).map_err(|why| error(why.to_string()))?;
        let own = |shard| journal.own(Shard(shard));
        let owners: Vec<Owner> = (0..SHARDS_MAX as u8)
            .map(own)
            .collect::<Result<_, _>>()
            .map_err(|why| error(why.to_string()))?;
        let mut start = read_start(folder);
        for (seq, owner) in start.iter_mut().zip(&owners) {
            let (first, next) = journal.span(owner.shard);
            if !(first..=next).contains(seq) {
                *seq = first; // A start may begin earlier than it must.
            }
        }
        let mut recall = Recall::new(flows.len());
        let mut records = 0_u64;
        let mut wrong = None;
        journal
            .replay(&start, &mut |Shard(shard), seq, record| {
                records += 1;
                if wrong.is_none()
                    && let Err(why) = recall.record(shard, seq, record)
                {
                    wrong = Some(format!("record {seq} of shard {shard}: {why}"));
                }
            })
            .map_err(|why| error(why.to_string()))?;
        if let Some(why) = wrong {
            return Err(error(why));
        }
        let next: Vec<u64> = owners.iter().map(|owner| owner.next).collect();
        recover(flows, recall.finish(), &next, clock.now());
        let ms = clock.now().since(begun).as_millis() as u64;
        if 0 < records {
            let figures = flows.iter().map(Flow::figures);
            let (sessions, retained) = figures.fold((0, 0), |(sessions, retained), one| {
                (sessions + one.sessions, retained + one.retained)
            });
            tracing::info!(records, sessions, retained, ms, "read the journal");
        }
        Ok(Self {
            journal: Arc::new(journal),
            owners: owners.into(),
            folder: folder.to_owned(),
            start,
        })
    }

    /// What keeps the journal short.
    pub(super) fn rounds(self, control: Control) -> Rounds {
        Rounds {
            control,
            journal: self.journal,
            owners: self.owners,
            folder: self.folder,
            start: self.start,
        }
    }
}
