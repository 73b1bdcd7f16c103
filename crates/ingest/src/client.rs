//! Kafka clients and what they report.

mod properties;
mod statistics;

pub(crate) use properties::mistakes;
pub(crate) use statistics::Watermark;

use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};

use crate::{IngestConfig, Waker};

/// The client of one consumer.
pub(crate) type KafkaConsumer = BaseConsumer<Watcher>;

/// A client that reads partitions, and wakes the one that polls it when something arrives.
pub(crate) fn reading(config: &IngestConfig, waker: &Waker) -> KafkaResult<KafkaConsumer> {
    let properties = properties::reading(config);
    let mut client = BaseConsumer::from_config_and_context(&properties, Watcher::default())?;
    let waker = waker.clone();
    client.set_nonempty_callback(move || waker.wake());
    Ok(client)
}

/// A client that asks for topics and offsets only.
pub(crate) fn asking(config: &IngestConfig) -> KafkaResult<KafkaConsumer> {
    BaseConsumer::from_config_and_context(&properties::common(config), Watcher::default())
}

/// Keeps what a client last told of the log's ends, and passes its messages to the log.
#[derive(Default)]
pub(crate) struct Watcher {
    watermarks: Mutex<Vec<Watermark>>,
}

impl Watcher {
    /// What was told since this was last asked.
    pub(crate) fn take_watermarks(&self) -> Vec<Watermark> {
        let watermarks = self.watermarks.lock();
        watermarks.map_or_else(|_| Vec::new(), |mut all| std::mem::take(&mut *all))
    }
}

impl ConsumerContext for Watcher {}

impl ClientContext for Watcher {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, text, "kafka client"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, text, "kafka client");
            }
        }
    }

    fn stats_raw(&self, json: &[u8]) {
        match (statistics::watermarks(json), self.watermarks.lock()) {
            (Ok(told), Ok(mut watermarks)) => *watermarks = told,
            (Err(error), _) => tracing::warn!(%error, "cannot read the kafka client's statistics"),
            (Ok(_), Err(_)) => {}
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Every error of a partition comes this way too, so it is nothing to be alarmed by.
        tracing::debug!(%error, reason, "kafka client");
    }
}
