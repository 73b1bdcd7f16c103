use rdkafka::error::KafkaError;

use crate::ConfigError;

/// An error that keeps the node from starting to consume.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The configuration is invalid.
    #[error("the configuration of ingest has errors: {}", joined(.0))]
    Config(Vec<ConfigError>),
    /// The Kafka client cannot be created or given its partitions.
    #[error("the kafka client cannot {action}")]
    Client {
        /// What failed, as a verb phrase.
        action: &'static str,
        /// The client's error.
        #[source]
        source: KafkaError,
    },
    /// The thread that looks for topics cannot be started.
    #[error("cannot start the thread that looks for topics")]
    Thread(#[source] std::io::Error),
}

impl IngestError {
    /// Makes a closure for `map_err` that adds what failed.
    pub(crate) fn client(action: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Client { action, source }
    }
}

fn joined(errors: &[ConfigError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
