//! Bad input of each format: what is told of it. `docs/formats.md` has the same in words.

use ingest::{ErrorKind, Format, Handle, Outcome, Resolve, Scope, Source};
use market::NameError;
use market::decimal::DecimalError;

use crate::instruments::Instruments;
use crate::said::{read_with, source};

/// The instrument that bad records are about, as far as they say so.
const NAME: (&str, &str) = ("BINANCE", "BTCUSDT");

struct Check {
    source: Source,
    key: Option<&'static str>,
}

impl Check {
    fn new(format: Format, topic: &str) -> Self {
        Self {
            source: source(format, topic),
            key: None,
        }
    }

    fn keyed(self, key: &'static str) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// The record is refused so, at that field, showing that, and it is known whom it is about.
    #[track_caller]
    fn refuses(&self, payload: &str, field: &str, found: &str, kind: ErrorKind, scope: Scope) {
        self.told(Some(payload), field, found, kind, Some(scope));
    }

    /// Likewise, and it is not known whom it is about.
    #[track_caller]
    fn refuses_unknown(&self, payload: &str, field: &str, found: &str, kind: ErrorKind) {
        self.told(Some(payload), field, found, kind, None);
    }

    #[track_caller]
    fn told(
        &self,
        payload: Option<&str>,
        field: &str,
        found: &str,
        kind: ErrorKind,
        scope: Option<Scope>,
    ) {
        let mut instruments = Instruments::new(&[("BINANCE:BTCUSDT", -8, -8)]);
        instruments.listed_only = true;
        let handle = instruments.resolve(NAME.0, NAME.1).unwrap().handle;
        let payload = payload.map(str::as_bytes);
        let error = read_with(&self.source, self.key, payload, &mut instruments).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.field, field, "{error}");
        assert_eq!(error.found.as_str(), found, "{error}");
        assert_eq!(error.instrument, scope.map(|_| handle), "{error}");
        if let Some(scope) = scope {
            assert_eq!(error.scope, scope, "{error}");
        }
    }
}

fn missing() -> ErrorKind {
    ErrorKind::MissingField
}

fn wrong(found: &'static str, expected: &'static str) -> ErrorKind {
    ErrorKind::WrongType { found, expected }
}

fn malformed() -> ErrorKind {
    ErrorKind::BadDecimal(DecimalError::Malformed)
}

const NUMBER: &str = "a number, or a string that holds one";
const UNSIGNED: &str = "a whole number from 0 to 2^63 - 1";

#[test]
fn what_holds_no_json_is_told_from_what_the_key_says() {
    let tapecast = Check::new(Format::Tapecast, "t").keyed("BINANCE:BTCUSDT");
    let binance = Check::new(Format::Binance, "t").keyed("BTCUSDT");
    let cryptofeed = Check::new(Format::Cryptofeed, "book-BINANCE-BTCUSDT").keyed("book");
    for (check, scope) in [
        (tapecast, Scope::Unknown),
        (binance, Scope::Unknown),
        (cryptofeed, Scope::Book),
    ] {
        check.told(None, "", "", ErrorKind::Tombstone, Some(scope));
        check.told(Some(""), "", "", ErrorKind::Empty, Some(scope));
        let at = |at| ErrorKind::MalformedJson { at };
        check.refuses("{\"a\":tru}", "", "tru}", at(5), scope);
        check.refuses("{\"a\":1", "", "1", at(5), scope);
        check.refuses("\u{1}\u{2}", "", "\\u{1}\\u{2}", at(0), scope);
        let deep = "[".repeat(33) + &"]".repeat(33);
        check.refuses(&deep, "", &deep[32..], at(32), scope);
    }
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20));
    let kind = ErrorKind::TooLarge {
        bytes: huge.len(),
        limit: 4 << 20,
    };
    let keyless = Check::new(Format::Binance, "t");
    keyless.refuses_unknown(&huge, "", "", kind);
    keyless.told(None, "", "", ErrorKind::Tombstone, None);
}

#[test]
fn bad_bytes_are_shown_as_far_as_they_are_text() {
    let mut instruments = Instruments::default();
    let source = source(Format::Tapecast, "t");
    let bytes: &[u8] = b"\xff\xfe{\"a\":1}";
    let error = read_with(&source, None, Some(bytes), &mut instruments).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MalformedJson { at: 0 });
    assert_eq!(error.found.as_str(), "\u{fffd}\u{fffd}{\"a\":1}");
}

#[test]
fn a_key_brings_no_instrument_into_being() {
    let mut instruments = Instruments::default();
    let source = source(Format::Tapecast, "t");
    let error = read_with(&source, Some("A:B"), None, &mut instruments).unwrap_err();
    assert_eq!(error.instrument, None);
    assert_eq!(instruments.resolve("C", "D").unwrap().handle, Handle(0));
}

