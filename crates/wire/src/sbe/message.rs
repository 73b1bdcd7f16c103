use market::{Bbo, Channel, Exponents, Price, Size, State};

use super::{Levels, TradeEntries};
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// A data message, read in place: its groups and texts are the payload's own bytes.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// What every message begins with.
    pub head: Head,
    /// What it says.
    pub body: Body<'a>,
}

/// What a data message says.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// What an instrument is; the first message of every subscription.
    Instrument(Instrument<'a>),
    /// A whole book, or a chunk of it.
    BookSnapshot(BookSnapshot<'a>),
    /// The levels that changed.
    BookDelta(BookDelta<'a>),
    /// Best bid and offer.
    Bbo(Bbo),
    /// The trades of one record.
    Trades(TradeEntries<'a>),
    /// Statistics of the last 24 hours.
    Ticker(Ticker),
    /// Open, high, low, close and volume of an interval.
    Bar(Bar),
    /// How far an instrument or a stream can be trusted.
    Status(Status),
    /// The last `seq` of a quiet stream, which is of this channel.
    Heartbeat(Channel),
    /// What a slow client did not get one by one.
    Lag(Lag),
    /// The node is about to stop.
    GoAway(GoAway),
    /// What was asked for of the past has been sent.
    ReplayComplete(ReplayComplete),
}

/// What an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instrument<'a> {
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
    /// How far it can be trusted at the moment.
    pub state: State,
    /// The step of its prices, if known.
    pub tick_size: Option<Price>,
    /// The step of its sizes, if known.
    pub lot_size: Option<Size>,
    /// What stands before the colon of its name; at most 254 bytes.
    pub venue: &'a str,
    /// What stands behind the colon of its name; at most 254 bytes.
    pub symbol: &'a str,
}

/// A whole book, or a chunk of it.
#[derive(Debug, Clone, Copy)]
pub struct BookSnapshot<'a> {
    /// The checksum of the whole book, all chunks together.
    pub checksum: u32,
    /// Which chunk this is, from 0.
    pub chunk: u16,
    /// How many chunks there are.
    pub chunks: u16,
    /// Highest first.
    pub bids: Levels<'a>,
    /// Lowest first.
    pub asks: Levels<'a>,
}

/// The levels that changed; size 0 deletes.
#[derive(Debug, Clone, Copy)]
pub struct BookDelta<'a> {
    /// The checksum of the whole subscribed book after the change.
    pub checksum: u32,
    /// Highest first.
    pub bids: Levels<'a>,
    /// Lowest first.
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

    /// The channel whose stream the message is part of; `None` is the whole subscription's
    /// (`Instrument`) or the whole connection's (`GoAway`).
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
