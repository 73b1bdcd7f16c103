//! The files of captures of cryptofeed's Kafka backend.

use std::collections::BTreeMap;

use ingest::{Decoder, ErrorKind, Format, IngestConfig, RawRecord, Source};
use market::decimal::DecimalError;
use market::{
    Aggressor, Book, Changes, DeltaOutcome, Event, Handle, Nanos, Seq, SnapshotOrigin,
    SnapshotOutcome, VenueBook,
};
use serde_json::value::RawValue;

use crate::captures;
use crate::instruments::Instruments;
use crate::said::{Said, level, read, source};

/// Instruments whose prices or sizes have more than eight decimals.
///
/// The sizes of two have floating-point noise next to millions, and no exponent holds both: all
/// snapshots of XVG-ETH, and 14 and a trade of FIL3S-USDT, are rejected instead of rounded.
const FINE: [(&str, i8, i8); 5] = [
    ("HUOBI:TRIO-ETH", -10, -8),
    ("HUOBI:BOR-USDT", -8, -15),
    ("HUOBI:OMG-BTC", -8, -13),
    ("HUOBI:XVG-ETH", -8, -12),
    ("HUOBI:FIL3S-USDT", -8, -10),
];

#[derive(serde::Deserialize)]
struct Line<'l> {
    topic: String,
    key: String,
    #[serde(borrow)]
    value: &'l RawValue,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    books: u32,
    /// The number of snapshots of a book that deltas had already built.
    compared: u32,
    deltas: u32,
    trades: u32,
    nothing: u32,
    /// The number of records that no exponent fits.
    unfit: u32,
}

