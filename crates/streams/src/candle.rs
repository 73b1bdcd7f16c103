use market::{Price, Size, Trade};

/// The summary of a sequence of trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// The first price.
    pub open: Price,
    /// The highest price.
    pub high: Price,
    /// The lowest price.
    pub low: Price,
    /// The last price.
    pub close: Price,
    /// The sum of the sizes. Fewer than 2^64 trades of less than 2^63 each cannot overflow it.
    pub volume: i128,
    /// The number of trades.
    pub trades: u32,
}

impl Candle {
    /// Summarizes the trades of one record; `None` if there are none.
    pub(crate) fn of(trades: &[Trade<'_>]) -> Option<Self> {
        let (first, rest) = trades.split_first()?;
        let mut candle = Self::one(first);
        for trade in rest {
            candle.add(&Self::one(trade));
        }
        Some(candle)
    }

    const fn one(trade: &Trade<'_>) -> Self {
        Self {
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: trade.size.0 as i128,
            trades: 1,
        }
    }

    /// Adds later trades.
    pub(crate) fn add(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.volume = self.volume.saturating_add(later.volume);
        self.trades = self.trades.saturating_add(later.trades);
    }

    /// The volume as a size, if it fits one.
    pub(crate) fn size(&self) -> Option<Size> {
        i64::try_from(self.volume).ok().map(Size)
    }
}
