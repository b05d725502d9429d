//! A disk in memory that loses what was not made safe when it crashes, and fails when it is told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Dice;
use crate::disk::{Disk, DiskFile};

/// What survives a crash or not as a whole; mostly.
const SECTOR_BYTES: usize = 512;
/// What is free on a disk that is not full.
const FREE_BYTES: u64 = 1 << 40;

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// An open file of a [`SimDisk`].
pub struct SimFile {
    state: Arc<Mutex<State>>,
    file: usize,
}

struct State {
    dice: Dice,
    /// Files by name.
    names: Names,
    /// The same as it is certainly found after a crash.
    names_safe: Names,
    /// What was done to the names since.
    changes: Vec<Change>,
    files: Vec<Contents>,
    /// How long a new file may be.
    free_bytes: u64,
    reads_short: bool,
    has_links: bool,
    /// So many more succeed, and then they fail like this.
    writes_left: Option<(usize, io::ErrorKind)>,
    syncs_left: Option<usize>,
}

type Names = BTreeMap<String, usize>;

enum Change {
    Create(String, usize),
    Rename(String, String),
    Link(String, String),
    Remove(String),
}

#[derive(Clone, Default)]
struct Contents {
    now: Vec<u8>,
    /// What is certainly found after a crash.
    safe: Vec<u8>,
    /// Sectors that were written since.
    dirty: BTreeSet<usize>,
}

