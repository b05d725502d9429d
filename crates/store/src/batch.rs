use bytes::Bytes;

use crate::{
    AppendError, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BODY_BYTES_MAX, BODY_INLINE_BYTES_MAX,
    RECORD_BYTES_MAX,
};

/// Records that are kept together or not at all. Their heads are in one piece of memory; bodies
/// are where they came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    heads: Vec<u8>,
    /// Where each head ends.
    ends: Vec<u32>,
    /// The bodies and whose they are, in order.
    bodies: Vec<(usize, Bytes)>,
    /// Bytes of the bodies that are not long.
    inline_bytes: usize,
    /// Bytes of those that are.
    body_bytes: usize,
}

/// A record of a batch. Who reads it sees head and body in one piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'b> {
    /// What it begins with.
    pub head: &'b [u8],
    /// What follows; mostly nothing.
    pub body: &'b [u8],
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.push_with(|bytes| bytes.extend_from_slice(record));
    }

    /// Adds the record that `write` appends; it must only append.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.heads);
        self.ends
            .push(u32::try_from(self.heads.len()).unwrap_or(u32::MAX));
    }

    /// Adds a record that begins with what `write_head` appends and ends with `body`, which is not
    /// copied.
    pub fn push_with_body(&mut self, write_head: impl FnOnce(&mut Vec<u8>), body: Bytes) {
        self.push_with(write_head);
        if body.len() <= BODY_INLINE_BYTES_MAX {
            self.inline_bytes += body.len();
        } else {
            self.body_bytes += body.len();
        }
        if !body.is_empty() {
            self.bodies.push((self.ends.len() - 1, body));
        }
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes the records have, without long bodies.
    pub fn bytes(&self) -> usize {
        self.heads.len() + self.inline_bytes
    }

    /// How many bytes the long bodies have, those of more than [`BODY_INLINE_BYTES_MAX`].
    pub fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// The records, in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        let mut start = 0;
        let mut bodies = self.bodies.iter().peekable();
        self.ends.iter().enumerate().map(move |(record, &end)| {
            let head = &self.heads[start..end as usize];
            start = end as usize;
            let body = bodies.next_if(|(of, _)| *of == record);
            Record {
                head,
                body: body.map_or(&[], |(_, body)| body),
            }
        })
    }

    /// Whether every implementation takes a batch like this.
    pub fn check(&self) -> Result<(), AppendError> {
        let longest = self.records().map(|record| record.inline_bytes()).max();
        let longest = longest.unwrap_or(0);
        let body_bytes = self.bodies.iter().map(|(_, body)| body.len()).max();
        let body_bytes = body_bytes.unwrap_or(0);
        let is_allowed = self.len() <= BATCH_RECORDS_MAX
            && self.bytes() <= BATCH_BYTES_MAX
            && longest <= RECORD_BYTES_MAX
            && body_bytes <= BODY_BYTES_MAX;
        is_allowed.then_some(()).ok_or(AppendError::TooLarge {
            records: self.len(),
            bytes: self.bytes(),
            longest_bytes: longest,
            body_bytes,
        })
    }
}

impl Record<'_> {
    /// Head and body in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        [self.head, self.body].concat()
    }

    /// How many bytes it has without a long body.
    fn inline_bytes(&self) -> usize {
        let body_bytes = self.body.len();
        let is_long = BODY_INLINE_BYTES_MAX < body_bytes;
        self.head.len() + if is_long { 0 } else { body_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_bodies_that_were_pushed_with_them() {
        let body = |bytes| Bytes::from(vec![7; bytes]);
        let mut batch = Batch::default();
        batch.push(b"one");
        batch.push_with_body(|head| head.extend_from_slice(b"two"), body(2));
        batch.push_with_body(|_| {}, body(BODY_INLINE_BYTES_MAX + 1));
        batch.push_with_body(|head| head.push(4), Bytes::new());
        let records: Vec<_> = batch.records().collect();
        let long = vec![7; BODY_INLINE_BYTES_MAX + 1];
        let expected: [(&[u8], &[u8]); 4] =
            [(b"one", b""), (b"two", &[7, 7]), (b"", &long), (&[4], b"")];
        assert_eq!(records, expected.map(|(head, body)| Record { head, body }));
        assert_eq!(batch.bytes(), 3 + 3 + 2 + 1);
        assert_eq!(batch.body_bytes(), long.len());
        assert_eq!(batch.check(), Ok(()));
    }
}
