//! Traces: a few records are followed from Kafka to the sockets, and told to an OpenTelemetry collector.
//!
//! Which records is a function of the topic, the partition and the offset, and so is the name of a
//! record's trace: where two nodes read it, their spans stand in one trace.
//!
//! In reading order: [`settings`]; [`sampler`], which says who is followed; [`record_tracer`], which does on
//! a publisher's thread; [`span`], what is told; [`exporter`], the thread that tells it.

mod exporter;
mod record_tracer;
mod sampler;
mod settings;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use fanout::{Passage, Tracer};
use opentelemetry_sdk::trace::SpanData;

pub(crate) use exporter::Exporter;
pub(crate) use record_tracer::RecordTracer;
pub(crate) use settings::TraceSettings;

/// The way to the exporter; it never waits.
#[derive(Clone)]
pub(crate) struct Spans {
    queue: SyncSender<SpanData>,
    dropped: Arc<AtomicU64>,
}

impl Spans {
    fn tell(&self, span: SpanData) {
        // The collector is slower than what is told, or gone.
        if self.queue.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Tracer for Spans {
    fn passed(&self, passage: Passage) {
        let [queue, send] = span::of_passage(&passage);
        self.tell(queue);
        self.tell(send);
    }
}
