//! A batch of sends, planned by the core and made by its owner.

use std::ops::Range;

use market::Monotonic;

use crate::sessions::number;

/// Sends per batch.
pub(super) const SENDS: usize = 64;
/// Bytes gathered per batch: a few busy sessions, or a whole batch of ordinary ones.
pub(super) const ARENA: usize = 64 * 1024;

/// Sends to make together. Reuses its memory.
#[derive(Default)]
pub struct Batch {
    pub(super) plans: Vec<Plan>,
    pub(super) segments: Vec<Segment>,
    pub(super) spare: Vec<Segment>,
    /// Gathered frames of sessions that are sent several streams.
    pub(super) arena: Vec<u8>,
}

/// The next send to one session.
pub(super) struct Plan {
    pub(super) session: u32,
    pub(super) source: Source,
    pub(super) len: usize,
    /// Range in `Batch::segments`.
    pub(super) segments: Range<usize>,
    /// When its first message was published.
    pub(super) created: Monotonic,
}

/// Where the bytes of a send are.
pub(super) enum Source {
    /// In the session's own outgoing bytes.
    Own,
    /// In its only segment.
    Segment,
    /// In the arena, from this offset on.
    Arena(usize),
}

/// The frames of one subscription that follow its cursor, up to this length.
pub(super) struct Segment {
    pub(super) subscription: u16,
    pub(super) len: usize,
}

/// Outcome of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Bytes were written.
    Bytes {
        /// Number of bytes written.
        bytes: usize,
        /// Whether the socket takes more now; it does not if fewer bytes were written than planned.
        has_room: bool,
    },
    /// The connection has ended.
    Lost,
    /// Writing failed.
    Failed,
}

impl Segment {
    pub(super) const fn subscription(&self) -> usize {
        self.subscription as usize
    }
}

impl Plan {
    /// Creates an empty plan for a session.
    pub(super) fn of(index: usize) -> Self {
        Self {
            session: number(index),
            source: Source::Own,
            len: 0,
            segments: 0..0,
            created: Monotonic(0),
        }
    }

    /// Returns when its first message was published.
    pub(super) const fn created(&self) -> Monotonic {
        self.created
    }
}

impl Batch {
    /// Returns the number of sends.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.plans.len()
    }

    /// Returns whether there are no sends.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// Returns the session that a send is for.
    #[must_use]
    pub fn session(&self, send: usize) -> Option<usize> {
        self.plans.get(send).map(|plan| plan.session as usize)
    }

    /// Returns memory for the segments of an SSE session.
    pub(super) fn take_segments(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.spare)
    }

    /// Returns that memory, to be reused.
    pub(super) fn give_segments(&mut self, mut segments: Vec<Segment>) {
        segments.clear();
        self.spare = segments;
    }

    pub(super) fn is_full(&self) -> bool {
        self.plans.len() >= SENDS || self.arena.len() >= ARENA
    }

    pub(super) fn clear(&mut self) {
        self.plans.clear();
        self.segments.clear();
        self.arena.clear();
    }
}
