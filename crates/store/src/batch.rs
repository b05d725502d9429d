use crate::{AppendError, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, RECORD_BYTES_MAX};

/// Records that are kept together or not at all, in one piece of memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<u32>,
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(record));
    }

    /// Adds the record that `write` appends; it must only append.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends
            .push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes the records have.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The records, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let record = &self.bytes[start..end as usize];
            start = end as usize;
            record
        })
    }

    /// Whether every implementation takes a batch like this.
    pub fn check(&self) -> Result<(), AppendError> {
        let longest = self.records().map(<[u8]>::len).max().unwrap_or(0);
        let is_allowed = self.len() <= BATCH_RECORDS_MAX
            && self.bytes() <= BATCH_BYTES_MAX
            && longest <= RECORD_BYTES_MAX;
        is_allowed.then_some(()).ok_or(AppendError::TooLarge {
            records: self.len(),
            bytes: self.bytes(),
            longest_bytes: longest,
        })
    }
}
