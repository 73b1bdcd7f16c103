mod outcome;
mod saved;
#[cfg(test)]
mod tests;

pub use outcome::{Break, DeltaOutcome, SnapshotOutcome};
pub use saved::{SavedBook, SavedDelta};

use crate::recent::RecentDeltas;
use crate::{
    Book, Changes, Check, ChecksumRule, ChecksumText, Decimals, Level, Nanos, RecentDelta, Seq,
    SeqLink, Side, SnapshotOrigin,
};

/// One instrument's book, rebuilt from its venue's snapshots and deltas and checked against the
/// venue's own sequence numbers and checksums.
///
/// Invariants:
/// - While [`VenueBook::is_live`], the book equals the venue's and is not crossed.
/// - While not live, [`VenueBook::book`] stays as it was when it was last valid, so that what has
///   been published of it can be continued by a difference.
/// - The state after an accepted snapshot depends only on that snapshot and the deltas after its
///   sequence number: a node that starts there has the same book as one that never stopped. (So a
///   snapshot replaces even a live book that is deeper.)
#[derive(Debug, Clone)]
pub struct VenueBook {
    book: Book,
    live: bool,
    /// The venue's sequence number of the book; `None` before a numbered snapshot and after a gap.
    venue_seq: Option<u64>,
    recent: RecentDeltas,
    /// The snapshot that is being applied.
    incoming: Book,
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// The maximum number of levels that a side may have.
    max_levels: usize,
    /// The maximum number of levels per side that the venue sends, since the last snapshot.
    window: Option<usize>,
    /// How many decimals the venue has been seen to write, since the last snapshot.
    decimals: Decimals,
    /// The text that the venue's checksum covers.
    text: ChecksumText,
}

impl Default for VenueBook {
    fn default() -> Self {
        Self::new()
    }
}

impl VenueBook {
    /// Creates an empty book of unlimited depth, which waits for its first snapshot.
    #[must_use]
    pub fn new() -> Self {
        Self::bounded(usize::MAX)
    }

    /// Creates an empty book with at most `max_levels` levels per side.
    #[must_use]
    pub fn bounded(max_levels: usize) -> Self {
        Self {
            book: Book::new(),
            live: false,
            venue_seq: None,
            recent: RecentDeltas::default(),
            incoming: Book::new(),
            bids: Vec::new(),
            asks: Vec::new(),
            max_levels,
            window: None,
            decimals: Decimals::default(),
            text: ChecksumText::default(),
        }
    }

