use market::{Bbo, Channel, Exponents, Price, Size, State};

use super::{Levels, TradeEntries};
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// A data message, read in place: its groups and texts are the bytes of the payload.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The fields that every message begins with.
    pub head: Head,
    /// The content.
    pub body: Body<'a>,
}

/// The content of a data message.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// An instrument's name, exponents and steps; the first message of every subscription.
    Instrument(Instrument<'a>),
    /// A snapshot, or a chunk of one.
    BookSnapshot(BookSnapshot<'a>),
    /// The levels that changed.
    BookDelta(BookDelta<'a>),
    /// Best bid and offer.
    Bbo(Bbo),
    /// The trades of one record.
    Trades(TradeEntries<'a>),
    /// Statistics of the last 24 hours.
    Ticker(Ticker),
    /// A bar: open, high, low, close and volume of an interval.
    Bar(Bar),
    /// The state of an instrument or a stream.
    Status(Status),
    /// The last `seq` of a quiet stream of this channel.
    Heartbeat(Channel),
    /// What a lagging client is not sent one by one.
    Lag(Lag),
    /// The node is about to stop.
    GoAway(GoAway),
    /// The past that was requested has been sent.
    ReplayComplete(ReplayComplete),
}

/// An instrument's name, exponents and steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrument<'a> {
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
    /// Its current state.
    pub state: State,
    /// The price step, if known.
    pub tick_size: Option<Price>,
    /// The size step, if known.
    pub lot_size: Option<Size>,
    /// The part of its name before the colon; at most 254 bytes.
    pub venue: &'a str,
    /// The part of its name after the colon; at most 254 bytes.
    pub symbol: &'a str,
}

/// A snapshot, or a chunk of one.
#[derive(Debug, Clone, Copy)]
pub struct BookSnapshot<'a> {
    /// The checksum of the whole book, over all chunks.
    pub checksum: u32,
    /// The index of the chunk, from 0.
    pub chunk: u16,
    /// The number of chunks.
    pub chunks: u16,
    /// Highest price first.
    pub bids: Levels<'a>,
    /// Lowest price first.
    pub asks: Levels<'a>,
}

/// The levels that changed; size 0 deletes a level.
#[derive(Debug, Clone, Copy)]
pub struct BookDelta<'a> {
    /// The checksum of the whole subscribed book after the change.
    pub checksum: u32,
    /// Highest price first.
    pub bids: Levels<'a>,
    /// Lowest price first.
    pub asks: Levels<'a>,
}

impl Body<'_> {
    /// The message's name in the schema.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Instrument(_) => "Instrument",
            Self::BookSnapshot(_) => "BookSnapshot",
            Self::BookDelta(_) => "BookDelta",
            Self::Bbo(_) => "Bbo",
            Self::Trades(_) => "Trades",
            Self::Ticker(_) => "Ticker",
            Self::Bar(_) => "Bar",
            Self::Status(_) => "Status",
            Self::Heartbeat(_) => "Heartbeat",
            Self::Lag(_) => "Lag",
            Self::GoAway(_) => "GoAway",
            Self::ReplayComplete(_) => "ReplayComplete",
        }
    }

    /// The channel of the message's stream; `None` for messages about a whole subscription
    /// (`Instrument`) or the whole connection (`GoAway`).
    #[must_use]
    pub const fn channel(&self) -> Option<Channel> {
        match self {
            Self::Instrument(_) | Self::GoAway(_) => None,
            Self::BookSnapshot(_) | Self::BookDelta(_) => Some(Channel::Book),
            Self::Bbo(_) => Some(Channel::Bbo),
            Self::Trades(_) => Some(Channel::Trades),
            Self::Ticker(_) => Some(Channel::Ticker),
            Self::Bar(_) => Some(Channel::Bars),
            Self::Status(Status { channel, .. })
            | Self::Heartbeat(channel)
            | Self::Lag(Lag { channel, .. })
            | Self::ReplayComplete(ReplayComplete { channel, .. }) => Some(*channel),
        }
    }
}
