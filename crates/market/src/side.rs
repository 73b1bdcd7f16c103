use crate::Price;

/// A side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buyers; the best is the highest price.
    Bid,
    /// Sellers; the best is the lowest price.
    Ask,
}

impl Side {
    /// Both sides in wire order: bids first.
    pub const BOTH: [Self; 2] = [Self::Bid, Self::Ask];

    /// The opposite side.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// Returns whether price `a` is better than `b` on this side.
    #[must_use]
    pub fn is_better(self, a: Price, b: Price) -> bool {
        match self {
            Self::Bid => a > b,
            Self::Ask => a < b,
        }
    }
}

/// The side that took liquidity in a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Aggressor {
    /// The venue does not say.
    #[default]
    Unknown,
    /// A buyer, who took from the asks.
    Buy,
    /// A seller, who took from the bids.
    Sell,
}

impl Aggressor {
    /// The name used by clients.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}
