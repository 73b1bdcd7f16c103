/// The kind of data that a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Snapshots and deltas of the book.
    Book,
    /// The best bid and offer.
    Bbo,
    /// Trades, as the venue reported them.
    Trades,
    /// Statistics of the last 24 hours.
    Ticker,
    /// Open, high, low, close and volume of an interval.
    Bars,
    /// The state of the instrument.
    Status,
}

impl Channel {
    /// All channels, in the order of their wire codes.
    pub const ALL: [Self; 6] = [
        Self::Book,
        Self::Bbo,
        Self::Trades,
        Self::Ticker,
        Self::Bars,
        Self::Status,
    ];

    /// The name used by clients, metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Bbo => "bbo",
            Self::Trades => "trades",
            Self::Ticker => "ticker",
            Self::Bars => "bars",
            Self::Status => "status",
        }
    }

    /// Finds a channel by its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}
