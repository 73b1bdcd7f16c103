//! The labels: enums, so that the number of time series is known before a node starts.
//!
//! An enum of `market` or `wire` is a label itself, under the names that clients see. The others are
//! defined here, next to the cells that they index.

use std::convert::identity;

use market::{Channel, State};
use wire::control::{ErrorCode, StartReason};
use wire::{Encoding, LagKind};

/// A label with a fixed set of values.
pub trait Label: Copy + 'static {
    /// The key of the label in Prometheus.
    const KEY: &'static str;
    /// All values, in the order of their indices.
    const ALL: &'static [Self];
    /// A `C` for each value.
    type Cells<C>: AsRef<[C]>;

    /// The value as its enum names it.
    fn name(self) -> &'static str;
    /// The position in [`Label::ALL`].
    fn index(self) -> usize;
    /// Makes a `C` for each value.
    fn cells<C>(make: impl FnMut() -> C) -> Self::Cells<C>;

    /// The value in Prometheus: the name in lower case, since the schema's enums have theirs in
    /// capitals.
    fn value(self) -> String {
        self.name().to_ascii_lowercase()
    }
}

/// Makes a label of an enum that lists its values in `ALL`.
macro_rules! implement {
    ($enum:ident is $key:literal, $name:path, $index:expr) => {
        impl Label for $enum {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &$enum::ALL;
            type Cells<C> = [C; $enum::ALL.len()];

            fn name(self) -> &'static str {
                $name(self)
            }

            #[inline]
            fn index(self) -> usize {
                $index(self) as usize
            }

            fn cells<C>(mut make: impl FnMut() -> C) -> Self::Cells<C> {
                std::array::from_fn(|_| make())
            }
        }
    };
}

implement!(Channel is "channel", Channel::name, identity);
implement!(Encoding is "encoding", Encoding::name, identity);
implement!(State is "state", State::name, identity);
implement!(LagKind is "kind", LagKind::name, identity);
// A node never sends `Other`, which stands for the codes of later versions.
implement!(ErrorCode is "code", ErrorCode::as_str, |code| match code {
    ErrorCode::Other => ErrorCode::BadRequest,
    code => code,
});
implement!(ResumeOutcome is "outcome", ResumeOutcome::name, ResumeOutcome::index);

/// How a request to resume ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResumeOutcome {
    /// The stream continued from the client's position.
    Resumed,
    /// The stream started with a snapshot instead.
    Snapshot(StartReason),
}

impl ResumeOutcome {
    /// All outcomes.
    pub const ALL: [Self; 1 + StartReason::ALL.len()] = {
        let mut all = [Self::Resumed; 1 + StartReason::ALL.len()];
        let mut at = 0;
        while at < StartReason::ALL.len() {
            all[1 + at] = Self::Snapshot(StartReason::ALL[at]);
            at += 1;
        }
        all
    };

    const fn name(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::Snapshot(reason) => reason.name(),
        }
    }

    /// Searched, since a resume is rare and `StartReason::Other`, which is never sent, has no place.
    fn index(self) -> usize {
        let known = Self::ALL.iter().position(|known| *known == self);
        known.unwrap_or_default()
    }
}

/// Defines a label. The values are written out, so that renaming a variant renames no metric.
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

            /// The value in metrics and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        implement!($name is $key, $name::name, identity);
    };
}

label! {
    /// Why a session ended.
    CloseReason is "reason":
    /// The client closed the connection, with any code.
    Client = "client",
    /// The connection ended without a close frame.
    Disconnected = "disconnected",
    /// Reading or writing the socket failed.
    Io = "io",
    /// The client violated RFC 6455 (1002).
    Protocol = "protocol",
    /// The client sent a binary message (1003).
    Binary = "binary",
    /// The client sent text that is not UTF-8 (1007).
    BadText = "bad_text",
    /// The client sent a message that is too large (1009).
    TooLarge = "too_large",
    /// The node is stopping (1012).
    Drain = "drain",
    /// The client lagged and had chosen to be disconnected in that case (4000).
    TooSlow = "too_slow",
    /// The client did not answer a ping in time (4001).
    Heartbeat = "heartbeat",
    /// The client exceeded its message rate (4002).
    Rate = "rate",
    /// The client's token expired (4003).
    Expired = "expired",
    /// The session had no stream for too long (4004).
    Idle = "idle",
}

label! {
    /// Why a connection did not become a session.
    HandshakeRefusal is "reason":
    /// The node is at its session limit (503).
    Full = "full",
    /// The node is stopping (503).
    Draining = "draining",
    /// The node has not caught up with Kafka, or has lost it (503).
    NotReady = "not_ready",
    /// The request is not a WebSocket handshake as RFC 6455 requires it (400).
    BadRequest = "bad_request",
    /// The upgrade is missing, or the WebSocket version is not 13 (426).
    Upgrade = "upgrade",
    /// None of the requested subprotocols is supported (400).
    Subprotocol = "subprotocol",
    /// The handshake took too long.
    Timeout = "timeout",
    /// Reading or writing the socket failed.
    Io = "io",
    /// The client was not authenticated or authorized (401, 403, 429).
    Denied = "denied",
    /// The client's address is at its connection limit (429).
    Address = "address",
    /// Connections arrived too fast, from this address or in total (429).
    Rate = "rate",
    /// The TLS handshake failed.
    Tls = "tls",
    /// A trusted balancer sent no valid PROXY header.
    Proxy = "proxy",
    /// The connection was closed to make room for another.
    Evicted = "evicted",
    /// Unread responses hold as many bytes as they may (503).
    Bodies = "bodies",
}

