use std::time::Duration;

/// The bounds and times of sessions, which may be replaced while sessions live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The most streams of a session, up to [`Settings::MOST_STREAMS`].
    pub streams_per_session: usize,
    /// The most streams that one request subscribes to, changes or ends; a wildcard that matches
    /// more says so in its last result.
    pub streams_per_request: usize,
    /// The most streams of a session whose prices are grouped: each step that a client invents is a
    /// book of its own in the publisher.
    pub grouped_views_per_session: usize,
    /// The most instruments in one answer to `list`.
    pub instruments_per_answer: usize,
    /// The largest message of a client, in bytes.
    pub inbound_message_bytes: usize,
    /// How many frames a second a client may send in the long run.
    pub inbound_rate: u32,
    /// How many frames a client may send at once after a pause; see [`Settings::burst`].
    pub inbound_burst: u32,
    /// How long a client may be quiet before it is sent a ping.
    pub ping_interval: Duration,
    /// How long a client may take to show a sign of life after a ping.
    pub pong_timeout: Duration,
    /// How long a session may have no stream, and ask for none, before it is closed; for ever if zero.
    pub idle_session_timeout: Duration,
    /// Bytes of runs that one stream keeps in a shard for those who have not been sent them yet.
    /// 8 MiB are some seconds of the busiest book there is, at the speed of a replay.
    pub run_bytes: usize,
    /// Bytes of runs that all streams of a shard keep; beyond, each keeps 64 KiB.
    pub ring_budget: usize,
    /// Bytes that the rings of a shard keep for sessions whose sockets are full, all together. What
    /// goes beyond is forgotten, and they are caught up when there is room.
    pub run_bytes_for_slow: usize,
    /// Bytes that the rings keep besides for each session whose socket is full: so a slow client
    /// costs a constant, however much it misses.
    pub run_bytes_per_slow: usize,
}

/// Streams that fit in a request of 4 KiB, at up to 160 bytes each: a long name, a depth and a
/// position to resume from.
const STREAMS_A_REQUEST: usize = 25;
/// Requests that a client may send besides those that resume its streams.
const OTHER_REQUESTS: u32 = 20;

impl Settings {
    /// The most streams that a session can be configured to have: its subscriptions are numbered
    /// with 16 bits, of which one value means none.
    pub const MOST_STREAMS: usize = u16::MAX as usize;

    /// How many frames a client may send at once: as configured, and never fewer than a full
    /// session needs to resume all of its streams.
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
