//! The state of an instrument, for storing it elsewhere and restoring it.

mod bars;
mod error;
mod fields;
mod format;
mod reader;

use std::sync::Arc;

use market::{
    Bbo, Exponents, InstrumentName, Nanos, PartitionIdentity, Price, Reason, SavedBook, Seq, Size,
    State,
};

use crate::bars::SavedBars;
use crate::day::DayBucket;
use crate::stamp::Stamp;

pub use error::CheckpointError;

/// Everything that is needed to continue an instrument as if it had been read from the beginning,
/// except for the logs that clients resume from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The instrument's name.
    pub name: InstrumentName,
    /// The instrument's scale.
    pub exponents: Exponents,
    /// The price and size steps of a definition in the log; `None` if scale and steps come from the
    /// configuration.
    pub defined: Option<(Option<Price>, Option<Size>)>,
    /// Whether the venue last reported a halt.
    pub halted: bool,
    /// The partition with definitions and the venue's own status.
    pub reference: Option<SavedSource>,
    /// The book, if this publisher reads it.
    pub book: Option<BookPart>,
    /// The trades, if this publisher reads them.
    pub trades: Option<TradesPart>,
    /// The statistics of the last 24 hours, if this publisher reads the trades.
    pub ticker: Option<TickerPart>,
    /// The bars, if this publisher reads the trades.
    pub bars: Option<BarsPart>,
    /// The instrument's state.
    pub status: StatusPart,
}

/// The source partition of a channel, and how far it had been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSource {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's UUID.
    pub topic_id: [u8; 16],
    /// The partition's number.
    pub partition: i32,
    /// The last record of the channel that was applied.
    pub last_record: Seq,
    /// The last offset that was read; the checkpoint includes every record up to it.
    pub read_to: Seq,
}

/// The sequence number and the times of a stream's last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedStamp {
    /// The sequence number.
    pub seq: Seq,
    /// The venue's timestamp.
    pub event_time: Option<Nanos>,
    /// The timestamp of the Kafka record.
    pub log_time: Nanos,
}

/// A book and the streams that are derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookPart {
    /// The source of the book.
    pub source: SavedSource,
    /// The last message of the full raw stream.
    pub last: SavedStamp,
    /// Whether a snapshot has been published since the stream started.
    pub has_snapshot: bool,
    /// The state and reason that were published while the book cannot be trusted.
    pub broken: Option<(State, Reason)>,
    /// The last published best bid and offer.
    pub bbo: Bbo,
    /// The message that published it.
    pub bbo_last: SavedStamp,
    /// The book itself.
    pub book: SavedBook,
}

/// The stream of trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradesPart {
    /// The source of the trades.
    pub source: SavedSource,
    /// The last message.
    pub last: SavedStamp,
    /// The state and reason that were published while trades may be missing.
    pub broken: Option<(State, Reason)>,
}

/// The statistics of the last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickerPart {
    /// The record that the statistics are as of.
    pub at: SavedStamp,
    /// The buckets that have trades, oldest first.
    pub buckets: Vec<DayBucket>,
}

/// The bars of all intervals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarsPart {
    /// The record that the bars are as of.
    pub at: SavedStamp,
    /// The bars by interval; empty before the first trade.
    pub intervals: Vec<SavedBars>,
}

/// The state of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusPart {
    /// How far the instrument's data can be trusted.
    pub state: State,
    /// Why the instrument is in this state.
    pub reason: Reason,
    /// Whether the status stream has started in the epoch of the book or the trades.
    pub begun: bool,
    /// The last message of the status stream.
    pub last: SavedStamp,
}

impl SavedSource {
    pub(crate) fn of(identity: &PartitionIdentity, last_record: Seq, read_to: Seq) -> Self {
        Self {
            topic: identity.topic.clone(),
            topic_id: identity.topic_id,
            partition: identity.partition,
            last_record,
            read_to,
        }
    }

    /// Returns whether this is the given partition of the same incarnation of its topic.
    #[must_use]
    pub fn is(&self, identity: &PartitionIdentity) -> bool {
        self.topic == identity.topic
            && self.topic_id == identity.topic_id
            && self.partition == identity.partition
    }
}

impl SavedStamp {
    pub(crate) const fn of(stamp: &Stamp) -> Self {
        Self {
            seq: stamp.seq,
            event_time: stamp.event_time,
            log_time: stamp.log_time,
        }
    }

    pub(crate) const fn restored_at(&self, publish_time: Nanos) -> Stamp {
        Stamp {
            seq: self.seq,
            event_time: self.event_time,
            log_time: self.log_time,
            publish_time,
        }
    }
}

impl Checkpoint {
    /// The source partitions of the instrument's channels.
    pub fn sources(&self) -> impl Iterator<Item = &SavedSource> {
        let book = self.book.as_ref().map(|book| &book.source);
        let trades = self.trades.as_ref().map(|trades| &trades.source);
        book.into_iter().chain(trades).chain(&self.reference)
    }
}
