//! Other JSON, read by a mapping of the configuration.

use std::sync::Arc;

use ingest::{DecodeError, TimeUnit};
use ingest::{
    ErrorKind, Format, MappedKind, Mapping, MappingConfig, Otherwise, Source, SymbolFrom,
};
use market::{Aggressor, SeqLink, SnapshotOrigin};

use crate::captures;
use crate::cuts::for_the_tape;
use crate::instruments::Instruments;
use crate::said::{Said, level, read, read_with};

/// A record of [`sample`]'s.
pub(crate) const SAMPLE: &str =
    r#"{"m":"X","kind":2,"n":8,"levels":[{"s":"S","q":"2","p":61837.64}]}"#;

/// A mapping for the tests of all formats.
pub(crate) fn sample() -> Arc<Mapping> {
    let config = MappingConfig {
        symbol_from: SymbolFrom::Value,
        symbol: text("/m"),
        ..one_list()
    };
    Arc::new(Mapping::new(&config).unwrap())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn topic(config: &MappingConfig) -> Source {
    let mapping = Mapping::new(config).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    Source {
        topic: "mapped".to_owned(),
        format: Format::Mapped,
        venue: "BINANCE".to_owned(),
        symbol: Some("BTCUSDT".to_owned()),
        mapping: Some(Arc::new(mapping)),
    }
}

/// Binance's spot market, from its combined streams and its REST API.
fn binance() -> MappingConfig {
    MappingConfig {
        symbol_from: SymbolFrom::Topic,
        kind: text("/stream"),
        delta: words(&["btcusdt@depth@100ms"]),
        trade: words(&["btcusdt@trade"]),
        nothing: words(&["btcusdt@bookTicker"]),
        otherwise: Otherwise::Is(MappedKind::Snapshot),
        fetched: true,
        time: text("/data/E /E"),
        seq: text("/data/u /lastUpdateId"),
        first_seq: text("/data/U"),
        bids: text("/data/b /bids"),
        asks: text("/data/a /asks"),
        trade_price: text("/data/p"),
        trade_size: text("/data/q"),
        trade_side: text("/data/m"),
        trade_id: text("/data/t"),
        trade_time: text("/data/T"),
        buy: words(&["false"]),
        sell: words(&["true"]),
        ..MappingConfig::default()
    }
}

#[test]
fn lists_of_a_mapping_read_from_their_text_say_what_their_tape_says() {
    let of = |price: &str, size: &str| {
        topic(&MappingConfig {
            symbol_from: SymbolFrom::Topic,
            otherwise: Otherwise::Is(MappedKind::Snapshot),
            bids: text("/data/buy"),
            asks: text("/data/sell"),
            level_price: text(price),
            level_size: text(size),
            ..MappingConfig::default()
        })
    };
    let objects = r#"{"data":{"buy":[{"at":1.5,"for":"2"}],"sell":[{"at": 3, "for":4}]}}"#;
    let pairs = r#"{"data":{"sell":[["3","4","more"]],"buy":[["1.5","2"],[1,2]]}}"#;
    let members = r#"{"data":{"sell":{"3":4},"buy":{"1.5":"2","1":2}}}"#;
    let turned = r#"{"data":{"buy":[{"for":"2","at":1.5}],"sell":[]}}"#;
    let (names, places) = (of("/at", "/for"), of("/0", "/1"));
    for (source, record) in [
        (&names, objects),
        (&names, turned),
        (&places, pairs),
        (&places, members),
        (&of("/1", "/0"), pairs),
    ] {
        let from_text = read(source, record).unwrap();
        let tape = for_the_tape(record.as_bytes()).unwrap();
        let tape = std::str::from_utf8(&tape).unwrap();
        assert_eq!(from_text, read(source, tape).unwrap(), "{record}");
        assert_ne!(from_text, Said::Nothing);
    }
}

#[test]
fn binance_mapped_says_what_its_own_format_says() {
    let Some(records) = captures::received("hftbacktest/spot/btcusdt_20240808.gz") else {
        return;
    };
    let mapped = topic(&binance());
    let native = Source {
        format: Format::Binance,
        mapping: None,
        ..mapped.clone()
    };
    let mut events = 0;
    for record in &records {
        let said = read(&mapped, record).unwrap();
        assert_eq!(said, read(&native, record).unwrap(), "{record}");
        events += u32::from(said != Said::Nothing);
    }
    println!("{events} events of {} records say the same", records.len());
    assert!(events > 10_000, "{events}");
}

#[test]
fn okx_mapped_says_what_its_own_format_says() {
    let book = MappingConfig {
        envelope: text("/data/0"),
        symbol: text("#/arg/instId"),
        kind: text("#/action"),
        snapshot: words(&["snapshot"]),
        delta: words(&["update"]),
        otherwise: Otherwise::Is(MappedKind::Trades),
        time: text("/ts"),
        bids: text("/bids"),
        asks: text("/asks"),
        seq: text("/seqId"),
        prev_seq: text("/prevSeqId"),
        trades: text("#/data"),
        trade_price: text("/px"),
        trade_size: text("/sz"),
        trade_side: text("/side"),
        trade_id: text("/tradeId"),
        trade_time: text("/ts"),
        buy: words(&["buy"]),
        sell: words(&["sell"]),
        ..MappingConfig::default()
    };
    let mapped = topic(&book);
    let native = Source {
        format: Format::Okx,
        mapping: None,
        ..mapped.clone()
    };
    let mut events = 0;
    for line in crate::venues::fixture(Format::Okx) {
        let record = line.record.get();
        let Ok(said) = read(&native, record) else {
            continue;
        };
        if let Said::Nothing | Said::Status(..) | Said::Definition(..) = said {
            continue;
        }
        match read(&mapped, record) {
            // OKX sometimes restarts its numbers, and once had none, which takes rules of its own.
            Err(error) => {
                let kind = error.kind;
                let is_known = matches!(
                    kind,
                    ErrorKind::BadSequence { .. } | ErrorKind::MissingField
                );
                assert!(is_known, "{error}");
                continue;
            }
            Ok(mapped) => assert_eq!(mapped, unchecked(said), "{record}"),
        }
        events += 1;
    }
    assert!(events >= 2, "{events}");
}

/// The same without the venue's checksum, which a mapping cannot describe.
fn unchecked(mut said: Said) -> Said {
    if let Said::Snapshot { origin, .. } | Said::Delta { origin, .. } = &mut said {
        *origin = SnapshotOrigin::InBand;
    }
    said
}

/// Both sides in one list of objects, times in seconds, and the symbol in the key.
fn one_list() -> MappingConfig {
    MappingConfig {
        symbol_from: SymbolFrom::Key,
        kind: text("/kind"),
        snapshot: words(&["1"]),
        delta: words(&["2"]),
        nothing: words(&["null"]),
        time: text("/at"),
        time_unit: TimeUnit::Seconds,
        seq: text("/n"),
        levels: text("/levels"),
        level_price: text("/p"),
        level_size: text("/q"),
        level_side: text("/s"),
        bid: words(&["B"]),
        ask: words(&["S"]),
        ..MappingConfig::default()
    }
}

fn keyed(config: &MappingConfig, key: Option<&str>, record: &str) -> Result<Said, DecodeError> {
    let payload = Some(record.as_bytes());
    read_with(&topic(config), key, payload, &mut Instruments::default())
}

#[test]
fn one_list_has_both_sides_and_numbers_keep_every_digit() {
    let record = r#"{"kind":2,"at":1723161255.208000001,"n":"8","levels":[{"s":"S","q":9.3e-7,"p":61837.64},{"p":"61837.63","q":0,"s":"B"}]}"#;
    let said = keyed(&one_list(), Some("X"), record).unwrap();
    let expected = Said::Delta {
        link: Some(SeqLink { prev: 7, seq: 8 }),
        origin: SnapshotOrigin::InBand,
        time: Some(1_723_161_255_208_000_001),
        bids: vec![level("61837.63", "0")],
        asks: vec![level("61837.64", "0.00000093")],
    };
    assert_eq!(said, expected);
    let nothing = keyed(&one_list(), Some("X"), r#"{"kind":null}"#).unwrap();
    assert_eq!(nothing, Said::Nothing);
}

#[track_caller]
fn check_bad(config: &MappingConfig, key: Option<&str>, record: &str, kind: &str, field: &str) {
    let error = keyed(config, key, record).unwrap_err();
    let told = (error.kind.outcome().name(), error.field.as_str());
    assert_eq!(told, (kind, field), "{error}");
}

#[test]
fn what_is_wrong_names_the_field() {
    let config = one_list();
    let bad = |record, kind, field| check_bad(&config, Some("X"), record, kind, field);
    bad(r#"{"kind":3}"#, "unknown_kind", "kind");
    bad("{}", "unknown_kind", "");
    bad(r#"{"kind":1,"n":1}"#, "wrong_shape", "levels");
    bad(r#"{"kind":2,"levels":[]}"#, "wrong_shape", "seq");
    bad(
        r#"{"kind":1,"levels":[{"p":1,"q":1,"s":"C"}]}"#,
        "bad_value",
        "levels[0].s",
    );
    bad(
        r#"{"kind":1,"levels":[{"p":1,"s":"B"}]}"#,
        "bad_value",
        "levels[0]",
    );
    bad(r#"{"kind":1,"n":-1,"levels":[]}"#, "wrong_shape", "n");
    bad(r#"{"kind":1,"at":"soon","levels":[]}"#, "bad_value", "at");
    bad(r#"{"kind":1,"kind":1}"#, "wrong_shape", "kind");
    check_bad(&config, None, r#"{"kind":1,"levels":[]}"#, "bad_name", "");
    assert!(matches!(
        keyed(&config, None, r#"{"kind":1}"#).unwrap_err().kind,
        ErrorKind::MissingSymbol
    ));
}

#[test]
fn trades_have_the_side_of_who_took() {
    let config = MappingConfig {
        symbol: text("/m~1s"),
        otherwise: Otherwise::Is(MappedKind::Trades),
        trade_price: text("/t/0"),
        trade_size: text("/t/1"),
        trade_side: text("/t/2"),
        trade_id: text("/t/3"),
        time: text("/time"),
        time_unit: TimeUnit::Date,
        buy: words(&["1"]),
        sell: words(&["-1"]),
        ..MappingConfig::default()
    };
    let record = r#"{"m/s":"ETHUSDT","time":"2024-08-08T23:54:15.208Z","t":["1.5",2,-1,77,null]}"#;
    let trade = (150_000_000, 200_000_000, Aggressor::Sell, "77".to_owned());
    let expected = Said::Trades(Some(1_723_161_255_208_000_000), vec![trade]);
    assert_eq!(keyed(&config, None, record).unwrap(), expected);
}

#[test]
fn all_mistakes_of_a_mapping_are_told_together() {
    let config = MappingConfig {
        envelope: text("data"),
        kind: text("/type"),
        time: text("/a~2"),
        prev_seq: text("/p"),
        bids: text("/b"),
        snapshot: words(&["a"]),
        delta: words(&["a"]),
        level_price: text("/a/b"),
        trade_side: text("/type"),
        ..MappingConfig::default()
    };
    let mistakes = Mapping::new(&config).unwrap_err();
    let keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key).collect();
    let expected = [
        "envelope",
        "time",
        "trade_side",
        "symbol",
        "delta",
        "asks",
        "prev_seq",
        "trade_side",
        "level_price",
    ];
    assert_eq!(keys, expected, "{mistakes:#?}");
}
