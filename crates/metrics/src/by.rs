use std::ops::Index;

use crate::label::Label;

/// One cell, or one [`By`], for every value of a label: `sent[Channel::Book][Encoding::Sbe].inc()`.
pub struct By<L: Label, C> {
    cells: L::Cells<C>,
}

impl<L: Label, C: Default> Default for By<L, C> {
    fn default() -> Self {
        Self {
            cells: L::cells(C::default),
        }
    }
}

impl<L: Label, C> Index<L> for By<L, C> {
    type Output = C;

    #[inline]
    fn index(&self, label: L) -> &C {
        &self.cells.as_ref()[label.index()]
    }
}

impl<L: Label, C> By<L, C> {
    /// Iterates over the label's values and their cells.
    pub fn iter(&self) -> impl Iterator<Item = (L, &C)> {
        L::ALL.iter().copied().zip(self.cells.as_ref())
    }
}
