//! The counters of a node and their export to Prometheus.
//!
//! The hot path counts into plain cells of its own; a scrape sums the cells of all writers. Counting
//! is therefore a load, an add and a store on memory that no other core writes, and a label costs
//! one array index, by an enum.
//!
//! Invariants:
//! - A struct of cells has one writer: one shard, one publisher or one consumer thread. A second
//!   writer would lose counts, but do no other harm.
//! - The number of time series is bounded: labels are enums, or up to [`MAX_TOPICS`] topics and
//!   [`MAX_PARTITIONS`] partitions; those beyond are summed as `other`.
//! - A scrape takes no lock that the hot path takes.
//! - `docs/metrics.md` lists exactly the families that are exported.
//!
//! In reading order:
mod counter;
mod gauge;
mod histogram;

mod by;
pub mod label;

mod families;

mod checkpoints;
mod history;
mod ingest;
mod node;
mod publisher;
mod shard;
mod traces;

mod family;
mod process;
mod registry;

pub use by::By;
pub use checkpoints::CheckpointMetrics;
pub use counter::{Counter, DurationCounter};
pub use family::{Family, Kind};
pub use gauge::{DurationGauge, Gauge};
pub use histogram::{BOUNDS_NS, Histogram};
pub use history::HistoryMetrics;
pub use ingest::{IngestMetrics, MAX_PARTITIONS, MAX_TOPICS, PartitionMetrics, TopicMetrics};
pub use node::NodeMetrics;
pub use publisher::PublisherMetrics;
pub use registry::{BuildInfo, CONTENT_TYPE, Registry, Sampled};
pub use shard::ShardMetrics;
pub use traces::TraceMetrics;
