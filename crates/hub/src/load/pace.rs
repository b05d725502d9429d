//! When each message is meant to be sent: an even beat over all publishers, laid down before
//! the first message and never shifted, however late the broker or this program is. That is
//! what keeps the latencies free of coordinated omission.

/// The beat of a run: message `k` of publisher `i` is beat `k × publishers + i`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// When the first message is meant to be sent.
    pub(super) start_ns: u64,
    /// From when on no message is meant to be sent.
    pub(super) end_ns: u64,
    /// How many publishers share the beat.
    pub(super) publishers: u64,
    /// Beats per second; 0 for flat out, where there is no beat.
    pub(super) rate_per_s: f64,
}

impl Pace {
    /// When a message is meant to be sent.
    pub(super) fn intended_ns(&self, publisher: u32, sequence: u64) -> u64 {
        let beat = sequence * self.publishers + u64::from(publisher);
        self.start_ns + (beat as f64 * 1e9 / self.rate_per_s) as u64
    }

    /// Whether there is no beat: whoever can send sends.
    pub(super) fn is_flat_out(&self) -> bool {
        self.rate_per_s == 0.0
    }
}

/// Walks over the beats of the publishers of one thread: every `step`-th from `first` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beats {
    first: u32,
    step: u32,
    publisher: u32,
    sequence: u64,
}

impl Beats {
    /// `None` if the thread has no publisher.
    pub(super) fn new(first: u32, step: u32, publishers: u32) -> Option<Self> {
        (first < publishers).then_some(Self {
            first,
            step,
            publisher: first,
            sequence: 0,
        })
    }

    /// When the next beat is.
    pub(super) fn next_ns(&self, pace: &Pace) -> u64 {
        pace.intended_ns(self.publisher, self.sequence)
    }

    /// Takes the next beat and says whose it is.
    pub(super) fn take(&mut self, pace: &Pace) -> u32 {
        let publisher = self.publisher;
        self.publisher += self.step;
        if pace.publishers <= u64::from(self.publisher) {
            self.publisher = self.first;
            self.sequence += 1;
        }
        publisher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        start_ns: 1_000,
        end_ns: u64::MAX,
        publishers: 3,
        rate_per_s: 1_000.0,
    };

    #[test]
    fn the_publishers_take_turns_evenly() {
        let mut beats = Beats::new(0, 1, 3).unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let at = beats.next_ns(&PACE);
            seen.push((beats.take(&PACE), at));
        }
        let ms = |n: u64| 1_000 + n * 1_000_000;
        assert_eq!(seen, [(0, ms(0)), (1, ms(1)), (2, ms(2)), (0, ms(3))]);
    }

    #[test]
    fn two_threads_share_the_beat() {
        let mut beats = Beats::new(1, 2, 3).unwrap();
        assert_eq!((beats.take(&PACE), beats.take(&PACE)), (1, 1));
        assert_eq!(beats.next_ns(&PACE), PACE.intended_ns(1, 2));
        assert!(Beats::new(1, 2, 1).is_none());
    }

    #[test]
    fn a_thousand_million_beats_later_the_beat_still_holds() {
        let at = PACE.intended_ns(0, 1_000_000_000);
        assert_eq!(at, 1_000 + 3_000_000_000 * 1_000_000);
    }
}
