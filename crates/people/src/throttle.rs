//! Those who guess wait: how often something wrong may be shown from one address, or for one name.

use std::{collections::HashMap, hash::Hash, net::IpAddr, time::Duration};

use quartet_model::Time;

/// Wrong guesses that each has free.
const GUESSES: u32 = 10;
/// One more is free after each of these.
const EACH: Duration = Duration::from_secs(6);
/// How many are remembered; beyond that those that waited longest are forgotten.
const REMEMBERED_MAX: usize = 16_384;

/// From where, or for whom, was guessed lately.
#[derive(Debug)]
pub struct Throttle<K = IpAddr> {
    /// When one will have all its guesses again.
    free_at: HashMap<K, Time>,
}

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self {
            free_at: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// Whether one may try; else how long it is to wait.
    pub fn may_try(&self, one: &K, now: Time) -> Result<(), Duration> {
        let debt = self.free_at.get(one).map(|at| at.since(now));
        let allowed = EACH * (GUESSES - 1);
        match debt {
            Some(debt) if allowed < debt => Err(debt.saturating_sub(allowed)),
            _ => Ok(()),
        }
    }

    /// What it tried was wrong.
    pub fn was_wrong(&mut self, one: K, now: Time) {
        if REMEMBERED_MAX <= self.free_at.len() {
            self.free_at.retain(|_, at| now < *at);
        }
        if REMEMBERED_MAX <= self.free_at.len()
            && let Some(first) = self.free_at.iter().min_by_key(|(_, at)| **at)
        {
            let first = first.0.clone();
            self.free_at.remove(&first);
        }
        let at = self.free_at.entry(one).or_insert(now);
        *at = (*at).max(now).after(EACH);
    }

    /// What it tried was right, though it was counted as wrong before.
    pub fn was_right(&mut self, one: &K) {
        if let Some(at) = self.free_at.get_mut(one) {
            let us = EACH.as_micros() as u64;
            *at = Time::from_micros(at.as_micros().saturating_sub(us));
        }
    }
}

/// Whoever has one address of IPv6 has all that share its first 64 bits.
pub fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);

    #[test]
    fn who_guesses_too_often_waits_and_others_do_not() {
        let (guesser, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut throttle = Throttle::default();
        for _ in 0..GUESSES {
            assert_eq!(throttle.may_try(&guesser, NOW), Ok(()));
            throttle.was_wrong(guesser, NOW);
        }
        let wait = throttle.may_try(&guesser, NOW).unwrap_err();
        assert!(wait <= EACH);
        assert_eq!(throttle.may_try(&other, NOW), Ok(()));
        assert_eq!(throttle.may_try(&guesser, NOW.after(wait)), Ok(()));
    }

    #[test]
    fn who_is_right_does_not_wait() {
        let mut throttle = Throttle::default();
        for _ in 0..10 * GUESSES {
            assert_eq!(throttle.may_try(&"ana", NOW), Ok(()));
            throttle.was_wrong("ana", NOW);
            throttle.was_right(&"ana");
        }
    }

    #[test]
    fn one_network_of_ipv6_is_one_guesser() {
        let mut throttle = Throttle::default();
        for host in 0..u16::try_from(GUESSES).unwrap() {
            throttle.was_wrong(network([0x2001, 0xdb8, 1, 2, 0, 0, 0, host].into()), NOW);
        }
        let host = [0x2001, 0xdb8, 1, 2, 9, 9, 9, 9];
        assert!(throttle.may_try(&network(host.into()), NOW).is_err());
        let elsewhere = [0x2001, 0xdb8, 1, 3, 0, 0, 0, 0];
        assert!(throttle.may_try(&network(elsewhere.into()), NOW).is_ok());
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut throttle = Throttle::default();
        for n in 0..2 * REMEMBERED_MAX {
            throttle.was_wrong(n, NOW);
        }
        assert!(throttle.free_at.len() <= REMEMBERED_MAX);
    }
}
