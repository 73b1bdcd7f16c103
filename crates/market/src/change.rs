use crate::{Level, Price, Side, Size};

/// A change of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The level's price.
    pub price: Price,
    /// The size before; zero if the level did not exist.
    pub before: Size,
    /// The size after; zero if the level was deleted.
    pub after: Size,
}

impl Change {
    /// Creates a change of the level at `price` from one size to another.
    #[must_use]
    pub const fn of(price: Price, before: Size, after: Size) -> Self {
        Self {
            price,
            before,
            after,
        }
    }

    /// The level after the change.
    #[must_use]
    pub const fn level(self) -> Level {
        Level {
            price: self.price,
            size: self.after,
        }
    }
}

/// The changes that one message makes, reused so that nothing allocates once warm.
///
/// After [`Changes::normalize`] each side is sorted best first, with at most one change per price,
/// and none that leaves the size as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Changes of bids.
    pub bids: Vec<Change>,
    /// Changes of asks.
    pub asks: Vec<Change>,
}

impl Changes {
    /// Removes all changes but keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Returns whether there are no changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// The number of changes on both sides together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    /// The changes of one side.
    #[must_use]
    pub fn side(&self, side: Side) -> &[Change] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The changes of one side, for appending.
    pub fn side_mut(&mut self, side: Side) -> &mut Vec<Change> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Sorts each side best first, merges the changes of one price, and drops those that end where
    /// they began.
    pub fn normalize(&mut self) {
        // A stable sort keeps the changes of one price in order. It allocates only for 20 or more
        // unsorted elements, which is rare.
        if !self.bids.is_sorted_by(|a, b| a.price > b.price) {
            self.bids
                .sort_by_key(|change| std::cmp::Reverse(change.price));
        }
        if !self.asks.is_sorted_by(|a, b| a.price < b.price) {
            self.asks.sort_by_key(|change| change.price);
        }
        for side in [&mut self.bids, &mut self.asks] {
            side.dedup_by(|later, earlier| {
                let same = later.price == earlier.price;
                if same {
                    earlier.after = later.after;
                }
                same
            });
            side.retain(|change| change.before != change.after);
        }
    }
}

/// Appends to `changes` what turns the levels `old` into `new`, all of one side and best first.
pub fn difference(
    side: Side,
    old: impl Iterator<Item = Level>,
    new: impl Iterator<Item = Level>,
    changes: &mut Vec<Change>,
) {
    let mut old = old.peekable();
    let mut new = new.peekable();
    loop {
        let change = match (old.peek().copied(), new.peek().copied()) {
            (None, None) => return,
            (Some(was), None) => {
                old.next();
                Change::of(was.price, was.size, Size::ZERO)
            }
            (None, Some(is)) => {
                new.next();
                Change::of(is.price, Size::ZERO, is.size)
            }
            (Some(was), Some(is)) if was.price == is.price => {
                old.next();
                new.next();
                Change::of(is.price, was.size, is.size)
            }
            (Some(was), Some(is)) if side.is_better(was.price, is.price) => {
                old.next();
                Change::of(was.price, was.size, Size::ZERO)
            }
            (Some(_), Some(is)) => {
                new.next();
                Change::of(is.price, Size::ZERO, is.size)
            }
        };
        if change.before != change.after {
            changes.push(change);
        }
    }
}
