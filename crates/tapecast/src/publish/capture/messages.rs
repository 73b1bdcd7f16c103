//! A venue's messages in JSON envelopes: those of tardis-machine (`{"localTimestamp","message"}`), and the test
//! cases of its mappers (`{"exchange","message",…}`).

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LineError, Record, session, symbol};

#[derive(Deserialize)]
struct VenueMessage<'a> {
    #[serde(borrow)]
    exchange: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "localTimestamp")]
    local_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: &'a RawValue,
}

/// The topic: as requested, else from the line, else from the file.
#[derive(Debug)]
pub(super) struct Topic {
    asked: Option<String>,
    of_file: String,
}

impl Topic {
    pub(super) fn new(asked: Option<&str>, path: &Path) -> Self {
        Self {
            asked: asked.map(str::to_owned),
            of_file: session::topic_of(path),
        }
    }
}

pub(super) fn is_one(line: &[u8]) -> bool {
    serde_json::from_slice::<VenueMessage<'_>>(line).is_ok()
}

pub(super) fn parse<'a>(line: &'a [u8], topic: &'a Topic) -> Result<Record<'a>, LineError> {
    let line: VenueMessage<'_> = serde_json::from_slice(line)?;
    let value = line.message.get().as_bytes();
    let topic = match (&topic.asked, line.exchange) {
        (Some(asked), _) => Cow::Borrowed(asked.as_str()),
        (None, Some(exchange)) => exchange,
        (None, None) => Cow::Borrowed(topic.of_file.as_str()),
    };
    Ok(Record {
        topic,
        key: symbol::of(value),
        partition: None,
        value,
        time: line.local_timestamp.and_then(|time| ingest::date(&time)),
    })
}

#[cfg(test)]
mod tests {
    use market::Nanos;

    use super::*;

    const CASE: &[u8] = br#"{"exchange":"okex-futures","case":"x","local_timestamp":"1970-01-01T00:00:01Z","message": {"arg":{"instId":"A-B"}},"expected":[]}"#;
    const REPLAYED: &[u8] =
        br#"{"localTimestamp":"1970-01-01T00:00:01.0000001Z","message":[7,{},"book-10","A/B"]}"#;

    fn topic(asked: Option<&str>) -> Topic {
        Topic::new(asked, Path::new("data/kraken.ndjson"))
    }

    #[test]
    fn the_message_is_sent_byte_for_byte_to_the_topic_of_its_exchange() {
        let topic = topic(None);
        let record = parse(CASE, &topic).unwrap();
        assert_eq!(record.topic, "okex-futures");
        assert_eq!(record.key.as_deref(), Some("A-B"));
        assert_eq!(record.value, br#"{"arg":{"instId":"A-B"}}"#);
        assert_eq!(record.time, Some(Nanos(1_000_000_000)));
    }

    #[test]
    fn a_line_that_names_no_exchange_goes_to_the_topic_of_its_file() {
        let topic = topic(None);
        let record = parse(REPLAYED, &topic).unwrap();
        assert_eq!(
            (record.topic.as_ref(), record.key.as_deref()),
            ("kraken", Some("A/B"))
        );
        assert_eq!(record.time, Some(Nanos(1_000_000_100)));
    }

    #[test]
    fn a_topic_that_is_asked_for_is_taken() {
        let topic = topic(Some("mine"));
        assert_eq!(parse(CASE, &topic).unwrap().topic, "mine");
        assert_eq!(parse(REPLAYED, &topic).unwrap().topic, "mine");
    }
}
