use market::{At, Nanos, Seq};

/// Where a message stands, and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) seq: Seq,
    pub(crate) event_time: Option<Nanos>,
    pub(crate) log_time: Nanos,
    pub(crate) now: Nanos,
}

impl Place {
    /// Before all messages.
    pub(crate) const NONE: Self = Self::before(Seq::NONE, Nanos(0));

    /// Behind `seq`, of which nothing is known but the number.
    pub(crate) const fn before(seq: Seq, now: Nanos) -> Self {
        Self {
            seq,
            event_time: None,
            log_time: Nanos(0),
            now,
        }
    }

    /// A record's.
    pub(crate) const fn of(at: At, event_time: Option<Nanos>, now: Nanos) -> Self {
        Self {
            seq: at.seq,
            event_time,
            log_time: at.log_time,
            now,
        }
    }

    /// The same place, of which the node says something of its own.
    pub(crate) const fn restated_at(&self, now: Nanos) -> Self {
        Self {
            event_time: None,
            now,
            ..*self
        }
    }

    /// The same place, told at another moment.
    pub(crate) const fn told_at(self, now: Nanos) -> Self {
        Self { now, ..self }
    }
}
