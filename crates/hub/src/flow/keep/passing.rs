//! What is safe and on its way: steps, in the order in which they began. A step is over when
//! every lane that takes part has written down what it took of it.

use std::collections::VecDeque;

use quartet_fabric::routes::Lane;
use quartet_model::Place;

/// Where a step came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::flow) enum Origin {
    /// This lane; the event is in one of its shards.
    Here,
    /// A step of another lane, which waits for this one.
    Lane(Lane, u64),
}

struct Step {
    origin: Origin,
    place: Place,
    /// How many have still to write down what they took.
    outstanding: u32,
}

/// Steps that are not over. Numbers begin with 1: 0 stands for what is in no journal.
#[derive(Default)]
pub(super) struct Passing {
    steps: VecDeque<Step>,
    /// Steps that are over.
    done: u64,
}

impl Passing {
    /// Begins a step, with this lane as the only one that takes part.
    pub(super) fn begin(&mut self, origin: Origin, place: Place) -> u64 {
        self.steps.push_back(Step {
            origin,
            place,
            outstanding: 1,
        });
        self.last()
    }

    /// The number of the last step that began.
    pub(super) fn last(&self) -> u64 {
        self.done + self.steps.len() as u64
    }

    /// How many steps are over.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    fn step_mut(&mut self, step: u64) -> Option<&mut Step> {
        let index = step.checked_sub(self.done + 1)?;
        self.steps.get_mut(usize::try_from(index).ok()?)
    }

    /// One more takes part.
    pub(super) fn one_more(&mut self, step: u64) {
        if let Some(step) = self.step_mut(step) {
            step.outstanding += 1;
        }
    }

    /// One has written down what it took. If that was the last, and another lane waits for the
    /// step, says which one and for which step of its own: that never waits for steps before,
    /// or two lanes could wait for each other.
    pub(super) fn one_less(&mut self, step: u64) -> Option<(Lane, u64)> {
        let step = self.step_mut(step)?;
        step.outstanding = step.outstanding.saturating_sub(1);
        match step.origin {
            Origin::Lane(lane, theirs) if step.outstanding == 0 => Some((lane, theirs)),
            _ => None,
        }
    }

    /// Takes the first step of this lane out, if it and all before are over; says what was
    /// passed on.
    pub(super) fn next_done(&mut self) -> Option<Place> {
        while self.steps.front()?.outstanding == 0 {
            self.done += 1;
            let step = self.steps.pop_front()?;
            if step.origin == Origin::Here {
                return Some(step.place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_over_in_the_order_in_which_they_began() {
        let mut passing = Passing::default();
        let place = Place::new(1, 1);
        let first = passing.begin(Origin::Here, place);
        let second = passing.begin(Origin::Lane(2, 9), place);
        let third = passing.begin(Origin::Here, Place::new(1, 3));
        passing.one_more(first);
        assert_eq!(passing.one_less(second), Some((2, 9)));
        passing.one_less(first);
        passing.one_less(third);
        assert_eq!(passing.next_done(), None);
        passing.one_less(first);
        assert_eq!(passing.next_done(), Some(place));
        assert_eq!(passing.next_done(), Some(Place::new(1, 3)));
        assert_eq!((passing.next_done(), passing.done()), (None, 3));
    }
}
