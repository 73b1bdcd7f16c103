use std::time::Duration;

use crate::Counter;

/// The upper bounds of the buckets in nanoseconds: 1, 2, 5 of every decade from 1 µs to 10 s.
///
/// Below 1 µs reading the clock costs as much as what is measured; beyond 10 s a client has learnt
/// of its lag by other means.
pub const BOUNDS_NS: [u64; 22] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The number of buckets: one per bound, and one for everything above the last.
pub(crate) const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// How many bounds lie below each power of two.
///
/// Neighbouring bounds are at least a factor of two apart, so at most one lies between two
/// consecutive powers of two: one look-up and one comparison find the bucket.
const BELOW: [u8; 64] = bounds_below_powers();

/// Durations, counted in fixed buckets.
///
/// One writer, as for [`Counter`].
#[derive(Debug)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    sum_ns: Counter,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| Counter::default()),
            sum_ns: Counter::default(),
        }
    }
}

impl Histogram {
    /// Records one duration of `ns` nanoseconds.
    #[inline]
    pub fn record_ns(&self, ns: u64) {
        self.record_many_ns(ns, 1);
    }

    /// Records `n` durations of `ns` nanoseconds each, such as those of a batch of messages.
    #[inline]
    pub fn record_many_ns(&self, ns: u64, n: u64) {
        self.buckets[bucket(ns)].add(n);
        self.sum_ns.add(ns.wrapping_mul(n));
    }

    /// Records one duration.
    pub fn record(&self, span: Duration) {
        self.record_ns(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many durations were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Counter::get).sum()
    }

    /// The sum of all durations in nanoseconds.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns.get()
    }

    /// The count in each bucket, not cumulative; the last bucket is above every bound.
    pub(crate) fn counts(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|at| self.buckets[at].get())
    }
}

/// The index of the first bound that is not below `ns`.
#[inline]
fn bucket(ns: u64) -> usize {
    // `| 1` puts 0 into the first octave, whose bucket is also the first.
    let octave = (ns | 1).ilog2() as usize;
    let first = usize::from(BELOW[octave]);
    match BOUNDS_NS.get(first) {
        Some(&bound) if ns > bound => first + 1,
        _ => first,
    }
}

const fn bounds_below_powers() -> [u8; 64] {
    let mut below = [0_u8; 64];
    let mut octave = 0;
    while octave < 64 {
        let power = 1_u64 << octave;
        while (below[octave] as usize) < BOUNDS_NS.len()
            && BOUNDS_NS[below[octave] as usize] < power
        {
            below[octave] += 1;
        }
        octave += 1;
    }
    below
}

const _: () = {
    let mut at = 1;
    while at < BOUNDS_NS.len() {
        assert!(
            BOUNDS_NS[at] >= 2 * BOUNDS_NS[at - 1],
            "an octave would hold two bounds"
        );
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_falls_into_the_first_bucket_that_holds_it() {
        let around_bounds = BOUNDS_NS
            .iter()
            .flat_map(|&bound| [bound - 1, bound, bound + 1]);
        let around_powers = (0..64).flat_map(|octave| {
            let power = 1_u64 << octave;
            [power - 1, power, power + 1]
        });
        for ns in around_bounds.chain(around_powers).chain([0, u64::MAX]) {
            let expected = BOUNDS_NS.partition_point(|&bound| bound < ns);
            assert_eq!(bucket(ns), expected, "{ns} ns");
        }
    }

    #[test]
    fn a_batch_counts_as_its_messages() {
        let histogram = Histogram::default();
        histogram.record_many_ns(1_500, 3);
        histogram.record(Duration::from_secs(60));
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum_ns(), 4_500 + 60_000_000_000);
        assert_eq!(histogram.counts()[1], 3);
        assert_eq!(histogram.counts()[BUCKETS - 1], 1);
    }
}
