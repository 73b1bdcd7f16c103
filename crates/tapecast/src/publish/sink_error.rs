use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why not all records are in Kafka.
#[derive(Debug, thiserror::Error)]
pub(super) enum SinkError {
    #[error("cannot create a producer: {0}")]
    Config(KafkaError),
    #[error("cannot start a runtime: {0}")]
    Runtime(std::io::Error),
    #[error("no broker responds: {0}")]
    NoBroker(KafkaError),
    #[error("cannot ask the broker to create a topic: {0}")]
    Broker(KafkaError),
    #[error("topic {topic} does not exist and cannot be created: {code}")]
    Topic {
        topic: String,
        code: RDKafkaErrorCode,
    },
    #[error("a record for topic {topic} was rejected: {source}")]
    Refused { topic: String, source: KafkaError },
    #[error("{failed} records were not delivered; the first one, to topic {topic}: {source}")]
    Failed {
        failed: u64,
        topic: String,
        source: KafkaError,
    },
    #[error("{records} records were not acknowledged in time")]
    Unacknowledged { records: i32 },
}
