use crate::{Level, Price, Side, Size};

/// One side of a book: its levels, sorted by price.
///
/// The best level is last in memory, because most changes happen near the best: there an insert
/// or a removal moves little. A search starts at the best for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    side: Side,
    /// Ascending by [`Ladder::key`], best last, no price twice, no size zero.
    levels: Vec<Level>,
}

impl Ladder {
    /// An empty ladder.
    #[must_use]
    pub const fn new(side: Side) -> Self {
        Self {
            side,
            levels: Vec::new(),
        }
    }

    /// Which side this is.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// How many levels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.len()
    }

    /// Whether there is no level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The best level.
    #[must_use]
    pub fn best(&self) -> Option<Level> {
        self.levels.last().copied()
    }

    /// The worst level.
    #[must_use]
    pub fn worst(&self) -> Option<Level> {
        self.levels.first().copied()
    }

    /// The level that `rank` better ones stand before; the best has rank 0.
    #[must_use]
    pub fn at_rank(&self, rank: usize) -> Option<Level> {
        let index = self.levels.len().checked_sub(rank + 1)?;
        self.levels.get(index).copied()
    }

    /// The levels from the best to the worst.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Level> + DoubleEndedIterator + Clone + '_ {
        self.levels.iter().rev().copied()
    }

    /// The best `depth` levels from the best on, or all where there are fewer.
    pub fn top(
        &self,
        depth: usize,
    ) -> impl ExactSizeIterator<Item = Level> + DoubleEndedIterator + Clone + '_ {
        let start = self.levels.len().saturating_sub(depth);
        self.levels[start..].iter().rev().copied()
    }

    /// The size at a price; zero when there is no level.
    #[must_use]
    pub fn size_at(&self, price: Price) -> Size {
        self.search(price)
            .map_or(Size::ZERO, |index| self.levels[index].size)
    }

    /// Sets the size at a price, zero deletes; returns the size before.
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

    /// Removes every level and keeps the memory.
    pub fn clear(&mut self) {
        self.levels.clear();
    }

    /// Bytes that the levels hold in memory.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
    }

    /// Takes over the levels of `from`, which are sorted as a ladder's are.
    pub(crate) fn copy_from(&mut self, from: &Self) {
        self.levels.clone_from(&from.levels);
    }

    /// Orders prices from the worst to the best on either side. `!x` turns the order of `i64`
    /// round without the overflow that `-x` has.
    #[inline]
    fn key(&self, price: Price) -> i64 {
        match self.side {
            Side::Bid => price.0,
            Side::Ask => !price.0,
        }
    }

    /// Where a price stands, or would stand: doubling steps from the best, then halves.
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
