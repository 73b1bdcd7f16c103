//! Rests of a shard that always has more to send.

use std::time::{Duration, Instant};

/// Up to this size a send costs about the same, so gathering messages saves sends. A larger send is
/// mostly copying, which waiting does not save.
const SMALL: u64 = 4096;
/// Resolution of timers; shorter rests are accumulated.
const SHORTEST: Duration = Duration::from_millis(1);
/// Longest rest, so that a shard reads its clients often enough.
const LONGEST: Duration = Duration::from_millis(20);

/// What was sent in one turn.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) sends: u64,
    pub(super) bytes: u64,
}

/// Keeps a shard from filling its core with small sends.
///
/// A shard that has more to send whenever it has visited all sessions would continue at once,
/// making ever smaller sends. While it rests, messages gather: the same messages take fewer sends,
/// and other threads can use the core. It rests for a share of the time that it works. Idle time
/// counts as rest, so a shard that is not always busy never delays anything.
#[derive(Debug)]
pub(super) struct Rest {
    /// Share of the time spent working, in percent.
    busy_percent: u32,
    /// Rest still owed.
    owed: Duration,
    /// Start of the current period of work or rest.
    since: Instant,
}

impl Rest {
    /// Creates a shard at rest that owes none.
    pub(super) const fn new(busy_percent: u32, now: Instant) -> Self {
        Self {
            busy_percent,
            owed: Duration::ZERO,
            since: now,
        }
    }

    /// Ends a rest.
    pub(super) fn end(&mut self, now: Instant) {
        self.owed = self.owed.saturating_sub(self.so_far(now));
        self.since = now;
    }

    /// Ends a period of work that sent this much.
    pub(super) fn begin(&mut self, now: Instant, sent: Sent) {
        let worked = self.so_far(now);
        self.since = now;
        if sent.bytes <= sent.sends.saturating_mul(SMALL) {
            let rest = 100_u32.saturating_sub(self.busy_percent);
            let owed = self.owed + worked * rest / self.busy_percent.max(1);
            self.owed = owed.min(LONGEST);
        }
    }

    /// Returns how long to rest although there is more to send, if at all.
    pub(super) fn due(&self) -> Option<Duration> {
        (self.owed >= SHORTEST).then_some(self.owed)
    }

    /// Returns the length of the current period so far.
    pub(super) fn so_far(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: u32 = 90;
    const SMALL_SENDS: Sent = Sent {
        sends: 10,
        bytes: 10 * SMALL,
    };
    const LARGE_SENDS: Sent = Sent {
        sends: 10,
        bytes: 10 * SMALL + 1,
    };

    const TURNS: u32 = 10_000;

    /// Returns the rest of a shard that works in periods of this length.
    fn rested(percent: u32, turn: Duration, sent: Sent) -> Duration {
        let mut now = Instant::now();
        let mut rest = Rest::new(percent, now);
        let mut rested = Duration::ZERO;
        for _ in 0..TURNS {
            rest.end(now);
            now += turn;
            rest.begin(now, sent);
            if let Some(due) = rest.due() {
                assert!((SHORTEST..=LONGEST).contains(&due));
                now += due;
                rested += due;
            }
        }
        rested
    }

    #[test]
    fn a_shard_with_small_sends_that_is_always_busy_works_its_share_of_the_time() {
        for turn in [10, 3_000, 20_000, 100_000].map(Duration::from_micros) {
            for percent in [10, 50, 80, 90, 99] {
                let all = turn * TURNS + rested(percent, turn, SMALL_SENDS);
                let share = (turn * TURNS).as_secs_f64() / all.as_secs_f64();
                let least = turn.as_secs_f64() / (turn + LONGEST).as_secs_f64();
                let wanted = (f64::from(percent) / 100.0).max(least);
                assert!((share - wanted).abs() < 0.01, "{turn:?} {percent}: {share}");
            }
        }
    }

    #[test]
    fn large_sends_never_wait() {
        assert!(rested(BUSY, Duration::from_millis(30), LARGE_SENDS).is_zero());
    }

    #[test]
    fn at_a_hundred_percent_nothing_waits() {
        assert!(rested(100, Duration::from_millis(30), SMALL_SENDS).is_zero());
    }

    #[test]
    fn a_shard_that_had_nothing_to_do_for_its_share_of_the_time_owes_no_rest() {
        let mut now = Instant::now();
        let mut rest = Rest::new(BUSY, now);
        for _ in 0..1_000 {
            rest.end(now);
            now += Duration::from_millis(9);
            rest.begin(now, SMALL_SENDS);
            now += Duration::from_millis(1);
        }
        rest.end(now);
        now += Duration::from_micros(8_999);
        rest.begin(now, SMALL_SENDS);
        assert_eq!(rest.due(), None);
    }

    #[test]
    fn a_rest_that_lasted_longer_than_was_due_is_no_credit() {
        let mut now = Instant::now();
        let mut rest = Rest::new(BUSY, now);
        now += Duration::from_secs(1);
        rest.end(now);
        now += Duration::from_millis(18);
        rest.begin(now, SMALL_SENDS);
        assert_eq!(rest.due(), Some(Duration::from_millis(2)));
    }
}
