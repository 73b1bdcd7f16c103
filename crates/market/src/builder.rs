use crate::saved::BuilderState;
use crate::{
    Bbo, Book, Changes, Check, ChecksumRule, ChecksumText, Decimals, DuplicateLevel, Level, Link,
    Nanos, RecentDelta, RecentDeltas, Seq, Side, SnapshotOrigin,
};

/// Makes one instrument's book of its venue's whole books and deltas, and knows when it is right.
///
/// Invariants:
/// - While [`BookBuilder::is_live`], the book is what the venue's messages say, and not crossed.
/// - While not live, [`BookBuilder::book`] stays what it was when it was last right, so that what
///   has been published of it can be continued by a difference.
/// - The state after an accepted whole book depends on that book and the deltas behind its
///   sequence number only: a node that starts there has the same book as one that never stopped.
///   (So a live book also takes over a whole book that is less deep than itself.)
#[derive(Debug, Clone)]
pub struct BookBuilder {
    book: Book,
    live: bool,
    /// The venue's number that the book stands at; none before a numbered whole book, and after a gap.
    venue_seq: Option<u64>,
    recent: RecentDeltas,
    /// The whole book that is being taken over.
    incoming: Book,
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// The most levels of a side.
    max_levels: usize,
    /// The most levels of a side that the venue sends, since the last whole book.
    window: Option<usize>,
    /// With how many decimals the venue was seen to write, since the last whole book.
    decimals: Decimals,
    /// What a venue's checksum is made over.
    text: ChecksumText,
}

/// What became of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaOutcome {
    /// The book has it.
    Applied,
    /// The book had it already.
    Stale,
    /// The book is not live: the delta waits for a whole book, or is of no use without one.
    Waiting,
    /// The venue's stream broke: it leads no further until its next whole book.
    Gap(Break),
    /// It would have crossed the book, and was taken back.
    Crossed(Bbo),
    /// It would have made the book deeper than it may be, and was taken back.
    TooDeep,
}

/// By what it is known that a venue's stream broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The feed itself says so.
    Told,
    /// Something before the delta is missing.
    Numbers {
        /// The venue's number that the book stands at.
        last: u64,
        /// The number that the delta builds on.
        prev: u64,
    },
    /// The book would not be the venue's; the delta was taken back.
    Checksum {
        /// What the venue says of its book.
        told: u32,
        /// What was found over ours.
        found: u32,
    },
}

/// What became of a whole book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// The book has it, and every kept delta behind it.
    Applied,
    /// The book has it alone; [`BookBuilder::replay`] the kept deltas from `first` on.
    ///
    /// Said only where nothing has been published yet that these would stand before.
    Staged {
        /// The place in the log that the whole book stands for: the record before the first delta behind it.
        base: Seq,
        /// The index of the first kept delta behind it.
        first: usize,
    },
    /// The deltas between it and the first one kept are missing.
    TooOld {
        /// Its number.
        seq: u64,
        /// What the first delta behind it builds on.
        prev: u64,
    },
    /// It is crossed.
    Crossed(Bbo),
    /// It names a price twice.
    Duplicate(DuplicateLevel),
    /// It is deeper than a book may be.
    TooDeep,
}

impl Default for BookBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BookBuilder {
    /// An empty book that waits for its first whole one, and may be as deep as it will.
    #[must_use]
    pub fn new() -> Self {
        Self::bounded(usize::MAX)
    }

    /// The same, with at most so many levels a side.
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

