use std::time::Duration;

/// The bounds and times of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes that the log of one instrument's book changes may have. At 24 bytes a change, 4 MiB
    /// are about 170,000 changes: a minute of the busiest book there is. The logs of its trades and
    /// of its best bid and offer may have a quarter of it each.
    pub log_bytes: usize,
    /// Bytes that all logs may have together; beyond, each is cut to its share.
    pub log_budget: usize,
    /// A watched stream that has been quiet this long sends a heartbeat with its last sequence number.
    pub heartbeat_after: Duration,
    /// An instrument that has been quiet this long is STALE.
    pub stale_after: Option<Duration>,
    /// The most levels a side that a book may have.
    pub book_levels: usize,
    /// The most grouped views of one instrument. Views without a group come from a fixed small set and
    /// are not limited; steps are what a client can invent.
    pub grouped_views: usize,
    /// Bytes that all grouped views of a publisher may hold. At 16 to 32 bytes a grouped level, 64 MiB
    /// are some 250 views of books of 10,000 levels that are hardly grouped at all.
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
