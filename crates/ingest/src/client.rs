//! Creates Kafka clients and collects what they report.

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

/// A Kafka client.
pub(crate) type KafkaConsumer = BaseConsumer<KafkaContext>;

/// Creates the client of a [`Consumer`](crate::Consumer), which wakes it when something arrives.
pub(crate) fn for_consumer(
    config: &IngestConfig,
    waker: &Waker,
    errors: &Arc<ClientErrors>,
) -> KafkaResult<KafkaConsumer> {
    let properties = properties::for_consumer(config);
    let context = KafkaContext::with_errors(errors);
    let mut client = BaseConsumer::from_config_and_context(&properties, context)?;
    let waker = waker.clone();
    client.set_nonempty_callback(move || waker.wake());
    Ok(client)
}

/// Creates a client that reads one partition, at a pace that may be slow.
pub(crate) fn for_history(config: &IngestConfig, queue_bytes: usize) -> KafkaResult<KafkaConsumer> {
    let properties = properties::for_history(config, queue_bytes);
    BaseConsumer::from_config_and_context(&properties, KafkaContext::default())
}

/// Creates a client for queries only: topics and offsets.
pub(crate) fn for_queries(
    config: &IngestConfig,
    errors: &Arc<ClientErrors>,
) -> KafkaResult<KafkaConsumer> {
    let context = KafkaContext::with_errors(errors);
    BaseConsumer::from_config_and_context(&properties::common(config), context)
}

/// Collects what a client reports besides records, and passes its messages to the log.
#[derive(Default)]
pub(crate) struct KafkaContext {
    watermarks: Mutex<Vec<Watermark>>,
    last_response: Mutex<Option<Instant>>,
    has_recreated: AtomicBool,
    recreated: Mutex<Vec<String>>,
    notifications: AtomicU64,
    errors: Arc<ClientErrors>,
}

impl KafkaContext {
    fn with_errors(errors: &Arc<ClientErrors>) -> Self {
        Self {
            errors: Arc::clone(errors),
            ..Self::default()
        }
    }

    /// Takes the high watermarks that were reported since the last call.
    pub(crate) fn take_watermarks(&self) -> Vec<Watermark> {
        drain(&self.watermarks)
    }

    /// When a broker last responded, as far as is known; `None` until one has.
    pub(crate) fn last_response(&self) -> Option<Instant> {
        self.last_response
            .lock()
            .map_or(None, |last_response| *last_response)
    }

    /// The number of notifications so far. A poll that handles a notification returns no record,
    /// even if there are more.
    pub(crate) fn notifications(&self) -> u64 {
        self.notifications.load(Ordering::Relaxed)
    }

    /// Returns whether a topic was recreated.
    ///
    /// The client reports this before it fetches records of the new topic, and in the same queue,
    /// so it is known before the first such record.
    #[inline]
    pub(crate) fn has_recreated(&self) -> bool {
        self.has_recreated.load(Ordering::Acquire)
    }

    /// Takes the topics that were recreated since the last call.
    pub(crate) fn take_recreated(&self) -> Vec<String> {
        self.has_recreated.store(false, Ordering::Release);
        drain(&self.recreated)
    }
}

fn drain<T>(report: &Mutex<Vec<T>>) -> Vec<T> {
    let report = report.lock();
    report.map_or_else(|_| Vec::new(), |mut all| std::mem::take(&mut *all))
}

impl ConsumerContext for KafkaContext {}

impl ClientContext for KafkaContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.notifications.fetch_add(1, Ordering::Relaxed);
        if let (Some(topic), Ok(mut changed)) =
            (identity::recreated_topic(text), self.recreated.lock())
        {
            changed.push(topic.to_owned());
            self.has_recreated.store(true, Ordering::Release);
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
        self.notifications.fetch_add(1, Ordering::Relaxed);
        let report = match statistics::read(json) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "cannot parse the statistics of the kafka client");
                return;
            }
        };
        if let Ok(mut watermarks) = self.watermarks.lock() {
            *watermarks = report.watermarks;
        }
        let last_response = report
            .silence
            .and_then(|silence| Instant::now().checked_sub(silence));
        if let Ok(mut last) = self.last_response.lock() {
            *last = last_response.max(*last);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.count(&error);
        // Every error of a partition is also reported here, so this is not worth a warning.
        tracing::debug!(%error, reason, "kafka client");
    }
}
