//! The bodies of the messages that have no groups and no text, the same in every encoding.

use market::{Channel, Nanos, Price, Reason, Seq, Size, State};

/// Statistics of the last 24 hours; `None` where there was no trade or the number does not fit.
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
    /// `last` less `open`.
    pub change: Option<Price>,
    /// How many trades.
    pub trades: u32,
}

/// Open, high, low, close and volume of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// How long the interval is, in seconds.
    pub interval: u32,
    /// When it began.
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
    /// How many trades.
    pub trades: u32,
    /// Whether the interval is over.
    pub closed: bool,
}

/// How far an instrument, or one of its streams, can be trusted from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The channel that the message is part of.
    pub channel: Channel,
    /// How far it can be trusted.
    pub state: State,
    /// Why.
    pub reason: Reason,
}

/// What was done about a slow client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LagKind {
    /// One message with the net change of the range follows.
    Conflated,
    /// A snapshot follows, since it is smaller than the net change or the range is not held.
    Snapshot,
    /// What was in the range is not sent.
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

/// What a slow client did not get one by one: the range (`from_seq`, `to_seq`] of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// The channel that the message is part of.
    pub channel: Channel,
    /// What was done about it.
    pub kind: LagKind,
    /// The last `seq` that the client got; not part of the range.
    pub from_seq: Seq,
    /// The last `seq` of the range.
    pub to_seq: Seq,
    /// How many messages were not sent one by one.
    pub messages: u32,
    /// How many bytes these have.
    pub bytes: u64,
    /// How old the oldest of them is, in nanoseconds.
    pub age: u64,
}

/// What was asked for of the past has been sent; from here on the stream is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayComplete {
    /// The channel that the message is part of.
    pub channel: Channel,
    /// How many messages of the past were sent, those of the start left out.
    pub messages: u64,
}

/// Why a node stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoAwayReason {
    /// An operator drains it.
    Drain,
    /// It was told to stop.
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

/// The node is about to stop; its clients reconnect to another one, not all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoAway {
    /// Why.
    pub reason: GoAwayReason,
    /// The client reconnects after a random time below this, in milliseconds.
    pub delay: u32,
    /// The node closes the connection after this, in milliseconds.
    pub close_after: u32,
}
