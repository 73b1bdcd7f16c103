use market::{
    ChecksumText, Definition, Exponents, Handle, Level, Nanos, Scope, SeqLink, SnapshotOrigin,
    State, Trade, VenueChecksum,
};

use crate::json::{Document, Fault, Field, Repeated, TapePos};
use crate::{ErrorKind, RawRecord, Rejection, Resolve, Resolved, Source};

/// A record that its format is reading.
pub(crate) struct RecordReader<'t, 'a, 'o> {
    pub(crate) document: Document<'t, 'a>,
    pub(crate) source: &'a Source,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) out: &'o mut Out<'a>,
    pub(crate) subject: &'o mut Subject,
}

/// The levels and trades of a record.
#[derive(Default)]
pub(crate) struct Out<'a> {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
    pub(crate) trades: Vec<Trade<'a>>,
    /// Other instruments that the record applies to equally.
    pub(crate) also: Vec<Handle>,
    /// The text of a venue's checksum. Boxed, since snapshots with checksums are rare.
    pub(crate) text: Option<Box<ChecksumText>>,
}

/// What a record is about, as far as that is known when it turns out to be bad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) instrument: Option<Handle>,
    pub(crate) scope: Scope,
}

/// The content of a record; its levels and trades are in [`Out`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parsed {
    Snapshot {
        seq: Option<u64>,
        origin: SnapshotOrigin,
        time: Option<Nanos>,
    },
    Delta {
        link: Option<SeqLink>,
        origin: SnapshotOrigin,
        time: Option<Nanos>,
    },
    Trades {
        time: Option<Nanos>,
    },
    Status {
        time: Option<Nanos>,
        state: State,
    },
    Definition {
        time: Option<Nanos>,
        definition: Definition,
    },
    Nothing,
}

impl Parsed {
    /// A snapshot or a delta of a feed without sequence numbers.
    pub(crate) const fn unnumbered(
        is_snapshot: bool,
        origin: SnapshotOrigin,
        time: Option<Nanos>,
    ) -> Self {
        if is_snapshot {
            Self::Snapshot {
                seq: None,
                origin,
                time,
            }
        } else {
            Self::Delta {
                link: None,
                origin,
                time,
            }
        }
    }

    /// A delta with a link, or else the snapshot with this number, both in the stream itself.
    pub(crate) const fn numbered(seq: u64, link: Option<SeqLink>, time: Option<Nanos>) -> Self {
        let origin = SnapshotOrigin::InBand;
        match link {
            Some(_) => Self::Delta { link, origin, time },
            None => Self::Snapshot {
                seq: Some(seq),
                origin,
                time,
            },
        }
    }
}

impl Subject {
    /// Finds the instrument by the record's key, which is a symbol or a full name, or by its topic.
    pub(crate) fn of_symbol_key<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Self {
        let source = record.source;
        let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
        let symbol = key.map(|key| match key.split_once(':') {
            Some((venue, symbol)) if venue == source.venue => symbol,
            _ => key,
        });
        let mut find = |symbol: &str| instruments.find(&source.venue, symbol);
        Self {
            instrument: symbol
                .and_then(&mut find)
                .or_else(|| source.symbol.as_deref().and_then(&mut find)),
            scope: Scope::Unknown,
        }
    }

    /// Finds the instrument by the record's key, which is its full name.
    pub(crate) fn of_name_key<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Self {
        let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
        let name = key.and_then(|key| key.split_once(':'));
        Self {
            instrument: name.and_then(|(venue, symbol)| instruments.find(venue, symbol)),
            scope: Scope::Unknown,
        }
    }
}

impl Out<'_> {
    /// Verifies a snapshot against the venue's checksum at `pos`. Deltas are verified where the
    /// book is.
    pub(crate) fn verify(&mut self, checksum: &VenueChecksum, pos: TapePos) -> Result<(), Fault> {
        let exists = |level: &Level| !level.size.is_zero();
        let bids = self.bids.iter().copied().filter(exists);
        let asks = self.asks.iter().copied().filter(exists);
        let found = checksum.of_levels(bids, asks, self.text.get_or_insert_default());
        let expected = checksum.expected;
        if found == expected {
            Ok(())
        } else {
            Err(Fault::at(pos, ErrorKind::BadChecksum { expected, found }))
        }
    }
}

impl RecordReader<'_, '_, '_> {
    /// Resolves the symbol at `pos`, at the topic's venue.
    #[inline]
    pub(crate) fn resolve_symbol<R: Resolve>(
        &mut self,
        instruments: &mut R,
        pos: TapePos,
    ) -> Result<Resolved, Fault> {
        let symbol = self.document.text(pos)?;
        self.resolve(instruments, (&self.source.venue, symbol), pos)
    }

    /// Resolves the symbol in a field of an object, and then rejects repeated fields: their error
    /// names the instrument. Returns the instrument's scale.
    #[inline]
    pub(crate) fn resolve_field<R: Resolve>(
        &mut self,
        instruments: &mut R,
        object: TapePos,
        (symbol, name): (Field, &'static str),
        repeated: Repeated,
    ) -> Result<Exponents, Fault> {
        let resolved = self.resolve_symbol(instruments, symbol.needed(object, name)?)?;
        repeated.ensure_none()?;
        Ok(resolved.exponents)
    }

    /// Resolves a name, which is at `pos`.
    #[inline]
    pub(crate) fn resolve<R: Resolve>(
        &mut self,
        instruments: &mut R,
        (venue, symbol): (&str, &str),
        pos: TapePos,
    ) -> Result<Resolved, Fault> {
        match instruments.resolve(venue, symbol) {
            Ok(resolved) => {
                self.subject.instrument = Some(resolved.handle);
                Ok(resolved)
            }
            Err(rejection) => Err(Fault::at(pos, rejection.into())),
        }
    }
}

impl From<Rejection> for ErrorKind {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::UnknownInstrument => Self::UnknownInstrument,
            Rejection::BadName(error) => Self::BadName(error),
            Rejection::TooManyInstruments => Self::TooManyInstruments,
        }
    }
}

/// Returns whether a venue's message is a snapshot of the book or of recent trades, by its type.
pub(crate) fn is_snapshot(document: &Document<'_, '_>, kind: TapePos) -> Result<bool, Fault> {
    match document.text(kind)? {
        "snapshot" => Ok(true),
        "update" => Ok(false),
        _ => {
            let expected = "\"snapshot\" or \"update\"";
            Err(Fault::at(kind, ErrorKind::BadValue { expected }))
        }
    }
}

/// A delta's link in its venue's sequence, which must lead forward.
pub(crate) fn link(pos: TapePos, prev: u64, seq: u64) -> Result<Option<SeqLink>, Fault> {
    if prev < seq {
        Ok(Some(SeqLink { prev, seq }))
    } else {
        Err(Fault::at(pos, ErrorKind::BadSequence { prev, seq }))
    }
}
