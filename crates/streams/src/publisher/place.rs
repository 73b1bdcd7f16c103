use market::{Changes, Nanos, Seq};

/// Where a record stands, and when Kafka took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The index that ingest gave the partition.
    pub partition: u32,
    /// Its offset.
    pub seq: Seq,
    /// Its timestamp.
    pub log_time: Nanos,
}

/// Which of an instrument's channels an unreadable record may have been of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Its book.
    Book,
    /// Its trades.
    Trades,
    /// Either.
    Unknown,
}

/// Where the message that is being made stands, and its times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) seq: Seq,
    pub(super) event_time: Option<Nanos>,
    pub(super) log_time: Nanos,
    pub(super) now: Nanos,
}

impl Place {
    /// A moment of this node's own, that no record stands for.
    pub(super) const fn of_node(seq: Seq, now: Nanos) -> Self {
        Self {
            seq,
            event_time: None,
            log_time: now,
            now,
        }
    }
}

/// Memory that is used for one message and then for the next one.
#[derive(Debug, Default)]
pub(super) struct Bench {
    pub(super) changes: Changes,
    pub(super) seen: Changes,
    pub(super) sbe: Vec<u8>,
    pub(super) bids: Vec<market::Level>,
    pub(super) asks: Vec<market::Level>,
}
