use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

/// Outcomes of the records given to a producer.
#[derive(Debug, Default)]
pub struct Deliveries {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<Failure>>,
}

/// A record that was not delivered.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its topic.
    pub topic: String,
    /// The cause.
    pub source: KafkaError,
}

impl Deliveries {
    /// Number of records acknowledged by Kafka.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Number of records that were not delivered.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The first failure, which usually caused the others.
    pub fn first_failure(&self) -> Option<Failure> {
        self.first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((source, message)) = result else {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.first_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| Failure {
                topic: message.topic().to_owned(),
                source: source.clone(),
            });
    }
}