label! {
    /// Why a request was not authorized: the stable codes that clients receive.
    AuthRefusal is "reason":
    /// There is no token.
    Missing = "missing_token",
    /// The token cannot be parsed.
    Malformed = "malformed_token",
    /// The token's algorithm is not allowed, or not with its key.
    Algorithm = "bad_algorithm",
    /// The token's key is unknown.
    UnknownKey = "unknown_key",
    /// The signature is invalid.
    Signature = "bad_signature",
    /// The token has another issuer.
    Issuer = "wrong_issuer",
    /// The token is for another audience.
    Audience = "wrong_audience",
    /// The token has expired.
    Expired = "expired",
    /// The token is not valid yet.
    NotYet = "not_yet_valid",
    /// A claim is missing or invalid.
    Claims = "bad_claims",
    /// The page's origin is not allowed.
    Origin = "wrong_origin",
    /// The subject is at its connection limit.
    Connections = "too_many_connections",
}

label! {
    /// Why a replay was rejected or aborted.
    ReplayRefusal is "reason":
    /// The node is at its replay limit.
    Busy = "busy",
    /// The session or its address is at its replay limit.
    TooMany = "too_many",
    /// The records that it would start from are no longer in the log.
    TooEarly = "too_early",
    /// Reading the log failed.
    Failed = "failed",
    /// The client did not read.
    Stalled = "stalled",
    /// The replay exceeded its time limit.
    TooLong = "too_long",
}

label! {
    /// Why a checkpoint was not restored.
    CheckpointRefusal is "reason":
    /// The topic could not be read in time.
    Unread = "unread",
    /// The checksum does not match.
    Checksum = "checksum",
    /// The version is unknown.
    Version = "version",
    /// The record is not a checkpoint.
    Malformed = "malformed",
    /// The topic was recreated since.
    OtherTopic = "other_topic",
    /// Records after the checkpoint are no longer in the log, or the log ends before it.
    OffsetGone = "offset_gone",
    /// The configured scale has changed.
    OtherScale = "other_scale",
}

label! {
    /// What decoding a Kafka record led to.
    DecodeOutcome is "outcome":
    /// An event.
    Event = "event",
    /// Nothing to publish, though the record was understood.
    Nothing = "nothing",
    /// The record has no value.
    Tombstone = "tombstone",
    /// The value has no bytes.
    Empty = "empty",
    /// The value is larger than configured.
    TooLarge = "too_large",
    /// The value is not JSON.
    MalformedJson = "malformed_json",
    /// The value is JSON of a kind that its format does not know.
    UnknownKind = "unknown_kind",
    /// A field is missing, repeated or of the wrong type.
    WrongShape = "wrong_shape",
    /// A number, time, side or state is invalid or out of range.
    BadValue = "bad_value",
    /// The sequence numbers contradict each other.
    BadSequence = "bad_sequence",
    /// The instrument's name is missing or invalid.
    BadName = "bad_name",
    /// The instrument is not one of this node's.
    UnknownInstrument = "unknown_instrument",
    /// The record has more levels or trades than the bound.
    TooMany = "too_many",
}

label! {
    /// What applying an event led to.
    EventOutcome is "outcome":
    /// A delta was applied.
    Delta = "delta",
    /// A snapshot was applied.
    Snapshot = "snapshot",
    /// Trades were published.
    Trades = "trades",
    /// Nothing to publish.
    Nothing = "nothing",
    /// The book already includes the event.
    Stale = "stale",
    /// The book is waiting for a snapshot.
    Waiting = "waiting",
    /// The venue's sequence numbers preceding it are missing.
    Gap = "gap",
    /// It would have crossed the book.
    Crossed = "crossed",
    /// A snapshot that no buffered delta follows on.
    TooOld = "too_old",
    /// A snapshot that repeats a price or has too many levels.
    Unusable = "unusable",
    /// The record could not be read, which puts its instrument in doubt.
    BadRecord = "bad_record",
    /// The instrument is read from another partition.
    OtherPartition = "other_partition",
}

label! {
    /// The threads of a node whose failure is counted.
    ThreadKind is "thread":
    /// Reads Kafka and publishes.
    Publisher = "publisher",
    /// Serves clients.
    Shard = "shard",
    /// Answers `/v1`.
    Http = "http",
    /// Discovers topics and partitions.
    Scout = "scout",
    /// Writes checkpoints.
    Checkpoints = "checkpoints",
    /// Exports traces.
    Traces = "traces",
    /// Replays the past to one client.
    Replay = "replay",
}

label! {
    /// What went wrong between the node and its brokers.
    BrokerError is "kind":
    /// A broker could not be reached, or the connection to it broke.
    Transport = "transport",
    /// A broker's host name could not be resolved.
    Resolve = "resolve",
    /// A broker did not answer in time.
    Timeout = "timeout",
    /// A broker rejected the node's credentials.
    Auth = "auth",
    /// The node is not authorized, for example to read a topic.
    Authorization = "authorization",
    /// The TLS handshake failed, for example because a certificate is not trusted.
    Tls = "tls",
    /// The topic or partition does not exist.
    UnknownTopic = "unknown_topic",
    /// The broker does not support what was requested.
    Unsupported = "unsupported",
    /// A broker sent damaged data.
    Corrupt = "corrupt",
    /// The client cannot continue.
    Fatal = "fatal",
    /// Anything else.
    Other = "other",
}
