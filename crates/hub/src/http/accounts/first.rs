//! The link of the first owner: while nobody has an account, whoever reads what the hub says when it
//! starts may take it into care.
//!
//! The code is kept in memory only: with the next start it is void, and there is another one.

use blake3::Hash;
use parking_lot::Mutex;
use quartet_people::secret::{self, Secret};

/// The code that is good now, if any.
#[derive(Default, Debug)]
pub(crate) struct First(Mutex<Option<Hash>>);

impl First {
    /// This code makes an owner.
    pub(crate) fn of(code: &Secret) -> Self {
        Self(Mutex::new(Some(code.hash())))
    }

    /// Whether a code is the one.
    pub(super) fn is(&self, code: &str) -> bool {
        let shown = secret::hash(&secret::typed(code));
        self.0.lock().is_some_and(|hash| hash == shown)
    }

    /// Uses the code: it is good once. Says whether it was good.
    pub(super) fn take(&self, code: &str) -> bool {
        let shown = secret::hash(&secret::typed(code));
        self.0.lock().take_if(|hash| *hash == shown).is_some()
    }

    /// What was taken is of use again: nothing came of it.
    pub(super) fn put_back(&self, code: &str) {
        *self.0.lock() = Some(secret::hash(&secret::typed(code)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_good_once() {
        let code = Secret::of(&[7; 16]);
        let first = First::of(&code);
        assert!(!first.is("guess") && !first.take("guess"));
        assert!(first.is(code.text()) && first.take(&code.grouped().to_lowercase()));
        assert!(!first.is(code.text()) && !first.take(code.text()));
        first.put_back(code.text());
        assert!(first.take(code.text()));
        assert!(!First::default().take(code.text()));
    }
}
