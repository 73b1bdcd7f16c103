use market::{Position, Seq};

use crate::event::{GapCause, ResyncReason};

/// What a message meant to its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was had already.
    Held,
    /// A chunk of a snapshot that is not whole yet.
    Partial,
    /// It says something, and nothing moves.
    Noted,
    /// The stream moved on; with the fault that this ends.
    Applied(Option<Fault>),
    /// The stream moved on behind something that never comes.
    Lost(Missing, GapCause),
    /// Something is missing; the stream has to be resumed.
    Gap(Missing),
    /// The book is wrong; the stream has to begin anew.
    Wrong(Wrong),
}

/// What is missing: what comes behind `from` up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) from: Option<Position>,
    pub(crate) to: Option<Seq>,
}

/// What the message says of the book, and what the book is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) told: u32,
    pub(crate) computed: u32,
}

/// Since when, and why, a stream is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) from: Option<Position>,
    pub(crate) reason: ResyncReason,
}
