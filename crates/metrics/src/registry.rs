mod families;

use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{Encoder, TextEncoder};

use crate::family::Scrape;
use crate::ingest::Names;
use crate::{
    CheckpointMetrics, Family, HistoryMetrics, IngestMetrics, Kind, NodeMetrics, PublisherMetrics,
    ShardMetrics, TraceMetrics,
};

/// The `Content-Type` of what [`Registry::render`] returns.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// What build this is.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// The version of the release.
    pub version: &'static str,
    /// The commit, or `unknown`.
    pub revision: &'static str,
}

/// The cells of all writers, exported as the text that a scrape receives.
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

/// The current value of a counter or gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The name of its family.
    pub family: &'static str,
    /// Its labels and their values.
    pub labels: Vec<(String, String)>,
    /// The number.
    pub value: f64,
}

impl Sampled {
    /// The value of a label; empty if the sample has no such label.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(known, _)| known == name);
        label.map_or("", |(_, value)| value)
    }
}

impl Registry {
    /// A registry without writers; families with fixed labels are exported from the start, as zeros.
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

    /// Adds a shard and returns its cells.
    #[must_use]
    pub fn add_shard(&self) -> Arc<ShardMetrics> {
        add(&self.shards, ShardMetrics::default())
    }

    /// Adds a publisher and returns its cells.
    #[must_use]
    pub fn add_publisher(&self) -> Arc<PublisherMetrics> {
        add(&self.publishers, PublisherMetrics::default())
    }

    /// Adds a consumer thread and returns its cells.
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
        // The encoder writes nothing but the strings it was given.
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// What build this is.
    #[must_use]
    pub const fn build(&self) -> &BuildInfo {
        &self.build
    }

    /// The current values of all counters and gauges, for pages that show a few of them.
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

    /// All families, in the order in which they are exported.
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
        let ingests = lock(&self.ingests).clone();
        let publishers = lock(&self.publishers).clone();
        let shards = lock(&self.shards).clone();
        families::build(&self.build, &mut out);
        NodeMetrics::scrape(slice::from_ref(&self.node), &mut out);
        families::topics(&ingests, &mut out);
        families::partitions(&ingests, &mut out);
        IngestMetrics::scrape(&ingests, &mut out);
        PublisherMetrics::scrape(&publishers, &mut out);
        ShardMetrics::scrape(&shards, &mut out);
        HistoryMetrics::scrape(slice::from_ref(&self.history), &mut out);
        TraceMetrics::scrape(slice::from_ref(&self.traces), &mut out);
        families::checkpoints_refused(&self.checkpoints, &publishers, &mut out);
        CheckpointMetrics::scrape(slice::from_ref(&self.checkpoints), &mut out);
        families::stages(&publishers, &shards, &mut out);
        crate::process::scrape(&mut out);
        out
    }
}

fn add<W>(writers: &Mutex<Vec<Arc<W>>>, writer: W) -> Arc<W> {
    let writer = Arc::new(writer);
    lock(writers).push(Arc::clone(&writer));
    writer
}

/// A poisoned lock is harmless: a single push cannot leave a list half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
