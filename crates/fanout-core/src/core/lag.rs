//! What lagging clients cost: which frames are kept for them, and what becomes of those that need
//! more.

use wire::close;
use wire::control::Policy;

use super::Core;
use crate::session::{Past, Phase, Sub};

impl Core {
    /// A subscription needs frames that are no longer held: it is caught up, or its session
    /// disconnected, as its client chose.
    pub(super) fn fall(&mut self, index: usize, sub_index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        self.metrics.cursors_fallen.inc();
        if sub.policy() == Policy::Disconnect {
            self.metrics.slow_disconnects.inc();
            self.close(index, close::TOO_SLOW, "too slow for its streams");
            return;
        }
        let (slot, cursor) = (sub.stream as usize, sub.cursor());
        sub.phase = Phase::Parked;
        self.streams.let_go(slot, cursor);
        // If it asked while its socket is full, what it got would be out of date once there is room.
        self.ask_later(index, sub_index);
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
            self.park_all_behind(slot);
        }
    }

    /// Forgets what a stream's ring has before the stream's mark. Subscriptions that lack any of it
    /// and have a full socket are caught up when there is room; those with room are on the way there,
    /// so what they lack is kept: a machine that halts for a while is no reason to be given less.
    fn park_all_behind(&mut self, slot: usize) {
        // A session that is disconnected for its lag takes streams with it that it was alone in.
        let Some(stream) = self.streams.get(slot) else {
            return;
        };
        let (mark, subs) = (stream.mark(), stream.subs().to_vec());
        let mut needed = mark;
        for (number, sub_index) in subs {
            let (index, sub_index) = (number as usize, usize::from(sub_index));
            let Some(session) = self.sessions.get(index) else {
                continue;
            };
            let is_behind = |sub: &&Sub| {
                let is_live = sub.past() == Past::No && sub.holds_ring();
                is_live && sub.cursor().frame < mark
            };
            let Some(sub) = session.sub(sub_index).filter(is_behind) else {
                continue;
            };
            if !session.blocked {
                // Also while its request waits for other streams, or its beginning is being sent.
                needed = needed.min(sub.cursor().frame);
            } else if sub.phase == Phase::Live {
                self.fall(index, sub_index);
            }
        }
        self.streams.release(slot, needed);
    }
}
