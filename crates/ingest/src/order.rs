//! What the scout tells the consumers, and they ask of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use market::Seq;

use crate::topic_id::TopicId;
use crate::{Reset, Source};

/// How many orders wait for a consumer at most. The scout makes a few in each of its rounds, and
/// waits when a consumer has not taken these.
pub(crate) const MAX_ORDERS: usize = 16;

/// What the scout has found for one consumer.
pub(crate) enum Order {
    /// Read these too.
    Open(Vec<Opening>),
    /// These are to be read from elsewhere.
    Begin(Vec<Beginning>),
    /// These are no more.
    Close(Vec<(Arc<str>, i32)>),
    /// All that was asked to be looked at has been: whatever is not to be begun elsewhere can go
    /// on where it stands.
    Looked(Vec<Beginning>),
    /// How many topics there are; told after those partitions were opened or closed.
    Topics(Topics),
    /// Everything that there was at the start has been opened.
    Discovered,
}

/// How many topics the brokers list, and how many of them the rules of the configuration match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topics {
    /// Topics that the brokers list; those that this node may not describe are not among them.
    pub listed: u64,
    /// Those that a rule matches.
    pub matched: u64,
}

/// A partition that has not been read yet.
pub(crate) struct Opening {
    pub(crate) source: Arc<Source>,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) span: Span,
    pub(crate) reached: Arc<Reached>,
}

/// A partition that is to go on elsewhere.
pub(crate) struct Beginning {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) span: Span,
    pub(crate) cause: Reset,
    /// Where it stood when that was found; when it has moved on meanwhile, nothing was wrong.
    /// None when it has to begin in any case.
    pub(crate) seen_at: Option<Seq>,
}

/// What there is to be read, as of one look at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) topic_id: TopicId,
    /// Where to begin.
    pub(crate) start: Seq,
    /// The offset behind the last record.
    pub(crate) end: Seq,
}

/// The next offset of a partition, written by its consumer and read by the scout.
#[derive(Debug, Default)]
pub(crate) struct Reached(AtomicI64);

impl Reached {
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

/// What a consumer asks of the scout.
#[derive(Debug, Default)]
pub(crate) struct Request(AtomicBool);

impl Request {
    /// Look at every partition of mine: one of them has no record at its offset, or has become
    /// another one.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether that was asked; the question is taken.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}