/// Reads a capture to its end, and compares every later snapshot with the book built so far.
#[track_caller]
fn check(path: &str, whole_books_only: bool, expected: Counts) {
    let Some(lines) = captures::lines(path) else {
        return;
    };
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let mut instruments = Instruments::new(&FINE);
    let mut books: BTreeMap<Handle, VenueBook> = BTreeMap::new();
    let mut changes = Changes::default();
    let mut counts = Counts::default();
    for (offset, line) in (0..).map(Seq).zip(&lines) {
        let line: Line<'_> = serde_json::from_str(line).unwrap();
        let source = source(Format::Cryptofeed, &line.topic);
        let raw = RawRecord {
            source: &source,
            key: Some(line.key.as_bytes()),
            payload: Some(line.value.get().as_bytes()),
        };
        let decoded = match decoder.decode(&raw, &mut instruments) {
            Ok(decoded) => decoded,
            Err(error) => {
                let fine = matches!(
                    error.kind,
                    ErrorKind::BadDecimal(DecimalError::TooFine { .. })
                );
                assert!(
                    fine,
                    "{path} line {}: {}: {error}",
                    offset.0 + 1,
                    line.topic
                );
                counts.unfit += 1;
                continue;
            }
        };
        let Some((instrument, event)) = decoded.event() else {
            counts.nothing += 1;
            continue;
        };
        let book = books.entry(instrument).or_default();
        match event {
            Event::Snapshot {
                seq: None,
                origin: SnapshotOrigin::InBand,
                time,
                bids,
                asks,
            } => {
                counts.books += 1;
                // A null time means none, whenever the record was received.
                assert!(time.is_none_or(|time| time > Nanos(1_500_000_000_000_000_000)));
                if book.is_live() && !whole_books_only {
                    let mut whole = Book::new();
                    whole.fill(bids, asks).unwrap();
                    assert_eq!(book.book(), &whole, "{path} line {}", offset.0 + 1);
                    counts.compared += 1;
                }
                let outcome = book.snapshot(
                    None,
                    SnapshotOrigin::InBand,
                    bids,
                    asks,
                    offset,
                    &mut changes,
                );
                assert_eq!(outcome, SnapshotOutcome::Applied);
            }
            Event::Delta {
                link: None,
                origin: SnapshotOrigin::InBand,
                time,
                bids,
                asks,
            } => {
                counts.deltas += 1;
                let origin = SnapshotOrigin::InBand;
                let outcome = book.delta(
                    offset,
                    Nanos(0),
                    None,
                    origin,
                    time,
                    bids,
                    asks,
                    &mut changes,
                );
                assert_eq!(
                    outcome,
                    DeltaOutcome::Applied,
                    "{path} line {}",
                    offset.0 + 1
                );
            }
            Event::Trades { trades, .. } => {
                assert_eq!(trades.len(), 1);
                assert_ne!(trades[0].side, Aggressor::Unknown);
                counts.trades += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counts, expected, "{path}");
}

#[test]
fn binance_is_read() {
    let expected = Counts {
        books: 5,
        compared: 1,
        deltas: 172,
        trades: 2,
        nothing: 84,
        unfit: 0,
    };
    check("cryptofeed-kafka/BINANCE.float.jsonl.gz", false, expected);
}

#[test]
fn binance_futures_is_read() {
    let expected = Counts {
        books: 9,
        compared: 5,
        deltas: 752,
        trades: 91,
        nothing: 613,
        unfit: 0,
    };
    check(
        "cryptofeed-kafka/BINANCE_FUTURES.float.jsonl.gz",
        false,
        expected,
    );
}

#[test]
fn bitstamp_is_read() {
    let expected = Counts {
        books: 11,
        compared: 1,
        deltas: 617,
        trades: 10,
        nothing: 0,
        unfit: 0,
    };
    check("cryptofeed-kafka/BITSTAMP.float.jsonl.gz", false, expected);
}

#[test]
fn huobi_sends_whole_books_only() {
    let expected = Counts {
        books: 247,
        compared: 0,
        deltas: 0,
        trades: 72,
        nothing: 0,
        unfit: 46,
    };
    check("cryptofeed-kafka/HUOBI.float.jsonl.gz", true, expected);
}

#[test]
fn kraken_is_read_with_floats() {
    let expected = Counts {
        books: 48,
        compared: 38,
        deltas: 4269,
        trades: 10,
        nothing: 18,
        unfit: 0,
    };
    check("cryptofeed-kafka/KRAKEN.float.jsonl.gz", false, expected);
}

#[test]
fn kraken_is_read_with_strings() {
    let expected = Counts {
        books: 48,
        compared: 38,
        deltas: 4269,
        trades: 10,
        nothing: 18,
        unfit: 0,
    };
    check("cryptofeed-kafka/KRAKEN.str.jsonl.gz", false, expected);
}

#[test]
fn okx_is_read_with_strings() {
    let expected = Counts {
        books: 3,
        compared: 0,
        deltas: 287,
        trades: 74,
        nothing: 28,
        unfit: 0,
    };
    check("cryptofeed-kafka/OKX.str.jsonl.gz", false, expected);
}

#[test]
fn upbit_sends_whole_books_only() {
    let expected = Counts {
        books: 145,
        compared: 0,
        deltas: 0,
        trades: 304,
        nothing: 0,
        unfit: 0,
    };
    check("cryptofeed-kafka/UPBIT.float.jsonl.gz", true, expected);
}

fn topic(topic: &str) -> Source {
    source(Format::Cryptofeed, topic)
}

#[test]
fn kinds_of_data_that_are_not_published_say_nothing() {
    let name = r#""exchange":"X","symbol":"A-B","timestamp":1.5,"receipt_timestamp":1.5"#;
    for fields in [
        r#""bid":1,"ask":2"#,
        r#""mark_price":1,"rate":0.0001,"next_funding_time":2.0"#,
        r#""open_interest":5"#,
        r#""side":"buy","quantity":1,"price":2,"id":null,"status":"filled""#,
        r#""start":1,"stop":2,"interval":"1m","trades":null,"open":1,"close":1,"high":1,"low":1,"volume":1,"closed":true"#,
        r#""price":5"#,
    ] {
        let record = format!("{{{name},{fields}}}");
        assert_eq!(
            read(&topic("anything"), &record),
            Ok(Said::Nothing),
            "{record}"
        );
    }
    let odd = format!("{{{name},\"odd\":1}}");
    assert_eq!(read(&topic("ticker-X-A-B"), &odd), Ok(Said::Nothing));
}

#[test]
fn later_versions_may_add_fields() {
    let record = r#"{"exchange":"X","symbol":"A-B","delta":{"bid":[["1","2"]],"ask":[],"more":1},"book":null,"sequence_number":7,"checksum":null,"raw":{"a":[1]},"timestamp":null,"receipt_timestamp":1.5}"#;
    let expected = Said::Delta {
        link: None,
        origin: SnapshotOrigin::InBand,
        time: None,
        bids: vec![level("1", "2")],
        asks: vec![],
    };
    assert_eq!(read(&topic("book-X-A-B"), record), Ok(expected));
}
