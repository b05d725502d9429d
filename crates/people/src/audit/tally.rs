use std::{
    collections::{HashMap, hash_map},
    net::IpAddr,
    time::Duration,
};

use quartet_model::Time;

use super::{Door, Entry, What};
use crate::role::Deed;

/// Entries that are told apart; more of them are counted together.
const APART_MAX: usize = 4096;
/// What happens again within this time is counted.
const AGAIN: Duration = Duration::from_secs(60);
/// Programs show their credential with each request.
const AGAIN_IN: Duration = Duration::from_secs(3600);

/// What happens again and again: the first time it is told at once, then how often it happened. So
/// whoever floods the hub with what is refused does not fill the audit.
#[derive(Default, Debug)]
pub struct Tally {
    again: HashMap<Same, Counted>,
    new: Vec<Entry>,
    /// What could not be told apart, and since when.
    more: u64,
}

/// What is the same of entries that are counted together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Same {
    what: What,
    who: String,
    on: String,
    deed: Option<Deed>,
    door: Option<Door>,
    from: Option<IpAddr>,
}

#[derive(Debug)]
struct Counted {
    /// Since when.
    since: Time,
    /// The last time, to be told with how often it was.
    last: Option<Box<Entry>>,
    times: u64,
}

impl Tally {
    /// Something happened that may happen often.
    pub fn note(&mut self, entry: Entry) {
        let same = Same {
            what: entry.what,
            who: entry.who.clone(),
            on: entry.on.clone(),
            deed: entry.deed,
            door: entry.door,
            from: entry.from,
        };
        let is_full = APART_MAX <= self.again.len();
        match self.again.entry(same) {
            hash_map::Entry::Occupied(mut there) => {
                let there = there.get_mut();
                there.times += entry.times;
                match &mut there.last {
                    Some(last) => **last = entry,
                    last => *last = Some(Box::new(entry)),
                }
            }
            hash_map::Entry::Vacant(_) if is_full => self.more += entry.times,
            hash_map::Entry::Vacant(there) => {
                there.insert(Counted {
                    since: entry.at,
                    last: None,
                    times: 0,
                });
                self.new.push(entry);
            }
        }
    }

    /// What could not even be noted, so often.
    pub fn note_more(&mut self, times: u64) {
        self.more += times;
    }

    /// What is to be written down by now.
    pub fn take(&mut self, now: Time) -> Vec<Entry> {
        self.take_if(|same, counted| {
            let window = match same.what {
                What::CameIn => AGAIN_IN,
                _ => AGAIN,
            };
            // A clock that was set back makes nobody wait.
            now < counted.since || counted.since.after(window) <= now
        })
    }

    /// The same, whether its time has come or not.
    pub fn take_all(&mut self) -> Vec<Entry> {
        self.take_if(|_, _| true)
    }

    fn take_if(&mut self, is_due: impl Fn(&Same, &Counted) -> bool) -> Vec<Entry> {
        let mut taken = std::mem::take(&mut self.new);
        let due = self.again.extract_if(|same, counted| is_due(same, counted));
        let again = due.filter_map(|(_, counted)| {
            let last = *counted.last?;
            Some(Entry {
                times: counted.times,
                ..last
            })
        });
        let mut again: Vec<Entry> = again.collect();
        again.sort_by_key(|entry| entry.at);
        let at = again.last().or(taken.last()).map(|entry| entry.at);
        taken.append(&mut again);
        let times = std::mem::take(&mut self.more);
        if 0 < times {
            let at = at.unwrap_or(Time::ZERO);
            let why = "more was refused than can be told apart";
            let more = Entry::new(at, What::Refused, "").because(why);
            taken.push(Entry { times, ..more });
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);

    fn refused(who: &str, at: Time) -> Entry {
        Entry::new(at, What::Refused, who).on("things/lamp")
    }

    #[test]
    fn what_happens_again_is_told_at_once_and_then_counted() {
        let mut tally = Tally::default();
        let soon = NOW.after(Duration::from_secs(1));
        for at in [NOW, soon, soon] {
            tally.note(refused("people/ben", at));
        }
        tally.note(refused("people/cem", soon));
        let told = tally.take(soon);
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|entry| entry.times == 1));
        assert_eq!(tally.take(soon), []);
        let told = tally.take(NOW.after(AGAIN));
        assert_eq!(
            told,
            [Entry {
                times: 2,
                ..refused("people/ben", soon)
            }]
        );
        // It begins anew.
        tally.note(refused("people/ben", NOW.after(AGAIN)));
        assert_eq!(tally.take(NOW.after(AGAIN)).len(), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_hides_nothing() {
        let mut tally = Tally::default();
        tally.note(refused("people/ben", NOW));
        tally.note(refused("people/ben", NOW));
        assert_eq!(tally.take(NOW).len(), 1);
        let told = tally.take(Time::from_micros(5));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].times, 1);
    }

    #[test]
    fn a_flood_of_names_takes_so_much_memory_and_no_more() {
        let mut tally = Tally::default();
        for n in 0..3 * APART_MAX {
            tally.note(refused(&format!("people/{n}"), NOW));
        }
        tally.note_more(5);
        let told = tally.take(NOW);
        assert_eq!(told.len(), APART_MAX + 1);
        let more = told.last().unwrap();
        assert_eq!((more.times, more.at), (2 * APART_MAX as u64 + 5, NOW));
        // What was said before is still told apart.
        tally.note(refused("people/1", NOW));
        assert_eq!(tally.take_all().len(), 1);
        assert_eq!(tally.take_all(), []);
    }
}
