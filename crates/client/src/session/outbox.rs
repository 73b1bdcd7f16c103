use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::SubscriptionId;

/// How many requests go out in [`WINDOW`]. A node accepts 10 messages a second, and pongs are messages too.
const MAX_IN_WINDOW: usize = 6;
/// A second, and what the network may press together.
const WINDOW: Duration = Duration::from_millis(1200);

/// What was sent and waits for an answer, and when more may be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    last_id: u64,
    /// When the last requests went out: at most [`MAX_IN_WINDOW`].
    sent: VecDeque<Instant>,
    /// At most [`MAX_IN_WINDOW`] for each [`WINDOW`] of the answer timeout: 50 at its default.
    pending: VecDeque<Pending>,
    /// Whether a ping is to go out.
    ping: bool,
    /// When there may be something to send.
    due: Option<Instant>,
}

/// A request without its answer.
#[derive(Debug)]
pub(super) struct Pending {
    id: u64,
    since: Instant,
    /// Whom it was about, in order.
    pub(super) subscriptions: Vec<SubscriptionId>,
}

impl Outbox {
    /// A connection begins: nothing was sent on it.
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

    /// There may be something to send then.
    pub(super) fn wake(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// What there was to send is being sent.
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

    /// When one more request may go out, if not now.
    pub(super) fn held_until(&mut self, now: Instant) -> Option<Instant> {
        while self.sent.front().is_some_and(|sent| *sent + WINDOW <= now) {
            self.sent.pop_front();
        }
        if self.sent.len() < MAX_IN_WINDOW {
            return None;
        }
        self.sent.front().map(|sent| *sent + WINDOW)
    }

    /// Notes a request that goes out now, and names it.
    pub(super) fn send(&mut self, now: Instant, subscriptions: Vec<SubscriptionId>) {
        let id = self.send_ping(now);
        self.pending.push_back(Pending {
            id,
            since: now,
            subscriptions,
        });
    }

    /// Notes a ping that goes out now, and names it. Anything that comes is as good as its answer.
    pub(super) fn send_ping(&mut self, now: Instant) -> u64 {
        self.last_id += 1;
        self.sent.push_back(now);
        self.last_id
    }

    /// The next request's name.
    pub(super) const fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// The request that an answer is to.
    pub(super) fn answered(&mut self, id: u64) -> Option<Pending> {
        let index = self.pending.iter().position(|pending| pending.id == id)?;
        self.pending.remove(index)
    }

    /// Whether an answer is overdue.
    pub(super) fn unanswered(&self, now: Instant, timeout: Duration) -> bool {
        let oldest = self.pending.front().map(|pending| pending.since);
        oldest.is_some_and(|since| now.saturating_duration_since(since) >= timeout)
    }
}
