//! Bad records of the format `cryptofeed`.

use ingest::{ErrorKind, Format};
use market::Scope;

use super::{Check, NUMBER, malformed, missing, wrong};

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
