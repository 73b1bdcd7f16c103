use std::fmt;

use market::{Position, Reason, Seq};
use wire::Head;
use wire::control::StartReason;

use crate::SubscriptionId;

/// Something is missing of a stream: what comes behind `from` up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// The last that was received; `None` when nothing was.
    pub from: Option<Position>,
    /// The last that is missing; `None` when nobody has told.
    pub to: Option<Seq>,
    /// How it was found, and what becomes of it.
    pub cause: GapCause,
}

/// How a gap was found, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// A message does not follow on. The stream is subscribed to anew and resumed, and what comes of
    /// that is told by `Subscribed`, and by another gap when it is for good.
    Sequence,
    /// The stream said nothing, not even a heartbeat, for longer than a stream may. It is resumed.
    Mute,
    /// The node no longer had what this slow client missed. It is lost.
    Skipped,
    /// The node could not resume the stream; `None` when it was not asked to. What was sent meanwhile is lost.
    NotResumed(Option<StartReason>),
    /// The node itself, or the venue, may have missed something. It is lost.
    Upstream(Reason),
}

impl GapCause {
    /// Whether what is missing will never come, although the node had it.
    #[must_use]
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Skipped | Self::NotResumed(_))
    }
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence => f.write_str("a message is missing"),
            Self::Mute => f.write_str("the stream fell silent"),
            Self::Skipped => f.write_str("skipped by the node"),
            Self::NotResumed(Some(reason)) => write!(f, "not resumed: {}", reason.name()),
            Self::NotResumed(None) => f.write_str("not resumed"),
            Self::Upstream(reason) => write!(f, "upstream: {}", reason.name()),
        }
    }
}

/// The book is not what the node says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Where the message stands that told it.
    pub head: Head,
    /// The checksum that the message tells.
    pub told: u32,
    /// The checksum that the book has.
    pub computed: u32,
}

/// A fault is over: the next item makes the stream whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resync {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// What the fault was.
    pub reason: ResyncReason,
    /// Where the stream stood when it began; `None` when it did not stand anywhere.
    pub from: Option<Position>,
    /// Where it goes on.
    pub to: Position,
}

/// What a fault was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncReason {
    /// A gap, and the node resumed the stream.
    Gap,
    /// The book was not what the node said it was.
    Checksum,
    /// After a reconnect or a gap the node could not resume; `None` when it was not asked to.
    NotResumed(Option<StartReason>),
    /// The stream has a new numbering: the topic was made anew, or the instrument's scale changed.
    EpochChanged,
    /// The node had said that the stream was not to be trusted.
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
