use crate::Level;

/// Best bid and offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bbo {
    /// The highest bid.
    pub bid: Option<Level>,
    /// The lowest ask.
    pub ask: Option<Level>,
}

impl Bbo {
    /// Whether the bid is above the ask. Locked (equal) is legal.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.price > ask.price)
    }
}
