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

/// Spans that wait for the collector: about 2 MiB of them, the traces of some hundred records.
const QUEUE: usize = 4096;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const LINGER: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node that ends waits for the last spans to be told.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often a collector that does not take what it is told is spoken of in the log.
const COMPLAINT: Duration = Duration::from_secs(60);

/// The thread that tells the collector.
pub(crate) struct Exporter {
    spans: Spans,
    one_in: u64,
    thread: JoinHandle<()>,
}

impl Exporter {
    /// Starts it; none where nothing is to be followed.
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
            .context("cannot start the runtime of the traces")?;
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
        let (queue, told) = sync_channel(QUEUE);
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
            runtime.block_on(telling.run(&told));
            Ok::<_, Infallible>(())
        };
        let thread = threads
            .spawn(ThreadKind::Traces, "traces", body)
            .context("cannot start the thread of the traces")?;
        Ok(Some(Self {
            spans,
            one_in: settings.one_in,
            thread,
        }))
    }

    /// For one publisher.
    pub(crate) fn tracer(&self) -> RecordTracer {
        RecordTracer::new(self.spans.clone(), self.one_in)
    }

    /// Once all publishers and shards have ended: tells what is left, for a moment.
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
    /// Until nobody is left who could say anything. Nothing else runs on this runtime, so that it may
    /// wait here.
    async fn run(mut self, told: &Receiver<SpanData>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut is_over = false;
        while !is_over {
            is_over = gather(told, &mut batch);
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
                    tracing::warn!(%error, "the collector did not take the traces");
                }
            }
        }
    }
}

/// Takes a batch; whether there will be no other.
fn gather(told: &Receiver<SpanData>, batch: &mut Vec<SpanData>) -> bool {
    let mut until = None;
    while batch.len() < BATCH {
        let until = *until.get_or_insert_with(|| Instant::now() + LINGER);
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
    false
}
