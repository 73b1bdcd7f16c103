use std::fmt;

use market::{Position, Reason, Seq};
use wire::Head;
use wire::control::StartReason;

use crate::SubscriptionId;

/// Data of a stream is missing: everything after `from` up to and including `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The last position received; `None` if there was none.
    pub from: Option<Position>,
    /// The last `seq` that is missing; `None` if unknown.
    pub to: Option<Seq>,
    /// How the gap was detected, and whether it will be filled.
    pub cause: GapCause,
}

/// How a gap was detected, and whether it will be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// A message does not follow on. The client resumes the stream: `Subscribed` follows, and another gap if
    /// the data is lost.
    Sequence,
    /// The stream was silent for too long, without even a heartbeat. The client resumes it.
    Silent,
    /// This client lagged, and the node no longer had what it missed. The data is lost.
    Skipped,
    /// The node could not resume the stream, or was not asked to (`None`). What was published meanwhile is lost.
    NotResumed(Option<StartReason>),
    /// The node, or the venue, may have missed something. It is lost.
    Upstream(Reason),
}

impl GapCause {
    /// Returns whether the data is lost, although the node once had it.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Skipped | Self::NotResumed(_))
    }
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence => f.write_str("a message is missing"),
            Self::Silent => f.write_str("the stream fell silent"),
            Self::Skipped => f.write_str("skipped by the node"),
            Self::NotResumed(Some(reason)) => write!(f, "not resumed: {}", reason.name()),
            Self::NotResumed(None) => f.write_str("not resumed"),
            Self::Upstream(reason) => write!(f, "upstream: {}", reason.name()),
        }
    }
}

/// A checksum mismatch: a local book's checksum differs from the one the node published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The head of the message with that checksum.
    pub head: Head,
    /// The checksum in the message.
    pub received: u32,
    /// The checksum of the local book.
    pub computed: u32,
}

/// A fault is over: with the next event the stream is complete again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resync {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// What the fault was.
    pub reason: ResyncReason,
    /// The position at which the fault began; `None` if the stream had none.
    pub from: Option<Position>,
    /// The position at which the stream is complete again.
    pub to: Position,
}

/// What was wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncReason {
    /// A gap; the node resumed the stream.
    Gap,
    /// The book did not have the checksum that the node published.
    Checksum,
    /// The node could not resume the stream after a reconnect or a gap, or was not asked to (`None`).
    NotResumed(Option<StartReason>),
    /// A new epoch began: the topic was recreated, or the instrument's exponents changed.
    EpochChanged,
    /// The node had said that the stream could not be trusted.
    Upstream(Reason),
}

impl fmt::Display for ResyncReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap => f.write_str("gap"),
            Self::Checksum => f.write_str("checksum mismatch"),
            Self::NotResumed(Some(reason)) => write!(f, "not resumed: {}", reason.name()),
            Self::NotResumed(None) => f.write_str("not resumed"),
            Self::EpochChanged => f.write_str("epoch changed"),
            Self::Upstream(reason) => write!(f, "upstream: {}", reason.name()),
        }
    }
}
