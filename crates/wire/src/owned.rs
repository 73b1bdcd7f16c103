use market::{Aggressor, Bbo, Channel, Exponents, Level, Price, Size, State, Trade};

use crate::sbe::{self, Body, EncodeError, Message};
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// A data message that owns its content, for keeping and comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedMessage {
    /// The fields that every message begins with.
    pub head: Head,
    /// The content.
    pub body: OwnedBody,
}

/// The content of a data message: [`Body`] with its groups and texts owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedBody {
    /// An instrument's name, exponents and steps.
    Instrument(OwnedInstrument),
    /// A snapshot, or a chunk of one.
    BookSnapshot {
        /// The checksum of the whole book, over all chunks.
        checksum: u32,
        /// The index of the chunk, from 0.
        chunk: u16,
        /// The number of chunks.
        chunks: u16,
        /// Highest price first.
        bids: Vec<Level>,
        /// Lowest price first.
        asks: Vec<Level>,
    },
    /// The levels that changed; size 0 deletes a level.
    BookDelta {
        /// The checksum of the whole subscribed book after the change.
        checksum: u32,
        /// Highest price first.
        bids: Vec<Level>,
        /// Lowest price first.
        asks: Vec<Level>,
    },
    /// Best bid and offer.
    Bbo(Bbo),
    /// The trades of one record.
    Trades(Vec<OwnedTrade>),
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

/// An instrument's name, exponents and steps: [`sbe::Instrument`] with its texts owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedInstrument {
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
    /// Its current state.
    pub state: State,
    /// The price step, if known.
    pub tick_size: Option<Price>,
    /// The size step, if known.
    pub lot_size: Option<Size>,
    /// The part of its name before the colon.
    pub venue: String,
    /// The part of its name after the colon.
    pub symbol: String,
}

/// A trade; [`Trade`] with its id owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedTrade {
    /// The price.
    pub price: Price,
    /// The size.
    pub size: Size,
    /// The aggressor.
    pub side: Aggressor,
    /// The venue's own id; empty if there is none.
    pub id: String,
}

impl Message<'_> {
    /// Copies the message out of its payload.
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
    /// Appends the message in SBE.
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
    /// The same, borrowed.
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
    /// The same, borrowed.
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
