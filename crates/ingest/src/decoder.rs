use market::{Event, Handle, Scope, Trade};
use simd_json::{Buffers, INPUT_PADDING, Tape};

use crate::json::{CutKey, Cuts, Document, Fault};
use crate::record_reader::{Out, Parsed, RecordReader, Subject};
use crate::{DecodeError, ErrorKind, Excerpt, Format, Resolve, Source, formats};

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
    /// How large the last record was with its padding, whether or not lists were cut out of it.
    last_bytes: usize,
    /// The record, and what simd-json wants behind it; strings are unescaped here in pos.
    padded: Vec<u8>,
    /// The record without its lists of levels.
    rest: Vec<u8>,
    /// What lists of levels stand under, by format.
    lists: [Vec<Vec<CutKey>>; Format::ALL.len()],
    buffers: Buffers,
    tape: Tape<'static>,
    out: Out<'static>,
}

/// What a record says.
pub struct Decoded<'a> {
    instrument: Option<Handle>,
    said: Parsed,
    out: Out<'a>,
    /// Where the buffers of `out` belong.
    home: &'a mut Out<'static>,
}

impl Decoded<'_> {
    /// Whom it is subject, and what it says of it; none when it says nothing that is published.
    #[must_use]
    #[inline]
    pub fn event(&self) -> Option<(Handle, Event<'_>)> {
        let Out {
            bids, asks, trades, ..
        } = &self.out;
        let event = match self.said {
            Parsed::Snapshot { seq, origin, time } => Event::Snapshot {
                seq,
                origin,
                time,
                bids,
                asks,
            },
            Parsed::Delta { link, origin, time } => Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            },
            Parsed::Trades { time } => Event::Trades { time, trades },
            Parsed::Status { time, state } => Event::Status { time, state },
            Parsed::Definition { time, definition } => Event::Definition { time, definition },
            Parsed::Nothing => return None,
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

/// Puts a record where simd-json may read it.
fn pad(padded: &mut Vec<u8>, record: &[u8]) {
    padded.clear();
    padded.extend_from_slice(record);
    padded.extend_from_slice(&[0; INPUT_PADDING]);
}

impl Out<'_> {
    /// The same memory without content, so for borrows of any lifetime.
    #[inline]
    fn emptied<'n>(self) -> Out<'n> {
        let mut out = self.of_levels();
        out.bids.clear();
        out.asks.clear();
        out
    }

    /// The same with nothing but its levels, which borrow nothing.
    #[inline]
    fn of_levels<'n>(self) -> Out<'n> {
        let Self {
            bids,
            asks,
            mut trades,
            mut also,
            text,
        } = self;
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
            last_bytes: 0,
            padded: Vec::new(),
            rest: Vec::new(),
            lists: Format::ALL.map(|format| {
                let keys = |names: &&[&str]| names.iter().map(|name| CutKey::new(name)).collect();
                formats::lists(format).iter().map(keys).collect()
            }),
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
        self.last_bytes = payload.len() + INPUT_PADDING;
        if let Some(read) = self.decode_cut(record, payload, instruments) {
            let (instrument, said) = read?;
            return Ok(Decoded {
                instrument,
                said,
                out: std::mem::take(&mut self.out),
                home: &mut self.out,
            });
        }
        pad(&mut self.padded, payload);

        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let mut out = std::mem::take(&mut self.out).emptied();
        let mut subject = Subject {
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
                let mut reader = RecordReader {
                    document,
                    source: record.source,
                    key: record.key,
                    out: &mut out,
                    subject: &mut subject,
                };
                formats::read(&mut reader, instruments)
                    .map_err(|fault| report(&document, &fault, subject, record, instruments))
            }
            Err(error) => {
                let kind = ErrorKind::MalformedJson { at: error.index() };
                Err(unread(record, kind, instruments))
            }
        };
        self.tape = tape.reset();
        match read {
            Ok(said) => Ok(Decoded {
                instrument: subject.instrument,
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

    /// Reads a record of levels with these cut out, when it is written as venues do; none of all
    /// others, which are to be read whole. What is read are the levels of `self.out`.
    ///
    /// Of an instrument that nobody wants nothing more is read, which is most of a topic's records
    /// when the past of one instrument is read.
    #[inline]
    fn decode_cut<R: Resolve>(
        &mut self,
        record: &RawRecord<'_>,
        payload: &[u8],
        instruments: &mut R,
    ) -> Option<Result<(Option<Handle>, Parsed), DecodeError>> {
        let source = record.source;
        let keys = match &source.mapping {
            Some(mapping) => mapping.lists(),
            None => self.lists.get(source.format as usize)?,
        };
        let mut cuts = keys.iter().find_map(|keys| Cuts::of(payload, keys))?;
        if !cuts.write_rest(payload, &mut self.rest) {
            return None;
        }
        pad(&mut self.padded, &self.rest);
        cuts.stand_at(&self.padded);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let mut out = std::mem::take(&mut self.out).emptied();
        let mut subject = Subject {
            instrument: None,
            scope: Scope::Unknown,
        };
        let (padded, len) = (&mut self.padded, self.rest.len());
        let parsed = simd_json::fill_tape_padded(padded, len, &mut self.buffers, &mut tape);
        let read = parsed.ok().and_then(|()| {
            let structurals = self.buffers.structural_indexes();
            let document = Document::new(&tape.0, structurals, &self.rest).with_cuts(&cuts);
            let mut reader = RecordReader {
                document,
                source,
                key: record.key,
                out: &mut out,
                subject: &mut subject,
            };
            match formats::read(&mut reader, instruments) {
                Ok(said) => Some(Ok(said)),
                Err(fault) if fault.kind == ErrorKind::UnknownInstrument => {
                    Some(Err(report(&document, &fault, subject, record, instruments)))
                }
                Err(_) => None,
            }
        });
        self.tape = tape.reset();
        let is_read = cuts.are_taken() && out.trades.is_empty() && out.also.is_empty();
        self.out = out.of_levels();
        match read? {
            Ok(said) => is_read.then_some(Ok((subject.instrument, said))),
            Err(unwanted) => Some(Err(unwanted)),
        }
    }

    /// Gives back the memory of a record that was unusually large.
    fn forget_large(&mut self) {
        if self.last_bytes > KEPT_BYTES {
            self.padded = Vec::new();
            self.rest = Vec::new();
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
    subject: Subject,
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
        instrument: subject.instrument.or(hinted),
        scope: match subject.scope {
            Scope::Unknown => hint.scope,
            known => known,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rejection, Resolved};
    use market::Exponents;

    /// Every name is an instrument.
    struct Any;

    impl Resolve for Any {
        fn resolve(&mut self, _: &str, _: &str) -> Result<Resolved, Rejection> {
            Ok(Resolved {
                handle: Handle(7),
                exponents: Exponents::default(),
            })
        }

        fn find(&mut self, _: &str, _: &str) -> Option<Handle> {
            None
        }
    }

    /// How many levels were read from the text of their lists, if any.
    #[track_caller]
    fn check(format: Format, payload: &str, levels: Option<usize>) {
        let source = Source {
            topic: "topic".to_owned(),
            format,
            venue: "X".to_owned(),
            symbol: Some("A".to_owned()),
            mapping: None,
        };
        let record = RawRecord {
            source: &source,
            key: None,
            payload: Some(payload.as_bytes()),
        };
        let mut decoder = Decoder::new(1 << 20);
        let read = decoder.decode_cut(&record, payload.as_bytes(), &mut Any);
        let found = read.map(|read| {
            read.unwrap();
            decoder.out.bids.len() + decoder.out.asks.len()
        });
        assert_eq!(found, levels, "{payload}");
    }

    #[test]
    fn what_venues_write_is_read_from_its_text() {
        let ours = r#"{"type":"delta","symbol":"A:B","prev_seq":1,"seq":2,"bids":[["1","2"]],"asks":[["3","0"],["4.5","6"]]}"#;
        check(Format::Tapecast, ours, Some(3));
        let spaced = r#"{"exchange": "X", "symbol": "A-B", "delta": {"bid": [[1.5, 2], [1.25, 0]], "ask": []}, "timestamp": 1.5}"#;
        check(Format::Cryptofeed, spaced, Some(2));
        let whole = r#"{"exchange":"X","symbol":"A-B","book":{"bid":{"1.5":2,"1":1e-7},"ask":{"2":0.5}},"timestamp":1.5}"#;
        check(Format::Cryptofeed, whole, Some(3));
        let kraken = r#"{"channel":"book","type":"update","data":[{"symbol":"X","bids":[{"price":1.5,"qty":0.25}],"asks":[],"checksum":3}]}"#;
        check(Format::Kraken, kraken, Some(1));
        let updates = r#"{"channel":"l2_data","timestamp":"2024-08-08T23:54:15.2Z","events":[{"type":"update","product_id":"X","updates":[{"side":"bid","event_time":"2024-08-08T23:54:15.2Z","price_level":"1","new_quantity":"2"},{"side":"offer","event_time":"2024-08-08T23:54:15.2Z","price_level":"1","new_quantity":"2"}]}]}"#;
        check(Format::Coinbase, updates, Some(2));
        let deribit = r#"{"method":"subscription","params":{"channel":"book.X.raw","data":{"timestamp":3,"instrument_name":"X","prev_change_id":1,"change_id":2,"bids":[["delete",1.5,0.0]],"asks":[["new",2.5,10.0]]}}}"#;
        check(Format::Deribit, deribit, Some(2));
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_the_tape() {
        // A list that is not asked for, one that is asked for twice, and what is no level.
        check(
            Format::Tapecast,
            r#"{"type":"trade","symbol":"A:B","trades":[],"bids":[["1","2"]]}"#,
            None,
        );
        check(
            Format::Tapecast,
            r#"{"type":"snapshot","symbol":"A:B","bids":[["1","2"]],"bids":[],"asks":[]}"#,
            None,
        );
        check(
            Format::Tapecast,
            r#"{"type":"snapshot","symbol":"A:B","bids":[["1","x"]],"asks":[]}"#,
            None,
        );
        check(
            Format::Tapecast,
            r#"{"type":"snapshot","symbol":"A:B","bids":[[01,2]],"asks":[]}"#,
            None,
        );
        check(
            Format::Tapecast,
            r#"{"type":"snapshot","symbol":"A:B\n","bids":[["1","2"]],"asks":[]}"#,
            None,
        );
        check(
            Format::Tapecast,
            r#"{"type":"snapshot","symbol":"A:B","bids":[],"asks":[]}"#,
            None,
        );
    }

    #[test]
    fn the_memory_of_a_large_record_is_given_back_at_the_next() {
        let source = Source {
            topic: "topic".to_owned(),
            format: Format::Tapecast,
            venue: String::new(),
            symbol: None,
            mapping: None,
        };
        let mut decoder = Decoder::new(1 << 22);
        let mut read = |levels: usize| {
            let bids = vec![r#"["1.00000000","2.00000000"]"#; levels].join(",");
            let payload =
                format!(r#"{{"type":"snapshot","symbol":"A:B","bids":[{bids}],"asks":[]}}"#);
            let record = RawRecord {
                source: &source,
                key: None,
                payload: Some(payload.as_bytes()),
            };
            let decoded = decoder.decode(&record, &mut Any).unwrap();
            assert_eq!(decoded.out.bids.len(), levels);
            decoded.out.bids.capacity()
        };
        let levels = KEPT_BYTES / 20;
        assert!(read(levels) >= levels);
        assert!(read(1) < levels);
    }
}
