/// What a stream tells of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Snapshot and deltas of the book.
    Book,
    /// Best bid and offer.
    Bbo,
    /// Trades as the venue reported them.
    Trades,
    /// 24-hour statistics.
    Ticker,
    /// Open, high, low, close and volume over an interval.
    Bars,
    /// The state of the instrument.
    Status,
}

impl Channel {
    /// All channels, in the order of their codes on the wire.
    pub const ALL: [Self; 6] = [
        Self::Book,
        Self::Bbo,
        Self::Trades,
        Self::Ticker,
        Self::Bars,
        Self::Status,
    ];

    /// The name that clients, metrics and logs use.
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

    /// The channel of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}
