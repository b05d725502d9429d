//! What the hub knows again after a start: the journal is opened and read, and the lanes take
//! over what they knew.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use quartet_store::{Journal, Key, Local, LocalOptions, Owner, SHARDS_MAX, Shard};

use super::{
    clock::Clock,
    control::Control,
    rounds::{Rounds, Start, start_of},
    start::StartError,
};
use crate::{
    config::Config,
    flow::{
        Flow,
        keep::{Recall, recover},
    },
};

/// The journal's folder in the data folder.
pub const JOURNAL: &str = "journal";

/// An open journal.
pub(super) struct Kept {
    pub(super) journal: Arc<Local>,
    pub(super) owners: Arc<[Owner]>,
    folder: PathBuf,
    start: Start,
}

impl Kept {
    /// Opens the journal in the data folder and gives the lanes what they knew.
    pub(super) fn open(
        config: &Config,
        flows: &mut [Flow],
        clock: Clock,
    ) -> Result<Self, StartError> {
        let folder = &config.data.join(JOURNAL);
        let error = |why: String| StartError::Journal {
            path: folder.display().to_string(),
            why,
        };
        let begun = clock.now();
        let key = config.journal_key.as_deref().map(read_key).transpose();
        let options = LocalOptions {
            // The lanes bound what is under way.
            waiting_bytes_max: usize::MAX,
            key: key.map_err(error)?,
            ..LocalOptions::default()
        };
        let journal = Local::open(folder, options).map_err(|why| error(why.to_string()))?;
        let own = |shard| journal.own(Shard(shard));
        let owners: Vec<Owner> = (0..SHARDS_MAX as u8)
            .map(own)
            .collect::<Result<_, _>>()
            .map_err(|why| error(why.to_string()))?;
        let start = start_of(&journal, folder);
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
    pub(super) fn rounds(self, control: Control, bytes_max: Arc<AtomicU64>) -> Rounds {
        Rounds {
            control,
            journal: self.journal,
            owners: self.owners,
            folder: self.folder,
            start: self.start,
            bytes_max,
        }
    }
}

/// Reads the key of an encrypted journal: 32 bytes, as they are or as 64 hexadecimal digits.
pub fn read_key(file: &Path) -> Result<Key, String> {
    let bytes = std::fs::read(file)
        .map_err(|why| format!("cannot read the key in {}: {why}", file.display()))?;
    let key = <[u8; 32]>::try_from(&*bytes).ok().or_else(|| {
        let digits = std::str::from_utf8(&bytes).ok()?.trim();
        let is_key = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap_or(0);
        is_key.then(|| std::array::from_fn(byte))
    });
    key.map(Key::new).ok_or_else(|| {
        format!(
            "{} holds no key: it must have 32 bytes, or 64 hexadecimal digits as from `openssl rand -hex 32`",
            file.display()
        )
    })
}
