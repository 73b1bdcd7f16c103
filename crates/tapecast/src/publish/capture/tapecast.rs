//! Records of our own format, as JSON lines.

use std::borrow::Cow;

use market::Nanos;
use serde::Deserialize;

use super::{LineError, Record};

/// The default topic.
pub(super) const TOPIC: &str = "tapecast";

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    _kind: Cow<'a, str>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    time: Option<u64>,
}

pub(super) fn is_one(line: &[u8]) -> bool {
    serde_json::from_slice::<Head<'_>>(line).is_ok()
}

pub(super) fn parse<'a>(line: &'a [u8], topic: &'a str) -> Result<Record<'a>, LineError> {
    let head: Head<'_> = serde_json::from_slice(line)?;
    Ok(Record {
        topic: Cow::Borrowed(topic),
        key: Some(head.symbol),
        partition: None,
        value: line,
        time: head.time.map(Nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instrument_is_the_key_and_the_line_the_value() {
        let line =
            br#"{"type":"delta","symbol":"X:Y","prev_seq":1,"seq":2,"time":5,"bids":[],"asks":[]}"#;
        let record = parse(line, "t").unwrap();
        assert_eq!(record.key.as_deref(), Some("X:Y"));
        assert_eq!(record.value, line);
        assert_eq!(record.time, Some(Nanos(5)));
    }

    #[test]
    fn a_record_needs_a_type_and_a_symbol() {
        assert!(parse(br#"{"type":"delta"}"#, "t").is_err());
        assert!(parse(br#"{"symbol":"X:Y"}"#, "t").is_err());
    }
}
