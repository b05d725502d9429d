//! Which blobs there are, and for which segments. One content may have names for several segments,
//! which mostly are links of one file: it counts once, for the newest of them. So a blob goes
//! with its segment, and nothing has to be counted on the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::blob::Hash;

/// A log's blobs.
#[derive(Default)]
pub(super) struct Blobs {
    /// All names: segments and hashes.
    names: BTreeSet<(u64, Hash)>,
    /// For each content the newest segment that has it, and how long the file is.
    newest: HashMap<Hash, (u64, u64)>,
    /// For each segment how long the files are that no newer one has.
    segments: BTreeMap<u64, u64>,
    /// All of these.
    bytes: u64,
}

impl Blobs {
    /// A blob of `bytes` is there for segment `number`; no newer one had blobs yet.
    pub(super) fn add(&mut self, number: u64, hash: Hash, bytes: u64) {
        self.names.insert((number, hash));
        if let Some((older, bytes)) = self.newest.insert(hash, (number, bytes)) {
            self.subtract(older, bytes);
        }
        *self.segments.entry(number).or_default() += bytes;
        self.bytes += bytes;
    }

    /// The oldest segment goes; says which blobs it has.
    pub(super) fn remove(&mut self, number: u64) -> Vec<Hash> {
        let hashes = self.of(number);
        for &hash in &hashes {
            self.names.remove(&(number, hash));
            if let Some((newest, bytes)) = self.newest(&hash)
                && newest == number
            {
                self.newest.remove(&hash);
                self.subtract(number, bytes);
            }
        }
        hashes
    }

    /// The newest segment that has a content, and how long the file is.
    pub(super) fn newest(&self, hash: &Hash) -> Option<(u64, u64)> {
        self.newest.get(hash).copied()
    }

    /// The blobs of a segment.
    pub(super) fn of(&self, number: u64) -> Vec<Hash> {
        let names = self.names.range((number, Hash::default())..);
        names
            .take_while(|(of, _)| *of == number)
            .map(|(_, hash)| *hash)
            .collect()
    }

    /// How long those blobs of a segment are that no newer one has.
    pub(super) fn bytes_of(&self, number: u64) -> u64 {
        self.segments.get(&number).copied().unwrap_or_default()
    }

    /// How long all are.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many contents there are.
    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }

    fn subtract(&mut self, number: u64, bytes: u64) {
        self.bytes -= bytes;
        if let Some(left) = self.segments.get_mut(&number) {
            *left -= bytes;
            if *left == 0 {
                self.segments.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_counts_once_for_the_newest_segment_that_has_it() {
        let (one, two) = ([1; 32], [2; 32]);
        let mut blobs = Blobs::default();
        blobs.add(1, one, 10);
        blobs.add(1, two, 200);
        blobs.add(3, one, 10);
        assert_eq!(blobs.of(1), [one, two]);
        assert_eq!((blobs.len(), blobs.bytes()), (2, 210));
        assert_eq!([1, 2, 3].map(|number| blobs.bytes_of(number)), [200, 0, 10]);
        assert_eq!(blobs.newest(&one), Some((3, 10)));
        assert_eq!(blobs.remove(1), [one, two]);
        assert_eq!((blobs.len(), blobs.bytes()), (1, 10));
        assert_eq!(
            (blobs.newest(&one), blobs.newest(&two)),
            (Some((3, 10)), None)
        );
        assert_eq!(blobs.remove(3), [one]);
        assert_eq!((blobs.len(), blobs.bytes(), blobs.bytes_of(3)), (0, 0, 0));
    }
}
