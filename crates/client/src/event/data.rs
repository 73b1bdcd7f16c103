use bytes::Bytes;
use market::{Bbo, Exponents, InstrumentName, Price, Size, State};
use wire::sbe::{Body, Levels, Message, TradeEntries};
use wire::{Bar, Head, Lag, Status, Ticker};

use crate::SubscriptionId;

/// What an instrument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentInfo {
    /// Where the message stands.
    pub head: Head,
    /// Its name.
    pub name: InstrumentName,
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
    /// How far it can be trusted at the moment.
    pub state: State,
    /// The step of its prices, if known.
    pub tick_size: Option<Price>,
    /// The step of its sizes, if known.
    pub lot_size: Option<Size>,
}

/// A verified step of a kept book.
#[derive(Debug, Clone)]
pub struct BookUpdate {
    /// Whose book.
    pub subscription: SubscriptionId,
    /// Where the message stands.
    pub head: Head,
    /// The scale of the mantissas.
    pub exponents: Exponents,
    /// The checksum of the book, as told and as computed.
    pub checksum: u32,
    /// The message; of a snapshot in chunks the last one.
    raw: Bytes,
}

/// What changed on both sides, best first; size 0 deletes.
#[derive(Debug, Clone, Copy)]
pub struct LevelChanges<'a> {
    /// Highest first.
    pub bids: Levels<'a>,
    /// Lowest first.
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

    /// The levels of a delta, read from the message itself; `None` for a snapshot, after which the kept
    /// book is what there is.
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

    /// Whether the book was replaced, not changed.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.changes().is_none()
    }
}

/// Best bid and offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BboUpdate {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the message stands.
    pub head: Head,
    /// The scale of the mantissas.
    pub exponents: Exponents,
    /// What it is now.
    pub bbo: Bbo,
}

/// The trades of one record.
#[derive(Debug, Clone)]
pub struct TradesUpdate {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the message stands.
    pub head: Head,
    /// The scale of the mantissas.
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
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the message stands.
    pub head: Head,
    /// The scale of the mantissas.
    pub exponents: Exponents,
    /// The statistics.
    pub ticker: Ticker,
}

/// Open, high, low, close and volume of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarUpdate {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the message stands.
    pub head: Head,
    /// The scale of the mantissas.
    pub exponents: Exponents,
    /// The interval.
    pub bar: Bar,
}

/// How far an instrument or a stream can be trusted from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusUpdate {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the message stands.
    pub head: Head,
    /// The state and its reason.
    pub status: Status,
}

/// A quiet stream's sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the stream stands.
    pub head: Head,
}

/// The past is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayComplete {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the live stream goes on.
    pub head: Head,
    /// How many messages of the past the node sent behind the start.
    pub messages: u64,
}

/// What this client, being slow, did not get one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LagNotice {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the stream stands.
    pub head: Head,
    /// What was conflated or skipped.
    pub lag: Lag,
}
