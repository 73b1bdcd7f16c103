mod families;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{Encoder, TextEncoder};

use crate::family::Scrape;
use crate::ingest::Names;
use crate::label::ThreadKind;
use crate::{
    By, CheckpointMetrics, Counter, Family, Gauge, HistoryMetrics, IngestMetrics, Kind,
    PublisherMetrics, ShardMetrics, TraceMetrics,
};

/// The `Content-Type` of what [`Registry::render`] returns.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// What the program is.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// The version of the release.
    pub version: &'static str,
    /// The commit, or `unknown`.
    pub revision: &'static str,
}

/// All writers' cells, and the text that a scrape gets.
pub struct Registry {
    build: BuildInfo,
    names: Arc<Names>,
    shards: Mutex<Vec<Arc<ShardMetrics>>>,
    publishers: Mutex<Vec<Arc<PublisherMetrics>>>,
    ingests: Mutex<Vec<Arc<IngestMetrics>>>,
    history: Arc<HistoryMetrics>,
    traces: Arc<TraceMetrics>,
    checkpoints: Arc<CheckpointMetrics>,
    node: Arc<NodeMetrics>,
}

/// What is known of the node as a whole; the admin listener writes it before a scrape.
#[derive(Default)]
pub struct NodeMetrics {
    /// 1 while the node is ready, else 0.
    pub ready: Gauge,
    /// 1 once the node drains, else 0.
    pub draining: Gauge,
    /// Partitions that are still being caught up with.
    pub partitions_behind: Gauge,
    /// Topics that the brokers list.
    pub topics_listed: Gauge,
    /// Topics that the configuration matches.
    pub topics_matched: Gauge,
    /// Threads that ended although they should not have.
    pub threads_failed: By<ThreadKind, Counter>,
    /// 1 while the last reload of the configuration succeeded, else 0.
    pub reload_successful: Gauge,
    /// When a configuration was taken over last, in seconds since 1970.
    pub reloaded_at: Gauge,
    /// When the certificate of the public listener ends, in seconds since 1970; 0 without TLS.
    pub tls_expires: Gauge,
}

/// A counter or gauge as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The name of its family.
    pub family: &'static str,
    /// Its labels with their values.
    pub labels: Vec<(String, String)>,
    /// The number.
    pub value: f64,
}

impl Sampled {
    /// The value of a label; empty where there is none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(known, _)| known == name);
        label.map_or("", |(_, value)| value)
    }
}

impl Registry {
    /// A registry without writers; every family of fixed labels is exported at once, as zeros.
    #[must_use]
    pub fn new(build: BuildInfo) -> Self {
        Self {
            build,
            names: Arc::default(),
            shards: Mutex::default(),
            publishers: Mutex::default(),
            ingests: Mutex::default(),
            history: Arc::default(),
            traces: Arc::default(),
            checkpoints: Arc::default(),
            node: Arc::default(),
        }
    }

    /// The cells of one more shard.
    #[must_use]
    pub fn add_shard(&self) -> Arc<ShardMetrics> {
        add(&self.shards, ShardMetrics::default())
    }

    /// The cells of one more publisher.
    #[must_use]
    pub fn add_publisher(&self) -> Arc<PublisherMetrics> {
        add(&self.publishers, PublisherMetrics::default())
    }

    /// The cells of one more consumer thread.
    #[must_use]
    pub fn add_ingest(&self) -> Arc<IngestMetrics> {
        add(&self.ingests, IngestMetrics::new(Arc::clone(&self.names)))
    }

    /// The cells of the replays of the past.
    #[must_use]
    pub fn history(&self) -> Arc<HistoryMetrics> {
        Arc::clone(&self.history)
    }

    /// The cells of the traces.
    #[must_use]
    pub fn traces(&self) -> Arc<TraceMetrics> {
        Arc::clone(&self.traces)
    }

    /// The cells of the checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> Arc<CheckpointMetrics> {
        Arc::clone(&self.checkpoints)
    }

    /// The cells of the node as a whole.
    #[must_use]
    pub fn node(&self) -> &NodeMetrics {
        &self.node
    }

    /// All families in the text format 0.0.4, summed over their writers now.
    pub fn render(&self) -> prometheus::Result<String> {
        let families = self.scrape().into_proto();
        let mut text = Vec::with_capacity(64 * 1024);
        TextEncoder::new().encode(&families, &mut text)?;
        // The encoder writes only what it was given as `str`.
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// What the program is.
    #[must_use]
    pub const fn build(&self) -> &BuildInfo {
        &self.build
    }

    /// Every counter and gauge as it stands now, for those who show a few of them.
    #[must_use]
    pub fn samples(&self) -> Vec<Sampled> {
        let mut samples = Vec::new();
        for (family, metrics) in self.scrape().families {
            if family.kind == Kind::Histogram {
                continue;
            }
            for metric in metrics {
                let labels = metric.get_label().iter();
                samples.push(Sampled {
                    family: family.name,
                    labels: labels
                        .map(|pair| (pair.name().to_owned(), pair.value().to_owned()))
                        .collect(),
                    value: match family.kind {
                        Kind::Counter => metric.get_counter().get_value(),
                        _ => metric.get_gauge().get_value(),
                    },
                });
            }
        }
        samples
    }

    /// What may be exported, in the order of export.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let scrape = self.scrape();
        scrape
            .families
            .into_iter()
            .map(|(family, _)| family)
            .collect()
    }

    fn scrape(&self) -> Scrape {
        let mut out = Scrape::default();
        families::node(&self.build, &self.node, &mut out);
        families::ingest(&lock(&self.ingests), &mut out);
        families::publishers(&lock(&self.publishers), &mut out);
        families::shards(&lock(&self.shards), &mut out);
        families::history(&self.history, &mut out);
        families::traces(&self.traces, &mut out);
        families::checkpoints(&self.checkpoints, &lock(&self.publishers), &mut out);
        families::stages(&lock(&self.publishers), &lock(&self.shards), &mut out);
        crate::process::scrape(&mut out);
        out
    }
}

fn add<W>(writers: &Mutex<Vec<Arc<W>>>, writer: W) -> Arc<W> {
    let writer = Arc::new(writer);
    lock(writers).push(Arc::clone(&writer));
    writer
}

/// A panic elsewhere leaves a list whole, since it is changed by a single push.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
