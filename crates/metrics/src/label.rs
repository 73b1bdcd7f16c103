//! The labels: enums, so that the number of time series is known before a node starts.
//!
//! Those that mirror an enum of another crate have its names in its order; this crate knows none
//! of ours.

/// A label with a fixed set of values.
pub trait Label: Copy + 'static {
    /// What Prometheus calls the label.
    const KEY: &'static str;
    /// A `C` for each value.
    type Cells<C>: AsRef<[C]>;

    /// All values, in the order of their indices.
    fn all() -> &'static [Self];
    /// What Prometheus calls the value.
    fn name(self) -> &'static str;
    /// The place in [`Label::all`].
    fn index(self) -> usize;
    /// Makes a `C` for each value.
    fn cells<C>(make: impl FnMut() -> C) -> Self::Cells<C>;
}

macro_rules! label {
    (
        $(#[$meta:meta])*
        $name:ident is $key:literal: $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All values, in the order of their indices.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];
        }

        impl Label for $name {
            const KEY: &'static str = $key;
            type Cells<C> = [C; [$($text),+].len()];

            fn all() -> &'static [Self] {
                &Self::ALL
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            #[inline]
            fn index(self) -> usize {
                self as usize
            }

            fn cells<C>(mut make: impl FnMut() -> C) -> Self::Cells<C> {
                std::array::from_fn(|_| make())
            }
        }
    };
}

label! {
    /// What a stream tells of its instrument; mirrors `market::Channel`.
    Channel is "channel":
    /// Snapshot and deltas of the book.
    Book = "book",
    /// Best bid and offer.
    Bbo = "bbo",
    /// Trades.
    Trades = "trades",
    /// 24-hour statistics.
    Ticker = "ticker",
    /// Open, high, low, close and volume over an interval.
    Bars = "bars",
    /// The state of the instrument.
    Status = "status",
}

label! {
    /// How data messages are written; mirrors `wire::Encoding`.
    Encoding is "encoding":
    /// Simple Binary Encoding.
    Sbe = "sbe",
    /// JSON.
    Json = "json",
    /// Varint ticks and lots.
    Packed = "packed",
}

label! {
    /// How far a book can be trusted; mirrors `market::State`.
    BookState is "state":
    /// The book is right.
    Live = "live",
    /// The book is being rebuilt.
    Resyncing = "resyncing",
    /// Nothing has come for longer than configured.
    Stale = "stale",
    /// The venue halted trading.
    Halted = "halted",
    /// The venue's own sequence broke.
    UpstreamGap = "upstream_gap",
}

label! {
    /// Why a session ended.
    CloseReason is "reason":
    /// The client closed first, with whatever code.
    Client = "client",
    /// The connection was gone without a close frame.
    Disconnected = "disconnected",
    /// Reading or writing the socket failed.
    Io = "io",
    /// The client broke RFC 6455 (1002).
    Protocol = "protocol",
    /// The client sent a binary message (1003).
    Binary = "binary",
    /// The client sent text that is not UTF-8 (1007).
    BadText = "bad_text",
    /// The client sent a message that is too large (1009).
    TooLarge = "too_large",
    /// The node stops (1012).
    Drain = "drain",
    /// The client fell behind and had chosen to be disconnected then (4000).
    TooSlow = "too_slow",
    /// The client did not answer a ping in time (4001).
    Heartbeat = "heartbeat",
    /// The client sent more messages than it may (4002).
    Rate = "rate",
    /// The client's token expired (4003).
    Expired = "expired",
    /// The session had no stream for too long (4004).
    Idle = "idle",
}

label! {
    /// Why a connection did not become a session.
    HandshakeRefusal is "reason":
    /// The node has as many sessions as it may (503).
    Full = "full",
    /// The node is stopping (503).
    Draining = "draining",
    /// The node has not caught up with Kafka, or hears nothing of it (503).
    NotReady = "not_ready",
    /// The request is no WebSocket handshake as RFC 6455 wants it (400).
    BadRequest = "bad_request",
    /// The WebSocket version or the upgrade is missing or other than 13 (426).
    Upgrade = "upgrade",
    /// None of the subprotocols asked for is spoken here (400).
    Subprotocol = "subprotocol",
    /// The handshake took too long.
    Timeout = "timeout",
    /// The connection broke.
    Io = "io",
    /// It did not show who it is, or may not come in (401, 403, 429).
    Denied = "denied",
    /// Its address has as many connections as it may (429).
    Address = "address",
    /// It, or all, came too fast (429).
    Rate = "rate",
    /// Its TLS handshake failed.
    Tls = "tls",
    /// A trusted balancer did not say who connects.
    Proxy = "proxy",
    /// It was closed to make room for another connection.
    Evicted = "evicted",
    /// Unread responses hold as many bytes as they may (503).
    Bodies = "bodies",
}

