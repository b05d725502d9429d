//! What a thread of the generator writes down, and how threads tell each other how far they are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hdrhistogram::Histogram;

/// A latency beyond this counts as this.
const LATENCY_NS_MAX: u64 = 600_000_000_000;

/// Latencies in nanoseconds, with three digits.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(
            Histogram::new_with_bounds(100, LATENCY_NS_MAX, 3)
                .expect("100 ns to 600 s with 3 digits is a valid range"),
        )
    }
}

impl Latencies {
    pub(super) fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0
            .add(&other.0)
            .expect("all our histograms have the same range");
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In nanoseconds; of an empty record 0.
    pub(super) fn quantile(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    pub(super) fn max(&self) -> u64 {
        self.0.max()
    }
}

/// The span of intended send times that is measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
}

impl Span {
    pub(super) fn contains(self, ns: u64) -> bool {
        self.from_ns <= ns && ns < self.until_ns
    }
}

/// What one thread saw.
#[derive(Default, Debug)]
pub(super) struct Records {
    /// From the intended send time to the receipt.
    pub(super) latency: Latencies,
    /// From the intended send time to PUBACK or PUBCOMP.
    pub(super) acknowledged: Latencies,
    /// From the beginning of a connection to CONNACK.
    pub(super) connect: Latencies,
    /// Messages handed over for sending.
    pub(super) sent: u64,
    /// Messages that arrived, each counted once per subscriber.
    pub(super) delivered: u64,
    /// Messages that arrived once more.
    pub(super) duplicated: u64,
    /// Messages that arrived after a later one of the same publisher.
    pub(super) reordered: u64,
    /// Messages that are none of this run's.
    pub(super) foreign: u64,
    /// Messages that the broker acknowledged.
    pub(super) settled: u64,
    /// Of these, with a reason code that refuses.
    pub(super) refused: u64,
    /// Acknowledgements of what waits for none.
    pub(super) unexpected: u64,
    /// Connections that broke after the start.
    pub(super) broken: u64,
    /// Why the first of them did.
    pub(super) first_break: Option<String>,
}

/// How far a thread is: written by it, read by the conductor.
#[derive(Default, Debug)]
#[repr(align(128))]
pub(super) struct Gauge {
    pub(super) ready: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) settled: AtomicU64,
    pub(super) delivered: AtomicU64,
    /// Everything that is to be published was written to the sockets.
    pub(super) is_done: AtomicBool,
}

/// What conductor and threads tell each other.
#[derive(Debug)]
pub(super) struct Board {
    /// When publishing begins; 0 until that is known.
    pub(super) start_ns: AtomicU64,
    /// Everybody stops.
    pub(super) stop: AtomicBool,
    /// One for each thread.
    pub(super) gauges: Vec<Gauge>,
}

impl Board {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            start_ns: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            gauges: (0..threads).map(|_| Gauge::default()).collect(),
        }
    }

    /// The sum of one figure over all threads.
    pub(super) fn sum(&self, figure: impl Fn(&Gauge) -> &AtomicU64) -> u64 {
        let values = self.gauges.iter().map(figure);
        values.map(|value| value.load(Ordering::Relaxed)).sum()
    }

    /// Whether all threads have published all.
    pub(super) fn is_done(&self) -> bool {
        let mut gauges = self.gauges.iter();
        gauges.all(|gauge| gauge.is_done.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_three_digits() {
        let mut latencies = Latencies::default();
        for us in 1..=10_000 {
            latencies.record(us * 1_000);
        }
        for (quantile, expected) in [(0.5, 5_000_000), (0.99, 9_900_000), (0.999, 9_990_000)] {
            let found = latencies.quantile(quantile);
            assert!(found.abs_diff(expected) <= expected / 1_000, "{found}");
        }
        let mut sum = Latencies::default();
        sum.add(&latencies);
        sum.add(&latencies);
        assert_eq!((sum.count(), sum.max()), (20_000, latencies.max()));
    }

    #[test]
    fn a_latency_beyond_counting_counts_as_the_longest() {
        let mut latencies = Latencies::default();
        latencies.record(u64::MAX);
        assert!(LATENCY_NS_MAX <= latencies.max());
    }
}
