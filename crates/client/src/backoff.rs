use std::time::Duration;

use crate::random::Random;

/// How long to wait before the next connection attempt: exponential backoff with full jitter.
///
/// Attempt `n`, counted from 1, waits a random time below `base * 2^(n - 1)` and below `cap`. Full jitter
/// spreads the clients of a failed node evenly, so that they do not hit the next node all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait.
    pub base: Duration,
    /// Upper bound of every wait.
    pub cap: Duration,
}

impl Default for Backoff {
    /// 250 ms, since a node restarts within seconds; 15 s, since a person may be waiting.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(250),
            cap: Duration::from_secs(15),
        }
    }
}

impl Backoff {
    /// The upper bound of the wait before this attempt, counted from 1.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    pub(crate) fn delay(&self, attempt: u32, random: &mut Random) -> Duration {
        random.below(self.ceiling(attempt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let backoff = Backoff {
            base: Duration::from_millis(100),
            cap: Duration::from_millis(700),
        };
        let ceilings = [1, 2, 3, 4, 5, 1000].map(|n| backoff.ceiling(n).as_millis());
        assert_eq!(ceilings, [100, 200, 400, 700, 700, 700]);
    }

    #[test]
    fn every_wait_is_below_its_ceiling() {
        let backoff = Backoff::default();
        let mut random = Random::seeded(7);
        for attempt in (1..40).cycle().take(4000) {
            let delay = backoff.delay(attempt, &mut random);
            assert!(delay < backoff.ceiling(attempt), "attempt {attempt}");
        }
    }
}
