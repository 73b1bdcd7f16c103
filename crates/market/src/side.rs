/// A side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buyers; the best is the highest price.
    Bid,
    /// Sellers; the best is the lowest price.
    Ask,
}

impl Side {
    /// Both sides, bids first, as on the wire.
    pub const BOTH: [Self; 2] = [Self::Bid, Self::Ask];

    /// The other side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }
}

/// Who took liquidity in a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Aggressor {
    /// The venue did not say.
    #[default]
    Unknown,
    /// The buyer took from the asks.
    Buy,
    /// The seller took from the bids.
    Sell,
}
