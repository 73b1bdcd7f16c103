//! Normalised messages from Tardis, one per line.

use std::borrow::Cow;

use serde::Deserialize;

use super::{LineError, Record};

/// The default topic.
pub(super) const TOPIC: &str = "tardis";

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    _kind: Cow<'a, str>,
    #[serde(borrow)]
    exchange: Cow<'a, str>,
    /// `None` of a `disconnect` that affects several.
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "localTimestamp")]
    received: Option<Cow<'a, str>>,
}

pub(super) fn is_one(line: &[u8]) -> bool {
    serde_json::from_slice::<Head<'_>>(line).is_ok()
}

pub(super) fn parse<'a>(line: &'a [u8], topic: &'a str) -> Result<Record<'a>, LineError> {
    let head: Head<'_> = serde_json::from_slice(line)?;
    let venue = head.exchange.to_ascii_uppercase();
    Ok(Record {
        topic: Cow::Borrowed(topic),
        key: head.symbol.map(|symbol| format!("{venue}:{symbol}").into()),
        partition: None,
        value: line,
        time: head.received.and_then(|time| ingest::date(&time)),
    })
}

#[cfg(test)]
mod tests {
    use market::Nanos;

    use super::*;

    #[test]
    fn the_whole_name_is_the_key_and_the_line_the_value() {
        let line = br#"{"type":"trade","symbol":"BTC-PERPETUAL","exchange":"deribit","localTimestamp":"1970-01-01T00:00:02.500Z"}"#;
        let record = parse(line, "t").unwrap();
        assert_eq!(record.key.as_deref(), Some("DERIBIT:BTC-PERPETUAL"));
        assert_eq!((record.value, record.topic.as_ref()), (&line[..], "t"));
        assert_eq!(record.time, Some(Nanos(2_500_000_000)));
    }

    #[test]
    fn a_disconnect_may_name_no_symbol_and_no_time() {
        let record = parse(br#"{"type":"disconnect","exchange":"okex"}"#, "t").unwrap();
        assert_eq!((record.key, record.time), (None, None));
    }

    #[test]
    fn an_event_needs_a_type_and_an_exchange() {
        for wrong in [r#"{"type":"trade"}"#, r#"{"exchange":"x"}"#, "{"] {
            assert!(parse(wrong.as_bytes(), "t").is_err(), "{wrong}");
        }
    }
}
