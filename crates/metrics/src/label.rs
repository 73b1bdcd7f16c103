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
    /// Why a book is rebuilt; the causes among `market::Reason`.
    ResyncReason is "reason":
    /// No whole book has been seen yet.
    Starting = "starting",
    /// A sequence number is missing.
    Gap = "gap",
    /// The best bid was above the best ask.
    Crossed = "crossed",
    /// A record could not be read.
    BadRecord = "bad_record",
    /// The topic was made anew, or its offsets went back.
    TopicReset = "topic_reset",
    /// The venue said so.
    Venue = "venue",
    /// Kafka deleted records before this node had read them.
    Retention = "retention",
}

label! {
    /// Why a session ended.
    CloseReason is "reason":
    /// The client said goodbye (1000 or 1001).
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
}

label! {
    /// Why a connection did not become a session.
    HandshakeRefusal is "reason":
    /// The node has as many sessions as it may (503).
    Full = "full",
    /// The node is stopping (503).
    Draining = "draining",
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
    /// The policy is none of those offered.
    BadPolicy = "bad_policy",
    /// The position to resume from is no position.
    BadResume = "bad_resume",
    /// The start is not served.
    UnsupportedStart = "unsupported_start",
    /// The session has the stream already.
    AlreadySubscribed = "already_subscribed",
    /// The session does not have the stream.
    NotSubscribed = "not_subscribed",
    /// The session has as many streams as it may.
    TooManyStreams = "too_many_streams",
    /// The node is still catching up.
    NotReady = "not_ready",
}

label! {
    /// What the decoder made of a Kafka record.
    DecodeOutcome is "outcome":
    /// Events came of it.
    Decoded = "decoded",
    /// It is valid and carries nothing for us, e.g. a venue's answer to a subscription.
    Ignored = "ignored",
    /// It has a key and no value.
    Tombstone = "tombstone",
    /// Its value has no bytes.
    Empty = "empty",
    /// It is larger than configured.
    TooLarge = "too_large",
    /// It is no JSON of the topic's format.
    BadJson = "bad_json",
    /// A field is missing or of the wrong type.
    BadField = "bad_field",
    /// A number does not fit.
    BadNumber = "bad_number",
    /// The symbol cannot name an instrument.
    BadSymbol = "bad_symbol",
    /// The configuration refuses instruments that it does not name.
    UnknownInstrument = "unknown_instrument",
    /// The node has as many instruments as it may.
    TooManyInstruments = "too_many_instruments",
    /// The instrument belongs to another partition.
    OtherPartition = "other_partition",
}

label! {
    /// What the publisher made of a record.
    RecordOutcome is "outcome":
    /// At least one stream spoke.
    Published = "published",
    /// Nothing changed, so no stream spoke.
    Silent = "silent",
    /// It broke its instrument, which resyncs.
    Broke = "broke",
    /// It was no good and left its instrument as it was.
    Refused = "refused",
}

label! {
    /// What became of an event of a record.
    EventOutcome is "outcome":
    /// The instrument has it.
    Applied = "applied",
    /// The instrument had it already.
    Stale = "stale",
    /// The book waits for a whole book.
    Waiting = "waiting",
    /// Something before it is missing.
    Gap = "gap",
    /// It would have crossed the book.
    Crossed = "crossed",
    /// It contradicts itself, e.g. names a price twice.
    Invalid = "invalid",
}

label! {
    /// What went wrong between the node and Kafka.
    BrokerError is "kind":
    /// A broker could not be reached, or the connection to it broke.
    Transport = "transport",
    /// A broker did not answer in time.
    Timeout = "timeout",
    /// The broker did not accept who we are.
    Auth = "auth",
    /// The topic or partition is not there.
    UnknownTopic = "unknown_topic",
    /// What a broker sent was damaged.
    Corrupt = "corrupt",
    /// The client cannot go on.
    Fatal = "fatal",
    /// Anything else.
    Other = "other",
}