label! {
    /// Why somebody was not let in; mirrors `fanout::Denied`.
    AuthRefusal is "reason":
    /// There was no token.
    Missing = "missing_token",
    /// The token could not be read.
    Malformed = "malformed_token",
    /// Its algorithm is not allowed, or not with its key.
    Algorithm = "bad_algorithm",
    /// Its key is not known.
    UnknownKey = "unknown_key",
    /// Its signature does not fit.
    Signature = "bad_signature",
    /// It has another issuer.
    Issuer = "wrong_issuer",
    /// It is for another audience.
    Audience = "wrong_audience",
    /// It has expired.
    Expired = "expired",
    /// It is not valid yet.
    NotYet = "not_yet_valid",
    /// A claim is missing or wrong.
    Claims = "bad_claims",
    /// The page is of another origin.
    Origin = "wrong_origin",
    /// The subject has as many connections as it may.
    Connections = "too_many_connections",
}

label! {
    /// What became of a request to resume.
    ResumeOutcome is "outcome":
    /// The stream went on where the client was.
    Resumed = "resumed",
    /// A snapshot: the client's epoch is not the stream's.
    EpochChanged = "epoch_changed",
    /// A snapshot: the log does not reach back to the client's seq.
    LogExceeded = "log_exceeded",
    /// A snapshot: the client's seq is ahead of this node's.
    AheadOfLog = "ahead_of_log",
    /// A snapshot: the client's seq is before what this node has read.
    BeforeStart = "before_start",
    /// A snapshot: the stream has no state to go on from.
    NoState = "no_state",
}

label! {
    /// The stable codes of errors in answers to requests.
    ErrorCode is "code":
    /// The request is no JSON.
    BadJson = "bad_json",
    /// The request lacks a field or has a wrong one.
    BadRequest = "bad_request",
    /// There is no such operation.
    UnknownOp = "unknown_op",
    /// There is no such channel.
    UnknownChannel = "unknown_channel",
    /// The channel is not served.
    UnsupportedChannel = "unsupported_channel",
    /// There is no such instrument.
    UnknownSymbol = "unknown_symbol",
    /// The depth is none of those offered.
    BadDepth = "bad_depth",
    /// The speed is none of those offered.
    BadSpeed = "bad_speed",
    /// The speed is not served for that channel.
    UnsupportedSpeed = "unsupported_speed",
    /// The price step is no price step.
    BadGroup = "bad_group",
    /// The price step is not served.
    UnsupportedGroup = "unsupported_group",
    /// The interval is none of those offered.
    BadInterval = "bad_interval",
    /// The policy is none of those offered.
    BadPolicy = "bad_policy",
    /// The position to resume from is no position.
    BadResume = "bad_resume",
    /// The start is not served.
    UnsupportedStart = "unsupported_start",
    /// What the start needs is no longer in the log.
    StartTooEarly = "start_too_early",
    /// As many streams are replayed as may be.
    Busy = "busy",
    /// The session has the stream already.
    AlreadySubscribed = "already_subscribed",
    /// The session does not have the stream.
    NotSubscribed = "not_subscribed",
    /// The session has as many streams as it may.
    TooManyStreams = "too_many_streams",
    /// There are as many grouped streams as there may be.
    TooManyViews = "too_many_views",
    /// The node is still catching up.
    NotReady = "not_ready",
    /// The client's token is not for the stream.
    NotEntitled = "not_entitled",
    /// A wildcard that matches more instruments than one request may concern.
    MoreMatches = "more_matches",
    /// A stream that the node can no longer make.
    StreamEnded = "stream_ended",
}

label! {
    /// Why a replay of the past did not begin, or broke off.
    ReplayRefusal is "reason":
    /// There are as many as may be.
    Busy = "busy",
    /// Its session, or its address, has as many as it may.
    TooMany = "too_many",
    /// What its start needs is no longer in the log.
    TooEarly = "too_early",
    /// The log cannot be read.
    Failed = "failed",
    /// Its client did not read.
    Stalled = "stalled",
    /// It took longer than it may.
    TooLong = "too_long",
}

