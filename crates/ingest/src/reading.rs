use market::{Definition, Level, Link, Nanos, SnapshotOrigin, State, Trade};

use crate::json::{Document, Fault, Place};
use crate::{ErrorKind, Handle, Refusal, Resolve, Resolved, Scope, Source};

/// A record that is being read by its format.
pub(crate) struct Reading<'t, 'a, 'o> {
    pub(crate) document: Document<'t, 'a>,
    pub(crate) source: &'a Source,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) out: &'o mut Out<'a>,
    pub(crate) about: &'o mut About,
}

/// Where levels and trades are put.
#[derive(Default)]
pub(crate) struct Out<'a> {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
    pub(crate) trades: Vec<Trade<'a>>,
}

/// Whom and what a record is about, as far as that is known when it turns out to be bad.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) instrument: Option<Handle>,
    pub(crate) scope: Scope,
}

/// What a record says; levels and trades are in [`Out`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    Snapshot {
        seq: Option<u64>,
        origin: SnapshotOrigin,
        time: Option<Nanos>,
    },
    Delta {
        link: Option<Link>,
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

impl Reading<'_, '_, '_> {
    /// The instrument of that name, which stands at `place`.
    #[inline]
    pub(crate) fn resolve<R: Resolve>(
        &mut self,
        instruments: &mut R,
        (venue, symbol): (&str, &str),
        place: Place,
    ) -> Result<Resolved, Fault> {
        match instruments.resolve(venue, symbol) {
            Ok(resolved) => {
                self.about.instrument = Some(resolved.handle);
                Ok(resolved)
            }
            Err(refusal) => Err(Fault::at(place, refusal.into())),
        }
    }
}

impl From<Refusal> for ErrorKind {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownInstrument => Self::UnknownInstrument,
            Refusal::BadName(error) => Self::BadName(error),
            Refusal::TooManyInstruments => Self::TooManyInstruments,
        }
    }
}

/// A delta's place in its venue's sequence, which must lead forward.
pub(crate) fn link(place: Place, prev: u64, seq: u64) -> Result<Option<Link>, Fault> {
    if prev < seq {
        Ok(Some(Link { prev, seq }))
    } else {
        Err(Fault::at(place, ErrorKind::BadSequence { prev, seq }))
    }
}