    /// The book as it was when it was last right.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Whether the book is right.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// Takes a delta; what it changes is put into `changes`, tidy, when it is applied.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of an event and where it stands"
    )]
    pub fn delta(
        &mut self,
        offset: Seq,
        log_time: Nanos,
        link: Option<Link>,
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
            // What builds on this very number follows, also where the venue counts anew behind it.
            (Some(link), Some(last)) if link.prev == last => {}
            (Some(link), Some(last)) if link.seq <= last => return DeltaOutcome::Stale,
            (Some(link), Some(last)) if link.prev > last => {
                self.distrust();
                let prev = link.prev;
                return DeltaOutcome::Gap(Break::Numbers { last, prev });
            }
            // The chain is whole, so nothing is missing even if a record between was unreadable.
            (Some(_), Some(_)) => {}
            (_, None) if !self.live => return DeltaOutcome::Waiting,
            // Without numbers a live book takes what comes: the venue gives no better proof.
            (None, None) | (Some(_), None) => {}
            (None, Some(_)) if !self.live => return DeltaOutcome::Waiting,
            (None, Some(_)) => {}
        }
        self.book.apply(Side::Bid, bids, changes);
        self.book.apply(Side::Ask, asks, changes);
        let check = self.check(origin);
        if let Some(window) = self.window {
            self.book.trim(window, changes);
        }
        let bbo = self.book.bbo();
        let outcome = if bbo.is_crossed() {
            DeltaOutcome::Crossed(bbo)
        } else if self.is_too_deep(&self.book) {
            DeltaOutcome::TooDeep
        } else {
            match self.mismatch(check) {
                Some(found) => DeltaOutcome::Gap(found),
                None => DeltaOutcome::Applied,
            }
        };
        if outcome != DeltaOutcome::Applied {
            self.book.undo(changes);
            changes.clear();
            self.distrust();
            return outcome;
        }
        changes.tidy();
        self.live = true;
        self.venue_seq = link.map(|link| link.seq).or(self.venue_seq);
        outcome
    }

    /// Takes a whole book; what it changes is put into `changes`, tidy, when it is taken over.
    ///
    /// `published` is the last sequence number that the book's stream has told anybody.
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
            self.distrust();
            return SnapshotOutcome::TooDeep;
        }
        if let Err(duplicate) = self.incoming.fill(bids, asks) {
            self.distrust();
            return SnapshotOutcome::Duplicate(duplicate);
        }
        self.window = None;
        self.decimals = Decimals::default();
        self.check(origin);
        if let Some(window) = self.window {
            self.incoming.trim(window, changes);
            changes.clear();
        }
        let kept = match (seq, origin) {
            (Some(seq), SnapshotOrigin::OutOfBand) => match self.recent.since(seq) {
                Ok(first) => Some(first),
                Err(prev) => return SnapshotOutcome::TooOld { seq, prev },
            },
            // In the stream itself it says what is, also where its number goes back: the venue
            // began to count anew, or the feed repeats itself. The numbers behind it go on from it.
            _ => None,
        };
        let first = kept.unwrap_or(self.recent.len());
        let behind = first < self.recent.len();
        for index in first..self.recent.len() {
            self.recent.levels_of(index, &mut self.bids, &mut self.asks);
            self.incoming.apply(Side::Bid, &self.bids, changes);
            self.incoming.apply(Side::Ask, &self.asks, changes);
            changes.clear();
        }
        let bbo = self.incoming.bbo();
        if bbo.is_crossed() {
            self.distrust();
            return SnapshotOutcome::Crossed(bbo);
        }
        if self.is_too_deep(&self.incoming) {
            self.distrust();
            return SnapshotOutcome::TooDeep;
        }
        self.venue_seq = match (self.recent.last(), kept) {
            (Some(last), Some(_)) if behind => Some(last.link.seq),
            _ => seq,
        };
        let base = self.base_of(first);
        let staged = behind && !self.live && base > published;
        if staged && self.incoming.fill(bids, asks).is_ok() {
            self.book.become_equal(&self.incoming, changes);
            self.live = true;
            return SnapshotOutcome::Staged { base, first };
        }
        self.book.become_equal(&self.incoming, changes);
        self.live = true;
        SnapshotOutcome::Applied
    }

    /// Applies a kept delta after [`SnapshotOutcome::Staged`]; none when there is no more.
    pub fn replay(&mut self, index: usize, changes: &mut Changes) -> Option<RecentDelta> {
        changes.clear();
        let delta = self.recent.get(index)?;
        self.recent.levels_of(index, &mut self.bids, &mut self.asks);
        self.book.apply(Side::Bid, &self.bids, changes);
        self.book.apply(Side::Ask, &self.asks, changes);
        changes.tidy();
        Some(delta)
    }

    /// A record of this instrument could not be read. A feed with a chain proves at its next
    /// delta that nothing was lost; others wait for a whole book.
    pub fn bad_record(&mut self) {
        self.live = false;
    }

    /// What stands between is lost: only a whole book helps.
    pub fn distrust(&mut self) {
        self.live = false;
        self.venue_seq = None;
    }

    /// The log begins anew: nothing of before counts.
    pub fn reset(&mut self) {
        self.distrust();
        self.book.clear();
        self.recent.clear();
    }

    /// Takes over what a message tells of the venue's window and decimals; the rest is its check.
    fn check(&mut self, origin: SnapshotOrigin) -> Check {
        let SnapshotOrigin::Checked(mut check) = origin else {
            return Check::default();
        };
        let told = check.window.and_then(|levels| usize::try_from(levels).ok());
        self.window = told.or(self.window);
        if let Some(checksum) = &mut check.checksum
            && let ChecksumRule::Kraken(decimals) = &mut checksum.rule
        {
            self.decimals = self.decimals.max(*decimals);
            *decimals = self.decimals;
        }
        check
    }

    /// How the book is found not to be the venue's.
    fn mismatch(&mut self, check: Check) -> Option<Break> {
        if check.lost {
            return Some(Break::Told);
        }
        let checksum = check.checksum?;
        let (bids, asks) = (self.book.bids(), self.book.asks());
        let found = checksum.mismatch(bids, asks, &mut self.text)?;
        let told = checksum.told;
        Some(Break::Checksum { told, found })
    }

    fn is_too_deep(&self, book: &Book) -> bool {
        book.bids().len().max(book.asks().len()) > self.max_levels
    }

    /// The deltas that are kept, and what is known beside levels.
    pub(crate) const fn kept(&self) -> (&RecentDeltas, BuilderState) {
        let state = BuilderState {
            live: self.live,
            venue_seq: self.venue_seq,
            window: self.window,
            decimals: self.decimals,
        };
        (&self.recent, state)
    }

    pub(crate) fn become_saved(
        &mut self,
        bids: &[Level],
        asks: &[Level],
        recent: RecentDeltas,
        state: BuilderState,
    ) -> Result<(), DuplicateLevel> {
        self.book.fill(bids, asks)?;
        self.recent = recent;
        self.live = state.live;
        self.venue_seq = state.venue_seq;
        self.window = state.window;
        self.decimals = state.decimals;
        Ok(())
    }

    fn base_of(&self, first: usize) -> Seq {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(all: &[(i64, i64)]) -> Vec<Level> {
        all.iter()
            .map(|(price, size)| Level::new(*price, *size))
            .collect()
    }

    struct Feed {
        builder: BookBuilder,
        changes: Changes,
        offset: i64,
        origin: SnapshotOrigin,
    }

    impl Feed {
        fn new(origin: SnapshotOrigin) -> Self {
            Self {
                builder: BookBuilder::new(),
                changes: Changes::default(),
                offset: -1,
                origin,
            }
        }

        fn delta(
            &mut self,
            link: Option<(u64, u64)>,
            bids: &[(i64, i64)],
            asks: &[(i64, i64)],
        ) -> DeltaOutcome {
            self.offset += 1;
            let link = link.map(|(prev, seq)| Link { prev, seq });
            let (bids, asks) = (levels(bids), levels(asks));
            self.builder.delta(
                Seq(self.offset),
                Nanos(0),
                link,
                self.origin,
                None,
                &bids,
                &asks,
                &mut self.changes,
            )
        }

        fn snapshot(
            &mut self,
            seq: Option<u64>,
            bids: &[(i64, i64)],
            asks: &[(i64, i64)],
        ) -> SnapshotOutcome {
            self.offset += 1;
            let (bids, asks) = (levels(bids), levels(asks));
            self.builder
                .snapshot(seq, self.origin, &bids, &asks, Seq::NONE, &mut self.changes)
        }

        fn bids(&self) -> Vec<(i64, i64)> {
            self.builder
                .book()
                .bids()
                .iter()
                .map(|level| (level.price.0, level.size.0))
                .collect()
        }
    }

    #[test]
    fn deltas_before_a_whole_book_wait() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        assert_eq!(feed.delta(None, &[(1, 1)], &[]), DeltaOutcome::Waiting);
        assert!(feed.builder.book().is_empty() && !feed.builder.is_live());
    }

    #[test]
    fn a_missing_number_is_a_gap_until_the_next_whole_book() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        feed.snapshot(Some(5), &[(1, 1)], &[]);
        assert_eq!(
            feed.delta(Some((5, 6)), &[(2, 1)], &[]),
            DeltaOutcome::Applied
        );
        assert_eq!(
            feed.delta(Some((7, 8)), &[(3, 1)], &[]),
            DeltaOutcome::Gap(Break::Numbers { last: 6, prev: 7 })
        );
        assert_eq!(
            feed.delta(Some((8, 9)), &[(4, 1)], &[]),
            DeltaOutcome::Waiting
        );
        assert_eq!(
            feed.bids(),
            [(2, 1), (1, 1)],
            "the book stays what it was when it was right"
        );
        assert_eq!(
            feed.snapshot(Some(9), &[(9, 9)], &[]),
            SnapshotOutcome::Applied
        );
        assert_eq!(feed.bids(), [(9, 9)]);
    }

    #[test]
    fn a_repeated_number_changes_nothing() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        feed.snapshot(Some(5), &[(1, 1)], &[]);
        feed.delta(Some((5, 6)), &[(2, 1)], &[]);
        assert_eq!(
            feed.delta(Some((5, 6)), &[(2, 7)], &[]),
            DeltaOutcome::Stale
        );
        assert_eq!(feed.bids(), [(2, 1), (1, 1)]);
    }

    #[test]
    fn a_whole_book_in_the_stream_is_taken_over_whatever_its_number() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        feed.snapshot(Some(1_000), &[(1, 1)], &[]);
        assert_eq!(
            feed.snapshot(Some(5), &[(2, 2)], &[]),
            SnapshotOutcome::Applied
        );
        assert_eq!(
            feed.delta(Some((5, 6)), &[(3, 3)], &[]),
            DeltaOutcome::Applied
        );
        assert_eq!(feed.bids(), [(3, 3), (2, 2)]);
    }

    #[test]
    fn a_crossed_delta_is_taken_back() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        feed.snapshot(None, &[(1, 1)], &[(3, 1)]);
        assert!(matches!(
            feed.delta(None, &[(4, 1), (1, 0)], &[]),
            DeltaOutcome::Crossed(_)
        ));
        assert_eq!(feed.bids(), [(1, 1)]);
        assert!(!feed.builder.is_live() && feed.changes.is_empty());
    }

    #[test]
    fn a_chain_proves_that_an_unreadable_record_lost_nothing() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        feed.snapshot(Some(5), &[(1, 1)], &[]);
        feed.builder.bad_record();
        assert!(!feed.builder.is_live());
        assert_eq!(
            feed.delta(Some((5, 6)), &[(2, 1)], &[]),
            DeltaOutcome::Applied
        );
        assert!(feed.builder.is_live());

        let mut unnumbered = Feed::new(SnapshotOrigin::InBand);
        unnumbered.snapshot(None, &[(1, 1)], &[]);
        unnumbered.builder.bad_record();
        assert_eq!(
            unnumbered.delta(None, &[(2, 1)], &[]),
            DeltaOutcome::Waiting
        );
    }

    #[test]
    fn a_fetched_book_is_joined_with_the_deltas_behind_it() {
        let mut feed = Feed::new(SnapshotOrigin::OutOfBand);
        feed.delta(Some((9, 10)), &[(1, 1)], &[]);
        feed.delta(Some((10, 12)), &[(2, 2)], &[]);
        feed.delta(Some((12, 13)), &[(3, 3)], &[]);
        let outcome = feed.snapshot(Some(11), &[(1, 5), (2, 2)], &[]);
        assert_eq!(
            outcome,
            SnapshotOutcome::Staged {
                base: Seq(0),
                first: 1
            }
        );
        assert_eq!(feed.bids(), [(2, 2), (1, 5)]);
        assert_eq!(
            feed.builder.replay(1, &mut feed.changes).unwrap().offset,
            Seq(1)
        );
        assert_eq!(
            feed.builder.replay(2, &mut feed.changes).unwrap().offset,
            Seq(2)
        );
        assert!(feed.builder.replay(3, &mut feed.changes).is_none());
        assert_eq!(feed.bids(), [(3, 3), (2, 2), (1, 5)]);
        assert_eq!(
            feed.delta(Some((13, 14)), &[(4, 4)], &[]),
            DeltaOutcome::Applied
        );
    }

    #[test]
    fn a_fetched_book_that_nothing_kept_links_to_is_refused() {
        let mut feed = Feed::new(SnapshotOrigin::OutOfBand);
        feed.delta(Some((20, 21)), &[(1, 1)], &[]);
        assert_eq!(
            feed.snapshot(Some(10), &[(1, 5)], &[]),
            SnapshotOutcome::TooOld { seq: 10, prev: 20 }
        );
        assert!(!feed.builder.is_live());
    }

    #[test]
    fn a_node_that_starts_at_a_whole_book_equals_one_that_never_stopped() {
        let mut old = Feed::new(SnapshotOrigin::OutOfBand);
        old.snapshot(Some(1), &[(1, 1), (7, 7)], &[]);
        let mut new = Feed::new(SnapshotOrigin::OutOfBand);
        for feed in [&mut old, &mut new] {
            feed.delta(Some((1, 2)), &[(2, 2)], &[]);
            feed.delta(Some((2, 3)), &[(3, 3)], &[]);
        }
        old.snapshot(Some(2), &[(2, 2)], &[]);
        if let SnapshotOutcome::Staged { first, .. } = new.snapshot(Some(2), &[(2, 2)], &[]) {
            new.builder.replay(first, &mut new.changes);
        }
        assert_eq!(old.builder.book(), new.builder.book());
        assert_eq!(old.bids(), [(3, 3), (2, 2)]);
    }

    #[test]
    fn a_book_is_never_deeper_than_it_may_be() {
        let mut feed = Feed::new(SnapshotOrigin::OutOfBand);
        feed.builder = BookBuilder::bounded(2);
        feed.delta(Some((1, 2)), &[(3, 3)], &[]);
        let deep = feed.snapshot(Some(1), &[(1, 1), (2, 2)], &[]);
        assert_eq!(deep, SnapshotOutcome::TooDeep, "with the delta behind it");
        assert!(!feed.builder.is_live() && feed.builder.book().is_empty());
        feed.snapshot(Some(2), &[(1, 1), (2, 2)], &[]);
        let deep = feed.delta(Some((2, 3)), &[(4, 4)], &[]);
        assert_eq!(deep, DeltaOutcome::TooDeep);
        assert_eq!(feed.bids(), [(2, 2), (1, 1)]);
        assert!(!feed.builder.is_live() && feed.changes.is_empty());
    }

    #[test]
    fn a_crossed_whole_book_is_refused() {
        let mut feed = Feed::new(SnapshotOrigin::InBand);
        assert!(matches!(
            feed.snapshot(None, &[(5, 1)], &[(4, 1)]),
            SnapshotOutcome::Crossed(_)
        ));
        assert!(!feed.builder.is_live() && feed.builder.book().is_empty());
    }
}