    /// The book as it was when it was last valid.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Returns whether the book is valid now.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Applies a delta if it follows on. `changes` then holds what it changed, normalized;
    /// otherwise it is empty.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of an event and of its record"
    )]
    pub fn delta(
        &mut self,
        offset: Seq,
        log_time: Nanos,
        link: Option<SeqLink>,
        origin: SnapshotOrigin,
        time: Option<Nanos>,
        bids: &[Level],
        asks: &[Level],
        changes: &mut Changes,
    ) -> DeltaOutcome {
        changes.clear();
        if let (Some(link), SnapshotOrigin::OutOfBand) = (link, origin) {
            let repeated = self
                .recent
                .last()
                .is_some_and(|last| link.seq <= last.link.seq);
            if !repeated {
                self.recent.push(offset, link, (time, log_time), bids, asks);
            }
        }
        match (link, self.venue_seq) {
            // A delta that builds on this very number follows, even if the venue restarts its
            // numbering after it.
            (Some(link), Some(last)) if link.prev == last => {}
            (Some(link), Some(last)) if link.seq <= last => return DeltaOutcome::Stale,
            (Some(link), Some(last)) if link.prev > last => {
                self.invalidate();
                let prev = link.prev;
                return DeltaOutcome::Gap(Break::Numbers { last, prev });
            }
            // The chain is intact, so nothing is missing even if a record between was unreadable.
            (Some(_), Some(_)) => {}
            (_, None) if !self.live => return DeltaOutcome::Waiting,
            // Without numbers a live book takes what comes: the venue offers no better proof.
            (None, None) | (Some(_), None) => {}
            (None, Some(_)) if !self.live => return DeltaOutcome::Waiting,
            (None, Some(_)) => {}
        }
        self.book.apply(Side::Bid, bids, changes);
        self.book.apply(Side::Ask, asks, changes);
        let check = self.adopt_check(origin);
        if let Some(window) = self.window {
            self.book.trim(window, changes);
        }
        let bbo = self.book.bbo();
        let outcome = if bbo.is_crossed() {
            DeltaOutcome::Crossed(bbo)
        } else if self.is_too_deep(&self.book) {
            DeltaOutcome::TooDeep
        } else {
            match self.verify(check) {
                Some(found) => DeltaOutcome::Gap(found),
                None => DeltaOutcome::Applied,
            }
        };
        if outcome != DeltaOutcome::Applied {
            self.book.undo(changes);
            changes.clear();
            self.invalidate();
            return outcome;
        }
        changes.normalize();
        self.live = true;
        self.venue_seq = link.map(|link| link.seq).or(self.venue_seq);
        outcome
    }

    /// Replaces the book by a snapshot, unless that is unusable. `changes` then holds the
    /// difference, normalized.
    ///
    /// `published` is the last sequence number that the book's stream has sent to anybody.
    pub fn snapshot(
        &mut self,
        seq: Option<u64>,
        origin: SnapshotOrigin,
        bids: &[Level],
        asks: &[Level],
        published: Seq,
        changes: &mut Changes,
    ) -> SnapshotOutcome {
        changes.clear();
        if bids.len().max(asks.len()) > self.max_levels {
            self.invalidate();
            return SnapshotOutcome::TooDeep;
        }
        if let Err(duplicate) = self.incoming.fill(bids, asks) {
            self.invalidate();
            return SnapshotOutcome::Duplicate(duplicate);
        }
        self.window = None;
        self.decimals = Decimals::default();
        self.adopt_check(origin);
        if let Some(window) = self.window {
            self.incoming.trim(window, changes);
            changes.clear();
        }
        let retained = match (seq, origin) {
            (Some(seq), SnapshotOrigin::OutOfBand) => match self.recent.since(seq) {
                Ok(first) => Some(first),
                Err(prev) => return SnapshotOutcome::TooOld { seq, prev },
            },
            // A snapshot in the stream itself is authoritative even if its number goes back: the
            // venue restarted its numbering, or the feed repeats itself. Later numbers continue
            // from it.
            _ => None,
        };
        let first = retained.unwrap_or(self.recent.len());
        let has_later = first < self.recent.len();
        for index in first..self.recent.len() {
            self.recent.levels_of(index, &mut self.bids, &mut self.asks);
            self.incoming.apply(Side::Bid, &self.bids, changes);
            self.incoming.apply(Side::Ask, &self.asks, changes);
            changes.clear();
        }
        let bbo = self.incoming.bbo();
        if bbo.is_crossed() {
            self.invalidate();
            return SnapshotOutcome::Crossed(bbo);
        }
        if self.is_too_deep(&self.incoming) {
            self.invalidate();
            return SnapshotOutcome::TooDeep;
        }
        self.venue_seq = match (self.recent.last(), retained) {
            (Some(last), Some(_)) if has_later => Some(last.link.seq),
            _ => seq,
        };
        let base = self.offset_before(first);
        let staged = has_later && !self.live && base > published;
        if staged && self.incoming.fill(bids, asks).is_ok() {
            self.book.become_equal(&self.incoming, changes);
            self.live = true;
            return SnapshotOutcome::Staged { base, first };
        }
        self.book.become_equal(&self.incoming, changes);
        self.live = true;
        SnapshotOutcome::Applied
    }

    /// Applies the retained delta at an index after [`SnapshotOutcome::Staged`]; `None` past the
    /// last one.
    pub fn replay(&mut self, index: usize, changes: &mut Changes) -> Option<RecentDelta> {
        changes.clear();
        let delta = self.recent.get(index)?;
        self.recent.levels_of(index, &mut self.bids, &mut self.asks);
        self.book.apply(Side::Bid, &self.bids, changes);
        self.book.apply(Side::Ask, &self.asks, changes);
        changes.normalize();
        Some(delta)
    }

    /// Marks the book as not live because a record could not be read. A feed with sequence numbers
    /// proves with its next delta that nothing was lost; others wait for a snapshot.
    pub fn bad_record(&mut self) {
        self.live = false;
    }

    /// Marks the book as not live because records are missing; only a snapshot recovers it.
    pub fn invalidate(&mut self) {
        self.live = false;
        self.venue_seq = None;
    }

    /// Starts over with an empty book, because the log restarts.
    pub fn reset(&mut self) {
        self.invalidate();
        self.book.clear();
        self.recent.clear();
    }

    /// Adopts the window and the decimals that a message carries, and returns what is left to
    /// verify.
    fn adopt_check(&mut self, origin: SnapshotOrigin) -> Check {
        let SnapshotOrigin::Checked(mut check) = origin else {
            return Check::default();
        };
        let window = check.window.and_then(|levels| usize::try_from(levels).ok());
        self.window = window.or(self.window);
        if let Some(checksum) = &mut check.checksum
            && let ChecksumRule::Kraken(decimals) = &mut checksum.rule
        {
            self.decimals = self.decimals.max(*decimals);
            *decimals = self.decimals;
        }
        check
    }

    /// Returns how the book differs from the venue's, if it does.
    fn verify(&mut self, check: Check) -> Option<Break> {
        if check.lost {
            return Some(Break::Reported);
        }
        let checksum = check.checksum?;
        let (bids, asks) = (self.book.bids(), self.book.asks());
        let found = checksum.mismatch(bids, asks, &mut self.text)?;
        let expected = checksum.expected;
        Some(Break::Checksum { expected, found })
    }

    fn is_too_deep(&self, book: &Book) -> bool {
        book.bids().len().max(book.asks().len()) > self.max_levels
    }

    fn offset_before(&self, first: usize) -> Seq {
        let before = first
            .checked_sub(1)
            .and_then(|index| self.recent.get(index));
        match (before, self.recent.get(first)) {
            (Some(delta), _) => delta.offset,
            (None, Some(delta)) => Seq(delta.offset.0 - 1),
            (None, None) => Seq::NONE,
        }
    }
}
