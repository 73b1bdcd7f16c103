//! The commands and requests between the scout and the consumers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use market::Seq;

use crate::topic_id::TopicId;
use crate::{Reset, Source, Topics};

/// The maximum number of commands that wait for a consumer. The scout gives a few in each round, and waits while
/// a consumer has not taken them.
pub(crate) const MAX_COMMANDS: usize = 16;

/// A command of the scout for one consumer.
pub(crate) enum Command {
    /// Read these partitions too.
    Open(Vec<Opening>),
    /// Continue these partitions elsewhere.
    Restart(Vec<Restart>),
    /// Stop reading these partitions, which no longer exist.
    Close(Vec<(Arc<str>, i32)>),
    /// The requested check is done: continue these partitions elsewhere, and all others where they
    /// are.
    Checked(Vec<Restart>),
    /// Publish the number of topics, after the partitions of new or deleted ones.
    Topics(Topics),
    /// Everything that existed at the start has been opened.
    Discovered,
}

/// A partition to read.
pub(crate) struct Opening {
    pub(crate) source: Arc<Source>,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) span: Span,
    pub(crate) shared_position: Arc<SharedPosition>,
}

/// A partition to continue elsewhere.
pub(crate) struct Restart {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) span: Span,
    pub(crate) cause: Reset,
    /// The consumer's position when the problem was found; if it has advanced since, there is none.
    /// `None` to restart in any case.
    pub(crate) seen_at: Option<Seq>,
}

/// What there is to read of a partition, at the time of one look at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) topic_id: TopicId,
    /// Where to start.
    pub(crate) start: Seq,
    /// The offset after the last record.
    pub(crate) end: Seq,
}

/// The next offset of a partition, which its consumer writes and the scout reads.
#[derive(Debug, Default)]
pub(crate) struct SharedPosition(AtomicI64);

impl SharedPosition {
    pub(crate) fn at(offset: Seq) -> Self {
        Self(AtomicI64::new(offset.0))
    }

    pub(crate) fn set(&self, offset: Seq) {
        self.0.store(offset.0, Ordering::Release);
    }

    pub(crate) fn get(&self) -> Seq {
        Seq(self.0.load(Ordering::Acquire))
    }
}

/// A consumer's request to check its partitions.
#[derive(Debug, Default)]
pub(crate) struct CheckRequest(AtomicBool);

impl CheckRequest {
    /// Requests a check of all of the consumer's partitions: one has no record at its offset, or
    /// its topic was recreated.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Takes the request. Returns whether there was one.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
