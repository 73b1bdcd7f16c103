/// How the records of a topic read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Our own JSON.
    Tapecast,
    /// As cryptofeed's Kafka backend writes.
    Cryptofeed,
    /// Binance's own JSON, as it comes over its WebSockets and from its REST interface.
    Binance,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Tapecast, Self::Cryptofeed, Self::Binance];

    /// The name that configurations use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tapecast => "tapecast",
            Self::Cryptofeed => "cryptofeed",
            Self::Binance => "binance",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
