use market::Channel;
use wire::Encoding;
use wire::control::ErrorCode;

use crate::label::{AuthRefusal, CloseReason, HandshakeRefusal, ResumeOutcome};
use crate::{By, Counter, Gauge, Histogram};

/// What one fan-out shard counts; the shard is its only writer.
///
/// Aligned to two cache lines, since processors fetch lines in pairs: a neighbour's writes never
/// touch this shard's lines.
#[derive(Default)]
#[repr(align(128))]
pub struct ShardMetrics {
    /// Sessions that are open.
    pub sessions_open: Gauge,
    /// Sessions whose sockets are full, as of the last tick.
    pub sessions_blocked: Gauge,
    /// Sessions that were opened.
    pub sessions_opened: Counter,
    /// Sessions that ended.
    pub sessions_closed: By<CloseReason, Counter>,
    /// Connections that did not become sessions.
    pub handshakes_refused: By<HandshakeRefusal, Counter>,
    /// Connections that waited since clients at their address broke rules lately.
    pub handshakes_delayed: Counter,
    /// Requests, of sessions and of `/v1`, that were not let in.
    pub auth_refused: By<AuthRefusal, Counter>,

    /// Subscriptions that are in force.
    pub subscriptions: By<Channel, Gauge>,
    /// Requests to resume.
    pub resumes: By<ResumeOutcome, Counter>,
    /// Snapshots sent to single sessions, at the start of a subscription or instead of a resume.
    pub snapshots: Counter,
    /// Errors in answers to requests.
    pub request_errors: By<ErrorCode, Counter>,

    /// WebSocket messages received, control frames not counted.
    pub messages_in: Counter,
    /// Bytes received, frame heads included.
    pub bytes_in: Counter,
    /// WebSocket messages of streams sent, counted once for each session.
    pub messages_out: By<Channel, By<Encoding, Counter>>,
    /// Answers to requests sent.
    pub answers_out: Counter,
    /// Bytes sent, frame heads included.
    pub bytes_out: By<Encoding, Counter>,
    /// System calls that sent something.
    pub sends: Counter,
    /// System calls that could not send all they were given: the socket was full.
    pub sends_short: Counter,
    /// Nanoseconds that the shard rested though it had more to send, so that messages gathered.
    pub rested_ns: Counter,

    /// Cursors that fell off their stream's run buffer.
    pub cursors_fallen: Counter,
    /// Catch-ups by an exact net delta.
    pub conflations: Counter,
    /// Catch-ups by a snapshot, since that was smaller or the log did not reach back.
    pub catch_up_snapshots: Counter,
    /// Messages that a catch-up replaced.
    pub conflated_messages: Counter,
    /// Messages that were lost to a slow session, which was told so (`Lag` of kind `SKIPPED`).
    pub skipped_messages: Counter,
    /// Sessions disconnected for being slow, as they had chosen.
    pub slow_disconnects: Counter,

    /// Pings sent.
    pub pings: Counter,
    /// Pings that were not answered in time.
    pub heartbeat_failures: Counter,
    /// Sessions that sent more messages than they may.
    pub rate_limited: Counter,
    /// HTTP requests that were rejected, since their address asked too much.
    pub http_rejected: Counter,

    /// From the publisher's hand-over of a run to the start of the system call that sends it.
    pub stage_queue: Histogram,
    /// The system call.
    pub stage_send: Histogram,
}
