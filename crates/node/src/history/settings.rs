use std::time::Duration;

/// The bounds of replays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HistorySettings {
    /// How many may be at a time; with none, nobody begins in the past.
    pub(crate) replays: usize,
    /// How many one session may have.
    pub(crate) per_session: usize,
    /// How many one address may have, or one /64 of IPv6.
    pub(crate) per_address: usize,
    /// How long a client may take to read what it was sent.
    pub(crate) stall_timeout: Duration,
    /// How long one may take.
    pub(crate) longest: Duration,
    /// How far before its start a replay looks for the last whole book first.
    pub(crate) look_back: Duration,
    /// Bytes of messages that are sent at a time.
    pub(crate) page_bytes: usize,
    /// Kafka clients that all of them share.
    pub(crate) readers: usize,
    /// Bytes of records that wait in each of these clients.
    pub(crate) queue_bytes: usize,
}
