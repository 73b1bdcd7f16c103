//! The formats of records, one module per format.
//!
//! A new format takes a line in `format.rs`, a file here with its `mod`, a line in the table below,
//! and a fixture in `tests/venues`.

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
use crate::{Format, RawRecord, Resolve};

/// Dispatches to the module of each format: its module, and what finds the subject of a record
/// without reading its value.
macro_rules! dispatch {
    ($($format:ident = $module:ident, $hint:expr;)*) => {
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

dispatch! {
    Tapecast = tapecast, Subject::of_name_key;
    Cryptofeed = cryptofeed, cryptofeed::hint;
    Binance = binance, binance::hint;
    Kraken = kraken, Subject::of_symbol_key;
    Okx = okx, Subject::of_symbol_key;
    Bybit = bybit, Subject::of_symbol_key;
    Coinbase = coinbase, Subject::of_symbol_key;
    Deribit = deribit, Subject::of_symbol_key;
    Mapped = mapped, Subject::of_symbol_key;
    Tardis = tardis, Subject::of_name_key;
}

pub use mapped::{Kind, Mapping, MappingConfig, MappingError, Otherwise, SymbolFrom, TimeUnit};