#[test]
fn a_name_that_is_none_does_not_harm_the_one_in_the_key() {
    let check = Check::new(Format::Tapecast, "t").keyed("BINANCE:BTCUSDT");
    let other = r#"{"type":"status","symbol":"BINANCE:OTHER","state":"LIVE"}"#;
    check.refuses_unknown(
        other,
        "symbol",
        "\"BINANCE:OTHER\"",
        ErrorKind::UnknownInstrument,
    );
    let none = r#"{"type":"status","symbol":"BTCUSDT","state":"LIVE"}"#;
    let kind = ErrorKind::BadName(NameError::NoColon);
    check.refuses_unknown(none, "symbol", "\"BTCUSDT\"", kind);
    let bad = r#"{"type":"status","symbol":"binance:BTCUSDT","state":"LIVE"}"#;
    let kind = ErrorKind::BadName(NameError::Venue);
    check.refuses_unknown(bad, "symbol", "\"binance:BTCUSDT\"", kind);
}

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

/// A cryptofeed record of the usual instrument.
fn cryptofeed(rest: &str) -> String {
    format!(r#"{{"exchange":"BINANCE","symbol":"BTCUSDT",{rest}}}"#)
}

#[test]
fn bad_cryptofeed_records_are_told() {
    let check = Check::new(Format::Cryptofeed, "any");
    let book = |rest: &str, field: &str, found: &str, kind: ErrorKind| {
        check.refuses(&cryptofeed(rest), field, found, kind, Scope::Book);
    };
    book(
        r#""book":{"bid":{}},"timestamp":1"#,
        "book.ask",
        "",
        missing(),
    );
    book(
        r#""book":[],"timestamp":1"#,
        "book",
        "[]",
        wrong("an array", "an object"),
    );
    book(
        r#""book":{"bid":[["1","2"]],"ask":{}},"timestamp":1"#,
        "book.bid",
        r#"[["1","2"]]"#,
        wrong("an array", "an object"),
    );
    book(
        r#""book":{"bid":{"1":2},"ask":{"3":4,"x":5}},"timestamp":1"#,
        r#"book.ask.x"#,
        "\"x\"",
        malformed(),
    );
    book(
        r#""book":{"bid":{"1.5":{"order":"2"}},"ask":{}},"timestamp":1"#,
        r#"book.bid["1.5"]"#,
        r#"{"order":"2"}}"#,
        wrong("an object", NUMBER),
    );
    book(
        r#""book":{"bid":{"1":-2},"ask":{}}"#,
        "book.bid.1",
        "-2",
        ErrorKind::NegativeSize,
    );
    let pair = ErrorKind::BadValue {
        expected: "a price and a size",
    };
    book(
        r#""delta":{"bid":[["id",1,2]],"ask":[]}"#,
        "delta.bid[0]",
        r#"["id",1,2]]"#,
        pair,
    );
    book(
        r#""delta":{"bid":[[1,2]],"ask":[]},"timestamp":-1"#,
        "timestamp",
        "-1",
        ErrorKind::BadTime,
    );
    book(
        r#""delta":{"bid":[],"ask":[]},"timestamp":"now""#,
        "timestamp",
        "\"now\"",
        ErrorKind::BadTime,
    );
    book(
        r#""delta":{"bid":[],"ask":[]},"timestamp":1e300"#,
        "timestamp",
        "1e300",
        ErrorKind::BadTime,
    );

    let nameless = r#"{"exchange":"BINANCE","book":{"bid":{},"ask":{}}}"#;
    check.refuses_unknown(nameless, "symbol", "", missing());
    let other = r#"{"exchange":"BINANCE","symbol":"X","book":{"bid":{},"ask":{}}}"#;
    check.refuses_unknown(other, "symbol", "\"X\"", ErrorKind::UnknownInstrument);
    let odd = cryptofeed(r#""odd":1"#);
    let shown = format!("{}…", &odd[..64.min(odd.len())]);
    let shown = if odd.len() > 64 { shown } else { odd.clone() };
    check.refuses_unknown(&odd, "", &shown, ErrorKind::UnknownKind);

    let trades = Check::new(Format::Cryptofeed, "trades-BINANCE-BTCUSDT");
    let trade = |rest: &str, field: &str, found: &str, kind: ErrorKind| {
        trades.refuses(&cryptofeed(rest), field, found, kind, Scope::Trades);
    };
    trade(r#""side":"buy","price":5"#, "amount", "", missing());
    trade(r#""side":"buy","amount":5"#, "price", "", missing());
    let side = ErrorKind::BadValue {
        expected: "\"buy\", \"sell\" or null",
    };
    trade(r#""side":"b","amount":5,"price":1"#, "side", "\"b\"", side);
    let books = Check::new(Format::Cryptofeed, "book-BINANCE-BTCUSDT");
    let empty = cryptofeed(r#""timestamp":1"#);
    books.refuses(&empty, "book", "", missing(), Scope::Book);
}

#[test]
fn bad_binance_records_are_told() {
    let check = Check::new(Format::Binance, "any");
    let data = |rest: &str| {
        format!(r#"{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","s":"BTCUSDT",{rest}}}}}"#)
    };
    let book = |rest: &str, field: &str, found: &str, kind: ErrorKind| {
        check.refuses(&data(rest), field, found, kind, Scope::Book);
    };
    book(r#""u":5,"b":[],"a":[]"#, "data.U", "", missing());
    book(r#""U":4,"b":[],"a":[]"#, "data.u", "", missing());
    book(r#""U":4,"u":5,"a":[]"#, "data.b", "", missing());
    book(
        r#""U":4,"U":4,"u":5,"b":[],"a":[]"#,
        "data.U",
        "4",
        ErrorKind::RepeatedField,
    );
    let kind = ErrorKind::BadSequence { prev: 6, seq: 5 };
    book(r#""U":7,"u":5,"b":[],"a":[]"#, "data.u", "5", kind);
    let kind = ErrorKind::BadSequence { prev: 9, seq: 5 };
    book(r#""U":4,"u":5,"pu":9,"b":[],"a":[]"#, "data.u", "5", kind);
    book(
        r#""E":"x","U":4,"u":5,"b":[],"a":[]"#,
        "data.E",
        "\"x\"",
        wrong("a string", UNSIGNED),
    );
    let time = "9223372036854775807";
    let timed = format!(r#""E":{time},"U":4,"u":5,"b":[],"a":[]"#);
    book(&timed, "data.E", time, ErrorKind::BadTime);
    book(
        r#""U":4,"u":5,"b":[["1","1"],["2","2"],["3","3"],["4","4,5"]],"a":[]"#,
        "data.b[3][1]",
        "\"4,5\"",
        malformed(),
    );
    book(
        r#""U":4,"u":5,"b":[],"a":[["1"]]"#,
        "data.a[0]",
        r#"["1"]]}}"#,
        ErrorKind::BadValue {
            expected: "a price and a size",
        },
    );

    let trade = |rest: &str, field: &str, found: &str, kind: ErrorKind| {
        let record = format!(r#"{{"e":"trade","s":"BTCUSDT",{rest}}}"#);
        check.refuses(&record, field, found, kind, Scope::Trades);
    };
    trade(r#""p":"1","q":"1","m":true"#, "t", "", missing());
    trade(
        r#""t":"1","p":"1","q":"1","m":true"#,
        "t",
        "\"1\"",
        wrong("a string", UNSIGNED),
    );
    trade(r#""t":1,"q":"1","m":true"#, "p", "", missing());
    trade(r#""t":1,"p":"1","q":"1""#, "m", "", missing());
    trade(
        r#""t":1,"p":"1","q":"1","m":"true""#,
        "m",
        "\"true\"",
        wrong("a string", "true or false"),
    );
    trade(
        r#""t":1,"p":"1","q":"-1","m":true"#,
        "q",
        "\"-1\"",
        ErrorKind::NegativeSize,
    );

    let rest = r#"{"symbol":"BTCUSDT","lastUpdateId":7,"bids":[]}"#;
    check.refuses(rest, "asks", "", missing(), Scope::Book);
    let rest = r#"{"symbol":"BTCUSDT","bids":[],"asks":[]}"#;
    check.refuses(rest, "lastUpdateId", "", missing(), Scope::Book);
    let rest = r#"{"lastUpdateId":7,"bids":[],"asks":[]}"#;
    check.refuses_unknown(rest, "", rest, ErrorKind::MissingSymbol);
    let other = r#"{"e":"trade","s":"OTHER"}"#;
    check.refuses_unknown(other, "s", "\"OTHER\"", ErrorKind::UnknownInstrument);
    let odd = r#"{"e":"odd","s":"BTCUSDT"}"#;
    check.refuses_unknown(odd, "e", "\"odd\"", ErrorKind::UnknownKind);
    let failed = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
    check.refuses_unknown(failed, "", failed, ErrorKind::UnknownKind);
    let many = r#"[{"e":"trade","s":"BTCUSDT"}]"#;
    check.refuses_unknown(
        many,
        "[0]",
        r#"{"e":"trade","s":"BTCUSDT"}]"#,
        ErrorKind::UnknownKind,
    );
}

#[test]
fn an_error_names_the_field_what_it_was_and_what_it_may_be() {
    let source = source(Format::Binance, "t");
    let mut instruments = Instruments::default();
    let record = br#"{"stream":"x@depth","data":{"e":"depthUpdate","s":"X","U":1,"u":2,"b":[["1","1"]],"a":[["1",null]]}}"#;
    let error = read_with(&source, None, Some(record), &mut instruments).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field data.a[0][1] is null, and may be a number, or a string that holds one, found null"
    );
    assert_eq!(error.kind.outcome().name(), "wrong_shape");
    assert_eq!(error.scope, Scope::Book);
}

#[test]
fn outcomes_have_distinct_names() {
    let names: std::collections::BTreeSet<_> = Outcome::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(names.len(), Outcome::COUNT);
}
