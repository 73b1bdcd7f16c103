use std::collections::VecDeque;
use std::sync::Arc;

use streams::{Cursor, Run};

/// What a session may have asked its publishers for and not been given yet: one that may be large,
/// or sixteen that are small.
const MOST_ASKED: u16 = 16;
/// Bytes that a session holds, of beginnings and of its own, before it asks for another beginning: so the
/// memory of a session that does not read is bounded by this and the one beginning that crosses it, or by
/// one answer.
const HELD: usize = 32 * 1024;

/// What a subscription is sent before its stream's runs.
pub(crate) struct Beginning {
    pub(crate) sub: u16,
    pub(crate) run: Arc<Run>,
    /// How far in that run it is.
    pub(crate) cursor: Cursor,
}

/// How much one beginning may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// A few hundred bytes.
    Small,
    /// Anything, up to a deep book.
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

/// What a session's subscriptions begin with, or are caught up with: what they hold, what was asked
/// for, and who is to ask next.
///
/// However many subscriptions begin or lag at once, they ask one after another, as the client
/// reads what the ones before were given.
#[derive(Default)]
pub(crate) struct Beginnings {
    held: Vec<Beginning>,
    /// Subscriptions that are to ask, in order; one that has left since is skipped by the owner.
    due: VecDeque<u16>,
    asked: u16,
}

impl Beginnings {
    /// How many small ones a request brings with its answer. A client that reads nothing gets two
    /// answers of so many streams, or some thirty of one.
    pub(crate) const SMALL_AT_ONCE: usize = MOST_ASKED as usize;

    /// Returns whether there is nothing to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.due.is_empty() && self.asked == 0
    }

    /// Bytes of all runs that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.held.iter().map(|held| held.run.len()).sum()
    }

    pub(crate) fn of(&self, sub: usize) -> Option<&Beginning> {
        self.held.iter().find(|held| usize::from(held.sub) == sub)
    }

    pub(crate) fn of_mut(&mut self, sub: usize) -> Option<&mut Beginning> {
        let mut held = self.held.iter_mut();
        held.find(|held| usize::from(held.sub) == sub)
    }

    pub(crate) fn hold(&mut self, beginning: Beginning) {
        self.held.push(beginning);
    }

    pub(crate) fn forget(&mut self, sub: usize) {
        self.held.retain(|held| usize::from(held.sub) != sub);
    }

    /// A subscription is to ask after those that are to ask already.
    pub(crate) fn ask_later(&mut self, sub: u16) {
        self.due.push_back(sub);
    }

    /// A subscription is to ask for more of what it was given a part of, before all others.
    pub(crate) fn ask_next(&mut self, sub: u16) {
        self.due.push_front(sub);
    }

    /// The subscription that is to ask next.
    pub(crate) fn next(&self) -> Option<u16> {
        self.due.front().copied()
    }

    /// It does not ask.
    pub(crate) fn skip(&mut self) {
        self.due.pop_front();
    }

    /// Has the next one ask, if what is held and was asked for leaves room for that. `outgoing` is what the
    /// session has to send besides.
    pub(crate) fn ask(&mut self, weight: Weight, outgoing: usize) -> bool {
        let fits = outgoing + self.bytes() < HELD && self.asked + weight.units() <= MOST_ASKED;
        if fits {
            self.due.pop_front();
            self.asked += weight.units();
        }
        fits
    }

    /// What was asked for came, or will not be waited for.
    pub(crate) fn answered(&mut self, weight: Weight) {
        self.asked = self.asked.saturating_sub(weight.units());
    }
}
