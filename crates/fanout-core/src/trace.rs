//! Records that are followed from Kafka to the sockets, a few of very many.

use std::sync::Arc;

use market::{InstrumentId, Nanos};

/// A record that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// What its trace is called.
    pub trace: u128,
    /// The span that what is told of it belongs to.
    pub parent: u64,
    /// Whose record it is.
    pub instrument: InstrumentId,
}

/// What a shard did with a record: what stood in its sockets' way, and what they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The record.
    pub mark: Mark,
    /// Which shard.
    pub shard: usize,
    /// When the publisher handed it over.
    pub published: Nanos,
    /// When the shard took it in.
    pub taken: Nanos,
    /// When every session whose socket has room had been sent something: it, but for those that are
    /// behind.
    pub sent: Nanos,
    /// Of how many streams the batch has messages of the instrument.
    pub streams: usize,
    /// How many subscribers these have.
    pub subscribers: usize,
}

/// Who is told; it must not wait.
pub trait Tracer: Send + Sync {
    /// A record has passed through a shard.
    fn passed(&self, passage: Passage);
}

/// The marks of one batch.
pub struct Marks {
    /// Notified of them.
    pub tracer: Arc<dyn Tracer>,
    /// When the publisher handed the batch over.
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
