use market::{At, Nanos, Seq};

/// A message's sequence number and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) seq: Seq,
    pub(crate) event_time: Option<Nanos>,
    pub(crate) log_time: Nanos,
    pub(crate) publish_time: Nanos,
}

impl Stamp {
    /// Precedes every message.
    pub(crate) const NONE: Self = Self::base(Seq::NONE, Nanos(0));

    /// Stands for a record of which only the sequence number is known.
    pub(crate) const fn base(seq: Seq, publish_time: Nanos) -> Self {
        Self {
            seq,
            event_time: None,
            log_time: Nanos(0),
            publish_time,
        }
    }

    /// The stamp of the message that a record causes.
    pub(crate) const fn of(at: At, event_time: Option<Nanos>, publish_time: Nanos) -> Self {
        Self {
            seq: at.seq,
            event_time,
            log_time: at.log_time,
            publish_time,
        }
    }

    /// The same position, for a message that no record causes.
    pub(crate) const fn restated_at(&self, publish_time: Nanos) -> Self {
        Self {
            event_time: None,
            publish_time,
            ..*self
        }
    }

    /// The same message, published at another time.
    pub(crate) const fn published_at(self, publish_time: Nanos) -> Self {
        Self {
            publish_time,
            ..self
        }
    }
}
