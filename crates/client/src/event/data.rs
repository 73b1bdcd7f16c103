use bytes::Bytes;
use market::{Bbo, Exponents, InstrumentName, Price, Size, State};
use wire::sbe::{Body, Levels, Message, TradeEntries};
use wire::{Bar, Head, Lag, Status, Ticker};

use crate::SubscriptionId;

/// An instrument's name, exponents and steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentInfo {
    /// The head of the message.
    pub head: Head,
    /// `VENUE:SYMBOL`.
    pub name: InstrumentName,
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
    /// Its current state.
    pub state: State,
    /// The price step, if known.
    pub tick_size: Option<Price>,
    /// The size step, if known.
    pub lot_size: Option<Size>,
}

/// A verified update of a local book.
#[derive(Debug, Clone)]
pub struct BookUpdate {
    /// The subscription of the book.
    pub subscription: SubscriptionId,
    /// The head of the message.
    pub head: Head,
    /// The exponents of its mantissas.
    pub exponents: Exponents,
    /// The checksum of the full book after the update, as published and as computed.
    pub checksum: u32,
    /// The message; for a snapshot in chunks, the last one.
    raw: Bytes,
}

/// Changed levels of both sides, best first; size 0 deletes a level.
#[derive(Debug, Clone, Copy)]
pub struct LevelChanges<'a> {
    /// Highest price first.
    pub bids: Levels<'a>,
    /// Lowest price first.
    pub asks: Levels<'a>,
}

impl BookUpdate {
    pub(crate) const fn new(
        subscription: SubscriptionId,
        head: Head,
        exponents: Exponents,
        checksum: u32,
        raw: Bytes,
    ) -> Self {
        Self {
            subscription,
            head,
            exponents,
            checksum,
            raw,
        }
    }

    /// The changed levels, read from the message itself; `None` for a snapshot, which replaces the
    /// book.
    #[must_use]
    pub fn changes(&self) -> Option<LevelChanges<'_>> {
        match Message::decode(&self.raw).ok()?.0.body {
            Body::BookDelta(delta) => Some(LevelChanges {
                bids: delta.bids,
                asks: delta.asks,
            }),
            _ => None,
        }
    }

    /// Returns whether the update was a snapshot.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.changes().is_none()
    }
}

/// A new best bid and offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BboUpdate {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message.
    pub head: Head,
    /// The exponents of its mantissas.
    pub exponents: Exponents,
    /// The best bid and offer.
    pub bbo: Bbo,
}

/// The trades of one record.
#[derive(Debug, Clone)]
pub struct TradesUpdate {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message.
    pub head: Head,
    /// The exponents of its mantissas.
    pub exponents: Exponents,
    raw: Bytes,
}

impl TradesUpdate {
    pub(crate) const fn new(
        subscription: SubscriptionId,
        head: Head,
        exponents: Exponents,
        raw: Bytes,
    ) -> Self {
        Self {
            subscription,
            head,
            exponents,
            raw,
        }
    }

    /// The trades in the venue's order, read from the message itself.
    #[must_use]
    pub fn trades(&self) -> Option<TradeEntries<'_>> {
        match Message::decode(&self.raw).ok()?.0.body {
            Body::Trades(trades) => Some(trades),
            _ => None,
        }
    }
}

/// Statistics of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickerUpdate {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message.
    pub head: Head,
    /// The exponents of its mantissas.
    pub exponents: Exponents,
    /// The statistics.
    pub ticker: Ticker,
}

/// A bar: open, high, low, close and volume of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarUpdate {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message.
    pub head: Head,
    /// The exponents of its mantissas.
    pub exponents: Exponents,
    /// The bar.
    pub bar: Bar,
}

/// The state of an instrument or a stream: how far its data can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusUpdate {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message.
    pub head: Head,
    /// The state and the reason for it.
    pub status: Status,
}

/// A heartbeat of a quiet stream: nothing is missing up to its `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message, with the stream's last `seq`.
    pub head: Head,
}

/// The end of a replay: from here on the stream is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayComplete {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message. The live stream continues after its `seq`.
    pub head: Head,
    /// Messages of the past that the node has sent, not counting the state at the start.
    pub messages: u64,
}

/// What the node did not send one by one because this client lagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagNotice {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message, with the last `seq` before the lag.
    pub head: Head,
    /// What was conflated or skipped.
    pub lag: Lag,
}
