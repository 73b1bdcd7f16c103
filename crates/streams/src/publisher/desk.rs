use std::time::Duration;

use market::{Changes, Monotonic};

use super::outbox::Outbox;
use super::stats::Stats;
use crate::WatchId;
use crate::pace::Paces;

/// What all instruments share: memory to work with, where messages go, and what is counted.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) bench: Bench,
    pub(super) out: Outbox,
    /// The streams that have spoken and rest.
    pub(super) paces: Paces,
    pub(super) stats: Stats,
    /// Bytes that all logs have.
    pub(super) log_bytes: usize,
    /// The views of all instruments.
    pub(super) views: ViewTotals,
    /// Watched streams that ended since [`Publisher::take_ended`](super::Publisher::take_ended).
    pub(super) ended: Vec<WatchId>,
}

/// How many views there are, and what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ViewTotals {
    /// Of all channels.
    pub(super) open: usize,
    /// Bytes of those of books.
    pub(super) bytes: usize,
    /// Bytes of those of books that are grouped.
    pub(super) grouped_bytes: usize,
}

/// Memory that is used for one message and then for the next one.
#[derive(Debug, Default)]
pub(super) struct Bench {
    /// What a record changes in the book.
    pub(super) changes: Changes,
    /// What of it is seen in a view.
    pub(super) seen: Changes,
    /// The same of a grouped book.
    pub(super) grouped: Changes,
}

impl ViewTotals {
    pub(super) const fn add(&mut self, other: Self) {
        self.open += other.open;
        self.bytes += other.bytes;
        self.grouped_bytes += other.grouped_bytes;
    }

    pub(super) const fn subtract(&mut self, other: Self) {
        self.open -= other.open;
        self.bytes -= other.bytes;
        self.grouped_bytes -= other.grouped_bytes;
    }
}

impl Desk {
    pub(super) fn new(heartbeat_after: Duration) -> Self {
        Self {
            bench: Bench::default(),
            out: Outbox::new(heartbeat_after),
            paces: Paces::default(),
            stats: Stats::default(),
            log_bytes: 0,
            views: ViewTotals::default(),
            ended: Vec::new(),
        }
    }

    /// The time of the call at hand, by which everything is scheduled. Every method of the
    /// publisher that takes the time sets it first, with [`Desk::advance_to`].
    pub(super) const fn now(&self) -> Monotonic {
        self.out.now()
    }

    /// Time has moved on.
    pub(super) fn advance_to(&mut self, now: Monotonic) {
        self.out.advance_to(now);
    }
}
