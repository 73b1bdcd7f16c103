//! What a node counts, and how Prometheus reads it.
//!
//! The hot path counts into plain cells that it alone writes; a scrape reads the cells of all
//! writers and sums them. So counting is a load, an add and a store on memory that no other core
//! writes, and looking up a label is indexing an array with an enum.
//!
//! Invariants:
//! - A struct of cells has one writer: one shard, one publisher or one consumer thread. A second
//!   writer would lose counts (never more than that).
//! - The number of time series is bounded: labels are enums, or topic names up to [`MAX_TOPICS`]
//!   and partitions up to [`MAX_PARTITIONS`], and what is beyond is summed as `other`.
//! - A scrape takes no lock that the hot path takes.
//! - `docs/metrics.md` lists exactly the families that are exported.
//!
//! In reading order:
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod counter;
mod gauge;
mod histogram;

mod by;
pub mod label;

mod checkpoints;
mod history;
mod ingest;
mod publisher;
mod shard;
mod traces;

mod family;
mod process;
mod registry;

pub use by::By;
pub use checkpoints::CheckpointMetrics;
pub use counter::Counter;
pub use family::{Family, Kind};
pub use gauge::{DurationGauge, Gauge};
pub use histogram::{BOUNDS_NS, Histogram};
pub use history::HistoryMetrics;
pub use ingest::{IngestMetrics, MAX_PARTITIONS, MAX_TOPICS, PartitionMetrics, TopicMetrics};
pub use publisher::PublisherMetrics;
pub use registry::{BuildInfo, CONTENT_TYPE, NodeMetrics, Registry, Sampled};
pub use shard::ShardMetrics;
pub use traces::TraceMetrics;
