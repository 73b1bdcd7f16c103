use crate::{Nanos, PartitionIndex, Seq};

/// A record's position in the log, and its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The partition that holds the record.
    pub partition: PartitionIndex,
    /// The record's offset.
    pub seq: Seq,
    /// The record's timestamp; zero if it has none.
    pub log_time: Nanos,
}

/// The channels of an instrument that an unreadable record puts in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The book.
    Book,
    /// The trades.
    Trades,
    /// Both, because the record does not tell which it was for.
    Unknown,
}
