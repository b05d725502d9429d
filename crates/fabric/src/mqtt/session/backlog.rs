//! Messages that wait, as places in the journal: about eight bytes each, whatever their size.

use std::collections::{VecDeque, vec_deque};

use quartet_model::{Place, Qos};

/// One message that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    pub(super) subscription_ids: Box<[u32]>,
}

/// A queue of entries in wire form: a byte of flags, the shard, the sequence and, if there are
/// any, the subscription identifiers.
#[derive(Clone, Default)]
pub(super) struct Backlog {
    bytes: VecDeque<u8>,
    count: usize,
}

const RETAIN: u8 = 4;
const HAS_IDS: u8 = 8;

impl Backlog {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds an entry behind the others.
    pub(super) fn push(&mut self, entry: &Entry) {
        write_entry(entry, |byte| self.bytes.push_back(byte));
        self.count += 1;
    }

    /// Takes the first entry out.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let mut entries = self.iter();
        let entry = entries.next()?;
        let left = entries.bytes.len();
        self.bytes.drain(..self.bytes.len() - left);
        self.count -= 1;
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
        }
        Some(entry)
    }

    pub(super) fn first(&self) -> Option<Entry> {
        self.iter().next()
    }

    pub(super) fn iter(&self) -> Entries<'_> {
        Entries {
            bytes: self.bytes.iter(),
        }
    }

    /// Takes over all entries of another backlog, behind its own.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.bytes.append(&mut other.bytes);
        self.count += std::mem::take(&mut other.count);
    }
}

/// The entries of a backlog, first to last.
pub(super) struct Entries<'b> {
    bytes: vec_deque::Iter<'b, u8>,
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        read_entry(&mut self.bytes.by_ref().copied())
    }
}

/// Writes an entry.
pub(super) fn write_entry(entry: &Entry, mut put: impl FnMut(u8)) {
    let ids = &entry.subscription_ids;
    let has_ids = if ids.is_empty() { 0 } else { HAS_IDS };
    put(entry.qos.level() | if entry.retain { RETAIN } else { 0 } | has_ids);
    put(entry.place.shard());
    put_number(entry.place.seq(), &mut put);
    if has_ids != 0 {
        put_number(ids.len() as u64, &mut put);
        for &id in ids {
            put_number(id.into(), &mut put);
        }
    }
}

/// Reads what [`write_entry`] wrote; `None` at the end, or if that is not it.
pub(super) fn read_entry(bytes: &mut impl Iterator<Item = u8>) -> Option<Entry> {
    let flags = bytes.next()?;
    let shard = bytes.next()?;
    let seq = number(bytes)?;
    let count = if flags & HAS_IDS == 0 {
        0
    } else {
        number(bytes)?
    };
    let ids = (0..count).map(|_| number(bytes).and_then(|id| u32::try_from(id).ok()));
    Some(Entry {
        place: Place::new(shard, seq),
        qos: Qos::from_level(flags & 3)?,
        retain: flags & RETAIN != 0,
        subscription_ids: ids.collect::<Option<_>>()?,
    })
}

/// Writes a number, seven bits a byte, the lowest first.
pub(super) fn put_number(mut number: u64, put: &mut impl FnMut(u8)) {
    while 0x7F < number {
        put(number as u8 | 0x80);
        number >>= 7;
    }
    put(number as u8);
}

/// Reads what [`put_number`] wrote.
pub(super) fn number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn entries_come_out_as_they_went_in(
            entries in vec((0..64_u8, 1..u64::MAX >> 8, 0..3_u8, any::<bool>(), vec(any::<u32>(), 0..3)), 0..40),
        ) {
            let entries: Vec<Entry> = entries
                .into_iter()
                .map(|(shard, seq, qos, retain, ids)| Entry {
                    place: Place::new(shard, seq),
                    qos: Qos::from_level(qos).unwrap(),
                    retain,
                    subscription_ids: ids.into(),
                })
                .collect();
            let mut backlog = Backlog::default();
            for entry in &entries {
                backlog.push(entry);
            }
            prop_assert_eq!(backlog.len(), entries.len());
            prop_assert_eq!(backlog.iter().collect::<Vec<_>>(), entries.clone());
            for entry in entries {
                prop_assert_eq!(backlog.pop(), Some(entry));
            }
            prop_assert!(backlog.is_empty());
        }
    }
}
