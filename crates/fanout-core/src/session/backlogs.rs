use std::collections::VecDeque;
use std::sync::Arc;

use streams::{Cursor, Run};

/// Outstanding requests of a session to its publishers: one that may be large, or sixteen small
/// ones.
const MOST_ASKED: u16 = 16;
/// Bytes that a session holds, of backlogs and of its own, beyond which it requests no more. The memory
/// of a session that does not read is bounded by this plus the backlog that crosses it, or by one answer.
const HELD: usize = 32 * 1024;

/// What a subscription is sent before its stream's runs: its initial state, what catches it up, or
/// a page of a replay.
pub(crate) struct Backlog {
    pub(crate) subscription: u16,
    pub(crate) run: Arc<Run>,
    /// Next frame of the run.
    pub(crate) cursor: Cursor,
}

/// Expected size of a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A few hundred bytes.
    Small,
    /// Anything up to a deep book.
    Large,
}

impl Weight {
    const fn units(self) -> u16 {
        match self {
            Self::Small => 1,
            Self::Large => MOST_ASKED,
        }
    }
}

/// The backlogs of a session: those it holds, those it has requested, and the subscriptions that
/// will request theirs.
///
/// However many subscriptions start or lag at once, they request their backlogs one after another,
/// as the client reads the previous ones.
#[derive(Default)]
pub(crate) struct Backlogs {
    held: Vec<Backlog>,
    /// Subscriptions that will request a backlog, in order. The owner skips those that have ended
    /// meanwhile.
    due: VecDeque<u16>,
    asked: u16,
}

impl Backlogs {
    /// Small backlogs delivered along with the answer to a request. A client that reads nothing
    /// gets two answers with this many streams, or about thirty with one stream.
    pub(crate) const SMALL_AT_ONCE: usize = MOST_ASKED as usize;

    /// Returns whether nothing is held, due or requested.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.due.is_empty() && self.asked == 0
    }

    /// Returns the bytes of all runs held.
    pub(crate) fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.run.len()).sum()
    }

    pub(crate) fn of(&self, subscription: usize) -> Option<&Backlog> {
        self.held
            .iter()
            .find(|held| usize::from(held.subscription) == subscription)
    }

    pub(crate) fn of_mut(&mut self, subscription: usize) -> Option<&mut Backlog> {
        let mut held = self.held.iter_mut();
        held.find(|held| usize::from(held.subscription) == subscription)
    }

    pub(crate) fn hold(&mut self, backlog: Backlog) {
        self.held.push(backlog);
    }

    pub(crate) fn forget(&mut self, subscription: usize) {
        self.held
            .retain(|held| usize::from(held.subscription) != subscription);
    }

    /// Queues a subscription behind those already due.
    pub(crate) fn ask_later(&mut self, subscription: u16) {
        self.due.push_back(subscription);
    }

    /// Queues a subscription ahead of all others, to request the next page of its backlog.
    pub(crate) fn ask_next(&mut self, subscription: u16) {
        self.due.push_front(subscription);
    }

    /// Returns the subscription due next.
    pub(crate) fn next(&self) -> Option<u16> {
        self.due.front().copied()
    }

    /// Drops the subscription due next.
    pub(crate) fn skip(&mut self) {
        self.due.pop_front();
    }

    /// Moves the next subscription from due to requested. Returns false if its backlog does not fit
    /// yet. `outgoing` is the number of bytes that the session has to send of its own.
    pub(crate) fn ask(&mut self, weight: Weight, outgoing: usize) -> bool {
        let fits = outgoing + self.bytes() < HELD && self.asked + weight.units() <= MOST_ASKED;
        if fits {
            self.due.pop_front();
            self.asked += weight.units();
        }
        fits
    }

    /// Notes that a request was answered, or that its answer no longer matters.
    pub(crate) fn answered(&mut self, weight: Weight) {
        self.asked = self.asked.saturating_sub(weight.units());
    }
}
