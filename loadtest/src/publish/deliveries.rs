use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

/// Counts of delivered and failed records.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    acknowledged: AtomicU64,
    failed: AtomicU64,
}

impl Deliveries {
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() {
            &self.acknowledged
        } else {
            &self.failed
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
