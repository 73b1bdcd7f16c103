//! Bad records of the format `binance`.

use ingest::{ErrorKind, Format};
use market::Scope;

use super::{Check, UNSIGNED, malformed, missing, wrong};

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
