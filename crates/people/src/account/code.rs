//! One-time codes that an app on a phone shows (TOTP, RFC 6238): six digits, new every half minute.
//!
//! A code that was used is good no more, nor is any before it [RFC 6238 5.2].

use quartet_model::Time;
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};

/// Random bytes that make a secret [RFC 4226 4, R6].
pub const SECRET_BYTES: usize = 20;
/// What apps show above the codes.
const ISSUER: &str = "Quartet";

/// What makes a person's codes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes {
    /// The secret, in base 32.
    secret: String,
    /// The step of the last code that was used.
    #[serde(default)]
    used: u64,
}

/// Why a secret makes no codes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secret must be {SECRET_BYTES} bytes in base 32, as the hub gave it")]
pub struct NoSecret;

impl Codes {
    /// What these random bytes make.
    pub fn of(random: [u8; SECRET_BYTES]) -> Self {
        Self {
            secret: Secret::new_stack(random).to_base32(),
            used: 0,
        }
    }

    /// What was given out before.
    pub fn of_text(secret: &str) -> Result<Self, NoSecret> {
        let read = Secret::try_from_base32(secret).map_err(|_| NoSecret)?;
        match <[u8; SECRET_BYTES]>::try_from(read.as_bytes()) {
            Ok(bytes) => Ok(Self::of(bytes)),
            Err(_) => Err(NoSecret),
        }
    }

    /// The secret, in base 32, for those who type it.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What a phone reads from a picture: `otpauth://totp/…`. `account` is what it is called there.
    pub fn uri(&self, account: &str) -> Result<String, NoSecret> {
        // A colon would end the issuer's name there.
        let builder = self.builder()?.with_account_name(account.replace(':', "-"));
        let codes = builder.with_issuer(Some(ISSUER)).build();
        codes.and_then(|codes| codes.to_url()).map_err(|_| NoSecret)
    }

    /// Whether a code is right now, half a minute ago or in half a minute, and newer than the last
    /// that was used. It is used then.
    pub fn accept(&mut self, code: &str, now: Time) -> bool {
        let code: String = code.chars().filter(|c| *c != ' ').collect();
        let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        let Some(codes) = self.codes().filter(|_| is_code) else {
            return false;
        };
        match codes.check(&code, now.as_micros() / 1_000_000) {
            Some(step) if self.used < step => {
                self.used = step;
                true
            }
            _ => false,
        }
    }

    fn builder(&self) -> Result<Builder, NoSecret> {
        let secret = Secret::try_from_base32(&self.secret).map_err(|_| NoSecret)?;
        Ok(Builder::new().with_secret(secret))
    }

    fn codes(&self) -> Option<Totp> {
        self.builder().ok()?.build().ok()
    }
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codes(…)") // Not into any log.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::from_micros(s * 1_000_000)
    }

    /// The secret and the times of RFC 6238, appendix B, with the last six of eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (s, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let mut codes = Codes::of(*b"12345678901234567890");
            assert!(codes.accept(code, at(s)), "{code}");
        }
    }

    #[test]
    fn a_code_is_used_once_and_none_before_it_later() {
        let mut codes = Codes::of(*b"12345678901234567890");
        assert!(codes.accept("287 082", at(59)));
        assert!(!codes.accept("287082", at(59)));
        let mut read: Codes =
            serde_json::from_str(&serde_json::to_string(&codes).unwrap()).unwrap();
        assert!(!read.accept("287082", at(61)));
    }

    #[test]
    fn what_is_no_code_is_wrong() {
        let mut codes = Codes::of(*b"12345678901234567890");
        for odd in ["", "28708", "2870821", "abcdef", "２８７０８２", "287083"] {
            assert!(!codes.accept(odd, at(59)), "{odd}");
        }
    }

    #[test]
    fn a_secret_is_given_out_and_read_back() {
        let codes = Codes::of(*b"12345678901234567890");
        assert_eq!(Codes::of_text(codes.secret()), Ok(codes.clone()));
        for odd in ["", "!", "JBSWY3DP"] {
            assert_eq!(Codes::of_text(odd), Err(NoSecret), "{odd}");
        }
        let uri = codes.uri("people:ana").unwrap();
        assert!(uri.starts_with("otpauth://totp/Quartet"), "{uri}");
        assert!(uri.contains(codes.secret()), "{uri}");
    }
}
