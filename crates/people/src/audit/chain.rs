use blake3::Hash;
use serde::{Deserialize, Serialize};

use super::Entry;

/// What the first line of all names as the one before it.
const NOTHING: Hash = Hash::from_bytes([0; 32]);

/// An entry in its place.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Link {
    /// Its number: 1 for the first one ever, without gaps.
    pub n: u64,
    /// The hash of the line before it, in hexadecimal digits.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Makes lines of entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    next: u64,
    head: Hash,
}

/// The hash of a line: what the next one names.
pub fn head_of(line: &str) -> Hash {
    blake3::hash(line.as_bytes())
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            next: 1,
            head: NOTHING,
        }
    }
}

impl Chain {
    /// Goes on behind a line with this number.
    pub fn after(n: u64, line: &str) -> Self {
        Self {
            next: n + 1,
            head: head_of(line),
        }
    }

    /// The number of the next line.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The hash of the last line.
    pub fn head(&self) -> Hash {
        self.head
    }

    /// The next line, without its end.
    pub fn link(&mut self, entry: Entry) -> String {
        let link = Link {
            n: self.next,
            prev: self.head.to_hex().to_string(),
            entry,
        };
        let line = serde_json::to_string(&link).expect("texts and numbers are JSON");
        *self = Self::after(link.n, &line);
        line
    }
}

/// Looks whether lines are as they were written, one after the other.
#[derive(Default, Debug)]
pub struct Verifier {
    last: Option<Chain>,
    first: u64,
}

/// Why a line cannot be as it was written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadLine {
    /// It is no entry.
    #[error("this is no line of an audit: {0}")]
    NoEntry(String),
    /// Lines are missing before it, or in another order.
    #[error("this is entry {found}; entry {expected} must come here")]
    Number {
        /// Which must come.
        expected: u64,
        /// Which is there.
        found: u64,
    },
    /// The line before it is another one than when it was written.
    #[error(
        "entry {n} names {named} as the hash of the one before, which has {found}: one of the two was altered"
    )]
    Broken {
        /// The entry.
        n: u64,
        /// What it names.
        named: String,
        /// What is there.
        found: String,
    },
}

impl Verifier {
    /// Looks at the next line.
    pub fn take(&mut self, line: &str) -> Result<Link, BadLine> {
        let link: Link =
            serde_json::from_str(line).map_err(|error| BadLine::NoEntry(error.to_string()))?;
        let expected = match &self.last {
            Some(last) => last.clone(),
            // Where a record begins later, nobody can tell what was before.
            None if link.n == 1 => Chain::default(),
            None => Chain {
                next: link.n,
                head: Hash::from_hex(&link.prev).unwrap_or(NOTHING),
            },
        };
        if link.n != expected.next {
            return Err(BadLine::Number {
                expected: expected.next,
                found: link.n,
            });
        }
        let found = expected.head.to_hex();
        if link.prev != *found {
            return Err(BadLine::Broken {
                n: link.n,
                named: link.prev,
                found: found.to_string(),
            });
        }
        self.last = Some(Chain::after(link.n, line));
        if self.first == 0 {
            self.first = link.n;
        }
        Ok(link)
    }

    /// The first and the last entry that were looked at, and the hash of the last.
    pub fn seen(&self) -> Option<(u64, u64, Hash)> {
        let last = self.last.as_ref()?;
        Some((self.first, last.next - 1, last.head))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quartet_model::Time;

    use super::*;
    use crate::audit::What;

    fn lines(count: u64) -> Vec<String> {
        let mut chain = Chain::default();
        let entry = |n| {
            let at = Time::from_micros(n * 1_000_000);
            Entry::new(at, What::Refused, "people/ben").on("things/lamp")
        };
        (0..count).map(|n| chain.link(entry(n))).collect()
    }

    fn verify(lines: &[String]) -> Result<Option<(u64, u64, Hash)>, BadLine> {
        let mut verifier = Verifier::default();
        for line in lines {
            verifier.take(line)?;
        }
        Ok(verifier.seen())
    }

    #[test]
    fn lines_as_they_were_written_are_right_from_wherever_they_begin() {
        let lines = lines(9);
        let head = head_of(lines.last().unwrap());
        assert_eq!(verify(&lines), Ok(Some((1, 9, head))));
        assert_eq!(verify(&lines[4..]), Ok(Some((5, 9, head))));
        assert_eq!(verify(&[]), Ok(None));
    }

    #[test]
    fn a_line_is_read_back() {
        let line = lines(1).remove(0);
        let link: Link = serde_json::from_str(&line).unwrap();
        assert_eq!((link.n, &*link.entry.who), (1, "people/ben"));
        assert_eq!(serde_json::to_string(&link).unwrap(), line);
    }

    #[test]
    fn a_line_that_is_gone_or_altered_is_found() {
        let mut less = lines(5);
        less.remove(2);
        assert!(matches!(
            verify(&less),
            Err(BadLine::Number {
                expected: 3,
                found: 4
            })
        ));
        let mut other = lines(5);
        other[1] = other[1].replace("ben", "ana");
        assert!(matches!(verify(&other), Err(BadLine::Broken { n: 3, .. })));
        let mut first = lines(2);
        first[0] = first[0].replacen("00", "11", 1);
        assert!(matches!(verify(&first), Err(BadLine::Broken { n: 1, .. })));
        assert!(matches!(
            verify(&["{}".to_owned()]),
            Err(BadLine::NoEntry(_))
        ));
    }

    proptest! {
        /// Whatever byte of whatever line but the last is another one, it is found.
        #[test]
        fn no_byte_can_be_altered(line in 0_usize..4, at in any::<prop::sample::Index>(), to in b' '..b'~') {
            let mut lines = lines(5);
            let mut bytes = lines[line].clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            lines[line] = String::from_utf8(bytes).unwrap();
            prop_assert!(verify(&lines).is_err());
        }
    }
}
