use crate::Level;

/// The best bid and offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bbo {
    /// The highest bid, if there are bids.
    pub bid: Option<Level>,
    /// The lowest ask, if there are asks.
    pub ask: Option<Level>,
}

impl Bbo {
    /// Returns whether the bid is above the ask. A locked market (equal prices) is legal.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.price > ask.price)
    }
}
