//! Venues' statements about their books are verified.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it measured"
)]

use market::{
    Break, Changes, Check, ChecksumRule, ChecksumText, Decimals, DeltaOutcome, Exponents, Ladder,
    Level, Nanos, Seq, SeqLink, Side, SnapshotOrigin, SnapshotOutcome, VenueBook, VenueChecksum,
};
use proptest::prelude::*;

const SCALE: Exponents = Exponents { price: 0, size: 0 };

/// A venue that cuts its books at a depth and sends a checksum after every delta.
struct Venue {
    book: VenueBook,
    changes: Changes,
    window: usize,
}

impl Venue {
    fn new(window: usize) -> Self {
        let mut venue = Self {
            book: VenueBook::new(),
            changes: Changes::default(),
            window,
        };
        let whole = [Level::new(5, 5), Level::new(4, 4)];
        let check = Check {
            window: u32::try_from(venue.window).ok(),
            ..Check::default()
        };
        venue.snapshot(&whole, check);
        venue
    }

    fn snapshot(&mut self, bids: &[Level], check: Check) {
        let origin = SnapshotOrigin::Checked(check);
        let changes = &mut self.changes;
        let outcome = self
            .book
            .snapshot(None, origin, bids, &[], Seq::NONE, changes);
        assert_eq!(outcome, SnapshotOutcome::Applied);
    }

    /// A delta of the bids, after which the venue's bids are `truth`, written with this many
    /// decimals.
    fn change(&mut self, bids: &[Level], truth: &[Level], size_decimals: u8) -> DeltaOutcome {
        let rule = |size| ChecksumRule::Kraken(Decimals { price: 0, size });
        let checksum = |expected, size| VenueChecksum {
            expected,
            rule: rule(size),
            exponents: SCALE,
        };
        let told = checksum(0, 2).of_levels(
            truth.iter().copied(),
            std::iter::empty(),
            &mut ChecksumText::default(),
        );
        let check = Check {
            window: None,
            checksum: Some(checksum(told, size_decimals)),
            lost: false,
        };
        let origin = SnapshotOrigin::Checked(check);
        let changes = &mut self.changes;
        let (seq, now) = (Seq(0), Nanos(0));
        self.book
            .delta(seq, now, None, origin, None, bids, &[], changes)
    }

    fn bids(&self) -> Vec<Level> {
        self.book.book().bids().iter().collect()
    }
}

#[test]
fn a_level_that_leaves_the_venues_window_is_deleted_explicitly() {
    let mut venue = Venue::new(2);
    let truth = [Level::new(6, 6), Level::new(5, 5)];
    assert_eq!(venue.change(&truth[..1], &truth, 2), DeltaOutcome::Applied);
    assert_eq!(venue.bids(), truth);
    let told: Vec<_> = venue
        .changes
        .bids
        .iter()
        .map(|change| change.level())
        .collect();
    assert_eq!(told, [Level::new(6, 6), Level::new(4, 0)]);
}

#[test]
fn a_change_that_breaks_the_venues_checksum_is_taken_back_until_the_next_whole_book() {
    let mut venue = Venue::new(2);
    let before = venue.bids();
    let other = [Level::new(7, 7)];
    let outcome = venue.change(&[Level::new(6, 6)], &other, 2);
    assert!(
        matches!(outcome, DeltaOutcome::Gap(Break::Checksum { .. })),
        "{outcome:?}"
    );
    assert_eq!(
        venue.bids(),
        before,
        "with the level that had left the window"
    );
    assert!(venue.changes.is_empty() && !venue.book.is_live());
    assert_eq!(venue.change(&other, &other, 2), DeltaOutcome::Waiting);
    venue.snapshot(&other, Check::default());
    let truth = [Level::new(8, 8), Level::new(7, 7)];
    assert_eq!(venue.change(&truth[..1], &truth, 2), DeltaOutcome::Applied);
}

#[test]
fn a_gap_that_the_feed_itself_tells_lasts_until_the_next_whole_book() {
    let mut venue = Venue::new(2);
    let origin = SnapshotOrigin::Checked(Check {
        lost: true,
        ..Check::default()
    });
    let changes = &mut venue.changes;
    let (seq, now) = (Seq(0), Nanos(0));
    let outcome = venue
        .book
        .delta(seq, now, None, origin, None, &[], &[], changes);
    assert_eq!(outcome, DeltaOutcome::Gap(Break::Reported));
    let truth = [Level::new(6, 6), Level::new(5, 5)];
    assert_eq!(venue.change(&truth[..1], &truth, 2), DeltaOutcome::Waiting);
}

