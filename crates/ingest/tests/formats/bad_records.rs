//! The errors of bad input in each format, which `docs/formats.md` describes.

mod binance;
mod cryptofeed;
mod tapecast;

use ingest::{ErrorKind, Format, Resolve, Source};
use market::decimal::DecimalError;
use market::{Handle, NameError, Scope};
use metrics::label::DecodeOutcome;

use crate::instruments::Instruments;
use crate::said::{read_with, source};

/// The instrument of bad records, if they name it.
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

    /// The record is rejected with this error, field and excerpt, and its instrument is known.
    #[track_caller]
    fn refuses(&self, payload: &str, field: &str, found: &str, kind: ErrorKind, scope: Scope) {
        self.told(Some(payload), field, found, kind, Some(scope));
    }

    /// The record is rejected, and its instrument is not known.
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
    let names: std::collections::BTreeSet<_> =
        DecodeOutcome::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(names.len(), DecodeOutcome::ALL.len());
}
