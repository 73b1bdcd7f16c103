use std::time::Duration;

use market::{Changes, Monotonic};

use super::outbox::Outbox;
use super::stats::Stats;
use crate::StreamId;
use crate::throttle::Throttles;

/// What all instruments of a publisher share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) scratch: Scratch,
    pub(super) out: Outbox,
    pub(super) throttles: Throttles,
    pub(super) stats: Stats,
    /// The memory of all logs, in bytes.
    pub(super) log_bytes: usize,
    /// The views of all instruments.
    pub(super) views: ViewTotals,
    /// The open streams that have ended, for [`Publisher::take_ended`](super::Publisher::take_ended).
    pub(super) ended: Vec<StreamId>,
}

/// The number of views and their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ViewTotals {
    /// The views of all channels.
    pub(super) open: usize,
    /// The memory of book views, in bytes.
    pub(super) bytes: usize,
    /// The memory of grouped book views, in bytes.
    pub(super) grouped_bytes: usize,
}

/// Memory that is reused from message to message.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The changes that a record makes to the book.
    pub(super) changes: Changes,
    /// The changes that are visible in a view.
    pub(super) visible: Changes,
    /// The changes of a grouped book.
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

impl Shared {
    pub(super) fn new(heartbeat_after: Duration) -> Self {
        Self {
            scratch: Scratch::default(),
            out: Outbox::new(heartbeat_after),
            throttles: Throttles::default(),
            stats: Stats::default(),
            log_bytes: 0,
            views: ViewTotals::default(),
            ended: Vec::new(),
        }
    }

    /// The time of the current call, by which everything is scheduled. Every method of the
    /// publisher that takes the time sets it first, with [`Shared::advance_to`].
    pub(super) const fn now(&self) -> Monotonic {
        self.out.now()
    }

    /// Sets the time; an earlier time than before is ignored.
    pub(super) fn advance_to(&mut self, now: Monotonic) {
        self.out.advance_to(now);
    }
}
