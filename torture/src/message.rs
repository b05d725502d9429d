//! What is said: each message names itself, and its bytes prove that they are all there.

use std::fmt;

use bytes::Bytes;

/// One message: who said it, and its number among all that this publisher said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId {
    /// The publisher's number, from 0.
    pub publisher: usize,
    /// The message's number, from 0.
    pub number: usize,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {}:{}", self.publisher, self.number)
    }
}

/// The payload of a message, with so many bytes behind its name.
pub(crate) fn payload(id: MessageId, more_bytes: usize) -> Bytes {
    let mut bytes = format!("{}:{}:{more_bytes}:", id.publisher, id.number).into_bytes();
    bytes.extend((0..more_bytes).map(|at| filler(id, at)));
    bytes.into()
}

/// Which message a payload is; `None` if that is not what was said.
pub(crate) fn read(bytes: &[u8]) -> Option<MessageId> {
    let mut parts = bytes.splitn(4, |&byte| byte == b':');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
    let id = MessageId {
        publisher: number()?,
        number: number()?,
    };
    let more_bytes: usize = number()?;
    let more = parts.next()?;
    let is_whole = more.len() == more_bytes
        && more
            .iter()
            .enumerate()
            .all(|(at, &byte)| byte == filler(id, at));
    is_whole.then_some(id)
}

fn filler(id: MessageId, at: usize) -> u8 {
    (id.number * 31 + id.publisher + at) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_back_and_a_spoiled_one_is_not() {
        let id = MessageId {
            publisher: 2,
            number: 1_234,
        };
        for more_bytes in [0, 1, 300] {
            let bytes = payload(id, more_bytes);
            assert_eq!(read(&bytes), Some(id));
            assert_eq!(read(&bytes[..bytes.len() - 1]), None);
            let mut other = bytes.to_vec();
            *other.last_mut().unwrap() ^= 1;
            assert_eq!(read(&other), None);
        }
        assert_eq!(read(b""), None);
    }
}
