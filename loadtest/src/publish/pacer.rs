use std::time::{Duration, Instant};

use super::Rate;
use crate::clock::{floor, wall_clock};

/// How late an update may be, so that updates form batches; as fine as a market's own bursts.
const EVERY: Duration = Duration::from_millis(1);
/// Maximum rest, so that other work is done in time.
const REST: Duration = Duration::from_millis(100);

/// Decides when updates are due.
#[derive(Debug)]
pub(super) struct Pacer {
    rate: Rate,
    start: Instant,
    /// `start`, in ns since 1970.
    start_time: u64,
}

impl Pacer {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            start: Instant::now(),
            start_time: wall_clock(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many updates are due after `elapsed`, at most `burst` more than the `made` ones.
    pub(super) fn due(&self, elapsed: Duration, made: u64, burst: u64) -> u64 {
        let due = match self.rate {
            Rate::Max => u64::MAX,
            Rate::PerSecond(rate) => floor(rate * elapsed.as_secs_f64()),
        };
        due.min(made + burst)
    }

    /// How many updates were due in total; `None` without a rate.
    pub(super) fn offered(&self, elapsed: Duration) -> Option<u64> {
        match self.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(floor(rate * elapsed.as_secs_f64())),
        }
    }

    /// The time when an update is due, which is its event time however late it is made.
    pub(super) fn time(&self, number: u64) -> u64 {
        match self.rate {
            Rate::Max => wall_clock(),
            Rate::PerSecond(rate) => {
                self.start_time + floor((number + 1) as f64 / rate * 1_000_000_000.0)
            }
        }
    }

    /// Time to rest after a batch, until the next update is due.
    pub(super) fn rest(&self, elapsed: Duration, made: u64) -> Duration {
        match self.rate {
            Rate::Max => Duration::ZERO,
            Rate::PerSecond(rate) => {
                let next = Duration::from_secs_f64((made + 1) as f64 / rate);
                next.saturating_sub(elapsed).clamp(EVERY, REST)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_the_rate_times_the_time() {
        let pacer = Pacer::new(Rate::PerSecond(1_000.0));
        let second = Duration::from_secs(1);
        assert_eq!(pacer.due(second, 0, 4_096), 1_000);
        assert_eq!(pacer.due(second, 0, 100), 100, "the rest comes later");
        assert_eq!(pacer.due(second, 1_000, 100), 1_000);
        assert_eq!(pacer.time(999) - pacer.start_time, 1_000_000_000);
        assert_eq!(Pacer::new(Rate::Max).due(second, 7, 100), 107);
    }

    #[test]
    fn a_rest_lasts_until_the_next_is_due_but_never_busily() {
        let second = Duration::from_secs(1);
        let rest = |rate: f64, made| Pacer::new(Rate::PerSecond(rate)).rest(second, made);
        assert_eq!(rest(20.0, 20), Duration::from_millis(50));
        assert_eq!(rest(20_000.0, 20_000), EVERY);
        assert_eq!(rest(0.1, 0), REST);
        assert_eq!(Pacer::new(Rate::Max).rest(second, 0), Duration::ZERO);
    }
}
