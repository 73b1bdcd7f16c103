use std::collections::VecDeque;
use std::ops::ControlFlow;

use market::{Change, Changes, Reason, Seq, Side, State};

use crate::growth::{give_back, make_room};
use crate::place::Place;

/// The latest messages of a full raw book stream, each change with the size before it.
///
/// With it the book as of any sequence number in the log can be recovered, and so can every view
/// of it, every message, and the net change of every range.
#[derive(Debug)]
pub(crate) struct BookLog {
    entries: VecDeque<BookEntry>,
    changes: VecDeque<Change>,
    /// Who has this sequence number or a later one can be given all that it lacks.
    floor: Option<Seq>,
    bound: usize,
}

/// One message of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BookEntry {
    pub(crate) prev_seq: Seq,
    /// `now` is when it was published.
    pub(crate) place: Place,
    pub(crate) kind: BookEntryKind,
}

/// What the message said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BookEntryKind {
    /// So many changes of either side.
    Delta { checksum: u32, bids: u32, asks: u32 },
    /// The book is not to be trusted from here on.
    Status { state: State, reason: Reason },
}

impl BookEntry {
    pub(crate) const fn new(prev_seq: Seq, place: Place, kind: BookEntryKind) -> Self {
        Self {
            prev_seq,
            place,
            kind,
        }
    }

    /// How many levels it tells.
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

    /// Adds the message that was just published; `changes` are its changes, tidy.
    pub(crate) fn push(&mut self, entry: BookEntry, changes: &Changes) {
        make_room(&mut self.entries, 1);
        self.entries.push_back(entry);
        make_room(&mut self.changes, changes.bids.len() + changes.asks.len());
        self.changes
            .extend(changes.bids.iter().chain(&changes.asks));
        self.trim();
    }

    /// Forgets all; only who has `seq` or later can go on.
    pub(crate) fn restart(&mut self, seq: Seq) {
        self.entries.clear();
        self.changes.clear();
        self.floor = Some(seq);
    }

    /// Forgets all; nobody can go on.
    pub(crate) fn reset(&mut self) {
        self.entries.clear();
        self.changes.clear();
        self.floor = None;
    }

    /// Whether nobody can go on yet, since no whole book has been told.
    pub(crate) const fn is_unfounded(&self) -> bool {
        self.floor.is_none()
    }

    /// Whether all that follows `seq` is held, and `seq` is a place in this very stream.
    ///
    /// Who stands between two messages has the book of another log, or of a node that lost
    /// something: nothing here leads on from that.
    pub(crate) fn leads_from(&self, seq: Seq) -> bool {
        let is_entry = |seq: &Seq| {
            self.entries
                .binary_search_by_key(seq, |entry| entry.place.seq)
                .is_ok()
        };
        self.floor == Some(seq) || is_entry(&seq)
    }

    /// The messages that follow `seq`, oldest first.
    pub(crate) fn since(&self, seq: Seq) -> impl Iterator<Item = &BookEntry> {
        let first = self.first_after(seq);
        self.entries.range(first..)
    }

    /// Calls `give` with each message that follows `seq`, and its changes.
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

    /// The net change of all messages that follow `seq`, tidy. Returns how many changes it is of.
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
        net.tidy();
        changes
    }

    /// Bytes in use.
    pub(crate) fn size(&self) -> usize {
        self.entries.len() * size_of::<BookEntry>() + self.changes.len() * size_of::<Change>()
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<BookEntry>()
            + self.changes.capacity() * size_of::<Change>()
    }

    /// Changes how many bytes it may have, at once.
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
            self.floor = Some(oldest.place.seq);
        }
    }

    fn first_after(&self, seq: Seq) -> usize {
        self.entries.partition_point(|entry| entry.place.seq <= seq)
    }

    /// How many changes stand before those of the entry at an index; counted from the nearer end.
    fn changes_before(&self, index: usize) -> usize {
        if index * 2 < self.entries.len() {
            self.entries.range(..index).map(BookEntry::levels).sum()
        } else {
            let behind: usize = self.entries.range(index..).map(BookEntry::levels).sum();
            self.changes.len() - behind
        }
    }
}
