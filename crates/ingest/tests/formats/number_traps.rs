//! Numbers as real feeds write them, and their exact values.

use ingest::{DecodeError, Format, Source};
use market::{Level, SnapshotOrigin};

use crate::instruments::Instruments;
use crate::said::{Said, level, read, read_with, source};

fn cryptofeed() -> Source {
    source(Format::Cryptofeed, "book-X-A-B")
}

/// The bids of a cryptofeed snapshot.
fn bids(content: &str) -> Vec<Level> {
    let record = format!(
        r#"{{"exchange":"X","symbol":"A-B","book":{{"bid":{content},"ask":{{}}}},"timestamp":null}}"#
    );
    match read(&cryptofeed(), &record) {
        Ok(Said::Snapshot { bids, .. }) => bids,
        other => panic!("{other:?}"),
    }
}

/// The bids of a cryptofeed delta, or the error.
fn changed(content: &str) -> Result<Vec<Level>, DecodeError> {
    let record = format!(
        r#"{{"exchange":"X","symbol":"A-B","delta":{{"bid":{content},"ask":[]}},"timestamp":null}}"#
    );
    match read(&cryptofeed(), &record)? {
        Said::Delta { bids, .. } => Ok(bids),
        other => panic!("{other:?}"),
    }
}

/// The time of a cryptofeed record.
fn time(timestamp: &str) -> Option<u64> {
    let record = format!(
        r#"{{"exchange":"X","symbol":"A-B","delta":{{"bid":[],"ask":[]}},"timestamp":{timestamp},"receipt_timestamp":1.5}}"#
    );
    match read(&cryptofeed(), &record) {
        Ok(Said::Delta { time, .. }) => time,
        other => panic!("{other:?}"),
    }
}

#[test]
fn integers_need_no_dot() {
    assert_eq!(
        bids(r#"{"0.3521":672,"710":5}"#),
        [level("0.3521", "672"), level("710", "5")]
    );
    assert_eq!(
        changed("[[710,5],[0.3521,672]]").unwrap(),
        [level("710", "5"), level("0.3521", "672")]
    );
}

#[test]
fn exponents_stand_in_values_and_in_keys() {
    assert_eq!(
        bids(r#"{"9.3e-7":472,"1E-8":1e3}"#),
        [level("0.00000093", "472"), level("0.00000001", "1000")]
    );
    assert_eq!(
        changed("[[9.3e-7,4.72E+2]]").unwrap(),
        [level("0.00000093", "472")]
    );
}

#[test]
fn zero_has_many_forms_and_deletes() {
    for zero in [
        "0",
        "0.0",
        "0e0",
        r#""0E-8""#,
        r#""0.00000000""#,
        r#""0""#,
        "-0.0",
    ] {
        assert_eq!(
            changed(&format!("[[1,{zero}]]")).unwrap(),
            [level("1", "0")],
            "{zero}"
        );
    }
}

#[test]
fn a_bare_number_keeps_every_digit_that_its_text_has() {
    // Neither 9007199254.740993 nor 0.12345678901234567 is a double, so as doubles these are
    // rounded.
    let mut instruments = Instruments::new(&[("X:A-B", -17, -6)]);
    let record = br#"{"exchange":"X","symbol":"A-B","delta":{"bid":[[0.12345678901234567,9007199254740.993001]],"ask":[]},"timestamp":null}"#;
    let said = read_with(&cryptofeed(), None, Some(record), &mut instruments).unwrap();
    let expected = Said::Delta {
        link: None,
        origin: SnapshotOrigin::InBand,
        time: None,
        bids: vec![Level::new(
            12_345_678_901_234_567,
            9_007_199_254_740_993_001,
        )],
        asks: vec![],
    };
    assert_eq!(said, expected);
}

#[test]
fn what_does_not_fit_the_scale_is_refused_and_never_rounded() {
    for fine in ["[[0.123456789,1]]", r#"[["0.123456789",1]]"#, "[[1,6e-10]]"] {
        let error = changed(fine).unwrap_err();
        assert!(error.to_string().contains("more decimals"), "{error}");
    }
}

#[test]
fn negative_prices_are_legal() {
    assert_eq!(changed("[[-37.63,1]]").unwrap(), [level("-37.63", "1")]);
}

#[test]
fn times_are_whole_or_broken_seconds_or_none() {
    assert_eq!(time("1618678262"), Some(1_618_678_262_000_000_000));
    assert_eq!(time("1618678142.557535"), Some(1_618_678_142_557_535_000));
    assert_eq!(time("1633998513.3923042"), Some(1_633_998_513_392_304_200));
    assert_eq!(
        time("\"1633998513.3923042\""),
        Some(1_633_998_513_392_304_200)
    );
    assert_eq!(time("null"), None);
}

#[test]
fn a_trade_mostly_has_no_identifier() {
    let trade = |id: &str| {
        let record = format!(
            r#"{{"exchange":"X","symbol":"A-B","side":"sell","amount":0.5,"price":9.2e-7,"id":{id},"type":null,"timestamp":1}}"#
        );
        match read(&cryptofeed(), &record) {
            Ok(Said::Trades(_, trades)) => trades[0].3.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(trade("null"), "");
    assert_eq!(trade("\"15683430\""), "15683430");
    assert_eq!(trade("100045088885"), "100045088885");
}
