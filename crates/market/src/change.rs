use crate::{Level, Price, Side, Size};

/// One level's size before and after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The level's price.
    pub price: Price,
    /// Its size before; zero when it was not there.
    pub before: Size,
    /// Its size after; zero when it is gone.
    pub after: Size,
}

impl Change {
    /// A change from one size to another.
    #[must_use]
    pub const fn of(price: Price, before: Size, after: Size) -> Self {
        Self {
            price,
            before,
            after,
        }
    }

    /// The level as it stands after the change.
    #[must_use]
    pub const fn level(self) -> Level {
        Level {
            price: self.price,
            size: self.after,
        }
    }
}

/// What one message changes, reused from message to message so that nothing allocates once warm.
///
/// After [`Changes::tidy`] each side is sorted best first, with at most one change a price and
/// none that changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Changes of the bids.
    pub bids: Vec<Change>,
    /// Changes of the asks.
    pub asks: Vec<Change>,
}

impl Changes {
    /// Forgets all changes and keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// How many levels change.
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

    /// The changes of one side, to be added to.
    pub fn side_mut(&mut self, side: Side) -> &mut Vec<Change> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Sorts each side best first, folds repeated prices into one change, and drops those that
    /// end where they began.
    pub fn tidy(&mut self) {
        // A stable sort keeps repeats of a price in the order in which they were made. It does
        // not allocate below 20 elements or when sorted already, which is the usual case.
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

/// Adds to `changes` what turns the levels `old` into `new`; all of one side and best first.
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
