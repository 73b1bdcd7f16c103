use market::{Event, Handle, Scope, Trade};
use simd_json::{Buffers, INPUT_PADDING, Tape};

use crate::json::{CutKey, Cuts, Document, Fault};
use crate::record_reader::{Out, Parsed, RecordReader, Subject};
use crate::{DecodeError, ErrorKind, Excerpt, Format, Resolve, Source, formats};

/// The buffers of larger records are not kept: 1 MiB of the densest JSON has a tape of 12 MiB.
/// Records of this size are snapshots, which are rare.
const MAX_KEPT_BYTES: usize = 1 << 20;
/// The maximum nesting depth of a record. The deepest format has 5. Each level takes 24 bytes once.
const MAX_DEPTH: usize = 32;

/// An undecoded record of Kafka.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'r> {
    /// The topic of the record.
    pub source: &'r Source,
    /// The record's key.
    pub key: Option<&'r [u8]>,
    /// The record's value; `None` for a tombstone.
    pub payload: Option<&'r [u8]>,
}

/// Decodes records of any format, with buffers that it reuses.
///
/// Invariant: between records the buffers are empty and keep their memory.
pub struct Decoder {
    max_record_bytes: usize,
    /// The size of the last record with its padding.
    last_bytes: usize,
    /// The record with the padding that simd-json requires. Strings are unescaped in place.
    padded: Vec<u8>,
    /// The record without its lists of levels.
    rest: Vec<u8>,
    /// The keys of lists of levels, by format.
    lists: [Vec<Vec<CutKey>>; Format::ALL.len()],
    buffers: Buffers,
    tape: Tape<'static>,
    out: Out<'static>,
}

/// A decoded record. Its buffers return to the decoder when it is dropped.
pub struct Decoded<'a> {
    instrument: Option<Handle>,
    parsed: Parsed,
    out: Out<'a>,
    /// Where the buffers of `out` return to.
    lender: &'a mut Out<'static>,
}

impl Decoded<'_> {
    /// The instrument and the event; `None` for records without anything to publish.
    #[must_use]
    #[inline]
    pub fn event(&self) -> Option<(Handle, Event<'_>)> {
        let Out {
            bids, asks, trades, ..
        } = &self.out;
        let event = match self.parsed {
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
    /// Other instruments with the same event, such as the loss of the connection to their venue.
    #[must_use]
    #[inline]
    pub fn also(&self) -> &[Handle] {
        &self.out.also
    }
}

impl Drop for Decoded<'_> {
    fn drop(&mut self) {
        *self.lender = std::mem::take(&mut self.out).emptied();
    }
}

/// Copies a record with the padding that simd-json requires.
fn pad(padded: &mut Vec<u8>, record: &[u8]) {
    padded.clear();
    padded.extend_from_slice(record);
    padded.extend_from_slice(&[0; INPUT_PADDING]);
}

impl Out<'_> {
    /// Keeps the memory without the content, for borrows of any lifetime.
    #[inline]
    fn emptied<'n>(self) -> Out<'n> {
        let mut out = self.levels_only();
        out.bids.clear();
        out.asks.clear();
        out
    }

    /// Keeps only the levels, which do not borrow, and the memory of the rest.
    #[inline]
    fn levels_only<'n>(self) -> Out<'n> {
        let Self {
            bids,
            asks,
            mut trades,
            mut also,
            text,
        } = self;
        trades.clear();
        also.clear();
        // Collecting a vector's own elements reuses its memory. It is empty, so nothing is mapped.
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
    /// Creates a decoder that rejects values of more than `max_record_bytes`.
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

    /// Decodes a record. The result borrows from the record and from the decoder's buffers.
    #[inline]
    pub fn decode<'a, R: Resolve>(
        &'a mut self,
        record: &RawRecord<'a>,
        instruments: &mut R,
    ) -> Result<Decoded<'a>, DecodeError> {
        let payload = match payload_of(record, self.max_record_bytes) {
            Ok(payload) => payload,
            Err(kind) => return Err(rejected(record, kind, instruments)),
        };
        self.free_large();
        self.last_bytes = payload.len() + INPUT_PADDING;
        if let Some(read) = self.decode_cut(record, payload, instruments) {
            let (instrument, parsed) = read?;
            return Ok(Decoded {
                instrument,
                parsed,
                out: std::mem::take(&mut self.out),
                lender: &mut self.out,
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
                Err(rejected(record, kind, instruments))
            }
        };
        self.tape = tape.reset();
        match read {
            Ok(parsed) => Ok(Decoded {
                instrument: subject.instrument,
                parsed,
                out,
                lender: &mut self.out,
            }),
            Err(error) => {
                self.out = out.emptied();
                Err(error)
            }
        }
    }

    /// Decodes a record whose lists of levels can be cut out, which applies to most snapshots and
    /// deltas as venues write them. The levels are in `self.out`. Returns `None` for all other
    /// records, which must be parsed as a whole.
    ///
    /// The lists of unknown instruments are not read. If one instrument of a topic is replayed,
    /// those are most records.
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
        cuts.set_address(&self.padded);
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
                Ok(parsed) => Some(Ok(parsed)),
                Err(fault) if fault.kind == ErrorKind::UnknownInstrument => {
                    Some(Err(report(&document, &fault, subject, record, instruments)))
                }
                Err(_) => None,
            }
        });
        self.tape = tape.reset();
        let is_read = cuts.all_taken() && out.trades.is_empty() && out.also.is_empty();
        self.out = out.levels_only();
        match read? {
            Ok(parsed) => is_read.then_some(Ok((subject.instrument, parsed))),
            Err(unwanted) => Some(Err(unwanted)),
        }
    }

    /// Frees the buffers if the last record was unusually large.
    fn free_large(&mut self) {
        if self.last_bytes > MAX_KEPT_BYTES {
            self.padded = Vec::new();
            self.rest = Vec::new();
            self.buffers = Buffers::with_max_depth(0, MAX_DEPTH);
            self.tape = Tape(Vec::new());
            self.out = Out::default();
        }
    }
}

/// Checks the size of a record's value.
#[inline]
fn payload_of<'a>(record: &RawRecord<'a>, limit: usize) -> Result<&'a [u8], ErrorKind> {
    let payload = record.payload.ok_or(ErrorKind::Tombstone)?;
    let bytes = payload.len();
    if bytes == 0 {
        Err(ErrorKind::Empty)
    } else if bytes > limit {
        Err(ErrorKind::TooLarge { bytes, limit })
    } else {
        Ok(payload)
    }
}

/// The error of a record that is not valid JSON.
#[cold]
fn rejected<R: Resolve>(
    record: &RawRecord<'_>,
    kind: ErrorKind,
    instruments: &mut R,
) -> DecodeError {
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

/// The error of a parsed record.
#[cold]
fn report<R: Resolve>(
    document: &Document<'_, '_>,
    fault: &Fault,
    subject: Subject,
    record: &RawRecord<'_>,
    instruments: &mut R,
) -> DecodeError {
    let hint = formats::hint(record, instruments);
    // A record that names an unknown instrument must not affect the one that its key names.
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

    /// Resolves every name.
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

    /// Checks the number of levels that were read from cut lists; `None` if the record was not cut.
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
        // A list that is not read, one that occurs twice, and invalid levels.
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
        let levels = MAX_KEPT_BYTES / 20;
        assert!(read(levels) >= levels);
        assert!(read(1) < levels);
    }
}
