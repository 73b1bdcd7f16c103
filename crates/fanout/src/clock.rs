//! The machine's clocks. No other file of this crate reads them.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use market::{Monotonic, Nanos, Now};

/// Returns both clocks, read together.
#[must_use]
pub fn now() -> Now {
    Now {
        monotonic: monotonic(),
        wall: wall_clock(),
    }
}

/// Returns the time since the first call in this process; it never goes back.
#[must_use]
pub fn monotonic() -> Monotonic {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    Monotonic(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

/// Returns the wall clock; 0 before 1970.
#[must_use]
pub fn wall_clock() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Nanos(since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }))
}
