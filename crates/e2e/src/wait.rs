//! Waiting with a bound.

use std::time::{Duration, Instant};

/// How often to poll what sends no notification.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Polls until there is a result, or fails with what it waited for.
pub fn until<T>(within: Duration, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let mut is_first = true;
    until_read(within, what, || {
        if !std::mem::take(&mut is_first) {
            std::thread::sleep(POLL_EVERY);
        }
        poll()
    })
}

/// Reads until there is a result, or fails with what it waited for. Each `read` blocks until something comes.
pub fn until_read<T>(within: Duration, what: &str, mut read: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = read() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} in vain for {what}"
        );
    }
}
