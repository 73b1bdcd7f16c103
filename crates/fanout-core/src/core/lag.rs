//! The lag policy: which frames are kept for lagging clients, and what happens to those that need
//! evicted ones.

use wire::close;
use wire::control::Policy;

use super::Core;
use crate::session::{Phase, ReplayPhase, Subscription};

impl Core {
    /// Applies the lag policy to a subscription that needs evicted frames: catches it up, or
    /// disconnects its session.
    pub(super) fn handle_lag(&mut self, index: usize, subscription_index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(subscription) = session.subscription_mut(subscription_index) else {
            return;
        };
        self.metrics.cursors_fallen.inc();
        if subscription.policy() == Policy::Disconnect {
            self.metrics.slow_disconnects.inc();
            self.close(index, close::TOO_SLOW, "too slow for its streams");
            return;
        }
        let (slot, cursor) = (subscription.stream as usize, subscription.cursor());
        subscription.phase = Phase::Lagging;
        self.streams.release(slot, cursor);
        // Requested while its socket is full, a catch-up would be out of date by the time there is
        // room.
        self.ask_later(index, subscription_index);
    }

    /// Empties rings that nobody needs, and evicts frames beyond the budget.
    ///
    /// A subscription whose socket has room rarely lags, since every pass visits it. What remains
    /// in the rings is therefore for sessions with full sockets, and each of those is allowed a
    /// constant.
    pub(super) fn trim(&mut self) {
        self.streams.empty_unneeded();
        let budget = self
            .settings
            .run_bytes_per_slow
            .saturating_mul(self.sessions.blocked())
            .saturating_add(self.settings.run_bytes_for_slow)
            .min(self.settings.ring_budget);
        let was_marked = std::mem::take(&mut self.marked);
        if self.streams.ring_bytes() <= budget {
            return;
        }
        let all_visited = self.sessions.sendable() == 0;
        if !was_marked || all_visited {
            self.streams.mark_ends();
        }
        if !was_marked && !all_visited {
            self.marked = true;
            return;
        }
        let streams = self.streams.iter();
        let held: Vec<usize> = streams
            .filter(|(_, stream)| stream.holds_any())
            .map(|(slot, _)| slot)
            .collect();
        for slot in held {
            self.evict_before_mark(slot);
        }
    }

    /// Evicts the frames before a ring's mark. Subscriptions that lack any of them are caught up
    /// once their sockets have room. Frames are kept for those whose sockets have room already:
    /// they are only late because the process was stopped for a while.
    fn evict_before_mark(&mut self, slot: usize) {
        // Disconnecting a session for its lag may remove its streams.
        let Some(stream) = self.streams.get(slot) else {
            return;
        };
        let (mark, subscriptions) = (stream.mark(), stream.subscriptions().to_vec());
        let mut needed = mark;
        for (number, subscription_index) in subscriptions {
            let (index, subscription_index) = (number as usize, usize::from(subscription_index));
            let Some(session) = self.sessions.get(index) else {
                continue;
            };
            let is_behind = |subscription: &&Subscription| {
                let is_live =
                    subscription.replay() == ReplayPhase::None && subscription.holds_ring();
                is_live && subscription.cursor().frame < mark
            };
            let Some(subscription) = session.subscription(subscription_index).filter(is_behind)
            else {
                continue;
            };
            if !session.blocked {
                // Also while its request waits for other streams, or while its backlog is being
                // sent.
                needed = needed.min(subscription.cursor().frame);
            } else if subscription.phase == Phase::Live {
                self.handle_lag(index, subscription_index);
            }
        }
        self.streams.evict_before(slot, needed);
    }
}
