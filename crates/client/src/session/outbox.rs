use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::SubscriptionId;

/// How many requests may be sent in [`WINDOW`]. A node accepts 10 messages a second, and pongs count.
const MAX_IN_WINDOW: usize = 6;
/// A second, and a margin for requests that the network delivers closer together.
const WINDOW: Duration = Duration::from_millis(1200);

/// Requests that await their answers, and when more may be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    last_id: u64,
    /// When the last requests were sent: at most [`MAX_IN_WINDOW`].
    sent: VecDeque<Instant>,
    /// At most [`MAX_IN_WINDOW`] for each [`WINDOW`] of the answer timeout: 50 at its default.
    pending: VecDeque<Pending>,
    /// Whether a ping is to be sent.
    ping: bool,
    /// When there may be something to send.
    due: Option<Instant>,
}

/// A request that awaits its answer.
#[derive(Debug)]
pub(super) struct Pending {
    id: u64,
    since: Instant,
    /// The subscriptions that it was about, in order.
    pub(super) subscriptions: Vec<SubscriptionId>,
}

impl Outbox {
    /// A connection begins.
    pub(super) fn reset(&mut self, now: Instant) {
        self.clear();
        self.due = Some(now);
    }

    /// The connection ended: nothing will be answered.
    pub(super) fn clear(&mut self) {
        self.sent.clear();
        self.pending.clear();
        self.ping = false;
        self.due = None;
    }

    /// There may be something to send at that time.
    pub(super) fn wake(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Everything there is to send is being sent.
    pub(super) fn settle(&mut self) {
        self.due = None;
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn want_ping(&mut self, now: Instant) {
        self.ping = true;
        self.wake(now);
    }

    pub(super) fn take_ping(&mut self) -> bool {
        std::mem::take(&mut self.ping)
    }

    pub(super) const fn wants_ping(&self) -> bool {
        self.ping
    }

    /// When the next request may be sent, if not now.
    pub(super) fn held_until(&mut self, now: Instant) -> Option<Instant> {
        while self.sent.front().is_some_and(|sent| *sent + WINDOW <= now) {
            self.sent.pop_front();
        }
        if self.sent.len() < MAX_IN_WINDOW {
            return None;
        }
        self.sent.front().map(|sent| *sent + WINDOW)
    }

    /// Records a request that is sent now.
    pub(super) fn send(&mut self, now: Instant, subscriptions: Vec<SubscriptionId>) {
        let id = self.send_ping(now);
        self.pending.push_back(Pending {
            id,
            since: now,
            subscriptions,
        });
    }

    /// Records a ping that is sent now, and returns its id. Anything received counts as its answer.
    pub(super) fn send_ping(&mut self, now: Instant) -> u64 {
        self.last_id += 1;
        self.sent.push_back(now);
        self.last_id
    }

    /// The id of the next request.
    pub(super) const fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// The request that an answer belongs to.
    pub(super) fn answered(&mut self, id: u64) -> Option<Pending> {
        let index = self.pending.iter().position(|pending| pending.id == id)?;
        self.pending.remove(index)
    }

    /// Returns whether an answer is overdue.
    pub(super) fn unanswered(&self, now: Instant, timeout: Duration) -> bool {
        let oldest = self.pending.front().map(|pending| pending.since);
        oldest.is_some_and(|since| now.saturating_duration_since(since) >= timeout)
    }
}
