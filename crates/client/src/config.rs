use std::time::Duration;

use wire::Encoding;

use crate::Backoff;

/// Timeouts, limits and preferences of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long to wait before the next connection attempt.
    pub backoff: Backoff,
    /// Whether to resume streams after a reconnect; otherwise each restarts with a snapshot.
    pub resume: bool,
    /// The encoding to request for data messages: SBE or packed.
    pub encoding: Encoding,
    /// Whether to report the bytes of every data message as [`Event::Raw`](crate::Event::Raw).
    pub raw: bool,
    /// How long a connection attempt may take.
    pub connect_timeout: Duration,
    /// How long a connection may be silent before it counts as dead. A ping is sent after half of it.
    pub liveness: Duration,
    /// How long a single stream may be silent, without even a heartbeat, before it is resubscribed and resumed; and how
    /// long the node may be behind this client before the stream restarts.
    pub stream_liveness: Duration,
    /// How long a request may go unanswered.
    pub answer_timeout: Duration,
    /// How long a connection must last to reset the backoff.
    pub stable_after: Duration,
    /// How many consecutive attempts may fail before the client gives up; `None` means it never does.
    pub max_attempts: Option<u32>,
    /// The longest WebSocket message to accept, in bytes.
    pub max_message: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            resume: true,
            encoding: Encoding::Sbe,
            raw: false,
            connect_timeout: Duration::from_secs(10),
            // Nodes send something every five seconds, if only a ping: three times that is the end.
            liveness: Duration::from_secs(15),
            stream_liveness: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(10),
            stable_after: Duration::from_secs(10),
            max_attempts: None,
            // A BookDelta has at most 2 MB, and a node may put several messages into one.
            max_message: 16 << 20,
        }
    }
}
