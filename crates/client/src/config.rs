use std::time::Duration;

use wire::Encoding;

use crate::Backoff;

/// The bounds of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long to wait before another attempt.
    pub backoff: Backoff,
    /// Whether streams are resumed where they stood; otherwise each begins with a snapshot.
    pub resume: bool,
    /// How the node is asked to write data messages: in SBE or packed.
    pub encoding: Encoding,
    /// Whether the bytes of every data message are told.
    pub raw: bool,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How long nothing at all may come before the connection counts as dead. Half of it in, a ping is sent.
    pub liveness: Duration,
    /// How long one stream may say nothing, not even a heartbeat, before it is subscribed to anew; and how
    /// long its node may be behind this client, before it is begun anew.
    pub stream_liveness: Duration,
    /// How long a request may stay without an answer.
    pub answer_timeout: Duration,
    /// How long a connection has to stand until it counts as good: the next failure's wait is the first again.
    pub settled: Duration,
    /// How many attempts in a row may fail before the client gives up; `None` is any number.
    pub max_attempts: Option<u32>,
    /// The longest WebSocket message, in bytes.
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
            // Nodes tell something every five seconds, if only a ping: thrice nothing is the end.
            liveness: Duration::from_secs(15),
            stream_liveness: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(10),
            settled: Duration::from_secs(10),
            max_attempts: None,
            // A BookDelta has at most 2 MB; a node may send several messages in one.
            max_message: 16 << 20,
        }
    }
}
