//! Tapecast's own JSON.

use ingest::{Format, Source};
use market::{Aggressor, Definition, Exponents, SeqLink, SnapshotOrigin, State};

use crate::said::{Said, level, read, source};

fn tapecast() -> Source {
    source(Format::Tapecast, "tapecast")
}

#[track_caller]
fn check(record: &str, expected: Said) {
    assert_eq!(read(&tapecast(), record), Ok(expected), "{record}");
}

#[test]
fn a_snapshot_is_read() {
    check(
        r#"{"type":"snapshot","symbol":"BINANCE:BTC-USDT","seq":100,"time":1723161255208000001,"bids":[["61837.63","3.78826"]],"asks":[[61837.64,2]]}"#,
        Said::Snapshot {
            seq: Some(100),
            origin: SnapshotOrigin::InBand,
            time: Some(1_723_161_255_208_000_001),
            bids: vec![level("61837.63", "3.78826")],
            asks: vec![level("61837.64", "2")],
        },
    );
    check(
        r#"{"bids":[],"asks":[],"type":"snapshot","symbol":"A:B"}"#,
        Said::Snapshot {
            seq: None,
            origin: SnapshotOrigin::InBand,
            time: None,
            bids: vec![],
            asks: vec![],
        },
    );
}

#[test]
fn a_delta_is_read() {
    check(
        r#"{"type":"delta","symbol":"BINANCE:BTC-USDT","prev_seq":100,"seq":101,"bids":[["61837.63","0"]],"asks":[]}"#,
        Said::Delta {
            link: Some(SeqLink {
                prev: 100,
                seq: 101,
            }),
            origin: SnapshotOrigin::InBand,
            time: None,
            bids: vec![level("61837.63", "0")],
            asks: vec![],
        },
    );
}

#[test]
fn trades_are_read_with_and_without_sides_and_identifiers() {
    let of = |side, id: &str| (100_000_000, 200_000_000, side, id.to_owned());
    check(
        r#"{"type":"trade","symbol":"A:B","time":5,"trades":[{"price":"1","size":"2","side":"buy","id":"a\"b"},{"size":2,"price":1,"side":"sell","id":42},{"price":"1","size":"2","side":null}]}"#,
        Said::Trades(
            Some(5),
            vec![
                of(Aggressor::Buy, "a\"b"),
                of(Aggressor::Sell, "42"),
                of(Aggressor::Unknown, ""),
            ],
        ),
    );
    check(
        r#"{"type":"trade","symbol":"A:B","trades":[]}"#,
        Said::Nothing,
    );
}

#[test]
fn a_status_is_read() {
    let record = r#"{"type":"status","symbol":"A:B","time":7,"state":"HALTED"}"#;
    check(record, Said::Status(Some(7), State::Halted));
    let record = r#"{"type":"status","symbol":"A:B","state":"LIVE"}"#;
    check(record, Said::Status(None, State::Live));
}

#[test]
fn a_definition_is_read_in_its_own_scale() {
    let exponents = Exponents {
        price: -2,
        size: -5,
    };
    check(
        r#"{"type":"instrument","symbol":"A:B","time":1,"price_exponent":-2,"size_exponent":-5,"tick_size":"0.01","lot_size":0.00001}"#,
        Said::Definition(
            Some(1),
            Definition {
                exponents,
                tick_size: Some(1),
                lot_size: Some(1),
            },
        ),
    );
    check(
        r#"{"type":"instrument","symbol":"A:B","price_exponent":-2,"size_exponent":-5,"tick_size":null}"#,
        Said::Definition(
            None,
            Definition {
                exponents,
                tick_size: None,
                lot_size: None,
            },
        ),
    );
}
