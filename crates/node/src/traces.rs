//! Traces a sample of records from Kafka to the sockets, and exports the spans to an OpenTelemetry collector.
//!
//! Sampling and trace ids are functions of topic, partition and offset: the spans of all nodes that read a
//! record belong to one trace.
//!
//! Modules in reading order: [`settings`]; [`sampler`] selects records; [`record_tracer`] traces them on a
//! publisher's thread; [`span`] the spans; [`exporter`] the thread that exports them.

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

/// Sends spans to the exporter without ever waiting.
#[derive(Clone)]
pub(crate) struct Spans {
    queue: SyncSender<SpanData>,
    dropped: Arc<AtomicU64>,
}

impl Spans {
    fn send(&self, span: SpanData) {
        // The collector is too slow or gone.
        if self.queue.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Tracer for Spans {
    fn passed(&self, passage: Passage) {
        let [queue, send] = span::of_passage(&passage);
        self.send(queue);
        self.send(send);
    }
}
