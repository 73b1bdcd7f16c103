//! What decoding costs, over every line of a Binance capture, and what of that is the parser's; and
//! what a level of each venue costs, decoded and applied, beside one of our own format.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it measured"
)]

#[path = "../tests/formats/captures.rs"]
mod captures;
#[path = "../tests/formats/instruments.rs"]
mod instruments;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ingest::{Decoder, Format, IngestConfig, RawRecord, Source};
use instruments::Instruments;
use market::{BookBuilder, Changes, Event, Level, Nanos, Seq, decimal};
use std::collections::BTreeMap;
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
            let mut book = BookBuilder::new();
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

/// Decode and apply, by levels: of our own format, and of each venue that there is a session of.
fn levels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("levels");
    group.sample_size(20);
    for (format, path) in [
        (Format::Kraken, "cryptofeed-raw/KRAKEN.ws.50.0.gz"),
        (Format::Okx, "cryptofeed-raw/OKX.ws.1.0.gz"),
        (Format::Coinbase, "cryptofeed-raw/COINBASE.ws.28.0.gz"),
    ] {
        let Some(records) = captures::session(path) else {
            return;
        };
        let (own, levels) = in_our_own(format, &records);
        group.throughput(Throughput::Elements(levels));
        for (format, records) in [(format, &records), (Format::Tapecast, &own)] {
            let name = format!("{} as {}", path.split('.').next().unwrap(), format.name());
            group.bench_function(name, |bencher| {
                let source = topic_of(format);
                let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
                let mut changes = Changes::default();
                bencher.iter(|| {
                    let mut instruments = Instruments::new(&[]);
                    let mut books = BTreeMap::<u32, BookBuilder>::new();
                    for (offset, record) in (0..).zip(records) {
                        let record = raw(&source, record);
                        let decoded = decoder.decode(&record, &mut instruments).unwrap();
                        if let Some((handle, event)) = decoded.event() {
                            let book = books.entry(handle.0).or_default();
                            apply(book, Seq(offset), event, &mut changes);
                        }
                    }
                });
            });
        }
    }
    group.finish();
}

fn topic_of(format: Format) -> Source {
    Source {
        topic: "topic".to_owned(),
        format,
        venue: format.venue().unwrap_or_default().to_owned(),
        symbol: None,
        mapping: None,
    }
}

/// The whole books and changes of a session in our own format, and how many levels they have.
fn in_our_own(format: Format, records: &[String]) -> (Vec<String>, u64) {
    let source = topic_of(format);
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let mut instruments = Instruments::new(&[]);
    let (mut own, mut count) = (Vec::new(), 0);
    let mut seqs = BTreeMap::<u32, u64>::new();
    for record in records {
        let decoded = decoder
            .decode(&raw(&source, record), &mut instruments)
            .unwrap();
        let Some((handle, event)) = decoded.event() else {
            continue;
        };
        let (kind, bids, asks) = match event {
            Event::Snapshot { bids, asks, .. } => ("snapshot", bids, asks),
            Event::Delta { bids, asks, .. } => ("delta", bids, asks),
            _ => continue,
        };
        count += (bids.len() + asks.len()) as u64;
        let side = |levels: &[Level]| {
            let text = |mantissa| decimal::to_string(mantissa, -8);
            let one = |level: &Level| [text(level.price.0), text(level.size.0)];
            serde_json::to_string(&levels.iter().map(one).collect::<Vec<_>>()).unwrap()
        };
        let seq = seqs.entry(handle.0).or_default();
        *seq += 1;
        own.push(format!(
            r#"{{"type":"{kind}","symbol":"X:{}","prev_seq":{seq},"seq":{},"time":1618678133365913000,"bids":{},"asks":{}}}"#,
            handle.0,
            *seq + 1,
            side(bids),
            side(asks),
        ));
    }
    (own, count)
}

fn raw<'r>(source: &'r Source, record: &'r str) -> RawRecord<'r> {
    RawRecord {
        source,
        key: None,
        payload: Some(record.as_bytes()),
    }
}

fn apply(book: &mut BookBuilder, offset: Seq, event: Event<'_>, changes: &mut Changes) {
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

criterion_group!(benches, decode, levels);
criterion_main!(benches);
