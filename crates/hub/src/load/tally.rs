//! What arrived of one publisher's messages at one subscriber: how many, which twice, which
//! out of order. What is missing is remembered as gaps between sequence numbers.

use std::collections::VecDeque;

/// So many gaps are remembered. When there are more the oldest is given up: its messages are
/// lost, and one that came after all would count as a duplicate.
const GAPS_MAX: usize = 64;

/// How a message arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrival {
    /// After all that arrived before.
    InOrder,
    /// For the first time, but after a later one.
    Late,
    /// Once more.
    Again,
}

/// The account of one publisher at one subscriber.
#[derive(Clone, Default, Debug)]
pub(super) struct Tally {
    /// The sequence number after the highest that arrived.
    pub(super) next: u64,
    /// Different messages that arrived.
    pub(super) arrived: u64,
    /// Sequence numbers below `next` that did not arrive: first, and after the last.
    gaps: VecDeque<(u64, u64)>,
}

impl Tally {
    pub(super) fn arrive(&mut self, sequence: u64) -> Arrival {
        if sequence < self.next {
            return self.arrive_late(sequence);
        }
        if self.next < sequence {
            if self.gaps.len() == GAPS_MAX {
                self.gaps.pop_front();
            }
            self.gaps.push_back((self.next, sequence));
        }
        self.next = sequence + 1;
        self.arrived += 1;
        Arrival::InOrder
    }

    fn arrive_late(&mut self, sequence: u64) -> Arrival {
        let missing = |&(first, end): &(u64, u64)| first <= sequence && sequence < end;
        let Some(at) = self.gaps.iter().position(missing) else {
            return Arrival::Again;
        };
        let (first, end) = self.gaps[at];
        self.gaps.remove(at);
        if sequence + 1 < end {
            self.gaps.insert(at, (sequence + 1, end));
        }
        if first < sequence {
            self.gaps.insert(at, (first, sequence));
        }
        self.arrived += 1;
        Arrival::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sequences: &[u64], expected: &[Arrival], arrived: u64) {
        let mut tally = Tally::default();
        let found: Vec<_> = sequences.iter().map(|&s| tally.arrive(s)).collect();
        assert_eq!(found, expected, "{sequences:?}");
        assert_eq!(tally.arrived, arrived, "{sequences:?}");
    }

    use Arrival::{Again, InOrder, Late};

    #[test]
    fn messages_in_order_leave_no_gap() {
        check(&[0, 1, 2], &[InOrder; 3], 3);
    }

    #[test]
    fn a_late_message_fills_its_gap_once() {
        check(
            &[0, 4, 2, 2, 1, 3, 3],
            &[InOrder, InOrder, Late, Again, Late, Late, Again],
            5,
        );
    }

    #[test]
    fn a_message_that_comes_twice_arrived_once() {
        check(&[0, 0, 1, 1], &[InOrder, Again, InOrder, Again], 2);
    }

    #[test]
    fn gaps_do_not_grow_without_end() {
        let mut tally = Tally::default();
        for sequence in (1..10_000).step_by(2) {
            tally.arrive(sequence);
        }
        assert_eq!(tally.gaps.len(), GAPS_MAX);
        assert_eq!(tally.arrive(9_998), Late);
        assert_eq!(tally.arrive(0), Again);
    }
}
