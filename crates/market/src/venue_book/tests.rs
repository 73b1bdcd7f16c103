use super::*;

fn levels(all: &[(i64, i64)]) -> Vec<Level> {
    all.iter()
        .map(|(price, size)| Level::new(*price, *size))
        .collect()
}

struct Feed {
    book: VenueBook,
    changes: Changes,
    offset: i64,
    origin: SnapshotOrigin,
}

impl Feed {
    fn new(origin: SnapshotOrigin) -> Self {
        Self {
            book: VenueBook::new(),
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
        let link = link.map(|(prev, seq)| SeqLink { prev, seq });
        let (bids, asks) = (levels(bids), levels(asks));
        self.book.delta(
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
        self.book
            .snapshot(seq, self.origin, &bids, &asks, Seq::NONE, &mut self.changes)
    }

    fn bids(&self) -> Vec<(i64, i64)> {
        self.book
            .book()
            .bids()
            .iter()
            .map(|level| (level.price.0, level.size.0))
            .collect()
    }
}

#[test]
fn deltas_before_a_snapshot_wait() {
    let mut feed = Feed::new(SnapshotOrigin::InBand);
    assert_eq!(feed.delta(None, &[(1, 1)], &[]), DeltaOutcome::Waiting);
    assert!(feed.book.book().is_empty() && !feed.book.is_live());
}

#[test]
fn a_missing_number_is_a_gap_until_the_next_snapshot() {
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
        "the book stays as it was when it was last valid"
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
fn a_snapshot_in_the_stream_is_applied_whatever_its_number() {
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
    assert!(!feed.book.is_live() && feed.changes.is_empty());
}

#[test]
fn a_chain_proves_that_an_unreadable_record_lost_nothing() {
    let mut feed = Feed::new(SnapshotOrigin::InBand);
    feed.snapshot(Some(5), &[(1, 1)], &[]);
    feed.book.bad_record();
    assert!(!feed.book.is_live());
    assert_eq!(
        feed.delta(Some((5, 6)), &[(2, 1)], &[]),
        DeltaOutcome::Applied
    );
    assert!(feed.book.is_live());

    let mut unnumbered = Feed::new(SnapshotOrigin::InBand);
    unnumbered.snapshot(None, &[(1, 1)], &[]);
    unnumbered.book.bad_record();
    assert_eq!(
        unnumbered.delta(None, &[(2, 1)], &[]),
        DeltaOutcome::Waiting
    );
}

#[test]
fn a_fetched_snapshot_is_joined_with_the_deltas_after_it() {
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
        feed.book.replay(1, &mut feed.changes).unwrap().offset,
        Seq(1)
    );
    assert_eq!(
        feed.book.replay(2, &mut feed.changes).unwrap().offset,
        Seq(2)
    );
    assert!(feed.book.replay(3, &mut feed.changes).is_none());
    assert_eq!(feed.bids(), [(3, 3), (2, 2), (1, 5)]);
    assert_eq!(
        feed.delta(Some((13, 14)), &[(4, 4)], &[]),
        DeltaOutcome::Applied
    );
}

#[test]
fn a_fetched_snapshot_that_no_retained_delta_links_to_is_rejected() {
    let mut feed = Feed::new(SnapshotOrigin::OutOfBand);
    feed.delta(Some((20, 21)), &[(1, 1)], &[]);
    assert_eq!(
        feed.snapshot(Some(10), &[(1, 5)], &[]),
        SnapshotOutcome::TooOld { seq: 10, prev: 20 }
    );
    assert!(!feed.book.is_live());
}

#[test]
fn a_node_that_starts_at_a_snapshot_equals_one_that_never_stopped() {
    let mut old = Feed::new(SnapshotOrigin::OutOfBand);
    old.snapshot(Some(1), &[(1, 1), (7, 7)], &[]);
    let mut new = Feed::new(SnapshotOrigin::OutOfBand);
    for feed in [&mut old, &mut new] {
        feed.delta(Some((1, 2)), &[(2, 2)], &[]);
        feed.delta(Some((2, 3)), &[(3, 3)], &[]);
    }
    old.snapshot(Some(2), &[(2, 2)], &[]);
    if let SnapshotOutcome::Staged { first, .. } = new.snapshot(Some(2), &[(2, 2)], &[]) {
        new.book.replay(first, &mut new.changes);
    }
    assert_eq!(old.book.book(), new.book.book());
    assert_eq!(old.bids(), [(3, 3), (2, 2)]);
}

#[test]
fn a_book_is_never_deeper_than_it_may_be() {
    let mut feed = Feed::new(SnapshotOrigin::OutOfBand);
    feed.book = VenueBook::bounded(2);
    feed.delta(Some((1, 2)), &[(3, 3)], &[]);
    let deep = feed.snapshot(Some(1), &[(1, 1), (2, 2)], &[]);
    assert_eq!(deep, SnapshotOutcome::TooDeep, "with the delta after it");
    assert!(!feed.book.is_live() && feed.book.book().is_empty());
    feed.snapshot(Some(2), &[(1, 1), (2, 2)], &[]);
    let deep = feed.delta(Some((2, 3)), &[(4, 4)], &[]);
    assert_eq!(deep, DeltaOutcome::TooDeep);
    assert_eq!(feed.bids(), [(2, 2), (1, 1)]);
    assert!(!feed.book.is_live() && feed.changes.is_empty());
}

#[test]
fn a_crossed_snapshot_is_rejected() {
    let mut feed = Feed::new(SnapshotOrigin::InBand);
    assert!(matches!(
        feed.snapshot(None, &[(5, 1)], &[(4, 1)]),
        SnapshotOutcome::Crossed(_)
    ));
    assert!(!feed.book.is_live() && feed.book.book().is_empty());
}
