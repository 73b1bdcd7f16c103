use std::time::Duration;

use super::kind::{DAY, KIB, MINUTE, duration, integer, integer_or_off, size};
use super::section::section;

/// A session numbers its streams with 16 bits; a test compares this with the fan-out's own limit.
pub(super) const MOST_STREAMS: i64 = 65_535;

section! {
    Limits in "limits":
    // 20,000 sessions of 4 KiB, all with full sockets of 128 KiB, are 2.6 GB.
    /// The most sessions; further ones are rejected with HTTP 503. Lowered if the process may not open that
    /// many files.
    live sessions: usize = integer(1, 1_000_000), default "20000";
    // A silent one costs some 4 KiB. At 20,000 new connections a second each still has 100 ms to send
    // its request before it is the oldest.
    /// The most connections that are not sessions: handshakes, and clients that load the page or use `/v1`.
    /// Beyond that, one of them is closed for each newcomer, first those that wait for their next request
    /// or are silent. Lowered if the process may not open that many files.
    live handshakes: usize = integer(16, 65_536), default "2048";
    // Off: many clients behind one address are as common as one client with many connections.
    /// The most connections of one address, or one /64 of IPv6; further ones are rejected with HTTP 429, or
    /// closed if TLS is on.
    live connections_per_address: Option<u32> = integer_or_off(1, 1_000_000), default "off";
    /// New connections per second on average, with a burst of five times as many after a pause; further
    /// ones are rejected likewise.
    live connections_per_second: Option<u32> = integer_or_off(1, 1_000_000), default "off";
    /// The same for one address, or one /64 of IPv6.
    live connections_per_second_per_address: Option<u32> = integer_or_off(1, 100_000), default "off";
    // Fifty snapshots a second with 5,000 levels a side take about 2 % of a publisher's time.
    /// Requests per second under `/v1` of one address, or one /64 of IPv6, on average, with a burst of five
    /// times as many after a pause; further requests are rejected with HTTP 429. A full book or one with
    /// `group` counts as 2, a list as 1 plus 1 per 250 of its `limit`. Behind a balancer that does not send
    /// the PROXY protocol, all clients share one address.
    live http_requests_per_second_per_address: Option<u32> = integer_or_off(1, 100_000), default "100";
    // As Binance, so that its users can switch. Streams of a session are numbered with 16 bits, of which one value
    // means none.
    /// The most streams of a session; further ones are rejected with `too_many_streams`.
    live streams_per_session: usize = integer(1, MOST_STREAMS), default "1024";
    // Its answer has less than 64 KiB in JSON.
    /// The most streams that the wildcards and lists of one request may subscribe to, change or leave; less
    /// one for every two that a `subscribe` names, down to a quarter. The last result has the number that
    /// remain. Repeat the request to reach them.
    live streams_per_request: usize = integer(1, MOST_STREAMS), default "100";
    // Each step that a client invents is another book in the publisher.
    /// The most streams with a `group` of a session; further ones are rejected with `too_many_views`.
    live grouped_views_per_session: usize = integer(0, MOST_STREAMS), default "16";
    // About 40 KiB of JSON.
    /// The most instruments in one answer to `list`; its `next` is where the next page continues.
    live instruments_per_answer: usize = integer(1, 1_000), default "200";
    // About thirty streams in one request.
    /// The largest message of a client; a larger one ends the session with 1009.
    live inbound_message_bytes: usize = size(256, 4 * KIB), default "4KiB";
    /// Frames per second from a client on average, including pings and pongs; a client that sends more is
    /// closed with 4002. Ten reads that complete no frame count as one.
    live inbound_messages_per_second: u32 = integer(1, 10_000), default "10";
    /// Frames that a client may send at once after a pause. It may always send as many as it needs to
    /// resume all of its streams, plus 20: one request per 25 of `limits.streams_per_session`, so 61 by
    /// default.
    live inbound_burst: u32 = integer(1, 10_000), default "20";
    // OWASP's and NATS' figures are 2 to 10 s; a phone's TLS handshake needs about two.
    /// How long a new connection may take to become a session.
    live handshake_timeout: Duration = duration(Duration::from_millis(100), MINUTE), default "5s";
    // Three times this is less than the second that an honest client at the same address may lose.
    /// How long a new connection waits per session of its address, or of its /64 of IPv6, that was recently
    /// closed because its client broke a rule (1002, 1003, 1007, 1009, 4002): three times this at most. One
    /// such close is forgotten per second. `0s` turns it off. Behind a balancer that does not send the
    /// PROXY protocol, all clients share one address.
    live handshake_delay: Duration = duration(Duration::ZERO, Duration::from_millis(300)), default "250ms";
    // Clients subscribe at once; a person at a terminal types for a minute.
    /// How long a session may have no stream and send no request before it is closed.
    live idle_session_timeout: Duration = duration(Duration::from_millis(100), DAY), default "1m";
    // The most that fits in one message: a change of a whole side is published as a snapshot.
    /// The most levels per side of a book; a larger book is rejected, and its instrument resyncs.
    fixed book_levels_per_side: usize = integer(1, 60_000), default "60000";
}
