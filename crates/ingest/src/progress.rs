use std::sync::Arc;
use std::time::Instant;

use market::Nanos;

use crate::client::BrokerTrouble;
use crate::order::Topics;

/// What became of a record: the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It said something.
    Event,
    /// It was understood and says nothing that is published.
    Nothing,
    /// It has no value.
    Tombstone,
    /// Its value has no bytes.
    Empty,
    /// Its value is larger than configured.
    TooLarge,
    /// Its value is no JSON.
    MalformedJson,
    /// It is JSON of no kind that its format knows.
    UnknownKind,
    /// A field is missing, stands twice or has the wrong type.
    WrongShape,
    /// A number, time, side or state is none, or does not fit.
    BadValue,
    /// Its sequence numbers contradict each other.
    BadSequence,
    /// It names no instrument, or not by a proper name.
    BadName,
    /// It names an instrument that this node does not have.
    UnknownInstrument,
    /// It has more levels or trades than the bound.
    TooMany,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
    /// All of them, in the order of [`PartitionProgress::outcomes`].
    pub const ALL: [Self; 13] = [
        Self::Event,
        Self::Nothing,
        Self::Tombstone,
        Self::Empty,
        Self::TooLarge,
        Self::MalformedJson,
        Self::UnknownKind,
        Self::WrongShape,
        Self::BadValue,
        Self::BadSequence,
        Self::BadName,
        Self::UnknownInstrument,
        Self::TooMany,
    ];

    /// The name that metrics and logs use; it never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Nothing => "nothing",
            Self::Tombstone => "tombstone",
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::MalformedJson => "malformed_json",
            Self::UnknownKind => "unknown_kind",
            Self::WrongShape => "wrong_shape",
            Self::BadValue => "bad_value",
            Self::BadSequence => "bad_sequence",
            Self::BadName => "bad_name",
            Self::UnknownInstrument => "unknown_instrument",
            Self::TooMany => "too_many",
        }
    }
}

/// How far one partition has been read, in plain integers of the thread that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number in its topic.
    pub partition: i32,
    /// The next offset to be read.
    pub position: i64,
    /// The offset behind the last record, as last heard from the broker; never below `position`.
    pub high_watermark: i64,
    /// Bytes of values and keys.
    pub bytes: u64,
    /// The timestamp of the last record.
    pub last_log_time: Nanos,
    /// Records by what became of them, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::COUNT],
    /// Whether all that stood there when it was opened has been read.
    pub caught_up: bool,
    /// Whether its topic, or the partition itself, is no more.
    pub gone: bool,
}

impl PartitionProgress {
    /// All records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// How many records are still to be read.
    #[must_use]
    pub fn lag(&self) -> u64 {
        u64::try_from(self.high_watermark.saturating_sub(self.position)).unwrap_or(0)
    }
}

/// How far one consumer has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its partitions, by [`PartitionIndex`](market::PartitionIndex).
    pub partitions: Vec<PartitionProgress>,
    /// Whether all partitions that there were at the start have been opened.
    pub discovered: bool,
    /// How many topics there are; `None` before a broker has answered.
    pub topics: Option<Topics>,
    /// Errors between this node and its brokers, in the order of [`BrokerTrouble::ALL`].
    pub troubles: [u64; BrokerTrouble::COUNT],
    /// How often the Kafka client was replaced by a new one.
    pub new_clients: u64,
    /// When a broker last said anything, if only that there is nothing new; `None` before one has.
    /// It is known to a second.
    pub heard: Option<Instant>,
}