#[test]
fn decimals_that_a_message_does_not_show_are_known_from_those_before_it() {
    let mut venue = Venue::new(10);
    let truth = [Level::new(6, 6), Level::new(5, 5), Level::new(4, 4)];
    assert_eq!(venue.change(&truth[..1], &truth, 2), DeltaOutcome::Applied);
    let outcome = venue.change(&[Level::new(6, 0)], &truth[1..], 0);
    assert_eq!(outcome, DeltaOutcome::Applied);
}

#[test]
fn a_change_that_builds_on_our_very_number_follows_also_where_the_venue_counts_anew() {
    let mut book = VenueBook::new();
    let mut changes = Changes::default();
    let origin = SnapshotOrigin::InBand;
    book.snapshot(
        Some(90),
        origin,
        &[Level::new(1, 1)],
        &[],
        Seq::NONE,
        &mut changes,
    );
    for (prev, seq, outcome) in [
        (90, 3, DeltaOutcome::Applied),
        (3, 4, DeltaOutcome::Applied),
        (2, 3, DeltaOutcome::Stale),
        (5, 6, DeltaOutcome::Gap(Break::Numbers { last: 4, prev: 5 })),
    ] {
        let link = Some(SeqLink { prev, seq });
        let bids = [Level::new(2, 2)];
        let found = book.delta(
            Seq(0),
            Nanos(0),
            link,
            origin,
            None,
            &bids,
            &[],
            &mut changes,
        );
        assert_eq!(found, outcome, "{prev} to {seq}");
    }
}

/// Kraken's text as in its documentation, level by level.
fn krakens_text(bids: &Ladder, asks: &Ladder, decimals: Decimals, exponents: Exponents) -> String {
    let digits = |mantissa: i64, exponent: i8, decimals: u8| {
        let shift = i32::from(exponent) + i32::from(decimals);
        let power = 10_i128.pow(shift.unsigned_abs());
        let mantissa = i128::from(mantissa);
        let whole = if shift < 0 {
            mantissa / power
        } else {
            mantissa
        };
        let zeros = usize::try_from(shift.max(0)).unwrap();
        format!("{whole}{}", "0".repeat(zeros))
    };
    let levels = asks.iter().take(10).chain(bids.iter().take(10));
    let parts = levels.map(|level| {
        digits(level.price.0, exponents.price, decimals.price)
            + &digits(level.size.0, exponents.size, decimals.size)
    });
    parts.collect()
}

fn mantissa() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0_i64..4, 1 => Just(i64::MAX), 1 => 0..i64::MAX]
}

proptest! {
    #[test]
    fn a_checksum_is_the_same_whatever_was_found_before(
        steps in proptest::collection::vec(
            (any::<bool>(), 1_i64..30, mantissa(), 0_u8..12, proptest::bool::weighted(0.1)),
            1..80,
        ),
    ) {
        let (mut bids, mut asks) = (Ladder::new(Side::Bid), Ladder::new(Side::Ask));
        let exponents = Exponents { price: -3, size: -8 };
        let mut kept = ChecksumText::default();
        let mut size_decimals = 8;
        for (is_bid, price, size, other, is_changed) in steps {
            let ladder = if is_bid { &mut bids } else { &mut asks };
            ladder.set(Level::new(price * 1_000, size));
            if is_changed {
                size_decimals = other;
            }
            let decimals = Decimals { price: 1, size: size_decimals };
            let rules = [ChecksumRule::Kraken(decimals), ChecksumRule::Okx];
            let found = rules.map(|rule| {
                let checksum = VenueChecksum { expected: 0, rule, exponents };
                // The other rule is checked only sometimes, since its text is another.
                let text = match rule {
                    ChecksumRule::Okx if !is_changed => &mut ChecksumText::default(),
                    _ => &mut kept,
                };
                let fresh = &mut ChecksumText::default();
                let found = checksum.of_levels(bids.iter(), asks.iter(), text);
                assert_eq!(found, checksum.of_levels(bids.iter(), asks.iter(), fresh));
                found
            });
            let text = krakens_text(&bids, &asks, decimals, exponents);
            prop_assert_eq!(found[0], crc32fast::hash(text.as_bytes()), "{}", text);
        }
    }
}
