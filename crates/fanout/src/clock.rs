use std::time::{SystemTime, UNIX_EPOCH};

use market::Nanos;

/// What this machine's clock says; 0 before 1970.
#[must_use]
pub fn wall_clock() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Nanos(since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }))
}
