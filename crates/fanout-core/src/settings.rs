use std::time::Duration;

/// Limits and times of sessions. They can be replaced while sessions are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Maximum streams per session, up to [`Settings::MOST_STREAMS`].
    pub streams_per_session: usize,
    /// Maximum streams that one request can subscribe to, change or end. If a wildcard matches
    /// more, the last result says so.
    pub streams_per_request: usize,
    /// Maximum grouped views per session: each distinct step costs the publisher a book.
    pub grouped_views_per_session: usize,
    /// Maximum instruments in an answer to `list`.
    pub instruments_per_answer: usize,
    /// Maximum size of a client's message, in bytes.
    pub inbound_message_bytes: usize,
    /// Frames per second that a client may send on average.
    pub inbound_rate: u32,
    /// Frames that a client may send at once after a pause; see [`Settings::burst`].
    pub inbound_burst: u32,
    /// Idle time after which a client is sent a ping.
    pub ping_interval: Duration,
    /// Time a client has to respond to a ping.
    pub pong_timeout: Duration,
    /// Time after which a session without streams is closed; zero disables the limit.
    pub idle_session_timeout: Duration,
    /// Bytes of runs that a shard keeps per stream for sessions that have not received them yet. 8
    /// MiB hold a few seconds of the busiest book at replay speed.
    pub run_bytes: usize,
    /// Bytes of runs that a shard keeps in total; beyond this, each stream keeps 64 KiB.
    pub ring_budget: usize,
    /// Bytes of runs that a shard keeps for sessions with full sockets, in total. Anything beyond
    /// is evicted, and those sessions are caught up once they have room.
    pub run_bytes_for_slow: usize,
    /// Additional bytes of runs per session with a full socket. A lagging client therefore costs a
    /// constant, however far behind it is.
    pub run_bytes_per_slow: usize,
}

/// Streams that fit in a 4 KiB request at up to 160 bytes each: a long name, a depth and a resume
/// position.
const STREAMS_A_REQUEST: usize = 25;
/// Requests allowed in a burst in addition to those that resume all streams.
const OTHER_REQUESTS: u32 = 20;

impl Settings {
    /// Upper limit of `streams_per_session`: subscriptions are numbered with 16 bits, and one value
    /// means none.
    pub const MOST_STREAMS: usize = u16::MAX as usize;

    /// Returns the number of frames that a client may send at once: the configured burst, or what a
    /// full session needs to resume all its streams if that is more.
    #[must_use]
    pub fn burst(&self) -> u32 {
        let resumes = self.streams_per_session.div_ceil(STREAMS_A_REQUEST);
        let needed = u32::try_from(resumes).unwrap_or(u32::MAX);
        self.inbound_burst
            .max(needed.saturating_add(OTHER_REQUESTS))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            streams_per_session: 1024,
            streams_per_request: 100,
            grouped_views_per_session: 16,
            instruments_per_answer: 200,
            inbound_message_bytes: 4096,
            inbound_rate: 10,
            inbound_burst: 20,
            ping_interval: Duration::from_secs(20),
            pong_timeout: Duration::from_secs(10),
            idle_session_timeout: Duration::from_secs(60),
            run_bytes: 8 * 1024 * 1024,
            ring_budget: 256 * 1024 * 1024,
            run_bytes_for_slow: 1024 * 1024,
            run_bytes_per_slow: 32 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_session_may_always_resume_all_of_its_streams_at_once() {
        for streams_per_session in [1, 1024, Settings::MOST_STREAMS] {
            let settings = Settings {
                streams_per_session,
                ..Settings::default()
            };
            let requests = streams_per_session.div_ceil(STREAMS_A_REQUEST);
            assert!(settings.burst() as usize >= requests + OTHER_REQUESTS as usize);
        }
    }
}
