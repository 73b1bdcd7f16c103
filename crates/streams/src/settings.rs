/// The bounds and times of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes that the log of one instrument's book changes may have. At 24 bytes a change, 256 KiB
    /// are about 10,000 changes: some minutes of a busy book. The logs of its trades and of its
    /// best bid and offer may have a quarter of it each.
    pub log_bytes: usize,
    /// A watched stream that has been quiet this long tells its last sequence number; nanoseconds.
    pub heartbeat_after: u64,
    /// An instrument that has been quiet this long is STALE; nanoseconds.
    pub stale_after: Option<u64>,
    /// The most levels a side that a book may have.
    pub book_levels: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            log_bytes: 256 * 1024,
            heartbeat_after: 5_000_000_000,
            stale_after: Some(30_000_000_000),
            book_levels: 60_000,
        }
    }
}
