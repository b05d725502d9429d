//! Passwords that people think of: judged when they are chosen, and kept as Argon2id makes them
//! (RFC 9106), for somebody might try many of them.
//!
//! This is slow and takes memory on purpose: whoever calls it sees to it that few run at once.

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};

/// Random bytes that make two hashes of one password differ.
pub const SALT_BYTES: usize = 16;
/// Characters that a password has at least.
pub const LENGTH_MIN: usize = 10;
/// Bytes that one has at most: more is no help, and takes time.
pub const BYTES_MAX: usize = 1024;

/// What is compared with if there is nothing to compare with, so that it takes as long. Nobody
/// knows a password that makes it.
pub const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What everyone tries first, of those that are long enough; in small letters, without digits at the end.
const KNOWN: [&str; 26] = [
    "abcdefghij",
    "administrator",
    "asdfghjkl",
    "changeme",
    "correcthorsebatterystaple",
    "homeassistant",
    "iloveyou",
    "letmein",
    "letmeinplease",
    "mosquitto",
    "mypassword",
    "passphrase",
    "password",
    "passwordpassword",
    "passwort",
    "qazwsxedc",
    "quartet",
    "quartetquartet",
    "qwerty",
    "qwertyuiop",
    "qwertzuiop",
    "raspberry",
    "superman",
    "supersecret",
    "trustnoone",
    "welcome",
];

/// Why a password is not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Weak {
    /// It has too few characters.
    #[error(
        "the password has {0} characters; take at least {LENGTH_MIN}, such as four words that you remember"
    )]
    Short(usize),
    /// It has too many bytes.
    #[error("the password has more than {BYTES_MAX} bytes; take a shorter one")]
    Long,
    /// It says who the person is.
    #[error("the password is your name; take something that others do not know")]
    Name,
    /// Everyone tries it first.
    #[error(
        "this password is one of the first that anyone tries; take another, such as four words that you remember"
    )]
    Known,
}

/// Whether a password may be chosen by somebody who goes by these names.
pub fn judge(password: &str, names: &[&str]) -> Result<(), Weak> {
    let length = password.chars().count();
    if length < LENGTH_MIN {
        return Err(Weak::Short(length));
    }
    if BYTES_MAX < password.len() {
        return Err(Weak::Long);
    }
    let lower = password.to_lowercase();
    let letters = lower.trim_end_matches(|c: char| !c.is_alphabetic());
    let is_name = |name: &&str| {
        let name = name.to_lowercase();
        !name.is_empty()
            && (lower == name || letters == name || lower.replace(&name, "").is_empty())
    };
    if names.iter().any(is_name) {
        return Err(Weak::Name);
    }
    if KNOWN.contains(&letters) || is_row(&lower) {
        return Err(Weak::Known);
    }
    Ok(())
}

/// Whether it is one character, or characters in a row: `aaaaaaaaaa`, `1234567890`.
fn is_row(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let all = |step: i64| codes.windows(2).all(|pair| pair[1] - pair[0] == step);
    // Zero comes after nine on keyboards.
    [0, 1, -1].into_iter().any(all) || "12345678901234567890".starts_with(text)
}

/// What is kept of a password, as a PHC string.
pub fn hash(password: &str, salt: [u8; SALT_BYTES]) -> String {
    let made = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    made.expect("the salt and the password have lengths that Argon2 takes")
        .to_string()
}

/// Whether it is the password of which this was kept.
pub fn is_right(password: &str, kept: &str) -> bool {
    if BYTES_MAX < password.len() {
        return false;
    }
    PasswordHash::new(kept).is_ok_and(|kept| {
        Argon2::default()
            .verify_password(password.as_bytes(), &kept)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_if_it_is_the_same() {
        let kept = hash("four words you remember", [1; SALT_BYTES]);
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert!(is_right("four words you remember", &kept));
        assert!(!is_right("four words you forget", &kept));
        assert!(!is_right("", &kept));
        assert_ne!(kept, hash("four words you remember", [2; SALT_BYTES]));
    }

    #[test]
    fn nobodys_takes_as_long_and_is_never_right() {
        assert!(PasswordHash::new(NOBODYS).is_ok());
        for odd in ["", "password", NOBODYS] {
            assert!(!is_right(odd, NOBODYS));
        }
        assert!(!is_right("password", "no hash"));
    }

    #[test]
    fn bad_passwords_are_refused_with_a_reason() {
        for (password, expected) in [
            ("short", Weak::Short(5)),
            ("Ana-Maria Lopez", Weak::Name),
            ("ana-maria lopez2024!", Weak::Name),
            ("lopezlopez", Weak::Name),
            ("Password123", Weak::Known),
            ("1234567890", Weak::Known),
            ("0000000000", Weak::Known),
            ("zyxwvutsrqp", Weak::Known),
            ("qwertzuiop1", Weak::Known),
            (&"x".repeat(BYTES_MAX + 1), Weak::Long),
        ] {
            let judged = judge(password, &["lopez", "Ana-Maria Lopez"]);
            assert_eq!(judged, Err(expected), "{password}");
        }
        for password in [
            "tree lamp river",
            "Ana's lamp is in the cellar",
            "ääääöööüüü!",
        ] {
            assert_eq!(judge(password, &["ana", ""]), Ok(()), "{password}");
        }
    }
}
