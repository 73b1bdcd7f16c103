use std::sync::Arc;
use std::time::Instant;

use market::Nanos;
use metrics::label::{BrokerError, DecodeOutcome};

use crate::command::Topics;

/// How far a partition has been read. Plain integers, since only the thread that reads the
/// partition changes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The name of the topic.
    pub topic: Arc<str>,
    /// The partition's number within the topic.
    pub partition: i32,
    /// The next offset to read.
    pub position: i64,
    /// The offset after the last record, as the broker last reported it; never below `position`.
    pub high_watermark: i64,
    /// The bytes of the values and keys that were read.
    pub bytes: u64,
    /// The Kafka timestamp of the last record that was read.
    pub last_log_time: Nanos,
    /// The number of records by outcome, in the order of [`DecodeOutcome::ALL`].
    pub outcomes: [u64; DecodeOutcome::ALL.len()],
    /// Whether all records that existed when the partition was opened have been read.
    pub caught_up: bool,
    /// Whether the partition or its topic no longer exists.
    pub gone: bool,
}

impl PartitionProgress {
    /// The number of records that were read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// The number of records that are still to be read.
    #[must_use]
    pub fn lag(&self) -> u64 {
        u64::try_from(self.high_watermark.saturating_sub(self.position)).unwrap_or(0)
    }
}

/// The progress of one consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The consumer's partitions, by [`PartitionIndex`](market::PartitionIndex).
    pub partitions: Vec<PartitionProgress>,
    /// Whether all partitions that existed at the start have been opened.
    pub discovered: bool,
    /// The number of topics; `None` until a broker has responded.
    pub topics: Option<Topics>,
    /// The number of errors of the connections to the brokers, in the order of
    /// [`BrokerError::ALL`].
    pub broker_errors: [u64; BrokerError::ALL.len()],
    /// How many times the Kafka client was replaced.
    pub new_clients: u64,
    /// When a broker last responded, if only that there is nothing new; `None` until one has.
    /// Precise to a second.
    pub last_response: Option<Instant>,
}
