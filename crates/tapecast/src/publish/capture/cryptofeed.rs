//! Output of cryptofeed's Kafka backend: `{"topic","key","partition","value"}`.

use std::borrow::Cow;

use market::{Nanos, decimal};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LineError, Record};

#[derive(Deserialize)]
struct BackendLine<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    partition: Option<i32>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    receipt_timestamp: &'a RawValue,
}

pub(super) fn is_one(line: &[u8]) -> bool {
    serde_json::from_slice::<BackendLine<'_>>(line).is_ok()
}

pub(super) fn parse(line: &[u8]) -> Result<Record<'_>, LineError> {
    let line: BackendLine<'_> = serde_json::from_slice(line)?;
    Ok(Record {
        topic: line.topic,
        key: line.key,
        partition: line.partition,
        value: line.value.get().as_bytes(),
        time: received(line.value),
    })
}

/// When a message was received, in seconds since 1970. Only used for the schedule: a record without one is sent
/// right after the one before it.
fn received(value: &RawValue) -> Option<Nanos> {
    let head: Head<'_> = serde_json::from_str(value.get()).ok()?;
    let text = head.receipt_timestamp.get().trim_matches('"');
    let nanos = decimal::parse(text.as_bytes(), -9).ok()?;
    u64::try_from(nanos).ok().map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_key_and_value_are_sent_as_given() {
        let line = br#"{"topic": "book-X", "key": "book", "partition": null, "value": {"b":{"9.3e-7":472,"1":"0E-8"},  "receipt_timestamp":1633998512.564785}}"#;
        let record = parse(line).unwrap();
        assert_eq!(record.topic, "book-X");
        assert_eq!(record.key.as_deref(), Some("book"));
        assert_eq!(record.partition, None);
        assert_eq!(
            record.value,
            br#"{"b":{"9.3e-7":472,"1":"0E-8"},  "receipt_timestamp":1633998512.564785}"#
        );
        assert_eq!(record.time, Some(Nanos(1_633_998_512_564_785_000)));
    }

    #[test]
    fn a_value_without_a_receive_time_is_sent_all_the_same() {
        for value in ["null", "7", r#"{"receipt_timestamp":null}"#, "{}"] {
            let line = format!(r#"{{"topic":"t","key":null,"partition":3,"value":{value}}}"#);
            let record = parse(line.as_bytes()).unwrap();
            assert_eq!((record.time, record.partition), (None, Some(3)), "{value}");
            assert_eq!(record.value, value.as_bytes());
        }
    }

    #[test]
    fn a_line_without_topic_or_value_is_an_error() {
        for wrong in [r#"{"topic":"t"}"#, r#"{"value":1}"#, "{", ""] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
