use market::{Aggressor, Bbo, Channel, Exponents, Level, Price, Size, State, Trade};

use crate::sbe::{self, Body, EncodeError, Message};
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// A data message that owns what it says, for keeping and comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedMessage {
    /// What every message begins with.
    pub head: Head,
    /// What it says.
    pub body: OwnedBody,
}

/// What a data message says; [`Body`] with its groups and texts owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedBody {
    /// What an instrument is.
    Instrument(OwnedInstrument),
    /// A whole book, or a chunk of it.
    BookSnapshot {
        /// The checksum of the whole book, all chunks together.
        checksum: u32,
        /// Which chunk this is, from 0.
        chunk: u16,
        /// How many chunks there are.
        chunks: u16,
        /// Highest first.
        bids: Vec<Level>,
        /// Lowest first.
        asks: Vec<Level>,
    },
    /// The levels that changed; size 0 deletes.
    BookDelta {
        /// The checksum of the whole subscribed book after the change.
        checksum: u32,
        /// Highest first.
        bids: Vec<Level>,
        /// Lowest first.
        asks: Vec<Level>,
    },
    /// Best bid and offer.
    Bbo(Bbo),
    /// The trades of one record.
    Trades(Vec<OwnedTrade>),
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

/// What an instrument is; [`sbe::Instrument`] with its texts owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedInstrument {
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
    /// How far it can be trusted at the moment.
    pub state: State,
    /// The step of its prices, if known.
    pub tick_size: Option<Price>,
    /// The step of its sizes, if known.
    pub lot_size: Option<Size>,
    /// What stands before the colon of its name.
    pub venue: String,
    /// What stands behind the colon of its name.
    pub symbol: String,
}

/// A trade; [`Trade`] with its id owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedTrade {
    /// At what price.
    pub price: Price,
    /// How much.
    pub size: Size,
    /// Who took liquidity.
    pub side: Aggressor,
    /// The venue's own identifier; empty when there is none.
    pub id: String,
}

impl Message<'_> {
    /// Copies everything out of the payload.
    #[must_use]
    pub fn into_owned(self) -> OwnedMessage {
        let body = match self.body {
            Body::Instrument(info) => OwnedBody::Instrument(OwnedInstrument {
                exponents: info.exponents,
                state: info.state,
                tick_size: info.tick_size,
                lot_size: info.lot_size,
                venue: info.venue.to_owned(),
                symbol: info.symbol.to_owned(),
            }),
            Body::BookSnapshot(snapshot) => OwnedBody::BookSnapshot {
                checksum: snapshot.checksum,
                chunk: snapshot.chunk,
                chunks: snapshot.chunks,
                bids: snapshot.bids.collect(),
                asks: snapshot.asks.collect(),
            },
            Body::BookDelta(delta) => OwnedBody::BookDelta {
                checksum: delta.checksum,
                bids: delta.bids.collect(),
                asks: delta.asks.collect(),
            },
            Body::Bbo(bbo) => OwnedBody::Bbo(bbo),
            Body::Trades(trades) => OwnedBody::Trades(trades.map(OwnedTrade::from).collect()),
            Body::Ticker(ticker) => OwnedBody::Ticker(ticker),
            Body::Bar(bar) => OwnedBody::Bar(bar),
            Body::Status(status) => OwnedBody::Status(status),
            Body::Heartbeat(channel) => OwnedBody::Heartbeat(channel),
            Body::Lag(lag) => OwnedBody::Lag(lag),
            Body::GoAway(go_away) => OwnedBody::GoAway(go_away),
            Body::ReplayComplete(complete) => OwnedBody::ReplayComplete(complete),
        };
        OwnedMessage {
            head: self.head,
            body,
        }
    }
}

impl OwnedMessage {
    /// Appends the message in SBE, as the functions of [`sbe`] do.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let head = &self.head;
        match &self.body {
            OwnedBody::Instrument(info) => sbe::instrument(out, head, &info.borrow())?,
            OwnedBody::BookSnapshot {
                checksum,
                chunk,
                chunks,
                bids,
                asks,
            } => {
                let (bids, asks) = (bids.iter().copied(), asks.iter().copied());
                sbe::book_snapshot(out, head, *checksum, *chunk, *chunks, bids, asks)?;
            }
            OwnedBody::BookDelta {
                checksum,
                bids,
                asks,
            } => {
                let (bids, asks) = (bids.iter().copied(), asks.iter().copied());
                sbe::book_delta(out, head, *checksum, bids, asks)?;
            }
            OwnedBody::Bbo(bbo) => sbe::bbo(out, head, bbo),
            OwnedBody::Trades(trades) => {
                sbe::trades(out, head, trades.iter().map(OwnedTrade::borrow))?;
            }
            OwnedBody::Ticker(ticker) => sbe::ticker(out, head, ticker),
            OwnedBody::Bar(bar) => sbe::bar(out, head, bar),
            OwnedBody::Status(status) => sbe::status(out, head, status),
            OwnedBody::Heartbeat(channel) => sbe::heartbeat(out, head, *channel),
            OwnedBody::Lag(lag) => sbe::lag(out, head, lag),
            OwnedBody::GoAway(go_away) => sbe::go_away(out, head, go_away),
            OwnedBody::ReplayComplete(complete) => sbe::replay_complete(out, head, complete),
        }
        Ok(())
    }
}

impl OwnedInstrument {
    /// The same, as [`sbe::instrument`] takes it.
    #[must_use]
    pub fn borrow(&self) -> sbe::Instrument<'_> {
        sbe::Instrument {
            exponents: self.exponents,
            state: self.state,
            tick_size: self.tick_size,
            lot_size: self.lot_size,
            venue: &self.venue,
            symbol: &self.symbol,
        }
    }
}

impl OwnedTrade {
    /// The same, as [`sbe::trades`] takes it.
    #[must_use]
    pub fn borrow(&self) -> Trade<'_> {
        Trade {
            price: self.price,
            size: self.size,
            side: self.side,
            id: &self.id,
        }
    }
}

impl From<Trade<'_>> for OwnedTrade {
    fn from(trade: Trade<'_>) -> Self {
        Self {
            price: trade.price,
            size: trade.size,
            side: trade.side,
            id: trade.id.to_owned(),
        }
    }
}
