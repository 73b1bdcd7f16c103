use crate::{ConfigError, IngestConfig, Sink, Stop, Waker};

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The configuration has mistakes.
    #[error("the configuration of the ingest has {} mistakes, the first: {}", .0.len(), .0[0])]
    Config(Vec<ConfigError>),
    /// The Kafka client refuses its configuration, or gave up for good.
    #[error("the kafka client cannot {action}")]
    Client {
        /// What was tried, as a verb.
        action: &'static str,
        /// Its answer.
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// The body of a thread that reads its share of the partitions.
pub struct Consumer {
    waker: Waker,
}

/// Makes `config.threads` consumers, and starts the thread that looks for topics.
///
/// That a broker answers is no condition: it is waited for. All end when `stop` says so.
pub fn start(config: &IngestConfig, stop: &Stop) -> Result<Vec<Consumer>, IngestError> {
    let _ = (config, stop);
    Ok(Vec::new())
}

impl Consumer {
    /// Wakes this consumer.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Reads until stopped.
    pub fn run<S: Sink>(self, sink: &mut S) -> Result<(), IngestError> {
        let _ = sink;
        Ok(())
    }
}
