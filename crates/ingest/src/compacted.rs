//! Reads a whole compacted topic.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::{IngestConfig, client};

/// The timeout of a request to a broker.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// The timeout of one poll.
const POLL: Duration = Duration::from_millis(50);
/// The size of the client's queue: some thousands of snapshots.
const QUEUE_BYTES: usize = 64 << 20;

/// The last value of every key.
pub type Compacted = HashMap<Vec<u8>, Vec<u8>>;

/// An error that keeps a compacted topic from being read.
#[derive(Debug, thiserror::Error)]
pub enum CompactedError {
    /// An error of the client or the brokers.
    #[error("it cannot be read: {0}")]
    Kafka(#[from] KafkaError),
    /// The end was not reached in time.
    #[error("its end was not reached within {0:?}")]
    Late(Duration),
}

/// Reads a topic up to its current end; `None` if it does not exist.
pub fn read_compacted(
    config: &IngestConfig,
    topic: &str,
    within: Duration,
) -> Result<Option<Compacted>, CompactedError> {
    let deadline = Instant::now() + within;
    let client = client::for_history(config, QUEUE_BYTES)?;
    let metadata = client.fetch_metadata(Some(topic), BROKER_TIMEOUT.min(within))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(found) = found.filter(|found| found.error().is_none()) else {
        return Ok(None);
    };
    let mut assignment = TopicPartitionList::new();
    let mut ends = HashMap::new();
    for partition in found.partitions() {
        let (first, end) = client.fetch_watermarks(topic, partition.id(), BROKER_TIMEOUT)?;
        if first < end {
            assignment.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
            ends.insert(partition.id(), end);
        }
    }
    client.assign(&assignment)?;
    let mut kept = Compacted::new();
    while !ends.is_empty() {
        match client.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                let key = message.key().unwrap_or_default().to_vec();
                match message.payload() {
                    Some(value) => kept.insert(key, value.to_vec()),
                    None => kept.remove(&key),
                };
                let partition = message.partition();
                if ends
                    .get(&partition)
                    .is_some_and(|end| message.offset() + 1 >= *end)
                {
                    ends.remove(&partition);
                }
            }
            // The last entry of the log need not be a record.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ends.remove(&partition);
            }
            Some(Err(KafkaError::MessageConsumption(
                code @ (RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange),
            ))) => return Err(KafkaError::MessageConsumption(code).into()),
            Some(Err(error)) => tracing::debug!(%error, topic, "reading a compacted topic"),
        }
        if Instant::now() >= deadline {
            return Err(CompactedError::Late(within));
        }
    }
    Ok(Some(kept))
}
