//! The formats of records, one module per format.
//!
//! A new format takes a file here with its `mod`, a line in the table below, and a fixture in
//! `tests/venues`.

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

/// Defines every format in one line: its description, its module, its name in configurations, the
/// venue of its instruments if records name none and none is configured, and what finds the subject
/// of a record without reading its value.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $module:ident, $name:literal, $venue:expr, $hint:expr;)*) => {
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

        /// Reads a parsed record.
        #[inline]
        pub(crate) fn read<R: Resolve>(
            reader: &mut RecordReader<'_, '_, '_>,
            instruments: &mut R,
        ) -> Result<Parsed, Fault> {
            match reader.source.format {
                $(Format::$format => $module::read(reader, instruments),)*
            }
        }

        /// The keys of a format's lists of levels, grouped by type of message. A mapping has its
        /// own.
        pub(crate) const fn lists(format: Format) -> &'static [&'static [&'static str]] {
            match format {
                $(Format::$format => $module::LISTS,)*
            }
        }

        /// Finds the subject of a record by its key and its topic alone.
        pub(crate) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
            match record.source.format {
                $(Format::$format => $hint(record, instruments),)*
            }
        }
    };
}

formats! {
    /// Tapecast's own JSON.
    Tapecast = tapecast, "tapecast", None, Subject::of_name_key;
    /// The JSON of cryptofeed's Kafka backend.
    Cryptofeed = cryptofeed, "cryptofeed", None, cryptofeed::hint;
    /// Binance's own JSON, from its WebSocket and REST APIs.
    Binance = binance, "binance", Some("BINANCE"), binance::hint;
    /// Kraken's own JSON, from its WebSocket API v2 or v1.
    Kraken = kraken, "kraken", Some("KRAKEN"), Subject::of_symbol_key;
    /// OKX's own JSON, from its WebSocket API v5.
    Okx = okx, "okx", Some("OKX"), Subject::of_symbol_key;
    /// Bybit's own JSON, from its WebSocket API v5 and the one before it.
    Bybit = bybit, "bybit", Some("BYBIT"), Subject::of_symbol_key;
    /// Coinbase's own JSON, from Exchange or Advanced Trade.
    Coinbase = coinbase, "coinbase", Some("COINBASE"), Subject::of_symbol_key;
    /// Deribit's own JSON: the notifications of its WebSocket API.
    Deribit = deribit, "deribit", Some("DERIBIT"), Subject::of_symbol_key;
    /// Any other JSON, described by a mapping in the configuration.
    Mapped = mapped, "mapped", None, Subject::of_symbol_key;
    /// The JSON that Tardis normalizes any venue's messages to.
    Tardis = tardis, "tardis", None, Subject::of_name_key;
}

pub use mapped::{Kind, Mapping, MappingConfig, MappingError, Otherwise, SymbolFrom, TimeUnit};

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
