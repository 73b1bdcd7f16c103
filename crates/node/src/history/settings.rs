use std::time::Duration;

/// Limits of replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HistorySettings {
    /// Concurrent replays; 0 disables them.
    pub(crate) replays: usize,
    /// Concurrent replays of a session.
    pub(crate) per_session: usize,
    /// Concurrent replays of an address, or of a /64 of IPv6.
    pub(crate) per_address: usize,
    /// Time a client has to read a page.
    pub(crate) stall_timeout: Duration,
    /// Maximum duration of a replay.
    pub(crate) longest: Duration,
    /// How far before its start a replay first looks for a snapshot.
    pub(crate) look_back: Duration,
    /// Bytes of a page of messages.
    pub(crate) page_bytes: usize,
    /// Kafka clients shared by all replays.
    pub(crate) readers: usize,
    /// Bytes of records queued in each of these clients.
    pub(crate) queue_bytes: usize,
}
