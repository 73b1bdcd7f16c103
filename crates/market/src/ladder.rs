use crate::{Level, Price, Side, Size};

/// One side of a book: its levels, sorted by price.
///
/// The best level is last in memory, because most changes are near it, and an insert or a removal
/// there moves little. A search starts at the best level for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    side: Side,
    /// Ascending by [`Ladder::key`], so best last; no repeated price, no zero size.
    levels: Vec<Level>,
}

impl Ladder {
    /// Creates an empty ladder.
    #[must_use]
    pub const fn new(side: Side) -> Self {
        Self {
            side,
            levels: Vec::new(),
        }
    }

    /// The side of the book.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// The number of levels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.len()
    }

    /// Returns whether there are no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The best level, if there is one.
    #[must_use]
    pub fn best(&self) -> Option<Level> {
        self.levels.last().copied()
    }

    /// The worst level, if there is one.
    #[must_use]
    pub fn worst(&self) -> Option<Level> {
        self.levels.first().copied()
    }

    /// The level with `rank` better ones; the best has rank 0.
    #[must_use]
    pub fn at_rank(&self, rank: usize) -> Option<Level> {
        let index = self.levels.len().checked_sub(rank + 1)?;
        self.levels.get(index).copied()
    }

    /// Iterates over the levels, best first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Level> + DoubleEndedIterator + Clone + '_ {
        self.levels.iter().rev().copied()
    }

    /// Iterates over the best `depth` levels, best first.
    pub fn top(
        &self,
        depth: usize,
    ) -> impl ExactSizeIterator<Item = Level> + DoubleEndedIterator + Clone + '_ {
        let start = self.levels.len().saturating_sub(depth);
        self.levels[start..].iter().rev().copied()
    }

    /// The size at a price; zero if there is no level.
    #[must_use]
    pub fn size_at(&self, price: Price) -> Size {
        self.search(price)
            .map_or(Size::ZERO, |index| self.levels[index].size)
    }

    /// Sets the size at a price, or deletes the level if the size is zero. Returns the size before.
    pub fn set(&mut self, level: Level) -> Size {
        match self.search(level.price) {
            Ok(index) if level.size.is_zero() => self.levels.remove(index).size,
            Ok(index) => std::mem::replace(&mut self.levels[index].size, level.size),
            Err(_) if level.size.is_zero() => Size::ZERO,
            Err(index) => {
                self.levels.insert(index, level);
                Size::ZERO
            }
        }
    }

    /// Removes every level but keeps the memory.
    pub fn clear(&mut self) {
        self.levels.clear();
    }

    /// The memory allocated for levels, in bytes.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
    }

    /// Copies the levels of another ladder of the same side.
    pub(crate) fn copy_from(&mut self, from: &Self) {
        self.levels.clone_from(&from.levels);
    }

    /// Orders prices from worst to best on either side. `!x` reverses the order of `i64` without
    /// the overflow of `-x`.
    #[inline]
    fn key(&self, price: Price) -> i64 {
        match self.side {
            Side::Bid => price.0,
            Side::Ask => !price.0,
        }
    }

    /// Finds the index of a price, or where it would be inserted: an exponential search from the
    /// best level.
    #[inline]
    fn search(&self, price: Price) -> Result<usize, usize> {
        let key = self.key(price);
        let len = self.levels.len();
        let mut step = 1;
        let mut high = len;
        let mut low = len;
        while low > 0 {
            low = len.saturating_sub(step);
            if self.key(self.levels[low].price) <= key {
                break;
            }
            high = low;
            step *= 2;
        }
        match self.levels[low..high].binary_search_by_key(&key, |level| self.key(level.price)) {
            Ok(index) => Ok(low + index),
            Err(index) => Err(low + index),
        }
    }
}
