//! The bodies of messages without groups and texts, identical in every encoding.

use market::{Channel, Nanos, Price, Reason, Seq, Size, State};

/// Statistics of the last 24 hours; `None` if there was no trade, or the number does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticker {
    /// The first price.
    pub open: Option<Price>,
    /// The highest price.
    pub high: Option<Price>,
    /// The lowest price.
    pub low: Option<Price>,
    /// The last price.
    pub last: Option<Price>,
    /// The sum of the sizes.
    pub volume: Option<Size>,
    /// The mean price, weighted by size.
    pub vwap: Option<Price>,
    /// `last` minus `open`.
    pub change: Option<Price>,
    /// The number of trades.
    pub trades: u32,
}

/// A bar: open, high, low, close and volume of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// The length of the interval in seconds.
    pub interval: u32,
    /// The beginning of the interval.
    pub open_time: Nanos,
    /// The first price.
    pub open: Price,
    /// The highest price.
    pub high: Price,
    /// The lowest price.
    pub low: Price,
    /// The last price so far.
    pub close: Price,
    /// The sum of the sizes.
    pub volume: Size,
    /// The number of trades.
    pub trades: u32,
    /// Whether the interval is over.
    pub closed: bool,
}

/// The state of an instrument, or of one of its streams: how far its data can be trusted from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The channel of the stream.
    pub channel: Channel,
    /// The state.
    pub state: State,
    /// The reason for it.
    pub reason: Reason,
}

/// How a node catches up a lagging client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LagKind {
    /// One message with the net change of the range follows.
    Conflated,
    /// A snapshot follows, because it is smaller, or because the net change is no longer held.
    Snapshot,
    /// The range is not sent.
    Skipped,
}

impl LagKind {
    /// All kinds, in the order of their codes on the wire.
    pub const ALL: [Self; 3] = [Self::Conflated, Self::Snapshot, Self::Skipped];

    /// The name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflated => "CONFLATED",
            Self::Snapshot => "SNAPSHOT",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// What a lagging client is not sent one by one: the range (`from_seq`, `to_seq`] of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The channel of the stream.
    pub channel: Channel,
    /// What follows instead.
    pub kind: LagKind,
    /// The last `seq` that the client was sent; not part of the range.
    pub from_seq: Seq,
    /// The last `seq` of the range.
    pub to_seq: Seq,
    /// The number of messages that are not sent one by one.
    pub messages: u32,
    /// Their size in bytes.
    pub bytes: u64,
    /// The age of the oldest of them in nanoseconds.
    pub age: u64,
}

/// The past that was requested has been sent; from here on the stream is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayComplete {
    /// The channel of the stream.
    pub channel: Channel,
    /// The number of messages of the past, not counting those that the stream began with.
    pub messages: u64,
}

/// Why a node stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoAwayReason {
    /// An operator is draining it.
    Drain,
    /// It is shutting down.
    Shutdown,
}

impl GoAwayReason {
    /// All reasons, in the order of their codes on the wire.
    pub const ALL: [Self; 2] = [Self::Drain, Self::Shutdown];

    /// The name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drain => "DRAIN",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// The node is about to stop; its clients move to other nodes, spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoAway {
    /// Why it stops.
    pub reason: GoAwayReason,
    /// Reconnect after a random time below this, in milliseconds.
    pub delay: u32,
    /// The node closes the connection after this time, in milliseconds.
    pub close_after: u32,
}
