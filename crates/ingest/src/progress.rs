use std::sync::Arc;
use std::time::Instant;

use market::Nanos;
use metrics::label::{BrokerError, DecodeOutcome};

use crate::command::Topics;

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
    /// Records by what became of them, in the command of [`DecodeOutcome::ALL`].
    pub outcomes: [u64; DecodeOutcome::ALL.len()],
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
    /// Errors between this node and its brokers, in the command of [`BrokerError::ALL`].
    pub broker_errors: [u64; BrokerError::ALL.len()],
    /// How often the Kafka client was replaced by a new one.
    pub new_clients: u64,
    /// When a broker last said anything, if only that there is nothing new; `None` before one has.
    /// It is known to a second.
    pub heard: Option<Instant>,
}
