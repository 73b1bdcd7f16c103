//! Tracing of a small sample of records on their way from Kafka to the sockets.

use std::sync::Arc;

use market::{InstrumentId, Nanos};

/// A traced record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Trace ID (W3C).
    pub trace: u128,
    /// ID of the parent span.
    pub parent: u64,
    /// Instrument of the record.
    pub instrument: InstrumentId,
}

/// How a traced record passed through one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The record.
    pub mark: Mark,
    /// Index of the shard.
    pub shard: usize,
    /// When the publisher handed over the batch.
    pub published: Nanos,
    /// When the shard received it.
    pub taken: Nanos,
    /// When the shard had sent to every session with room in its socket; lagging ones receive the
    /// record later.
    pub sent: Nanos,
    /// Streams of the instrument in this batch.
    pub streams: usize,
    /// Subscriptions to these streams.
    pub subscribers: usize,
}

/// Receives the passages of traced records. Must not block.
pub trait Tracer: Send + Sync {
    /// Reports that a record has passed through a shard.
    fn passed(&self, passage: Passage);
}

/// Traced records of one batch.
pub struct Marks {
    /// Receives their passages.
    pub tracer: Arc<dyn Tracer>,
    /// When the publisher handed over the batch.
    pub published: Nanos,
    /// The records.
    pub marks: Vec<Mark>,
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marks")
            .field("published", &self.published)
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}
