//! No bytes make a decoder panic, or affect what it reads next.

use ingest::{Decoder, Format, IngestConfig, RawRecord};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::captures;
use crate::instruments::Instruments;
use crate::mapped;
use crate::said::{Said, source};
use crate::venues;

/// Records of every type and format.
const SAMPLES: [&str; 9] = [
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":11,"u":14,"b":[["61737.63000000","0.00000000"],["1","2"]],"a":[["61837.64000000","1.54698000"]]}}"#,
    r#"{"lastUpdateId":218,"symbol":"BTCUSD_PERP","bids":[["1","2",[]]],"asks":[]}"#,
    r#"{"e":"trade","E":5,"s":"BTCUSDT","t":3735683259,"p":"61837.63","q":"0.02","T":4,"m":true,"M":true}"#,
    r#"{"exchange":"X","symbol":"A-B","book":{"bid":{"0.3521":672,"9.3e-7":1e3},"ask":{"2":0.5}},"timestamp":1618678142.557535,"receipt_timestamp":1.5}"#,
    r#"{"exchange":"X","symbol":"A-B","delta":{"bid":[[0.3521,672]],"ask":[[9.3e-7,0]]},"timestamp":null}"#,
    r#"{"exchange":"X","symbol":"A-B","side":"sell","amount":0.5,"price":9.2e-7,"id":null,"type":null,"timestamp":1}"#,
    r#"{"type":"delta","symbol":"BINANCE:BTC-USDT","prev_seq":100,"seq":101,"bids":[["61837.63","0"]],"asks":[[1,2.5]]}"#,
    r#"{"type":"trade","symbol":"A:B","time":5,"trades":[{"price":"1","size":"2","side":"buy","id":"a\"bé"},{"price":1,"size":2,"id":42}]}"#,
    r#"{"type":"instrument","symbol":"A:B","price_exponent":-2,"size_exponent":-5,"tick_size":"0.01","lot_size":0.00001}"#,
];

/// A valid record of every format.
fn samples() -> &'static [(Format, String)] {
    static SAMPLES_OF: std::sync::OnceLock<Vec<(Format, String)>> = std::sync::OnceLock::new();
    SAMPLES_OF.get_or_init(|| {
        let good = |format| match format {
            Format::Binance => SAMPLES[0].to_owned(),
            Format::Cryptofeed => SAMPLES[3].to_owned(),
            Format::Tapecast => SAMPLES[7].to_owned(),
            Format::Mapped => mapped::SAMPLE.to_owned(),
            other => venues::fixture(other)[0].record.get().to_owned(),
        };
        Format::ALL.map(|format| (format, good(format))).to_vec()
    })
}

/// Every record of the venues' fixtures.
fn some_of_venues() -> &'static [String] {
    static RECORDS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    RECORDS.get_or_init(|| {
        let lines = Format::ALL.into_iter().flat_map(venues::fixture);
        lines.map(|line| line.record.get().to_owned()).collect()
    })
}

/// Reads the bytes in every format, and then a valid record with the same decoder.
fn survives(payload: &[u8]) {
    for (format, sample) in samples() {
        let source = source(*format, "book-X-A-B");
        let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
        let mut instruments = Instruments::default();
        let mut read = |payload: &[u8]| {
            let record = RawRecord {
                source: &source,
                key: Some(payload),
                payload: Some(payload),
            };
            let decoded = decoder.decode(&record, &mut instruments);
            let said = decoded.map(|decoded| decoded.event().map(|(_, event)| Said::of(event)));
            said.map_err(|error| error.to_string())
        };
        let before = read(sample.as_bytes()).unwrap();
        let _ = read(payload);
        assert_eq!(read(sample.as_bytes()).unwrap(), before);
    }
}

/// A mutation of a record's bytes.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    /// Repeats a range, which makes duplicated fields and nested containers.
    Repeat(Index, Index),
    Cut(Index),
}

impl Change {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        if len == 0 {
            return;
        }
        match self {
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(len))),
            Self::Repeat(from, to) => {
                let (from, to) = (from.index(len), to.index(len));
                let stretch = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(to..to, stretch);
            }
            Self::Cut(at) => bytes.truncate(at.index(len)),
        }
    }
}

fn byte() -> impl Strategy<Value = u8> {
    // Mostly bytes that are common in JSON.
    prop_oneof![
        proptest::sample::select(br#"{}[]",:.-+eE0123456789\ntfu "#.to_vec()),
        any::<u8>(),
    ]
}

pub(crate) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
        any::<Index>().prop_map(Change::Cut),
    ]
}

proptest! {
    #[test]
    fn no_bytes_can_make_it_panic(payload in proptest::collection::vec(byte(), 0..200)) {
        survives(&payload);
    }

    #[test]
    fn no_change_of_a_record_can_make_it_panic(
        sample in 0..SAMPLES.len(),
        changes in proptest::collection::vec(change(), 1..5),
    ) {
        let mut payload = SAMPLES[sample].as_bytes().to_vec();
        for change in &changes {
            change.apply(&mut payload);
        }
        survives(&payload);
    }

    #[test]
    fn no_change_of_a_venues_record_can_make_it_panic(
        record in any::<Index>(),
        changes in proptest::collection::vec(change(), 1..5),
    ) {
        let records = some_of_venues();
        let mut payload = records[record.index(records.len())].clone().into_bytes();
        for change in &changes {
            change.apply(&mut payload);
        }
        survives(&payload);
    }

    #[test]
    fn no_change_of_a_captured_record_can_make_it_panic(
        record in any::<Index>(),
        changes in proptest::collection::vec(change(), 1..5),
    ) {
        let Some(records) = some_captured() else { return Ok(()) };
        let mut payload = records[record.index(records.len())].clone().into_bytes();
        for change in &changes {
            change.apply(&mut payload);
        }
        survives(&payload);
    }
}

fn some_captured() -> Option<&'static [String]> {
    static CAPTURED: std::sync::OnceLock<Option<Vec<String>>> = std::sync::OnceLock::new();
    let captured = CAPTURED.get_or_init(|| {
        let mut records = captures::received("hftbacktest/usdm/btcusdt_20240808.gz")?;
        records.truncate(500);
        Some(records)
    });
    captured.as_deref()
}