label! {
    /// Why a checkpoint is not taken over.
    CheckpointRefusal is "reason":
    /// The topic could not be read in time.
    Unread = "unread",
    /// It is not what was written.
    Checksum = "checksum",
    /// It is of another version.
    Version = "version",
    /// It is no checkpoint.
    Malformed = "malformed",
    /// The topic was made anew since.
    OtherTopic = "other_topic",
    /// Records that it does not include are not in the log, or the log ends before it.
    OffsetGone = "offset_gone",
    /// The configuration says another scale now.
    OtherScale = "other_scale",
}

label! {
    /// What the decoder made of a Kafka record; mirrors `ingest::Outcome`.
    DecodeOutcome is "outcome":
    /// It said something.
    Event = "event",
    /// It was understood and says nothing that is published.
    Nothing = "nothing",
    /// It has no value.
    Tombstone = "tombstone",
    /// Its value has no bytes.
    Empty = "empty",
    /// Its value is larger than configured.
    TooLarge = "too_large",
    /// Its value is no JSON.
    MalformedJson = "malformed_json",
    /// It is JSON of no kind that its format knows.
    UnknownKind = "unknown_kind",
    /// A field is missing, stands twice or has the wrong type.
    WrongShape = "wrong_shape",
    /// A number, time, side or state is none, or does not fit.
    BadValue = "bad_value",
    /// Its sequence numbers contradict each other.
    BadSequence = "bad_sequence",
    /// It names no instrument, or not by a proper name.
    BadName = "bad_name",
    /// It names an instrument that this node does not have.
    UnknownInstrument = "unknown_instrument",
    /// It has more levels or trades than the bound.
    TooMany = "too_many",
}

label! {
    /// What became of what a record says; mirrors the counts of `streams`' publisher.
    EventOutcome is "outcome":
    /// A change that the book has.
    Delta = "delta",
    /// A whole book that was taken over.
    Snapshot = "snapshot",
    /// Trades.
    Trades = "trades",
    /// It was understood and says nothing to publish.
    Nothing = "nothing",
    /// The book had it already.
    Stale = "stale",
    /// The book waits for a whole book.
    Waiting = "waiting",
    /// The venue's sequence numbers before it are missing.
    Gap = "gap",
    /// It would have crossed the book.
    Crossed = "crossed",
    /// A whole book that no kept change links to.
    TooOld = "too_old",
    /// A whole book that names a price twice, or has too many levels.
    Unusable = "unusable",
    /// The record could not be read, and its instrument is in doubt.
    BadRecord = "bad_record",
    /// The instrument is read from another partition.
    OtherPartition = "other_partition",
}

label! {
    /// How a subscriber that fell behind caught up; mirrors `wire::LagKind`.
    CatchUp is "kind":
    /// By the exact net change.
    Conflated = "conflated",
    /// By a snapshot.
    Snapshot = "snapshot",
    /// Not: messages that are no longer held were lost, and it was told so.
    Skipped = "skipped",
}

label! {
    /// The threads of a node that may end in the wrong way.
    ThreadKind is "thread":
    /// Reads Kafka and publishes.
    Publisher = "publisher",
    /// Serves clients.
    Shard = "shard",
    /// Answers `/v1`.
    Http = "http",
    /// Looks for topics and partitions.
    Scout = "scout",
    /// Writes checkpoints.
    Checkpoints = "checkpoints",
    /// Exports traces.
    Traces = "traces",
    /// Sends one client the past.
    Replay = "replay",
}

label! {
    /// What went wrong between the node and Kafka; mirrors `ingest::BrokerTrouble`.
    BrokerError is "kind":
    /// A broker could not be reached, or the connection to it broke.
    Transport = "transport",
    /// The name of a broker's host could not be resolved.
    Resolve = "resolve",
    /// A broker did not answer in time.
    Timeout = "timeout",
    /// The broker did not accept who we are.
    Auth = "auth",
    /// The broker does not allow what is asked for, such as to read a topic.
    Authorization = "authorization",
    /// The TLS handshake with a broker failed.
    Tls = "tls",
    /// The topic or partition is not there.
    UnknownTopic = "unknown_topic",
    /// The broker does not support what is asked of it.
    Unsupported = "unsupported",
    /// What a broker sent was damaged.
    Corrupt = "corrupt",
    /// The client cannot go on.
    Fatal = "fatal",
    /// Anything else.
    Other = "other",
}
