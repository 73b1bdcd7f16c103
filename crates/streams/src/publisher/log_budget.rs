//! The memory of all logs together.

use std::time::Duration;

use super::Publisher;
use super::instrument::Instrument;
use super::shared::ViewTotals;

/// How often the memory of all logs is checked. Between two checks they may grow by what a second
/// of the market brings, some MiB.
const LOG_CHECK: Duration = Duration::from_secs(1);
/// The smallest limit of a book's log, however many there are.
const LEAST_LOG: usize = 16 * 1024;

impl Publisher {
    /// Makes all logs fit the budget, once a second.
    pub(super) fn check_logs(&mut self) {
        if self.shared.now() < self.next_log_check {
            return;
        }
        self.next_log_check = self.shared.now() + LOG_CHECK;
        debug_assert_eq!(
            self.shared.log_bytes,
            self.instruments
                .iter()
                .map(Instrument::log_bytes)
                .sum::<usize>(),
            "logs are counted wherever they may have grown"
        );
        debug_assert_eq!(
            self.shared.views,
            self.instruments
                .iter()
                .fold(ViewTotals::default(), |mut all, instrument| {
                    all.add(instrument.views());
                    all
                }),
            "views are counted wherever they may have changed"
        );
        self.bound_logs();
    }

    /// Limits every log to its full size while all together fit the budget, else to its share.
    fn bound_logs(&mut self) {
        let all = self.shared.log_bytes;
        let full = self.settings.log_bytes;
        // An instrument has a book's log, and two of a quarter: best bid and offer, and trades.
        let shares = (self.instruments.len() * 3 / 2).max(1);
        let share = (self.settings.log_budget / shares).clamp(LEAST_LOG.min(full), full);
        let scarce = all > self.settings.log_budget;
        if scarce || self.log_bound != full && all < self.settings.log_budget / 2 {
            self.log_bound = if scarce { share } else { full };
            for instrument in &mut self.instruments {
                instrument.bound_logs(self.log_bound, &mut self.shared);
            }
        }
    }
}
