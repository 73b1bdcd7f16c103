use std::collections::BTreeMap;
use std::time::Duration;

use market::Seq;

use crate::TopicRule;

/// Where a node without a checkpoint starts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the start of each partition.
    Earliest,
    /// At the first record that is at most this old. In a partition without such a record, at most
    /// [`Start::QUIET_RECORDS`] before its end, since a book needs its last snapshot.
    Lookback(Duration),
}

impl Start {
    /// The distance from the end at which a partition without recent records is started: a third of
    /// a second of reading at 300,000 records per second.
    pub const QUIET_RECORDS: i64 = 100_000;
}

/// The limits of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The maximum number of records.
    pub records: usize,
    /// The number of bytes of values after which a batch ends.
    pub bytes: usize,
}

impl Default for BatchLimits {
    /// 1,024 records are 3 ms of work at 300,000 per second, which a batch adds to the latency of
    /// its first record. 1 MiB is the same with 1 KiB per record, the size of a book of 30 levels.
    fn default() -> Self {
        Self {
            records: 1024,
            bytes: 1 << 20,
        }
    }
}

/// The offset at which a partition is continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeAt {
    /// The UUID of the topic. A recreated topic of the same name starts at [`IngestConfig::start`].
    pub topic_id: [u8; 16],
    /// The offset of the first record to read.
    pub next: Seq,
}

/// The configuration of consumption: what to read, from where, and how.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// The brokers as `host:port`, separated by commas.
    pub brokers: String,
    /// The topics to read and their formats.
    pub topics: Vec<TopicRule>,
    /// Where partitions are started.
    pub start: Start,
    /// Where partitions are continued instead, by topic and number.
    pub resume: BTreeMap<(String, i32), ResumeAt>,
    /// The maximum size of a value; larger ones are rejected.
    pub max_record_bytes: usize,
    /// The limits of a batch.
    pub batch: BatchLimits,
    /// Whether to query the UUIDs of topics, which show that a topic was recreated. Kafka has them
    /// since
    /// 2.8. Without them only offsets that went back are detected.
    pub topic_ids: bool,
    /// The interval at which new topics and partitions are looked for.
    pub discovery: Duration,
    /// The number of consumers that share the partitions.
    pub threads: usize,
    /// Further properties of librdkafka, such as those of SASL and TLS.
    pub properties: BTreeMap<String, String>,
}

impl IngestConfig {
    /// 4 MiB: a snapshot of 100,000 levels per side with 20 bytes each.
    pub const MAX_RECORD_BYTES: usize = 4 << 20;
    /// New markets are listed a few times a day, and the metadata of a thousand topics is 100 kB.
    pub const DISCOVERY: Duration = Duration::from_secs(5);

    /// The largest `max_record_bytes`. The client's fetch sizes pass such a record in any case.
    pub const LARGEST_RECORD: usize = 32 << 20;
    /// A thread reads 300,000 records per second or more, and few machines have more cores.
    pub(crate) const MAX_THREADS: usize = 64;

    /// The default configuration for these brokers and topics.
    #[must_use]
    pub fn new(brokers: impl Into<String>, topics: Vec<TopicRule>) -> Self {
        Self {
            brokers: brokers.into(),
            topics,
            start: Start::Earliest,
            resume: BTreeMap::new(),
            max_record_bytes: Self::MAX_RECORD_BYTES,
            batch: BatchLimits::default(),
            topic_ids: true,
            discovery: Self::DISCOVERY,
            threads: 1,
            properties: BTreeMap::new(),
        }
    }
}

/// An error in an [`IngestConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value:?}: {expected}")]
pub struct ConfigError {
    /// The key, such as `topics[0].venue` or `properties.enable.auto.commit`.
    pub key: String,
    /// The configured value.
    pub value: String,
    /// What is wrong with it, or the values that are accepted.
    pub expected: String,
}
