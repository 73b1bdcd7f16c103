//! Kafka clients and what they report.

mod errors;
mod identity;
mod properties;
mod statistics;

pub(crate) use errors::ClientErrors;
pub(crate) use properties::errors;
pub(crate) use statistics::Watermark;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};

use crate::{IngestConfig, Waker};

/// The client of one consumer.
pub(crate) type KafkaConsumer = BaseConsumer<KafkaContext>;

/// A client that reads partitions, and wakes the one that polls it when something arrives.
pub(crate) fn reading(
    config: &IngestConfig,
    waker: &Waker,
    errors: &Arc<ClientErrors>,
) -> KafkaResult<KafkaConsumer> {
    let properties = properties::reading(config);
    let context = KafkaContext::counting(errors);
    let mut client = BaseConsumer::from_config_and_context(&properties, context)?;
    let waker = waker.clone();
    client.set_nonempty_callback(move || waker.wake());
    Ok(client)
}

/// A client that reads one partition for somebody, who may be slow.
pub(crate) fn past(config: &IngestConfig, queue_bytes: usize) -> KafkaResult<KafkaConsumer> {
    let properties = properties::past(config, queue_bytes);
    BaseConsumer::from_config_and_context(&properties, KafkaContext::default())
}

/// A client that asks for topics and offsets only.
pub(crate) fn asking(
    config: &IngestConfig,
    errors: &Arc<ClientErrors>,
) -> KafkaResult<KafkaConsumer> {
    let context = KafkaContext::counting(errors);
    BaseConsumer::from_config_and_context(&properties::common(config), context)
}

/// Keeps what a client tells beside records, and passes its messages to the log.
#[derive(Default)]
pub(crate) struct KafkaContext {
    watermarks: Mutex<Vec<Watermark>>,
    heard: Mutex<Option<Instant>>,
    has_changed: AtomicBool,
    changed: Mutex<Vec<String>>,
    notes: AtomicU64,
    errors: Arc<ClientErrors>,
}

impl KafkaContext {
    fn counting(errors: &Arc<ClientErrors>) -> Self {
        Self {
            errors: Arc::clone(errors),
            ..Self::default()
        }
    }

    /// What was told of the logs' ends since this was last asked.
    pub(crate) fn take_watermarks(&self) -> Vec<Watermark> {
        taken(&self.watermarks)
    }

    /// When a broker last said anything, as far as is known; `None` before one has.
    pub(crate) fn heard(&self) -> Option<Instant> {
        self.heard.lock().map_or(None, |heard| *heard)
    }

    /// How often something was told. A poll that takes note of something returns no record,
    /// whether there are some behind it or not.
    pub(crate) fn notes(&self) -> u64 {
        self.notes.load(Ordering::Relaxed)
    }

    /// Whether a topic has become another one.
    ///
    /// The client says that before it asks for records of the new one, and it says it by the queue
    /// by which those come: whoever has a record of it has been told.
    #[inline]
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed.load(Ordering::Acquire)
    }

    /// The topics that have become others since this was last asked.
    pub(crate) fn take_changed(&self) -> Vec<String> {
        self.has_changed.store(false, Ordering::Release);
        taken(&self.changed)
    }
}

fn taken<T>(told: &Mutex<Vec<T>>) -> Vec<T> {
    let told = told.lock();
    told.map_or_else(|_| Vec::new(), |mut all| std::mem::take(&mut *all))
}

impl ConsumerContext for KafkaContext {}

impl ClientContext for KafkaContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.notes.fetch_add(1, Ordering::Relaxed);
        if let (Some(topic), Ok(mut changed)) = (identity::changed(text), self.changed.lock()) {
            changed.push(topic.to_owned());
            self.has_changed.store(true, Ordering::Release);
        }
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
        self.notes.fetch_add(1, Ordering::Relaxed);
        let told = match statistics::read(json) {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, "cannot read the kafka client's statistics");
                return;
            }
        };
        if let Ok(mut watermarks) = self.watermarks.lock() {
            *watermarks = told.watermarks;
        }
        let heard = told
            .silent
            .and_then(|silent| Instant::now().checked_sub(silent));
        if let Ok(mut last) = self.heard.lock() {
            *last = heard.max(*last);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.count(&error);
        // Every error of a partition comes this way too, so it is nothing to be alarmed by.
        tracing::debug!(%error, reason, "kafka client");
    }
}
