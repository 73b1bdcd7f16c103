//! Every venue's format reads its fixture: `tests/venues/<format>.jsonl`, with a record and its
//! content per line.

use std::path::PathBuf;

use ingest::{DecodeError, Decoder, Format, IngestConfig, RawRecord, Rejection, Resolve};
use ingest::{Resolved, Source};
use market::{Aggressor, Event, Exponents, Handle, InstrumentName, Level, SnapshotOrigin, decimal};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Formats whose tests are older than fixtures.
const WITHOUT: [Format; 4] = [
    Format::Tapecast,
    Format::Cryptofeed,
    Format::Binance,
    Format::Mapped,
];

/// A line of a fixture.
#[derive(Deserialize)]
pub(crate) struct Line {
    /// The exact value of the record.
    pub(crate) record: Box<RawValue>,
    /// The content, as [`describe`] formats it.
    says: Value,
}

/// The lines of a format's fixture, if it has one.
pub(crate) fn fixture(format: Format) -> Vec<Line> {
    if WITHOUT.contains(&format) {
        return Vec::new();
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/venues");
    let path = folder.join(format!("{}.jsonl", format.name()));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", path.display()));
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(parse).collect()
}

/// A topic of a venue's format.
pub(crate) fn source(format: Format) -> Source {
    Source {
        topic: format.name().to_owned(),
        format,
        venue: format.venue().unwrap_or_default().to_owned(),
        symbol: None,
        mapping: None,
    }
}

/// Resolves every name, with eight decimals.
#[derive(Default)]
struct Names(Vec<InstrumentName>);

impl Resolve for Names {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        let handle = match self.find(venue, symbol) {
            Some(handle) => handle,
            None => {
                self.0.push(InstrumentName::new(venue, symbol)?);
                Handle(u32::try_from(self.0.len() - 1).unwrap())
            }
        };
        Ok(Resolved {
            handle,
            exponents: Exponents::default(),
        })
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        let is_it = |name: &InstrumentName| (name.venue(), name.symbol()) == (venue, symbol);
        let at = self.0.iter().position(is_it)?;
        Some(Handle(u32::try_from(at).unwrap()))
    }
}

/// The content of a record, as JSON.
pub(crate) fn says(source: &Source, payload: &str) -> Value {
    let record = RawRecord {
        source,
        key: None,
        payload: Some(payload.as_bytes()),
    };
    let mut names = Names::default();
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let mut also = Vec::new();
    let (handle, mut said) = match decoder.decode(&record, &mut names) {
        Ok(decoded) => match decoded.event() {
            Some((handle, event)) => {
                also.extend_from_slice(decoded.also());
                (Some(handle), describe(event))
            }
            None => return json!("nothing"),
        },
        Err(DecodeError {
            kind,
            field,
            instrument,
            ..
        }) => (
            instrument,
            json!({"error": kind.outcome().name(), "field": field}),
        ),
    };
    let name = |handle: &Handle| names.0[usize::try_from(handle.0).unwrap()].as_str();
    if let Some(handle) = &handle {
        said["symbol"] = json!(name(handle));
    }
    if !also.is_empty() {
        said["also"] = also.iter().map(name).collect();
    }
    said
}

fn describe(event: Event<'_>) -> Value {
    match event {
        Event::Snapshot {
            seq,
            origin,
            time,
            bids,
            asks,
        } => {
            let mut said = json!({"kind": "snapshot", "bids": levels(bids), "asks": levels(asks)});
            put(&mut said, "seq", seq);
            put(&mut said, "time", time.map(|time| time.0));
            put_origin(&mut said, origin);
            said
        }
        Event::Delta {
            link,
            origin,
            time,
            bids,
            asks,
        } => {
            let mut said = json!({"kind": "delta", "bids": levels(bids), "asks": levels(asks)});
            put(&mut said, "prev", link.map(|link| link.prev));
            put(&mut said, "seq", link.map(|link| link.seq));
            put(&mut said, "time", time.map(|time| time.0));
            put_origin(&mut said, origin);
            said
        }
        Event::Trades { time, trades } => {
            let trades = trades.iter().map(|trade| {
                let side = match trade.side {
                    Aggressor::Buy => "buy",
                    Aggressor::Sell => "sell",
                    Aggressor::Unknown => "unknown",
                };
                json!([text(trade.price.0), text(trade.size.0), side, trade.id])
            });
            let mut said = json!({"kind": "trades", "trades": trades.collect::<Vec<_>>()});
            put(&mut said, "time", time.map(|time| time.0));
            said
        }
        Event::Status { time, state } => {
            let mut said = json!({"kind": "status", "state": state.name()});
            put(&mut said, "time", time.map(|time| time.0));
            said
        }
        other => panic!("no venue says {other:?}"),
    }
}

fn put(said: &mut Value, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        said[name] = json!(value);
    }
}

fn put_origin(said: &mut Value, origin: SnapshotOrigin) {
    match origin {
        SnapshotOrigin::InBand => {}
        SnapshotOrigin::OutOfBand => said["fetched"] = json!(true),
        SnapshotOrigin::Checked(check) => {
            put(said, "window", check.window.map(u64::from));
            let told = check.checksum.map(|checksum| u64::from(checksum.expected));
            put(said, "checksum", told);
            if check.lost {
                said["lost"] = json!(true);
            }
        }
    }
}

fn levels(levels: &[Level]) -> Vec<[String; 2]> {
    let one = |level: &Level| [text(level.price.0), text(level.size.0)];
    levels.iter().map(one).collect()
}

fn text(mantissa: i64) -> String {
    decimal::to_string(mantissa, -8)
}

#[test]
fn every_venue_says_what_its_fixture_says() {
    for format in Format::ALL {
        for (number, line) in (1..).zip(fixture(format)) {
            let said = says(&source(format), line.record.get());
            let place = format!("{}.jsonl:{number}", format.name());
            assert_eq!(said, line.says, "{place}: it says\n{said}\n");
        }
    }
}
