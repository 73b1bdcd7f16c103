use rdkafka::error::KafkaError;

use crate::ConfigError;

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The configuration has errors.
    #[error("the configuration of ingest has errors: {}", joined(.0))]
    Config(Vec<ConfigError>),
    /// The Kafka client cannot be made, or cannot be told what to read.
    #[error("the kafka client cannot {action}")]
    Client {
        /// What was tried, as a verb.
        action: &'static str,
        /// Its answer.
        #[source]
        source: KafkaError,
    },
    /// A thread cannot be started.
    #[error("cannot start the thread that looks for topics")]
    Thread(#[source] std::io::Error),
}

impl IngestError {
    /// For `map_err`: names what was tried.
    pub(crate) fn client(action: &'static str) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Client { action, source }
    }
}

fn joined(errors: &[ConfigError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
