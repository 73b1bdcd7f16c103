use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use metrics::TraceMetrics;
use metrics::label::ThreadKind;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use super::{RecordTracer, Spans, TraceSettings};
use crate::threads::Threads;

/// Queued spans: about 2 MiB, the traces of a few hundred records.
const QUEUE: usize = 4096;
/// Spans per request.
const BATCH: usize = 512;
/// How long a span waits for others to go along.
const LINGER: Duration = Duration::from_secs(1);
/// Time for the collector to accept a request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a stopping node waits for the last spans.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often failures of the collector are logged.
const COMPLAINT: Duration = Duration::from_secs(60);

/// The thread that exports spans.
pub(crate) struct Exporter {
    spans: Spans,
    one_in: u64,
    thread: JoinHandle<()>,
}

impl Exporter {
    /// Starts it; returns `None` if there is no collector.
    pub(crate) fn start(
        settings: &TraceSettings,
        public: SocketAddr,
        metrics: Arc<TraceMetrics>,
        threads: &Threads,
    ) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &settings.endpoint else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of the trace exporter")?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .build()
            .context("cannot export traces (traces.endpoint)")?;
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", public.to_string()),
            ]);
        exporter.set_resource(&resource.build());
        let (queue, queued) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let spans = Spans {
            queue,
            dropped: Arc::clone(&dropped),
        };
        let telling = Telling {
            exporter,
            metrics,
            dropped,
            complained: None,
        };
        let body = move || {
            runtime.block_on(telling.run(&queued));
            Ok::<_, Infallible>(())
        };
        let thread = threads
            .spawn(ThreadKind::Traces, "traces", body)
            .context("cannot start the thread of the trace exporter")?;
        Ok(Some(Self {
            spans,
            one_in: settings.one_in,
            thread,
        }))
    }

    /// A tracer for one publisher.
    pub(crate) fn tracer(&self) -> RecordTracer {
        RecordTracer::new(self.spans.clone(), self.one_in)
    }

    /// Sends what is left, for a limited time, once all publishers and shards have ended.
    pub(crate) fn stop(self) {
        let Self { spans, thread, .. } = self;
        drop(spans);
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < FAREWELL {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

struct Telling {
    exporter: SpanExporter,
    metrics: Arc<TraceMetrics>,
    dropped: Arc<AtomicU64>,
    complained: Option<Instant>,
}

impl Telling {
    /// Runs until all senders are dropped. Blocking is fine: nothing else runs on this runtime.
    async fn run(mut self, queued: &Receiver<SpanData>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut is_over = false;
        while !is_over {
            is_over = gather(queued, &mut batch);
            self.metrics
                .dropped
                .add(self.dropped.swap(0, Ordering::Relaxed));
            if !batch.is_empty() {
                let batch = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                self.export(batch).await;
            }
        }
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        match self.exporter.export(batch).await {
            Ok(()) => self.metrics.exported.add(count),
            Err(error) => {
                self.metrics.failed.add(count);
                if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
                    self.complained = Some(Instant::now());
                    tracing::warn!(%error, "the collector rejected the traces");
                }
            }
        }
    }
}

/// Receives a batch. Returns true if it is the last one.
fn gather(queued: &Receiver<SpanData>, batch: &mut Vec<SpanData>) -> bool {
    let mut until = None;
    while batch.len() < BATCH {
        let until = *until.get_or_insert_with(|| Instant::now() + LINGER);
        match queued.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
    false
}
