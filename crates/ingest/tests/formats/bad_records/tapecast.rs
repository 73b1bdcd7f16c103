//! Bad records of the format `tapecast`.

use ingest::{ErrorKind, Format};
use market::Scope;
use market::decimal::DecimalError;

use super::{Check, NUMBER, UNSIGNED, malformed, missing, wrong};

/// A tapecast record of the usual instrument.
fn tapecast(rest: &str) -> String {
    format!(r#"{{"symbol":"BINANCE:BTCUSDT",{rest}}}"#)
}

#[test]
fn bad_tapecast_books_are_told() {
    let check = Check::new(Format::Tapecast, "t");
    let book = |rest: &str, field: &str, found: &str, kind: ErrorKind| {
        check.refuses(&tapecast(rest), field, found, kind, Scope::Book);
    };
    let delta = r#""type":"delta","#;
    let numbered = r#""type":"delta","prev_seq":4,"seq":5,"#;
    book(
        &format!(r#"{delta}"seq":5,"bids":[],"asks":[]"#),
        "prev_seq",
        "",
        missing(),
    );
    book(
        &format!(r#"{delta}"prev_seq":4,"bids":[],"asks":[]"#),
        "seq",
        "",
        missing(),
    );
    book(&format!(r#"{numbered}"bids":[]"#), "asks", "", missing());
    book(
        &format!(r#"{numbered}"bids":null,"asks":[]"#),
        "bids",
        "null",
        wrong("null", "an array"),
    );
    let kind = ErrorKind::BadSequence { prev: 5, seq: 5 };
    book(
        &format!(r#"{delta}"prev_seq":5,"seq":5,"bids":[],"asks":[]"#),
        "seq",
        "5",
        kind,
    );
    let kind = wrong("a string", UNSIGNED);
    book(
        &format!(r#"{delta}"prev_seq":"5","seq":6,"bids":[],"asks":[]"#),
        "prev_seq",
        "\"5\"",
        kind,
    );
    let kind = wrong("a number below zero", UNSIGNED);
    book(
        &format!(r#"{delta}"prev_seq":-5,"seq":6,"bids":[],"asks":[]"#),
        "prev_seq",
        "-5",
        kind,
    );
    let kind = wrong("a whole number from 2^63 on", UNSIGNED);
    book(
        &format!(r#"{delta}"prev_seq":5,"seq":18446744073709551615,"bids":[],"asks":[]"#),
        "seq",
        "18446744073709551615",
        kind,
    );
    let kind = wrong("a number with decimals", UNSIGNED);
    book(
        &format!(r#"{delta}"prev_seq":5,"seq":6.5,"bids":[],"asks":[]"#),
        "seq",
        "6.5",
        kind,
    );
    book(
        &format!(r#"{numbered}"seq":6,"bids":[],"asks":[]"#),
        "seq",
        "6",
        ErrorKind::RepeatedField,
    );
    let bids = |bids: &str, field: &str, found: &str, kind: ErrorKind| {
        book(
            &format!(r#"{numbered}"bids":{bids},"asks":[]"#),
            field,
            found,
            kind,
        );
    };
    bids(
        r#"{"1":"2"}"#,
        "bids",
        r#"{"1":"2"}"#,
        wrong("an object", "an array"),
    );
    let pair = ErrorKind::BadValue {
        expected: "a price and a size",
    };
    bids(r#"[["1","2"],["3"]]"#, "bids[1]", r#"["3"]]"#, pair);
    bids(r#"[["1","2","3"]]"#, "bids[0]", r#"["1","2","3"]]"#, pair);
    bids(
        r#"["1","2"]"#,
        "bids[0]",
        "\"1\"",
        wrong("a string", "an array of a price and a size"),
    );
    bids(r#"[["1","x"]]"#, "bids[0][1]", "\"x\"", malformed());
    bids(r#"[["","1"]]"#, "bids[0][0]", "\"\"", malformed());
    bids(
        r#"[[null,"1"]]"#,
        "bids[0][0]",
        "null",
        wrong("null", NUMBER),
    );
    bids(
        r#"[["1",true]]"#,
        "bids[0][1]",
        "true",
        wrong("true or false", NUMBER),
    );
    bids(r#"[["1",-1]]"#, "bids[0][1]", "-1", ErrorKind::NegativeSize);
    let fine = ErrorKind::BadDecimal(DecimalError::TooFine { exponent: -8 });
    bids(
        r#"[["1","2"],["0.000000001","1"]]"#,
        "bids[1][0]",
        "\"0.000000001\"",
        fine,
    );
    let large = ErrorKind::BadDecimal(DecimalError::TooLarge { exponent: -8 });
    bids(r#"[[1e12,"1"]]"#, "bids[0][0]", "1e12", large);
    let many = vec![r#"["1","1"]"#; (1 << 17) + 1].join(",");
    let error = ErrorKind::TooMany { limit: 1 << 17 };
    let begin = format!("[{}…", &many[..63]);
    bids(&format!("[{many}]"), "bids", &begin, error);
    let kind = wrong("a string", UNSIGNED);
    book(
        r#""type":"snapshot","seq":"7","bids":[],"asks":[]"#,
        "seq",
        "\"7\"",
        kind,
    );
    let kind = wrong("a string", UNSIGNED);
    book(
        r#""type":"snapshot","time":"7","bids":[],"asks":[]"#,
        "time",
        "\"7\"",
        kind,
    );
}

#[test]
fn other_bad_tapecast_records_are_told() {
    let check = Check::new(Format::Tapecast, "t");
    check.refuses_unknown("[1]", "", "[1]", wrong("an array", "an object"));
    check.refuses_unknown("7", "", "7", wrong("a whole number", "an object"));
    check.refuses_unknown("{}", "type", "", missing());
    check.refuses_unknown(r#"{"type":"delta"}"#, "symbol", "", missing());
    check.refuses_unknown(
        r#"{"type":5}"#,
        "type",
        "5",
        wrong("a whole number", "a string"),
    );
    let unknown = tapecast(r#""type":"ticker""#);
    check.refuses(
        &unknown,
        "type",
        "\"ticker\"",
        ErrorKind::UnknownKind,
        Scope::Unknown,
    );

    let trades = |trades: &str, field: &str, found: &str, kind: ErrorKind| {
        let record = tapecast(&format!(r#""type":"trade","trades":{trades}"#));
        check.refuses(&record, field, found, kind, Scope::Trades);
    };
    trades(r#"[{"price":"1"}]"#, "trades[0].size", "", missing());
    let side = ErrorKind::BadValue {
        expected: "\"buy\", \"sell\" or null",
    };
    trades(
        r#"[{"price":"1","size":"1","side":"BUY"}]"#,
        "trades[0].side",
        "\"BUY\"",
        side,
    );
    let id = "i".repeat(256);
    let found = format!("\"{}…", &id[..63]);
    let long = ErrorKind::TooLong { limit: 255 };
    trades(
        &format!(r#"[{{"price":"1","size":"1","id":"{id}"}}]"#),
        "trades[0].id",
        &found,
        long,
    );
    trades(
        r#"[{"price":"1","size":"1","id":[]}]"#,
        "trades[0].id",
        "[]}]}",
        wrong("an array", NUMBER),
    );

    let other = |rest: &str, field: &str, found: &str, kind: ErrorKind| {
        check.refuses(&tapecast(rest), field, found, kind, Scope::Unknown);
    };
    let state = ErrorKind::BadValue {
        expected: "\"LIVE\" or \"HALTED\"",
    };
    other(
        r#""type":"status","state":"STALE""#,
        "state",
        "\"STALE\"",
        state,
    );
    other(
        r#""type":"instrument","price_exponent":-2"#,
        "size_exponent",
        "",
        missing(),
    );
    let exponent = ErrorKind::BadValue {
        expected: "a whole number from -18 to 9",
    };
    other(
        r#""type":"instrument","price_exponent":-19,"size_exponent":0"#,
        "price_exponent",
        "-19",
        exponent,
    );
    other(
        r#""type":"instrument","price_exponent":300,"size_exponent":0"#,
        "price_exponent",
        "300",
        exponent,
    );
    let step = ErrorKind::BadValue {
        expected: "a number above zero",
    };
    other(
        r#""type":"instrument","price_exponent":-2,"size_exponent":0,"tick_size":"0.00""#,
        "tick_size",
        "\"0.00\"",
        step,
    );
}
