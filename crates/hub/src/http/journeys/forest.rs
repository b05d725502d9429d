//! Facts of all lanes, as trees: what led to what.

use std::{collections::HashMap, sync::Arc};

use quartet_model::{EventId, Time};

use crate::flow::Fact;

/// No further than this something lies behind another.
const DEPTH_MAX: usize = 64;

/// What led to what, as it was known at one time.
pub(super) struct Forest {
    /// In the order of time.
    facts: Vec<Arc<Fact>>,
    by_id: HashMap<EventId, usize>,
    because: Vec<Option<usize>>,
    below: Vec<Vec<usize>>,
    /// Since when nothing of interest is missing.
    pub(super) since: Time,
}

impl Forest {
    /// Puts together what lanes know, each since some time.
    pub(super) fn of(lanes: Vec<(Vec<Arc<Fact>>, Time)>) -> Self {
        let since = lanes.iter().map(|(_, since)| *since).max();
        let mut facts: Vec<Arc<Fact>> = lanes.into_iter().flat_map(|(facts, _)| facts).collect();
        // Of copies that stays which is told by whoever made it.
        facts.sort_by_key(|fact| (fact.id, fact.is_copy, !fact.is_of_interest));
        facts.dedup_by(|copy, first| {
            let is_same = copy.id == first.id;
            if is_same && copy.is_of_interest && !first.is_of_interest {
                Arc::make_mut(first).is_of_interest = true;
            }
            is_same
        });
        let by_id: HashMap<_, _> = facts
            .iter()
            .enumerate()
            .map(|(at, fact)| (fact.id, at))
            .collect();
        let because: Vec<_> = facts
            .iter()
            .map(|fact| fact.because.and_then(|id| by_id.get(&id).copied()))
            .collect();
        let mut below = vec![Vec::new(); facts.len()];
        for (at, because) in because.iter().enumerate() {
            if let Some(because) = because {
                below[*because].push(at);
            }
        }
        Self {
            facts,
            by_id,
            because,
            below,
            since: since.unwrap_or_default(),
        }
    }

    /// Where journeys begin, the last first: of which somebody may ask, or of which a flow at least ran.
    pub(super) fn begins(
        &self,
        with_idle: bool,
        before: Option<EventId>,
    ) -> impl Iterator<Item = usize> {
        (0..self.facts.len()).rev().filter(move |at| {
            let fact = &self.facts[*at];
            self.because[*at].is_none()
                && before.is_none_or(|before| fact.id < before)
                && (fact.is_of_interest || (with_idle && self.has_run(*at)))
        })
    }

    fn has_run(&self, begin: usize) -> bool {
        let all = self.tree(begin);
        all.iter().any(|at| self.facts[*at].run.is_some())
    }

    /// Where the journey begins that an event is part of.
    pub(super) fn begin_of(&self, id: EventId) -> Option<usize> {
        let mut at = *self.by_id.get(&id)?;
        for _ in 0..DEPTH_MAX {
            let Some(because) = self.because[at] else {
                break;
            };
            at = because;
        }
        Some(at)
    }

    /// All that followed from a fact, and that itself first: each after what led to it, else as it happened.
    /// What is of no interest is left out beside what is: all else that a report said, runs that did nothing.
    pub(super) fn tree(&self, begin: usize) -> Vec<usize> {
        let all_of_interest = self.facts[begin].is_of_interest;
        let matters = |at: &usize| !all_of_interest || self.facts[*at].is_of_interest;
        let mut all = vec![begin];
        let mut next = 0;
        while let Some(at) = all.get(next).copied() {
            next += 1;
            // One thing leads to each, so none is found twice, unless all go in a circle.
            let below = self.below[at].iter().copied();
            all.extend(below.filter(|at| *at != begin && matters(at)));
        }
        // Sorting is stable: what led to something was found before it.
        all.sort_by_key(|at| self.facts[*at].id.at);
        all
    }

    pub(super) fn fact(&self, at: usize) -> &Arc<Fact> {
        &self.facts[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(number: u32, because: Option<u32>, is_of_interest: bool) -> Arc<Fact> {
        let id = |serial| EventId {
            at: Time::from_micros(u64::from(serial) / 10),
            serial,
        };
        let mut fact = Fact::new(id(number), "api".into(), "a", b"");
        fact.because = because.map(id);
        fact.is_of_interest = is_of_interest;
        Arc::new(fact)
    }

    fn numbers(forest: &Forest, all: &[usize]) -> Vec<u32> {
        all.iter().map(|at| forest.fact(*at).id.serial).collect()
    }

    #[test]
    fn what_lanes_know_of_one_journey_is_one() {
        // One lane knows the beginning, another one what followed, and the event between both as a copy.
        let mut copy = Fact::clone(&fact(20, Some(10), false));
        copy.is_copy = true;
        let told = Fact::clone(&fact(20, Some(15), true));
        let here = vec![
            fact(10, None, true),
            fact(15, Some(10), true),
            Arc::new(told),
        ];
        let there = vec![
            Arc::new(copy),
            fact(30, Some(20), true),
            fact(40, Some(20), true),
        ];
        let times = [Time::from_micros(5), Time::from_micros(7)];
        let forest = Forest::of(vec![(there, times[0]), (here, times[1])]);
        assert_eq!(forest.since, times[1]);
        let begins: Vec<_> = forest.begins(false, None).collect();
        assert_eq!(numbers(&forest, &begins), [10]);
        assert_eq!(
            numbers(&forest, &forest.tree(begins[0])),
            [10, 15, 20, 30, 40]
        );
        for number in [10, 15, 20, 30, 40] {
            let id = fact(number, None, true).id;
            assert_eq!(forest.begin_of(id), Some(begins[0]), "{number}");
        }
        assert_eq!(forest.begin_of(fact(50, None, true).id), None);
    }

    #[test]
    fn what_goes_in_a_circle_has_an_end() {
        let forest = Forest::of(vec![(
            vec![fact(1, Some(2), true), fact(2, Some(1), true)],
            Time::ZERO,
        )]);
        assert_eq!(forest.begins(true, None).count(), 0);
        let begin = forest.begin_of(fact(1, None, true).id).unwrap();
        assert_eq!(forest.tree(begin).len(), 2);
    }

    #[test]
    fn what_led_to_something_comes_before_it_also_within_a_microsecond() {
        // The number of a run may be less than that of what led to it, on another lane.
        let forest = Forest::of(vec![(
            vec![
                fact(9, None, true),
                fact(5, Some(9), true),
                fact(7, Some(5), true),
            ],
            Time::ZERO,
        )]);
        let begins: Vec<_> = forest.begins(false, None).collect();
        assert_eq!(numbers(&forest, &forest.tree(begins[0])), [9, 5, 7]);
    }
}
