//! Which instruments are STALE because nothing has arrived for them.

use std::time::Duration;

use market::{Handle, Nanos, Now};

use super::{Publisher, handle_at};
use crate::deadline::round_up;

/// The maximum number of instruments that one call checks: some tens of microseconds of work. The others stay
/// due.
const STALE_CHECKS_AT_ONCE: usize = 1024;

impl Publisher {
    /// Marks all live instruments as STALE at once, because the connection to Kafka is lost.
    pub fn connection_lost(&mut self, now: Now) {
        self.shared.advance_to(now.monotonic);
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            if instrument.go_stale(now.wall, &mut self.shared) {
                self.shared.stats.went_stale += 1;
                self.changed.push(handle_at(number));
            }
        }
    }

    /// Marks as LIVE again what was not quiet for too long, even if nothing arrived for it
    /// meanwhile, because the connection to Kafka is back and everything in the log has been read.
    pub fn connection_restored(&mut self, now: Now) {
        self.shared.advance_to(now.monotonic);
        let (at, after) = (self.shared.now(), self.settings.stale_after);
        for (number, instrument) in self.instruments.iter_mut().enumerate() {
            let is_recent = after.is_none_or(|after| at.since(instrument.last_valid()) < after);
            if is_recent && instrument.go_live(now.wall, &mut self.shared) {
                self.changed.push(handle_at(number));
            }
        }
    }

    /// Marks instruments as STALE that have been quiet for too long.
    pub(super) fn check_stale(&mut self, now: Nanos) {
        let at = self.shared.now();
        for _ in 0..STALE_CHECKS_AT_ONCE {
            let next = self.stale_checks.pop_front_if(|(due, _)| *due <= at);
            let Some((_, handle)) = next else {
                return;
            };
            let (Some(after), Some(instrument)) = (
                self.settings.stale_after,
                self.instruments.get_mut(handle.0 as usize),
            ) else {
                continue;
            };
            let is_quiet = at.since(instrument.last_valid()) >= after;
            if is_quiet && instrument.go_stale(now, &mut self.shared) {
                self.shared.stats.went_stale += 1;
                self.changed.push(handle);
            }
            self.schedule_stale_check(after, handle);
        }
    }

    /// Schedules the next check. The delay is the same for all, so the queue stays in order.
    pub(super) fn schedule_stale_check(&mut self, after: Duration, handle: Handle) {
        let due = round_up(self.shared.now(), after / 4, after);
        self.stale_checks.push_back((due, handle));
    }
}
