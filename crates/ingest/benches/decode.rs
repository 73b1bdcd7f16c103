//! What decoding costs, over every line of a Binance capture, and what of that is the parser's.
//! What a level costs in each format, `loadtest replay --formats all` tells.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

#[allow(dead_code, reason = "tests read captures of other kinds too")]
#[path = "../tests/formats/captures.rs"]
mod captures;
#[path = "../tests/formats/instruments.rs"]
mod instruments;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ingest::{Decoder, Format, IngestConfig, RawRecord, Source};
use instruments::Instruments;
use market::{Changes, Event, Nanos, Seq, VenueBook};
use std::hint::black_box;

const CAPTURE: &str = "hftbacktest/spot/btcusdt_20240808.gz";

fn decode(criterion: &mut Criterion) {
    let Some(records) = captures::received(CAPTURE) else {
        return;
    };
    let source = Source {
        topic: "binance".to_owned(),
        format: Format::Binance,
        venue: "BINANCE".to_owned(),
        symbol: Some("BTCUSDT".to_owned()),
        mapping: None,
    };
    let mut group = criterion.benchmark_group("spot");
    group.throughput(Throughput::Elements(records.len() as u64));
    group.sample_size(20);

    group.bench_function("tape", |bencher| {
        let (mut padded, mut buffers) = (Vec::new(), simd_json::Buffers::default());
        let mut kept = simd_json::Tape(Vec::new());
        bencher.iter(|| {
            for record in &records {
                padded.clear();
                padded.extend_from_slice(record.as_bytes());
                padded.extend_from_slice(&[0; simd_json::INPUT_PADDING]);
                let mut tape = std::mem::replace(&mut kept, simd_json::Tape(Vec::new())).reset();
                let len = record.len();
                simd_json::fill_tape_padded(&mut padded, len, &mut buffers, &mut tape).unwrap();
                kept = black_box(tape).reset();
            }
        });
    });

    group.bench_function("decode", |bencher| {
        let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
        let mut instruments = Instruments::new(&[]);
        bencher.iter(|| {
            for record in &records {
                let record = raw(&source, record);
                let decoded = decoder.decode(&record, &mut instruments).unwrap();
                black_box(decoded.event());
            }
        });
    });

    group.bench_function("decode and apply", |bencher| {
        let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
        let mut instruments = Instruments::new(&[]);
        let mut changes = Changes::default();
        bencher.iter(|| {
            let mut book = VenueBook::new();
            for (offset, record) in (0..).zip(&records) {
                let record = raw(&source, record);
                let decoded = decoder.decode(&record, &mut instruments).unwrap();
                if let Some((_, event)) = decoded.event() {
                    apply(&mut book, Seq(offset), event, &mut changes);
                }
            }
            assert!(book.is_live());
        });
    });
    group.finish();
}

fn raw<'r>(source: &'r Source, record: &'r str) -> RawRecord<'r> {
    RawRecord {
        source,
        key: None,
        payload: Some(record.as_bytes()),
    }
}

fn apply(book: &mut VenueBook, offset: Seq, event: Event<'_>, changes: &mut Changes) {
    match event {
        Event::Snapshot {
            seq,
            origin,
            bids,
            asks,
            ..
        } => {
            black_box(book.snapshot(seq, origin, bids, asks, offset, changes));
        }
        Event::Delta {
            link,
            origin,
            time,
            bids,
            asks,
        } => {
            let log_time = Nanos(0);
            black_box(book.delta(offset, log_time, link, origin, time, bids, asks, changes));
        }
        other => {
            black_box(other);
        }
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
