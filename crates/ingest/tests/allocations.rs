//! Decoding a valid record does not allocate once the decoder's buffers are warm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "formats/captures.rs"]
mod captures;
#[path = "formats/instruments.rs"]
mod instruments;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use ingest::{Decoder, Format, IngestConfig, RawRecord, Source};
use instruments::Instruments;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator unchanged.
#[allow(unsafe_code, reason = "an allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller fulfils the requirements of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: likewise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: likewise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes all records twice; the second pass must not allocate.
fn check(format: Format, what: &str, records: &[String]) {
    let source = Source {
        topic: "topic".to_owned(),
        format,
        venue: "BINANCE".to_owned(),
        symbol: Some("BTCUSDT".to_owned()),
        mapping: None,
    };
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let mut instruments = Instruments::new(&[]);
    let mut events = 0;
    for warm in [false, true] {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for record in records {
            let raw = RawRecord {
                source: &source,
                key: None,
                payload: Some(record.as_bytes()),
            };
            let decoded = decoder.decode(&raw, &mut instruments).unwrap();
            events += u64::from(decoded.event().is_some());
        }
        let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
        println!(
            "{what}: {allocated} allocations in {} records",
            records.len()
        );
        assert!(!warm || allocated == 0, "{what}: {allocated} allocations");
    }
    assert!(events > 0);
}

/// A single test, since the counter counts the whole process.
#[test]
fn a_good_record_allocates_nothing_once_warm() {
    let tapecast = [
        r#"{"type":"snapshot","symbol":"A:B","bids":[["1","2"],[3,4.5]],"asks":[]}"#,
        r#"{"type":"delta","symbol":"A:B","prev_seq":1,"seq":2,"bids":[["1","2"],[3,4.5]],"asks":[]}"#,
        r#"{"type":"trade","symbol":"A:B","trades":[{"price":"1","size":2,"id":"a\"b"},{"price":1,"size":2,"id":42}]}"#,
    ];
    check(Format::Tapecast, "tapecast", &tapecast.map(str::to_owned));
    for (format, path) in [
        (Format::Kraken, "cryptofeed-raw/KRAKEN.ws.50.0.gz"),
        (Format::Okx, "cryptofeed-raw/OKX.ws.1.0.gz"),
        (Format::Coinbase, "cryptofeed-raw/COINBASE.ws.28.0.gz"),
    ] {
        if let Some(records) = captures::session(path) {
            check(format, format.name(), &records);
        }
    }
    let captured = captures::received("hftbacktest/spot/btcusdt_20240808.gz");
    if let Some(records) = captured {
        check(Format::Binance, "spot", &records);
    }
    if let Some(lines) = captures::lines("cryptofeed-kafka/HUOBI.float.jsonl.gz") {
        let value = |line: String| {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            line["value"].to_string()
        };
        let records: Vec<String> = lines
            .into_iter()
            .filter(|line| line.contains("DOGE-ETH"))
            .map(value)
            .collect();
        check(Format::Cryptofeed, "cryptofeed", &records);
    }
}
