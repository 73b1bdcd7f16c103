use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Wall-clock time, in ns since 1970.
pub(crate) fn wall_clock() -> u64 {
    fanout::wall_clock().0
}

/// CPU time of the process.
pub(crate) fn process_time() -> Duration {
    worked(ClockId::ProcessCPUTime)
}

/// CPU time of this thread.
pub(crate) fn thread_time() -> Duration {
    worked(ClockId::ThreadCPUTime)
}

fn worked(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Rounds down a computed count, which is never negative and far below `u64::MAX`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are never negative, and the cast saturates"
)]
pub(crate) fn floor(number: f64) -> u64 {
    number as u64
}
