use market::Channel;
use wire::Encoding;
use wire::control::ErrorCode;

use crate::families::families;
use crate::label::{AuthRefusal, CloseReason, HandshakeRefusal, ResumeOutcome};
use crate::{By, Counter, DurationCounter, Gauge, Histogram};

families! {
    /// What one fan-out shard counts; the shard is its only writer.
    ///
    /// Aligned to two cache lines, since processors fetch lines in pairs: a neighbour's writes never
    /// touch this shard's lines.
    #[derive(Default)]
    #[repr(align(128))]
    pub struct ShardMetrics {
        /// Open sessions.
        pub sessions_open: Gauge = "tapecast_sessions",
        /// Sessions that are waiting because their sockets are full.
        pub sessions_blocked: Gauge = "tapecast_sessions_blocked",
        /// Sessions opened.
        pub sessions_opened: Counter = "tapecast_sessions_opened_total",
        /// Sessions closed, by reason.
        pub sessions_closed: By<CloseReason, Counter> = "tapecast_sessions_closed_total",
        /// Connections that did not become sessions, by reason.
        pub handshakes_refused: By<HandshakeRefusal, Counter> = "tapecast_handshakes_refused_total",
        /// Connections that had to wait because clients at their address had been closed for breaking a rule.
        pub handshakes_delayed: Counter = "tapecast_handshakes_delayed_total",
        /// Requests for a session or to `/v1` that were not authorized, by the code that the client received.
        pub auth_refused: By<AuthRefusal, Counter> = "tapecast_auth_refused_total",

        /// Active subscriptions.
        pub subscriptions: By<Channel, Gauge> = "tapecast_subscriptions",
        /// Requests to resume: `resumed`, or why the stream started with a snapshot instead.
        pub resumes: By<ResumeOutcome, Counter> = "tapecast_resumes_total",
        /// Snapshots sent because a subscription started or could not resume.
        pub snapshots: Counter = "tapecast_snapshots_sent_total",
        /// Errors in answers to requests, by their stable code.
        pub request_errors: By<ErrorCode, Counter> = "tapecast_request_errors_total",
        /// WebSocket pings sent.
        pub pings: Counter = "tapecast_pings_total",
        /// WebSocket pings that were not answered in time; the session is closed with 4001.
        pub heartbeat_failures: Counter = "tapecast_heartbeat_failures_total",
        /// Sessions that exceeded their message rate; the session is closed with 4002.
        pub rate_limited: Counter = "tapecast_rate_limited_total",
        /// HTTP requests rejected with 429 because their address exceeded its rate.
        pub http_rejected: Counter = "tapecast_http_requests_rejected_total",

        /// WebSocket messages received from clients, excluding control frames.
        pub messages_in: Counter = "tapecast_messages_received_total",
        /// Bytes received from clients, including frame headers.
        pub bytes_in: Counter = "tapecast_bytes_received_total",
        /// WebSocket messages of streams sent, counted once per session that received them.
        pub messages_out: By<Channel, By<Encoding, Counter>> = "tapecast_messages_sent_total",
        /// Answers to requests sent.
        pub answers_out: Counter = "tapecast_answers_sent_total",
        /// Bytes sent to clients, including frame headers.
        pub bytes_out: By<Encoding, Counter> = "tapecast_bytes_sent_total",
        /// System calls that sent data.
        pub sends: Counter = "tapecast_sends_total",
        /// System calls that sent only part of their data because the socket was full.
        pub sends_short: Counter = "tapecast_sends_short_total",
        /// Time that busy shards paused so that messages accumulate (`fanout.busy_percent`).
        pub rested: DurationCounter = "tapecast_shard_rest_seconds_total",

        /// Cursors of lagging sessions whose next frame was no longer retained.
        pub cursors_fallen: Counter = "tapecast_cursors_fallen_total",
        /// Catch-ups of lagging sessions by an exact net delta.
        pub conflations: Counter = "tapecast_conflations_total",
        /// Catch-ups of lagging sessions by a snapshot.
        pub catch_up_snapshots: Counter = "tapecast_catch_up_snapshots_total",
        /// Messages that a catch-up replaced for a lagging session.
        pub conflated_messages: Counter = "tapecast_conflated_messages_total",
        /// Messages that a lagging session lost, as reported to it by `Lag` of kind `SKIPPED`; 1 where their number is unknown.
        pub skipped_messages: Counter = "tapecast_skipped_messages_total",
        /// Sessions closed with 4000 because they lagged and had chosen to be disconnected.
        pub slow_disconnects: Counter = "tapecast_slow_disconnects_total",

        /// From the publisher's handover of a run to the start of the system call that sends it;
        /// exported as a stage.
        pub stage_queue: Histogram,
        /// The system call; exported as a stage.
        pub stage_send: Histogram,
    }
}
