//! What lagging clients cost: which frames are kept for them, and what becomes of those that need
//! more.

use wire::close;
use wire::control::Policy;

use super::Core;
use crate::session::{Phase, ReplayPhase, Subscription};

impl Core {
    /// A subscription needs frames that are no longer held: it is caught up, or its session
    /// disconnected, as its client chose.
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
        // If it asked while its socket is full, what it got would be out of date once there is room.
        self.ask_later(index, subscription_index);
    }

    /// Empties rings that nobody needs, and parks those who lag too far behind in the others.
    ///
    /// A subscription whose socket has room is seldom far behind: each pass visits it. So what rings
    /// hold besides is for sessions whose sockets are full, and each of these is allowed a constant.
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

    /// Forgets what a stream's ring has before the stream's mark. Subscriptions that lack any of it
    /// and have a full socket are caught up when there is room; those with room are on the way there,
    /// so what they lack is kept: a machine that halts for a while is no reason to be given less.
    fn evict_before_mark(&mut self, slot: usize) {
        // A session that is disconnected for its lag takes streams with it that it was alone in.
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
                // Also while its request waits for other streams, or its beginning is being sent.
                needed = needed.min(subscription.cursor().frame);
            } else if subscription.phase == Phase::Live {
                self.handle_lag(index, subscription_index);
            }
        }
        self.streams.evict_before(slot, needed);
    }
}
