use std::collections::BTreeMap;

use market::{Book, Changes, Level, Price, Side, Size};

/// A book whose levels are grouped: rounded to a price step and summed.
///
/// Bids are rounded down and asks up, so that a grouped book never shows a better price than the
/// real one. A sum that exceeds a size is shown as the largest size.
#[derive(Debug)]
pub(crate) struct Grouped {
    step: i64,
    /// The sum at each rounded price, as a size.
    book: Book,
    /// The exact sums that exceed a size, of bids and asks. Almost always empty.
    overflow: [BTreeMap<Price, i128>; 2],
}

impl Grouped {
    /// Groups a book by `step`, a positive price mantissa.
    pub(crate) fn new(step: i64, book: &Book) -> Self {
        let mut grouped = Self {
            step,
            book: Book::new(),
            overflow: Default::default(),
        };
        for side in Side::BOTH {
            // From worst to best, every insert is an append.
            for level in book.side(side).iter().rev() {
                grouped.add(side, level.price, i128::from(level.size.0));
            }
        }
        grouped
    }

    /// The price step.
    pub(crate) const fn step(&self) -> i64 {
        self.step
    }

    /// The grouped book.
    pub(crate) const fn book(&self) -> &Book {
        &self.book
    }

    /// Applies changes of the book. `visible` then holds the changes of the grouped book,
    /// normalized.
    pub(crate) fn apply(&mut self, changes: &Changes, visible: &mut Changes) {
        visible.clear();
        for side in Side::BOTH {
            for change in changes.side(side) {
                let more = i128::from(change.after.0) - i128::from(change.before.0);
                let change = self.add(side, change.price, more);
                visible.side_mut(side).push(change);
            }
        }
        visible.normalize();
    }

    fn add(&mut self, side: Side, price: Price, more: i128) -> market::Change {
        let price = rounded(side, price, self.step);
        let [bids, asks] = &mut self.overflow;
        let overflow = match side {
            Side::Bid => bids,
            Side::Ask => asks,
        };
        let known = || i128::from(self.book.side(side).size_at(price).0);
        let sum = overflow.remove(&price).unwrap_or_else(known) + more;
        let size = saturated(sum);
        if i128::from(size.0) < sum {
            overflow.insert(price, sum);
        }
        self.book.set(side, Level { price, size })
    }

    /// The allocated memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let overflow: usize = self.overflow.iter().map(BTreeMap::len).sum();
        self.book.capacity_bytes() + overflow * 2 * size_of::<(Price, i128)>()
    }
}

/// Rounds a price to a step, away from the other side.
pub(crate) fn rounded(side: Side, price: Price, step: i64) -> Price {
    let above = price.0.rem_euclid(step);
    Price(match side {
        Side::Bid => price.0.checked_sub(above).unwrap_or(i64::MIN),
        Side::Ask if above == 0 => price.0,
        Side::Ask => price.0.checked_add(step - above).unwrap_or(i64::MAX),
    })
}

/// Groups the levels of one side, which are given and returned best first.
pub(crate) fn group(
    side: Side,
    step: i64,
    levels: impl Iterator<Item = Level>,
) -> impl Iterator<Item = Level> {
    let mut levels = levels.peekable();
    std::iter::from_fn(move || {
        let first = levels.next()?;
        let price = rounded(side, first.price, step);
        let mut sum = i128::from(first.size.0);
        while let Some(next) = levels.next_if(|next| rounded(side, next.price, step) == price) {
            sum += i128::from(next.size.0);
        }
        let size = saturated(sum);
        Some(Level { price, size })
    })
}

/// Converts a sum to a size. Sizes in a book are not negative, and neither are their sums.
fn saturated(sum: i128) -> Size {
    Size(i64::try_from(sum).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn levels() -> impl Strategy<Value = Vec<Level>> {
        let size = prop_oneof![4 => 0i64..4, 1 => Just(i64::MAX), 1 => Just(i64::MAX - 1)];
        proptest::collection::vec((-40i64..40, size), 0..30)
            .prop_map(|all| all.into_iter().map(|(p, s)| Level::new(p, s)).collect())
    }

    proptest! {
        #[test]
        fn a_grouped_book_that_is_updated_equals_one_from_scratch(
            start in levels(),
            steps in proptest::collection::vec((levels(), levels()), 1..8),
            step in 1i64..15,
        ) {
            let (mut book, mut changes, mut seen) = (Book::new(), Changes::default(), Changes::default());
            book.apply(Side::Ask, &start, &mut changes);
            let mut grouped = Grouped::new(step, &book);
            for (bids, asks) in steps {
                changes.clear();
                book.apply(Side::Bid, &bids, &mut changes);
                book.apply(Side::Ask, &asks, &mut changes);
                let mut client = grouped.book().clone();
                grouped.apply(&changes, &mut seen);
                for side in Side::BOTH {
                    for change in seen.side(side) { client.set(side, change.level()); }
                    let scratch: Vec<_> = group(side, step, book.side(side).iter()).collect();
                    prop_assert_eq!(grouped.book().side(side).iter().collect::<Vec<_>>(), scratch);
                }
                let fresh = Grouped::new(step, &book);
                prop_assert_eq!(grouped.book(), fresh.book());
                prop_assert_eq!(&client, grouped.book());
            }
        }
    }

    #[test]
    fn a_grouped_price_is_never_better_than_the_price() {
        for (side, price, expected) in [
            (Side::Bid, 17, 15),
            (Side::Ask, 17, 20),
            (Side::Bid, -17, -20),
            (Side::Ask, -17, -15),
            (Side::Bid, 15, 15),
            (Side::Ask, 15, 15),
            (Side::Bid, i64::MIN, i64::MIN),
            (Side::Ask, i64::MAX, i64::MAX),
        ] {
            assert_eq!(
                rounded(side, Price(price), 5),
                Price(expected),
                "{side:?} {price}"
            );
        }
    }

    #[test]
    fn a_sum_that_exceeds_a_size_is_shown_as_the_largest_and_comes_back() {
        let mut book = Book::new();
        let mut changes = Changes::default();
        book.apply(
            Side::Bid,
            &[Level::new(1, i64::MAX), Level::new(2, 5)],
            &mut changes,
        );
        let mut grouped = Grouped::new(10, &book);
        assert_eq!(grouped.book().bids().best(), Some(Level::new(0, i64::MAX)));
        changes.clear();
        book.apply(Side::Bid, &[Level::new(1, 0)], &mut changes);
        grouped.apply(&changes, &mut Changes::default());
        assert_eq!(grouped.book().bids().best(), Some(Level::new(0, 5)));
    }
}
