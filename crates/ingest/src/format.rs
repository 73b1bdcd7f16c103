/// Defines every format in one line: its description, its name in configurations, and the venue of
/// its instruments if records name none and none is configured.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $name:literal, $venue:expr;)*) => {
        /// The format of a topic's records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Format {
            $($(#[$doc])* $format,)*
        }

        impl Format {
            /// All formats.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$format),*];

            /// The name used in configurations.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$format => $name,)*
                }
            }

            /// The venue of its instruments if none is configured; `None` if records name it.
            #[must_use]
            pub const fn venue(self) -> Option<&'static str> {
                match self {
                    $(Self::$format => $venue,)*
                }
            }
        }
    };
}

formats! {
    /// Tapecast's own JSON.
    Tapecast = "tapecast", None;
    /// The JSON of cryptofeed's Kafka backend.
    Cryptofeed = "cryptofeed", None;
    /// Binance's own JSON, from its WebSocket and REST APIs.
    Binance = "binance", Some("BINANCE");
    /// Kraken's own JSON, from its WebSocket API v2 or v1.
    Kraken = "kraken", Some("KRAKEN");
    /// OKX's own JSON, from its WebSocket API v5.
    Okx = "okx", Some("OKX");
    /// Bybit's own JSON, from its WebSocket API v5 and the one before it.
    Bybit = "bybit", Some("BYBIT");
    /// Coinbase's own JSON, from Exchange or Advanced Trade.
    Coinbase = "coinbase", Some("COINBASE");
    /// Deribit's own JSON: the notifications of its WebSocket API.
    Deribit = "deribit", Some("DERIBIT");
    /// Any other JSON, described by a mapping in the configuration.
    Mapped = "mapped", None;
    /// The JSON that Tardis normalizes any venue's messages to.
    Tardis = "tardis", None;
}

impl Format {
    /// Returns whether a venue and a symbol may be configured, because records may not name them.
    #[must_use]
    pub fn takes_names(self) -> bool {
        self.venue().is_some() || self == Self::Mapped
    }

    /// Finds a format by its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
