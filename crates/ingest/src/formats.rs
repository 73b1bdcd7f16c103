//! How the records of a topic read, one module a format.
//!
//! A venue of its own is one file here, its `mod` and its line in the table below, and one fixture
//! in `tests/venues`.

mod binance;
mod bybit;
mod coinbase;
mod cryptofeed;
mod deribit;
mod kraken;
mod mapped;
mod okx;
mod tapecast;
mod tardis;

use crate::json::Fault;
use crate::record_reader::{Parsed, RecordReader, Subject};
use crate::{RawRecord, Resolve};

/// Every format in one line: what it is, its module, its name in configurations, and the venue of
/// its instruments where its records name none and the configuration gives no other.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $module:ident, $name:literal, $venue:expr;)*) => {
        /// How the records of a topic read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Format {
            $($(#[$doc])* $format,)*
        }

        impl Format {
            /// All formats.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$format),*];

            /// The name that configurations use.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$format => $name,)*
                }
            }

            /// The venue of its instruments when none is configured; none where records name it.
            #[must_use]
            pub const fn venue(self) -> Option<&'static str> {
                match self {
                    $(Self::$format => $venue,)*
                }
            }
        }

        /// Reads a record that has been parsed.
        #[inline]
        pub(crate) fn read<R: Resolve>(
            reading: &mut RecordReader<'_, '_, '_>,
            instruments: &mut R,
        ) -> Result<Parsed, Fault> {
            match reading.source.format {
                $(Format::$format => $module::read(reading, instruments),)*
            }
        }

        /// The keys that a format's lists of levels stand under, those of one kind of message
        /// together; of a mapping, its own.
        pub(crate) const fn lists(format: Format) -> &'static [&'static [&'static str]] {
            match format {
                $(Format::$format => $module::LISTS,)*
            }
        }

        /// Whom and what a record is subject by its key and its topic alone.
        pub(crate) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
            match record.source.format {
                $(Format::$format => $module::hint(record, instruments),)*
            }
        }
    };
}

formats! {
    /// Our own JSON.
    Tapecast = tapecast, "tapecast", None;
    /// As cryptofeed's Kafka backend writes.
    Cryptofeed = cryptofeed, "cryptofeed", None;
    /// Binance's own JSON, as it comes over its WebSockets and from its REST interface.
    Binance = binance, "binance", Some("BINANCE");
    /// Kraken's own JSON, of its WebSockets v2 and v1.
    Kraken = kraken, "kraken", Some("KRAKEN");
    /// OKX's own JSON, of its WebSockets v5.
    Okx = okx, "okx", Some("OKX");
    /// Bybit's own JSON, of its WebSockets v5.
    Bybit = bybit, "bybit", Some("BYBIT");
    /// Coinbase's own JSON, of its Exchange and of Advanced Trade.
    Coinbase = coinbase, "coinbase", Some("COINBASE");
    /// Deribit's own JSON, the notifications of its WebSockets.
    Deribit = deribit, "deribit", Some("DERIBIT");
    /// Any other JSON, as a mapping of the configuration says.
    Mapped = mapped, "mapped", None;
    /// What Tardis makes of any venue's messages.
    Tardis = tardis, "tardis", None;
}

pub use mapped::{Kind, Mapping, MappingConfig, MappingError, Otherwise, SymbolFrom, TimeUnit};

impl Format {
    /// Whether its topics may be given a venue and a symbol: its records may not name them.
    #[must_use]
    pub fn takes_names(self) -> bool {
        self.venue().is_some() || self == Self::Mapped
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
