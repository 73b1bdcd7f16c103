use std::collections::VecDeque;
use std::ops::ControlFlow;

use market::{Change, Changes, Reason, Seq, Side, State};

use crate::growth::{give_back, make_room};
use crate::stamp::Stamp;

/// The latest messages of a full raw book stream. Each change includes the size before it, so the
/// book, every view of it and the net change can be recovered for any sequence number in the log.
#[derive(Debug)]
pub(crate) struct BookLog {
    entries: VecDeque<BookEntry>,
    changes: VecDeque<Change>,
    /// Whoever has this sequence number can be sent everything since; `None` before the first
    /// snapshot.
    floor: Option<Seq>,
    bound: usize,
}

/// One message of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BookEntry {
    pub(crate) prev_seq: Seq,
    pub(crate) stamp: Stamp,
    pub(crate) kind: BookEntryKind,
}

/// The content of a logged message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BookEntryKind {
    /// A delta with this many changes of each side.
    Delta { checksum: u32, bids: u32, asks: u32 },
    /// The book cannot be trusted from here on.
    Status { state: State, reason: Reason },
}

impl BookEntry {
    pub(crate) const fn new(prev_seq: Seq, stamp: Stamp, kind: BookEntryKind) -> Self {
        Self {
            prev_seq,
            stamp,
            kind,
        }
    }

    /// The number of levels in the message.
    pub(crate) const fn levels(&self) -> usize {
        match self.kind {
            BookEntryKind::Delta { bids, asks, .. } => bids as usize + asks as usize,
            BookEntryKind::Status { .. } => 0,
        }
    }
}

impl BookLog {
    pub(crate) const fn new(bound: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            changes: VecDeque::new(),
            floor: None,
            bound,
        }
    }

    /// Appends a message; `changes` holds its changes, normalized.
    pub(crate) fn push(&mut self, entry: BookEntry, changes: &Changes) {
        make_room(&mut self.entries, 1);
        self.entries.push_back(entry);
        make_room(&mut self.changes, changes.bids.len() + changes.asks.len());
        self.changes
            .extend(changes.bids.iter().chain(&changes.asks));
        self.trim();
    }

    /// Removes all messages; only clients that have `seq` can resume.
    pub(crate) fn restart(&mut self, seq: Seq) {
        self.entries.clear();
        self.changes.clear();
        self.floor = Some(seq);
    }

    /// Removes all messages; no client can resume until there is a snapshot.
    pub(crate) fn reset(&mut self) {
        self.entries.clear();
        self.changes.clear();
        self.floor = None;
    }

    /// Returns whether a snapshot has been published, so that clients can resume.
    pub(crate) const fn has_snapshot(&self) -> bool {
        self.floor.is_some()
    }

    /// Returns whether `seq` is the sequence number of a message of this stream and everything
    /// since is retained.
    ///
    /// A client between two messages has the book of another log, or of a node that lost records,
    /// and nothing here leads on from that.
    pub(crate) fn leads_from(&self, seq: Seq) -> bool {
        let is_entry = |seq: &Seq| {
            self.entries
                .binary_search_by_key(seq, |entry| entry.stamp.seq)
                .is_ok()
        };
        self.floor == Some(seq) || is_entry(&seq)
    }

    /// The messages after `seq`, oldest first.
    pub(crate) fn since(&self, seq: Seq) -> impl Iterator<Item = &BookEntry> {
        let first = self.first_after(seq);
        self.entries.range(first..)
    }

    /// Calls `give` with each message after `seq` and its changes.
    pub(crate) fn replay(
        &self,
        seq: Seq,
        changes: &mut Changes,
        mut give: impl FnMut(&BookEntry, &Changes) -> ControlFlow<()>,
    ) {
        let first = self.first_after(seq);
        let mut at = self.changes_before(first);
        for entry in self.entries.range(first..) {
            changes.clear();
            if let BookEntryKind::Delta { bids, asks, .. } = entry.kind {
                let middle = at + bids as usize;
                let end = middle + asks as usize;
                changes.bids.extend(self.changes.range(at..middle));
                changes.asks.extend(self.changes.range(middle..end));
                at = end;
            }
            if give(entry, changes).is_break() {
                return;
            }
        }
    }

    /// Computes the net change of all messages after `seq`, normalized. Returns the number of
    /// changes that it combines.
    pub(crate) fn net_since(&self, seq: Seq, net: &mut Changes) -> usize {
        net.clear();
        let first = self.first_after(seq);
        let mut at = self.changes_before(first);
        for entry in self.entries.range(first..) {
            if let BookEntryKind::Delta { bids, asks, .. } = entry.kind {
                for (side, count) in [(Side::Bid, bids), (Side::Ask, asks)] {
                    let end = at + count as usize;
                    net.side_mut(side).extend(self.changes.range(at..end));
                    at = end;
                }
            }
        }
        let changes = net.len();
        net.normalize();
        changes
    }

    /// The size of the messages, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.entries.len() * size_of::<BookEntry>() + self.changes.len() * size_of::<Change>()
    }

    /// The allocated memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<BookEntry>()
            + self.changes.capacity() * size_of::<Change>()
    }

    /// Sets the limit in bytes, and applies it immediately.
    pub(crate) fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
        self.trim();
        give_back(&mut self.entries);
        give_back(&mut self.changes);
    }

    fn trim(&mut self) {
        while self.size() > self.bound {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.changes.drain(..oldest.levels());
            self.floor = Some(oldest.stamp.seq);
        }
    }

    fn first_after(&self, seq: Seq) -> usize {
        self.entries.partition_point(|entry| entry.stamp.seq <= seq)
    }

    /// The number of changes before those of an entry; counted from the nearer end.
    fn changes_before(&self, index: usize) -> usize {
        if index * 2 < self.entries.len() {
            self.entries.range(..index).map(BookEntry::levels).sum()
        } else {
            let rest: usize = self.entries.range(index..).map(BookEntry::levels).sum();
            self.changes.len() - rest
        }
    }
}
