//! How the records of a topic read, one module a format.

mod binance;
mod cryptofeed;
mod tapecast;

use crate::json::Fault;
use crate::reading::{About, Reading, Said};
use crate::{RawRecord, Resolve};

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

/// Reads a record that has been parsed.
#[inline]
pub(crate) fn read<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Said, Fault> {
    match reading.source.format {
        Format::Tapecast => tapecast::read(reading, instruments),
        Format::Cryptofeed => cryptofeed::read(reading, instruments),
        Format::Binance => binance::read(reading, instruments),
    }
}

/// Whom and what a record is about by its key and its topic alone.
pub(crate) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> About {
    match record.source.format {
        Format::Tapecast => tapecast::hint(record, instruments),
        Format::Cryptofeed => cryptofeed::hint(record, instruments),
        Format::Binance => binance::hint(record, instruments),
    }
}
