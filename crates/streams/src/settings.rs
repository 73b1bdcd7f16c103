use std::time::Duration;

/// The limits and intervals of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The largest log of one book's changes, in bytes. At 24 bytes a change, 4 MiB hold about
    /// 170,000 changes: a minute of the busiest book there is. The logs of the instrument's trades
    /// and of its best bid and offer may each have a quarter of it.
    pub log_bytes: usize,
    /// The maximum memory for all logs together, in bytes; beyond it each log is cut to its share.
    pub log_budget: usize,
    /// How long an open stream may be quiet before it sends a heartbeat.
    pub heartbeat_after: Duration,
    /// How long an instrument may be quiet before it is STALE; `None` if it never is.
    pub stale_after: Option<Duration>,
    /// The maximum number of levels per side of a book.
    pub book_levels: usize,
    /// The maximum number of grouped views per instrument. Ungrouped views are not limited, since
    /// there are only a few; price steps are, since clients can make up any number of them.
    pub grouped_views: usize,
    /// The maximum memory for all grouped views of a publisher, in bytes. A grouped level takes 16
    /// to 32 bytes, so 64 MiB holds about 250 views of 10,000 levels each, if grouping merges
    /// hardly any.
    pub grouped_view_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            log_bytes: 4 * 1024 * 1024,
            log_budget: 128 * 1024 * 1024,
            heartbeat_after: Duration::from_secs(5),
            stale_after: Some(Duration::from_secs(30)),
            book_levels: 60_000,
            grouped_views: 32,
            grouped_view_bytes: 64 * 1024 * 1024,
        }
    }
}
