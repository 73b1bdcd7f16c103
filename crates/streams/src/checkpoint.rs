//! What a publisher knows of an instrument, to be kept outside and taken over again.

mod bars;
mod format;
mod reader;

use std::sync::Arc;

use market::{
    Bbo, Exponents, InstrumentName, Nanos, PartitionIdentity, Price, Reason, SavedBook, Seq, Size,
    State,
};
use wire::BarInterval;

use crate::bars::{ClosedBar, OneBar};
use crate::candle::Candle;
use crate::place::Place;

pub use format::CheckpointError;

/// All that is needed to go on with an instrument as if it had been read from the beginning, but
/// for the logs that clients resume from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its name.
    pub name: InstrumentName,
    /// Its scale.
    pub exponents: Exponents,
    /// The steps that a definition told with the scale; none where the configuration says both.
    pub defined: Option<(Option<Price>, Option<Size>)>,
    /// Whether the venue's last word was that it is halted.
    pub halted: bool,
    /// Where definitions and the venue's word on its state are read from.
    pub reference: Option<SavedHome>,
    /// Its book, where that is read here.
    pub book: Option<BookPart>,
    /// Its trades, where these are read here.
    pub trades: Option<TradesPart>,
    /// The statistics of the last 24 hours, where its trades are read here.
    pub ticker: Option<TickerPart>,
    /// The bars, where its trades are read here.
    pub bars: Option<BarsPart>,
    /// Its state.
    pub status: StatusPart,
}

/// The partition that a channel is read from, and how far it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedHome {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's UUID.
    pub topic_id: [u8; 16],
    /// The partition's number.
    pub partition: i32,
    /// The last record that was taken of the instrument.
    pub heard: Seq,
    /// How far the partition had been read: what the instrument had up to here is included.
    pub read_to: Seq,
}

/// Where a stream stood, and the times of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedPlace {
    /// Its last sequence number.
    pub seq: Seq,
    /// The venue's time there.
    pub event_time: Option<Nanos>,
    /// Kafka's time there.
    pub log_time: Nanos,
}

/// A book and the streams that are made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookPart {
    /// Where it is read from.
    pub home: SavedHome,
    /// The full raw stream's last message.
    pub last: SavedPlace,
    /// Whether a whole book has been told since the stream began.
    pub founded: bool,
    /// What has been told of a book that is not to be trusted.
    pub broken: Option<(State, Reason)>,
    /// The last best bid and offer.
    pub bbo: Bbo,
    /// Its message.
    pub bbo_last: SavedPlace,
    /// The book itself.
    pub book: SavedBook,
}

/// The stream of trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradesPart {
    /// Where they are read from.
    pub home: SavedHome,
    /// The last message.
    pub last: SavedPlace,
    /// What was told of trades that may be missing.
    pub broken: Option<(State, Reason)>,
}

/// The statistics of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickerPart {
    /// Where they stand.
    pub at: SavedPlace,
    /// Five minutes each, oldest first; those without trades are left out.
    pub parts: Vec<DayPart>,
}

/// The trades of five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPart {
    /// Which five minutes since 1970.
    pub number: u64,
    /// Their trades.
    pub candle: Candle,
    /// The sum of price × size; none where it is beyond 128 bits.
    pub notional: Option<i128>,
}

/// The bars of all intervals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarsPart {
    /// Where they stand.
    pub at: SavedPlace,
    /// By interval; none before the first trade.
    pub intervals: Vec<SavedBars>,
}

/// The bars of one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBars {
    /// How long each is.
    pub interval: BarInterval,
    /// The record that closed the last bar that is not kept any more.
    pub forgotten: Seq,
    /// Those that were closed and are kept, oldest first.
    pub closed: Vec<ClosedBar>,
    /// The one that runs.
    pub running: Option<OneBar>,
}

/// The state of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusPart {
    /// How far it can be trusted.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Whether the status stream has begun in the epoch of what it is about.
    pub begun: bool,
    /// The status stream's last message.
    pub last: SavedPlace,
}

impl SavedHome {
    pub(crate) fn of(identity: &PartitionIdentity, heard: Seq, read_to: Seq) -> Self {
        Self {
            topic: identity.topic.clone(),
            topic_id: identity.topic_id,
            partition: identity.partition,
            heard,
            read_to,
        }
    }

    /// Whether it is that very partition.
    #[must_use]
    pub fn is(&self, identity: &PartitionIdentity) -> bool {
        self.topic == identity.topic
            && self.topic_id == identity.topic_id
            && self.partition == identity.partition
    }
}

impl SavedPlace {
    pub(crate) const fn of(place: &Place) -> Self {
        Self {
            seq: place.seq,
            event_time: place.event_time,
            log_time: place.log_time,
        }
    }

    pub(crate) const fn place(&self, now: Nanos) -> Place {
        Place {
            seq: self.seq,
            event_time: self.event_time,
            log_time: self.log_time,
            now,
        }
    }
}

impl Checkpoint {
    /// The partitions that it has something of, with the last record taken there.
    pub fn homes(&self) -> impl Iterator<Item = &SavedHome> {
        let book = self.book.as_ref().map(|book| &book.home);
        let trades = self.trades.as_ref().map(|trades| &trades.home);
        book.into_iter().chain(trades).chain(&self.reference)
    }
}
