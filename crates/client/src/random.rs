use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Random numbers to spread reconnects with; not for secrets.
///
/// `SplitMix64` (Steele, Lea, Flood 2014): one word of state, so a test can seed it.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator that returns the same numbers for the same seed.
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator with a different seed in every process, from the seed of the standard library's hash maps.
    pub(crate) fn from_system() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A uniformly distributed duration below `end`; zero if `end` is zero.
    pub(crate) fn below(&mut self, end: Duration) -> Duration {
        let nanos = (end.as_nanos() * u128::from(self.next())) >> 64;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spread_over_the_whole_range_and_never_reach_its_end() {
        let mut random = Random::seeded(1);
        let end = Duration::from_secs(8);
        let all: Vec<Duration> = (0..1000).map(|_| random.below(end)).collect();
        assert!(all.iter().all(|one| *one < end));
        for eighth in 0..8 {
            let from = Duration::from_secs(eighth);
            let hits = all
                .iter()
                .filter(|one| (from..from + Duration::from_secs(1)).contains(one));
            assert!(hits.count() > 60, "second {eighth}");
        }
        assert_eq!(random.below(Duration::ZERO), Duration::ZERO);
    }
}
