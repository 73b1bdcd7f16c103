//! Waiting with a bound.

use std::time::{Duration, Instant};

/// How often to look at what tells nobody when it changes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something, or fails with what it waited for.
pub fn until<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} in vain for {what}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}
