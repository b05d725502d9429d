//! Secrets that the hub makes: random, shown once, and known to it by their hashes only.
//!
//! They are drawn from so many possibilities that a fast hash is enough: nobody can try them all.
//! Passwords that people think of are another matter.

use blake3::Hash;

/// Random bytes that make a secret: 128 bits.
pub const SECRET_BYTES: usize = 16;
/// Random bytes that make a code which a person types: 40 bits. It is good for minutes only.
pub const CODE_BYTES: usize = 5;

/// Letters that cannot be taken for one another (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A secret that was just made, to be shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret that these random bytes make, of letters and digits.
    pub fn of(random: &[u8]) -> Self {
        let mut text = String::with_capacity(random.len() * 8 / 5 + 1);
        let (mut bits, mut held) = (0_u32, 0);
        for &byte in random {
            bits = bits << 8 | u32::from(byte);
            held += 8;
            while 5 <= held {
                held -= 5;
                text.push(LETTERS[(bits >> held & 31) as usize].into());
            }
        }
        if 0 < held {
            text.push(LETTERS[(bits << (5 - held) & 31) as usize].into());
        }
        Self(text)
    }

    /// The secret in words.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As a person reads and types it: `7K3M-XQ2P`.
    pub fn grouped(&self) -> String {
        let upper = self.0.to_ascii_uppercase();
        let groups = upper.as_bytes().chunks(4);
        let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
        groups.join("-")
    }

    /// What the hub keeps of it.
    pub fn hash(&self) -> Hash {
        hash(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)") // Not into any log.
    }
}

/// What the hub keeps of a secret. Two of them are compared in constant time.
pub fn hash(secret: &str) -> Hash {
    blake3::hash(secret.as_bytes())
}

/// A code as a person typed it, as it was made: case, dashes and look-alikes do not matter.
pub fn typed(code: &str) -> String {
    let letters = code.chars().filter(|c| !matches!(c, '-' | ' '));
    let letters = letters.map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_all_the_bits_that_it_was_made_of() {
        assert_eq!(Secret::of(&[0xFF; SECRET_BYTES]).text().len(), 26);
        assert_eq!(Secret::of(&[0; CODE_BYTES]).grouped(), "0000-0000");
        let mut seen = std::collections::HashSet::new();
        for bit in 0..8 * SECRET_BYTES {
            let mut random = [0; SECRET_BYTES];
            random[bit / 8] |= 1 << (bit % 8);
            assert!(seen.insert(Secret::of(&random).text().to_owned()));
        }
    }

    #[test]
    fn a_code_is_understood_as_people_type_it() {
        let code = Secret::of(&[0x08, 0x42, 0x10, 0x84, 0x21]);
        assert_eq!(code.grouped(), "1111-1111");
        for as_typed in ["1111-1111", "llll iiii", "LIlI11-11"] {
            assert_eq!(typed(as_typed), code.text(), "{as_typed}");
        }
    }

    #[test]
    fn a_secret_is_not_for_logs() {
        assert_eq!(format!("{:?}", Secret::of(&[7; 16])), "Secret(…)");
    }
}
