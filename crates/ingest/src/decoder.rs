use market::{Event, Trade};
use simd_json::{Buffers, INPUT_PADDING, Tape};

use crate::json::{Document, Fault};
use crate::reading::{About, Out, Reading, Said};
use crate::{DecodeError, ErrorKind, Excerpt, Handle, Resolve, Scope, Source, formats};

/// Buffers of a record larger than this are not kept: 1 MiB of the densest JSON has a tape of
/// 12 MiB. Records of this size are whole books, and come seldom.
const KEPT_BYTES: usize = 1 << 20;
/// How deep a record may nest. The deepest format has 5; each level costs 24 bytes once.
const MAX_DEPTH: usize = 32;

/// A record as Kafka has it.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'r> {
    /// What is known of its topic.
    pub source: &'r Source,
    /// Its key.
    pub key: Option<&'r [u8]>,
    /// Its value; none is a tombstone.
    pub payload: Option<&'r [u8]>,
}

/// Reads records of any format into buffers that it keeps.
///
/// Invariant: between two records the buffers hold nothing and keep their memory.
pub struct Decoder {
    max_record_bytes: usize,
    /// The record, and what simd-json wants behind it; strings are unescaped here in place.
    padded: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
    out: Out<'static>,
}

/// What a record says.
pub struct Decoded<'a> {
    instrument: Option<Handle>,
    said: Said,
    out: Out<'a>,
    /// Where the buffers of `out` belong.
    home: &'a mut Out<'static>,
}

impl Decoded<'_> {
    /// Whom it is about, and what it says of it; none when it says nothing that is published.
    #[must_use]
    #[inline]
    pub fn event(&self) -> Option<(Handle, Event<'_>)> {
        let Out {
            bids, asks, trades, ..
        } = &self.out;
        let event = match self.said {
            Said::Snapshot { seq, origin, time } => Event::Snapshot {
                seq,
                origin,
                time,
                bids,
                asks,
            },
            Said::Delta { link, origin, time } => Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            },
            Said::Trades { time } => Event::Trades { time, trades },
            Said::Status { time, state } => Event::Status { time, state },
            Said::Definition { time, definition } => Event::Definition { time, definition },
            Said::Nothing => return None,
        };
        Some((self.instrument?, event))
    }
}

impl Decoded<'_> {
    /// Other instruments of which it says the same: a connection to a venue was lost for all.
    #[must_use]
    #[inline]
    pub fn also(&self) -> &[Handle] {
        &self.out.also
    }
}

impl Drop for Decoded<'_> {
    fn drop(&mut self) {
        *self.home = std::mem::take(&mut self.out).emptied();
    }
}

impl Out<'_> {
    /// The same memory without content, so for borrows of any lifetime.
    #[inline]
    fn emptied<'n>(self) -> Out<'n> {
        let Self {
            mut bids,
            mut asks,
            mut trades,
            mut also,
            text,
        } = self;
        bids.clear();
        asks.clear();
        trades.clear();
        also.clear();
        // Collecting a vector's own elements reuses its memory; there are none to be changed.
        let trades = trades
            .into_iter()
            .map(|trade| Trade { id: "", ..trade })
            .collect();
        Out {
            bids,
            asks,
            trades,
            also,
            text,
        }
    }
}

impl Decoder {
    /// A decoder that refuses values of more than `max_record_bytes`.
    #[must_use]
    pub fn new(max_record_bytes: usize) -> Self {
        Self {
            max_record_bytes,
            padded: Vec::new(),
            buffers: Buffers::with_max_depth(0, MAX_DEPTH),
            tape: Tape(Vec::new()),
            out: Out::default(),
        }
    }

    /// Reads one record.
    ///
    /// What it returns borrows from the record and from this decoder's buffers.
    #[inline]
    pub fn decode<'a, R: Resolve>(
        &'a mut self,
        record: &RawRecord<'a>,
        instruments: &mut R,
    ) -> Result<Decoded<'a>, DecodeError> {
        let Some(payload) = record.payload else {
            return Err(unread(record, ErrorKind::Tombstone, instruments));
        };
        if payload.is_empty() {
            return Err(unread(record, ErrorKind::Empty, instruments));
        }
        if payload.len() > self.max_record_bytes {
            let kind = ErrorKind::TooLarge {
                bytes: payload.len(),
                limit: self.max_record_bytes,
            };
            return Err(unread(record, kind, instruments));
        }
        self.forget_large();
        self.padded.clear();
        self.padded.extend_from_slice(payload);
        self.padded.extend_from_slice(&[0; INPUT_PADDING]);

        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let mut out = std::mem::take(&mut self.out).emptied();
        let mut about = About {
            instrument: None,
            scope: Scope::Unknown,
        };
        let parsed = simd_json::fill_tape_padded(
            &mut self.padded,
            payload.len(),
            &mut self.buffers,
            &mut tape,
        );
        let read = match parsed {
            Ok(()) => {
                let document = Document::new(&tape.0, self.buffers.structural_indexes(), payload);
                let mut reading = Reading {
                    document,
                    source: record.source,
                    key: record.key,
                    out: &mut out,
                    about: &mut about,
                };
                formats::read(&mut reading, instruments)
                    .map_err(|fault| report(&document, &fault, about, record, instruments))
            }
            Err(error) => {
                let kind = ErrorKind::MalformedJson { at: error.index() };
                Err(unread(record, kind, instruments))
            }
        };
        self.tape = tape.reset();
        match read {
            Ok(said) => Ok(Decoded {
                instrument: about.instrument,
                said,
                out,
                home: &mut self.out,
            }),
            Err(error) => {
                self.out = out.emptied();
                Err(error)
            }
        }
    }

    /// Gives back the memory of a record that was unusually large.
    fn forget_large(&mut self) {
        if self.padded.len() > KEPT_BYTES {
            self.padded = Vec::new();
            self.buffers = Buffers::with_max_depth(0, MAX_DEPTH);
            self.tape = Tape(Vec::new());
            self.out = Out::default();
        }
    }
}

/// The error of a record that was not even parsed.
#[cold]
fn unread<R: Resolve>(record: &RawRecord<'_>, kind: ErrorKind, instruments: &mut R) -> DecodeError {
    let payload = record.payload.unwrap_or_default();
    let found = match kind {
        ErrorKind::MalformedJson { at } => Excerpt::of(payload.get(at..).unwrap_or_default()),
        _ => Excerpt::default(),
    };
    let hint = formats::hint(record, instruments);
    DecodeError {
        kind,
        field: String::new(),
        found,
        instrument: hint.instrument,
        scope: hint.scope,
    }
}

/// The error of a record in which something is wrong.
#[cold]
fn report<R: Resolve>(
    document: &Document<'_, '_>,
    fault: &Fault,
    about: About,
    record: &RawRecord<'_>,
    instruments: &mut R,
) -> DecodeError {
    let hint = formats::hint(record, instruments);
    // A record that names an instrument which is none must not harm the one that its key names.
    let hinted = match fault.kind {
        ErrorKind::BadName(_) | ErrorKind::UnknownInstrument | ErrorKind::TooManyInstruments => {
            None
        }
        _ => hint.instrument,
    };
    DecodeError {
        kind: fault.kind,
        field: document.path(fault),
        found: document.excerpt(fault),
        instrument: about.instrument.or(hinted),
        scope: match about.scope {
            Scope::Unknown => hint.scope,
            known => known,
        },
    }
}
