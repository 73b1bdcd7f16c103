use std::sync::Arc;

use fanout::{Mark, PublisherPort};
use market::{At, InstrumentName, Nanos, PartitionIdentity, PartitionIndex};

use super::Spans;
use super::sampler::Sampler;
use super::span::{self, Record};

/// Records of one batch that are followed; further ones are not. Batches are of thousands of records
/// at the most, so this is where somebody asks for nearly all.
const A_BATCH: usize = 64;

/// Follows records through one publisher.
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

    /// Has the port tell of what becomes of records.
    pub(crate) fn listen_to(&self, port: &mut PublisherPort) {
        port.set_tracer(Arc::new(self.spans.clone()));
    }

    /// A partition is read from here on.
    pub(crate) fn opened(&mut self, index: PartitionIndex, partition: &PartitionIdentity) {
        let slot = index.0 as usize;
        if self.samplers.len() <= slot {
            self.samplers.resize(slot + 1, None);
        }
        self.samplers[slot] = Some(Sampler::new(partition, self.one_in));
    }

    /// The name of a record's trace, if it is followed.
    pub(crate) fn sample(&self, at: At) -> Option<u128> {
        let sampler = self.samplers.get(at.partition.0 as usize)?.as_ref()?;
        if self.batch.len() >= A_BATCH {
            return None;
        }
        sampler.sample(at.seq)
    }

    /// Follows a record of the batch at hand.
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

    /// The batch has been handed over.
    pub(crate) fn published(&mut self, at: Nanos) {
        for record in self.batch.drain(..) {
            for span in span::of_record(&record, at) {
                self.spans.tell(span);
            }
        }
    }

    /// Whether anything of the batch at hand is followed.
    pub(crate) const fn is_tracing(&self) -> bool {
        !self.batch.is_empty()
    }
}
