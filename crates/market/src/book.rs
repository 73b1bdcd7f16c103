use crate::{Bbo, Change, Changes, Ladder, Level, Price, Side, Size, checksum, difference};

/// An order book: both ladders and their checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
    checksum: u32,
}

/// A snapshot contains a price twice on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("price mantissa {} occurs twice on the {side:?} side", price.0)]
pub struct DuplicateLevel {
    /// The side of the book.
    pub side: Side,
    /// The repeated price.
    pub price: Price,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// Creates an empty book, whose checksum is 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bids: Ladder::new(Side::Bid),
            asks: Ladder::new(Side::Ask),
            checksum: 0,
        }
    }

    /// The ladder of bids.
    #[must_use]
    pub const fn bids(&self) -> &Ladder {
        &self.bids
    }

    /// The ladder of asks.
    #[must_use]
    pub const fn asks(&self) -> &Ladder {
        &self.asks
    }

    /// The ladder of one side.
    #[must_use]
    pub const fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The additive checksum over all levels.
    #[must_use]
    pub const fn checksum(&self) -> u32 {
        self.checksum
    }

    /// The best bid and offer.
    #[must_use]
    pub fn bbo(&self) -> Bbo {
        Bbo {
            bid: self.bids.best(),
            ask: self.asks.best(),
        }
    }

    /// The number of levels on both sides together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    /// Returns whether both sides are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the size at a price, or deletes the level if the size is zero. Returns the change.
    #[inline]
    pub fn set(&mut self, side: Side, level: Level) -> Change {
        let ladder = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        let before = ladder.set(level);
        if before != level.size {
            if !before.is_zero() {
                let old = Level {
                    price: level.price,
                    size: before,
                };
                self.checksum = self.checksum.wrapping_sub(checksum::mix(side, old));
            }
            if !level.size.is_zero() {
                self.checksum = self.checksum.wrapping_add(checksum::mix(side, level));
            }
        }
        Change {
            price: level.price,
            before,
            after: level.size,
        }
    }

    /// Sets levels of one side and appends those that changed to `changes`.
    pub fn apply(&mut self, side: Side, levels: &[Level], changes: &mut Changes) {
        let changed = changes.side_mut(side);
        for level in levels {
            let change = self.set(side, *level);
            if change.before != change.after {
                changed.push(change);
            }
        }
    }

    /// Removes the worst levels until neither side has more than `window`, and appends what was
    /// removed to `changes`.
    pub fn trim(&mut self, window: usize, changes: &mut Changes) {
        for side in Side::BOTH {
            while self.side(side).len() > window {
                let Some(worst) = self.side(side).worst() else {
                    break;
                };
                let removed = Level {
                    size: Size::ZERO,
                    ..worst
                };
                let change = self.set(side, removed);
                changes.side_mut(side).push(change);
            }
        }
    }

    /// Undoes changes, last first.
    pub fn undo(&mut self, changes: &Changes) {
        for side in Side::BOTH {
            for change in changes.side(side).iter().rev() {
                self.set(
                    side,
                    Level {
                        price: change.price,
                        size: change.before,
                    },
                );
            }
        }
    }

    /// Replaces all levels by those of a snapshot, given in any order. Zero sizes are skipped.
    pub fn fill(&mut self, bids: &[Level], asks: &[Level]) -> Result<(), DuplicateLevel> {
        self.clear();
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            // Venues send the best level first; from worst to best, every insert is an append.
            for level in levels.iter().rev().filter(|level| !level.size.is_zero()) {
                let change = self.set(side, *level);
                if !change.before.is_zero() {
                    return Err(DuplicateLevel {
                        side,
                        price: level.price,
                    });
                }
            }
        }
        Ok(())
    }

    /// Makes this book equal to `target` and appends what changed to `changes`, best first.
    pub fn become_equal(&mut self, target: &Self, changes: &mut Changes) {
        difference(
            Side::Bid,
            self.bids.iter(),
            target.bids.iter(),
            &mut changes.bids,
        );
        difference(
            Side::Ask,
            self.asks.iter(),
            target.asks.iter(),
            &mut changes.asks,
        );
        self.bids.copy_from(&target.bids);
        self.asks.copy_from(&target.asks);
        self.checksum = target.checksum;
    }

    /// Removes every level but keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
        self.checksum = 0;
    }

    /// The memory allocated for levels, in bytes.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.bids.capacity_bytes() + self.asks.capacity_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::of_levels;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn levels() -> impl Strategy<Value = Vec<Level>> {
        proptest::collection::vec((-20i64..20, 0i64..4), 0..60)
            .prop_map(|all| all.into_iter().map(|(p, s)| Level::new(p, s)).collect())
    }

    fn from_scratch(book: &Book) -> u32 {
        of_levels(Side::Bid, book.bids().iter())
            .wrapping_add(of_levels(Side::Ask, book.asks().iter()))
    }

    proptest! {
        #[test]
        fn a_ladder_equals_a_sorted_map(updates in levels()) {
            for side in Side::BOTH {
                let mut ladder = Ladder::new(side);
                let mut map = BTreeMap::new();
                for level in &updates {
                    let before = ladder.set(*level);
                    let was = if level.size.is_zero() { map.remove(&level.price) } else { map.insert(level.price, level.size) };
                    prop_assert_eq!(before, was.unwrap_or_default());
                }
                let mut expected: Vec<Level> = map.into_iter().map(|(price, size)| Level { price, size }).collect();
                if side == Side::Bid { expected.reverse(); }
                prop_assert_eq!(ladder.iter().collect::<Vec<_>>(), expected.clone());
                prop_assert_eq!(ladder.top(3).collect::<Vec<_>>(), expected.iter().copied().take(3).collect::<Vec<_>>());
                prop_assert_eq!(ladder.at_rank(2), expected.get(2).copied());
            }
        }

        #[test]
        fn the_checksum_equals_the_one_from_scratch(bids in levels(), asks in levels()) {
            let mut book = Book::new();
            let mut changes = Changes::default();
            book.apply(Side::Bid, &bids, &mut changes);
            book.apply(Side::Ask, &asks, &mut changes);
            prop_assert_eq!(book.checksum(), from_scratch(&book));
            let full = book.clone();
            book.undo(&changes);
            prop_assert_eq!(book.checksum(), 0);
            prop_assert!(book.is_empty());
            changes.normalize();
            for side in Side::BOTH {
                for change in changes.side(side) { book.set(side, change.level()); }
            }
            prop_assert_eq!(book, full);
        }

        #[test]
        fn the_difference_of_two_books_turns_one_into_the_other(a in levels(), b in levels()) {
            let mut sink = Changes::default();
            let (mut from, mut to) = (Book::new(), Book::new());
            from.apply(Side::Bid, &a, &mut sink);
            to.apply(Side::Bid, &b, &mut sink);
            from.apply(Side::Ask, &b, &mut sink);
            to.apply(Side::Ask, &a, &mut sink);
            let (mut by_changes, mut changes) = (from.clone(), Changes::default());
            from.become_equal(&to, &mut changes);
            prop_assert_eq!(&from, &to);
            for side in Side::BOTH {
                for change in changes.side(side) { by_changes.set(side, change.level()); }
            }
            prop_assert_eq!(by_changes, to);
            let before = changes.clone();
            changes.normalize();
            prop_assert_eq!(changes, before, "a difference is normalized already");
        }
    }

    #[test]
    fn a_snapshot_that_repeats_a_price_is_rejected() {
        let mut book = Book::new();
        let twice = [Level::new(5, 1), Level::new(5, 2)];
        assert_eq!(
            book.fill(&[], &twice),
            Err(DuplicateLevel {
                side: Side::Ask,
                price: Price(5)
            })
        );
    }

    #[test]
    fn locked_is_legal_and_crossed_is_not() {
        let mut book = Book::new();
        book.fill(&[Level::new(5, 1)], &[Level::new(5, 1)]).unwrap();
        assert!(!book.bbo().is_crossed());
        book.set(Side::Bid, Level::new(6, 1));
        assert!(book.bbo().is_crossed());
    }
}
