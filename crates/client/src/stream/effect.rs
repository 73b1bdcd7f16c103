use market::{Position, Seq};

use crate::event::{GapCause, ResyncReason};

/// What a message did to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it has been applied already.
    Duplicate,
    /// Nothing yet: it is a chunk of an incomplete snapshot.
    Incomplete,
    /// It carries news for the caller, and no data.
    Noted,
    /// The stream moved on; with the fault that this ends.
    Applied(Option<Fault>),
    /// The stream moved on past something that will never come.
    Lost(Missing, GapCause),
    /// Something is missing; the stream has to be resumed.
    Gap(Missing),
    /// The book is wrong; the stream has to restart.
    Mismatch(Checksums),
}

/// What is missing: everything after `from` up to and including `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) from: Option<Position>,
    pub(crate) to: Option<Seq>,
}

/// The checksum in the message, and that of the local book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checksums {
    pub(crate) received: u32,
    pub(crate) computed: u32,
}

/// Why a stream is not complete, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) from: Option<Position>,
    pub(crate) reason: ResyncReason,
}