impl SimDisk {
    /// An empty disk. All that chance decides follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::with(Dice::new(seed), Names::new(), Vec::new())
    }

    fn with(dice: Dice, names: Names, files: Vec<Contents>) -> Self {
        let state = State {
            dice,
            names_safe: names.clone(),
            names,
            changes: Vec::new(),
            files,
            free_bytes: FREE_BYTES,
            reads_short: false,
            has_links: true,
            writes_left: None,
            syncs_left: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The disk as it is found after the power was lost now. What was not made safe is there, or
    /// not, or torn, sector by sector. No fault is armed on it.
    pub fn crash(&self, seed: u64) -> Self {
        let state = self.state();
        let mut dice = Dice::new(seed);
        let mut names = state.names_safe.clone();
        let survive = dice.below(state.changes.len() + 1);
        for change in state.changes.iter().take(survive) {
            change.apply(&mut names);
        }
        let files = state.files.iter().map(|file| file.crash(&mut dice));
        let files = files.collect();
        Self::with(dice, names, files)
    }

    /// From now on there is no room for new files, or there is again.
    pub fn set_full(&self, is_full: bool) {
        self.set_free(if is_full { 0 } else { FREE_BYTES });
    }

    /// From now on a new file may have so many bytes, and no more.
    pub fn set_free(&self, bytes: u64) {
        self.state().free_bytes = bytes;
    }

    /// From now on no file gets a second name.
    pub fn refuse_links(&self) {
        self.state().has_links = false;
    }

    /// From now on reads give fewer bytes than were asked for.
    pub fn shorten_reads(&self) {
        self.state().reads_short = true;
    }

    /// After so many more writes, all fail; the first to fail has written some of its bytes.
    pub fn fail_writes_after(&self, writes: usize) {
        self.state().writes_left = Some((writes, io::ErrorKind::Other));
    }

    /// After so many more writes, none finds room; the first to fail has written some of its bytes.
    /// With `None` there is room again.
    pub fn fill_after(&self, writes: Option<usize>) {
        self.state().writes_left = writes.map(|writes| (writes, io::ErrorKind::StorageFull));
    }

    /// After so many more syncs, one fails and what it should have made safe is lost; those after
    /// it succeed, as they do on a real system.
    pub fn fail_sync_after(&self, syncs: usize) {
        self.state().syncs_left = Some(syncs);
    }

    /// Turns one bit of a file over. Says false if it is not that long.
    pub fn flip(&self, name: &str, byte: usize, bit: u32) -> bool {
        let mut state = self.state();
        let Some(&file) = state.names.get(name) else {
            return false;
        };
        let contents = &mut state.files[file];
        for bytes in [&mut contents.now, &mut contents.safe] {
            match bytes.get_mut(byte) {
                Some(byte) => *byte ^= 1 << (bit % 8),
                None => return false,
            }
        }
        true
    }

    /// Loses a file. Says false if there is none of that name.
    pub fn lose(&self, name: &str) -> bool {
        let mut state = self.state();
        state.names_safe.remove(name);
        state.names.remove(name).is_some()
    }

    /// All files and how long they are, in the order of their names.
    pub fn files(&self) -> Vec<(String, usize)> {
        let state = self.state();
        let length = |file: usize| state.files[file].now.len();
        let files = state.names.iter();
        files
            .map(|(name, &file)| (name.clone(), length(file)))
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Create(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Link(from, to) => {
                if let Some(&file) = names.get(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Contents {
    fn crash(&self, dice: &mut Dice) -> Self {
        let mut found = self.safe.clone();
        if found.len() != self.now.len() && dice.once_in(2) {
            found.resize(self.now.len(), 0);
        }
        for &sector in &self.dirty {
            let start = sector * SECTOR_BYTES;
            let end = (start + SECTOR_BYTES).min(found.len()).min(self.now.len());
            let survives = match dice.below(8) {
                0..=3 => end,
                4 => start + dice.below(SECTOR_BYTES), // torn
                _ => start,
            };
            let survives = survives.min(end);
            if start < survives {
                found[start..survives].copy_from_slice(&self.now[start..survives]);
            }
        }
        Self {
            now: found.clone(),
            safe: found,
            dirty: BTreeSet::new(),
        }
    }

    fn sync(&mut self) {
        self.safe.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let start = (sector * SECTOR_BYTES).min(self.now.len());
            let end = (start + SECTOR_BYTES).min(self.now.len());
            self.safe[start..end].copy_from_slice(&self.now[start..end]);
        }
    }
}

impl State {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn named(&self, name: &str) -> io::Result<usize> {
        let file = self.names.get(name).copied();
        file.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Counts a sync; fails if it is the one that shall.
    fn count_sync(&mut self) -> io::Result<()> {
        match &mut self.syncs_left {
            Some(0) => {
                self.syncs_left = None;
                Err(broken())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<SimFile> {
        let mut state = self.state();
        if state.names.contains_key(name) {
            state.change(Change::Remove(name.to_owned()));
        }
        if state.free_bytes < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = state.files.len();
        state.files.push(Contents {
            now: vec![0; usize::try_from(bytes).map_err(io::Error::other)?],
            ..Contents::default()
        });
        state.change(Change::Create(name.to_owned(), file));
        drop(state);
        Ok(SimFile {
            state: Arc::clone(&self.state),
            file,
        })
    }

    fn open(&self, name: &str) -> io::Result<SimFile> {
        Ok(SimFile {
            file: self.state().named(name)?,
            state: Arc::clone(&self.state),
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.named(from)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.named(from)?;
        if !state.has_links {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if state.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.change(Change::Link(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.named(name)?;
        state.change(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        state.count_sync()?;
        state.names_safe = state.names.clone();
        state.changes.clear();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state().free_bytes)
    }
}

impl SimFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskFile for SimFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.state().files[self.file].now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state();
        let short = state.reads_short && 1 < buffer.len();
        let most = if short {
            1 + state.dice.below(buffer.len())
        } else {
            buffer.len()
        };
        let bytes = &state.files[self.file].now;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let read = most.min(buffer.len()).min(bytes.len() - start);
        buffer[..read].copy_from_slice(&bytes[start..start + read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state();
        let (written, result) = match &mut state.writes_left {
            Some((0, kind)) => {
                let error = io::Error::new(*kind, FAILED);
                (state.dice.below(bytes.len()), Err(error))
            }
            Some((left, _)) => {
                *left -= 1;
                (bytes.len(), Ok(()))
            }
            None => (bytes.len(), Ok(())),
        };
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let contents = &mut state.files[self.file];
        let end = start + written;
        if contents.now.len() < end {
            contents.now.resize(end, 0);
        }
        contents.now[start..end].copy_from_slice(&bytes[..written]);
        if 0 < written {
            let sectors = start / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES;
            contents.dirty.extend(sectors);
        }
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let counted = state.count_sync();
        let contents = &mut state.files[self.file];
        match counted {
            Ok(()) => contents.sync(),
            Err(_) => contents.dirty.clear(), // as on a real system: it is forgotten that they are dirty
        }
        counted
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        self.state().files[self.file].now.resize(bytes, 0);
        Ok(())
    }
}

const FAILED: &str = "the simulated disk failed";

fn broken() -> io::Error {
    io::Error::other(FAILED)
}
