//! What begins in one request and ends in another: the challenge of a passkey, a way to a provider.
//!
//! Kept in memory for minutes, and bounded: who begins many loses the oldest of its own.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use quartet_model::Time;
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration};

use super::oidc::Way;

/// How long there is for it.
pub(super) const LASTS: Duration = Duration::from_secs(5 * 60);
/// How many there are at once, at most.
const MAX: usize = 4096;
/// How many one network has at once, at most.
const OF_ONE_MAX: usize = 64;

/// What was begun.
pub(super) enum Ceremony {
    /// Somebody signs in with a passkey, and has not said who that is.
    SignIn(Box<DiscoverableAuthentication>),
    /// A person gets a passkey.
    Add {
        /// Who.
        element: String,
        /// By what its passkeys know the person.
        handle: String,
        /// What the library is to remember.
        state: Box<PasskeyRegistration>,
    },
    /// Somebody is on the way to a provider.
    Provider(Box<Way>),
}

/// Those that were begun, by what they are called.
#[derive(Default)]
pub(crate) struct Ceremonies(HashMap<String, Begun>);

struct Begun {
    what: Ceremony,
    by: IpAddr,
    ends_at: Time,
}

impl Ceremonies {
    /// Begins one for somebody at an address (of a whole network).
    pub(super) fn begin(&mut self, id: String, what: Ceremony, by: IpAddr, now: Time) {
        self.0.retain(|_, begun| now < begun.ends_at);
        let own = self.0.values().filter(|begun| begun.by == by).count();
        if OF_ONE_MAX <= own {
            self.drop_oldest(|begun| begun.by == by);
        } else if MAX <= self.0.len() {
            self.drop_oldest(|_| true);
        }
        let ends_at = now.after(LASTS);
        self.0.insert(id, Begun { what, by, ends_at });
    }

    /// Ends one: it can be ended once.
    pub(super) fn end(&mut self, id: &str, now: Time) -> Option<Ceremony> {
        let begun = self.0.remove(id)?;
        (now < begun.ends_at).then_some(begun.what)
    }

    fn drop_oldest(&mut self, is_meant: impl Fn(&Begun) -> bool) {
        let meant = self.0.iter().filter(|(_, begun)| is_meant(begun));
        let oldest = meant.min_by_key(|(_, begun)| begun.ends_at);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.0.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;
    use webauthn_rs::WebauthnBuilder;

    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    fn ceremony() -> Ceremony {
        let origin = Url::parse("http://localhost").unwrap();
        let webauthn = WebauthnBuilder::new("localhost", &origin).unwrap().build();
        let (_, state) = webauthn
            .unwrap()
            .start_discoverable_authentication()
            .unwrap();
        Ceremony::SignIn(Box::new(state))
    }

    #[test]
    fn one_ends_once_and_in_time() {
        let mut all = Ceremonies::default();
        let by = [10, 0, 0, 1].into();
        all.begin("a".to_owned(), ceremony(), by, NOW);
        all.begin("b".to_owned(), ceremony(), by, NOW);
        assert!(all.end("a", NOW).is_some() && all.end("a", NOW).is_none());
        assert!(all.end("b", NOW.after(LASTS)).is_none());
    }

    #[test]
    fn who_begins_many_loses_its_own() {
        let mut all = Ceremonies::default();
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        all.begin("theirs".to_owned(), ceremony(), other, NOW);
        for n in 0..=OF_ONE_MAX as u64 {
            let now = NOW.after(Duration::from_secs(n));
            all.begin(n.to_string(), ceremony(), one, now);
        }
        assert!(all.end("0", NOW).is_none() && all.end("1", NOW).is_some());
        assert!(all.end("theirs", NOW).is_some());
    }
}
