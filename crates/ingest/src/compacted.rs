//! A compacted topic, read whole: the last value of every key.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::{IngestConfig, client};

/// How long a broker may take for one answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a record is waited for at a time.
const POLL: Duration = Duration::from_millis(50);
/// Records that wait in the client: some thousands of whole books.
const QUEUE_BYTES: usize = 64 << 20;

/// The last value of every key.
pub type Compacted = HashMap<Vec<u8>, Vec<u8>>;

/// Why a compacted topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CompactedError {
    /// Of the client, or of the brokers.
    #[error("it cannot be read: {0}")]
    Kafka(#[from] KafkaError),
    /// It has not ended in time.
    #[error("it could not be read to its end within {0:?}")]
    Late(Duration),
}

/// Reads a topic to where it ends now; none when there is no such topic.
pub fn read_compacted(
    config: &IngestConfig,
    topic: &str,
    within: Duration,
) -> Result<Option<Compacted>, CompactedError> {
    let deadline = Instant::now() + within;
    let client = client::past(config, QUEUE_BYTES)?;
    let metadata = client.fetch_metadata(Some(topic), ANSWERS_WITHIN.min(within))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(found) = found.filter(|found| found.error().is_none()) else {
        return Ok(None);
    };
    let mut assignment = TopicPartitionList::new();
    let mut ends = HashMap::new();
    for partition in found.partitions() {
        let (first, end) = client.fetch_watermarks(topic, partition.id(), ANSWERS_WITHIN)?;
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
            // What stands last may be no record.
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
