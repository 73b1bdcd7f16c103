use std::sync::Arc;

use fanout::{Mark, PublisherPort};
use market::{At, InstrumentName, Nanos, PartitionIdentity, PartitionIndex};

use super::Spans;
use super::sampler::Sampler;
use super::span::{self, Record};

/// Records traced per batch. Batches have thousands of records at most, so this only limits configurations that
/// trace nearly all of them.
const A_BATCH: usize = 64;

/// Traces records through one publisher.
pub(crate) struct RecordTracer {
    spans: Spans,
    one_in: u64,
    /// By partition index.
    samplers: Vec<Option<Sampler>>,
    batch: Vec<Record>,
}

impl RecordTracer {
    pub(super) const fn new(spans: Spans, one_in: u64) -> Self {
        Self {
            spans,
            one_in,
            samplers: Vec::new(),
            batch: Vec::new(),
        }
    }

    /// Makes the port report what becomes of traced records.
    pub(crate) fn listen_to(&self, port: &mut PublisherPort) {
        port.set_tracer(Arc::new(self.spans.clone()));
    }

    /// Starts sampling a partition.
    pub(crate) fn opened(&mut self, index: PartitionIndex, partition: &PartitionIdentity) {
        let slot = index.0 as usize;
        if self.samplers.len() <= slot {
            self.samplers.resize(slot + 1, None);
        }
        self.samplers[slot] = Some(Sampler::new(partition, self.one_in));
    }

    /// The trace id of a record, if it is sampled.
    pub(crate) fn sample(&self, at: At) -> Option<u128> {
        let sampler = self.samplers.get(at.partition.0 as usize)?.as_ref()?;
        if self.batch.len() >= A_BATCH {
            return None;
        }
        sampler.sample(at.seq)
    }

    /// Traces a record of the current batch.
    pub(crate) fn follow(
        &mut self,
        trace: u128,
        at: At,
        partition: &PartitionIdentity,
        instrument: &InstrumentName,
        received: Nanos,
        port: &mut PublisherPort,
    ) {
        let record = Record {
            trace,
            span: u64::from_be_bytes(span::new_id().to_bytes()),
            topic: partition.topic.clone(),
            partition: partition.partition,
            offset: at.seq.0,
            instrument: instrument.clone(),
            log_time: at.log_time,
            received,
        };
        port.follow(Mark {
            trace,
            parent: record.span,
            instrument: instrument.id(),
        });
        self.batch.push(record);
    }

    /// Ends the batch, which was handed over at that time.
    pub(crate) fn published(&mut self, at: Nanos) {
        for record in self.batch.drain(..) {
            for span in span::of_record(&record, at) {
                self.spans.send(span);
            }
        }
    }

    /// Returns whether a record of the current batch is traced.
    pub(crate) const fn is_tracing(&self) -> bool {
        !self.batch.is_empty()
    }
}
