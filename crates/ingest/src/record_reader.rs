use market::{
    ChecksumText, Definition, Handle, Level, Nanos, Scope, SeqLink, SnapshotOrigin, State, Trade,
    VenueChecksum,
};

use crate::json::{Document, Fault, TapePos};
use crate::{ErrorKind, RawRecord, Rejection, Resolve, Resolved, Source};

/// A record that is being read by its format.
pub(crate) struct RecordReader<'t, 'a, 'o> {
    pub(crate) document: Document<'t, 'a>,
    pub(crate) source: &'a Source,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) out: &'o mut Out<'a>,
    pub(crate) subject: &'o mut Subject,
}

/// Where levels and trades are put.
#[derive(Default)]
pub(crate) struct Out<'a> {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
    pub(crate) trades: Vec<Trade<'a>>,
    /// Other instruments of which the same is said.
    pub(crate) also: Vec<Handle>,
    /// What a venue's checksum is made over; whole books that are proven come seldom.
    pub(crate) text: Option<Box<ChecksumText>>,
}

/// Whom and what a record is subject, as far as that is known when it turns out to be bad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) instrument: Option<Handle>,
    pub(crate) scope: Scope,
}

/// What a record says; levels and trades are in [`Out`].
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
    /// A book, or a change, of a feed without numbers.
    pub(crate) const fn unnumbered(
        is_whole: bool,
        origin: SnapshotOrigin,
        time: Option<Nanos>,
    ) -> Self {
        if is_whole {
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

    /// A change with what it builds on, or else the whole book that stands at `seq`, in the stream.
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
    /// Whom a record is subject by its key, which is a symbol or an instrument's whole name, or by
    /// its topic.
    pub(crate) fn of_key<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Self {
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
}

impl Out<'_> {
    /// That a whole book is the one of which the venue's checksum, which stands at `pos`, was
    /// made. A change proves itself where the book is.
    pub(crate) fn proves(&mut self, checksum: &VenueChecksum, pos: TapePos) -> Result<(), Fault> {
        let there = |level: &Level| !level.size.is_zero();
        let bids = self.bids.iter().copied().filter(there);
        let asks = self.asks.iter().copied().filter(there);
        let found = checksum.of_levels(bids, asks, self.text.get_or_insert_default());
        let told = checksum.expected;
        if found == told {
            Ok(())
        } else {
            Err(Fault::at(pos, ErrorKind::BadChecksum { told, found }))
        }
    }
}

impl RecordReader<'_, '_, '_> {
    /// The instrument of the symbol at a pos, at the venue of the topic.
    #[inline]
    pub(crate) fn resolve_symbol<R: Resolve>(
        &mut self,
        instruments: &mut R,
        pos: TapePos,
    ) -> Result<Resolved, Fault> {
        let symbol = self.document.text(pos)?;
        self.resolve(instruments, (&self.source.venue, symbol), pos)
    }

    /// The instrument of that name, which stands at `pos`.
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

/// Whether a message of a venue is a whole book, or all trades of late, by its word for that.
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

/// A delta's pos in its venue's sequence, which must lead forward.
pub(crate) fn link(pos: TapePos, prev: u64, seq: u64) -> Result<Option<SeqLink>, Fault> {
    if prev < seq {
        Ok(Some(SeqLink { prev, seq }))
    } else {
        Err(Fault::at(pos, ErrorKind::BadSequence { prev, seq }))
    }
}
