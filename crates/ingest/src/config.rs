use std::collections::BTreeMap;
use std::time::Duration;

use market::{InstrumentName, Seq};

use crate::{Format, TopicRule, client};

/// Where a node without a checkpoint starts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the start of each partition.
    Earliest,
    /// At the first record that is at most this old. In a partition without such a record, at most
    /// [`Start::QUIET_RECORDS`] before its end, since a book needs its last snapshot.
    Lookback(Duration),
}

impl Start {
    /// The distance from the end at which a partition without recent records is started: a third of
    /// a second of reading at 300,000 records per second.
    pub const QUIET_RECORDS: i64 = 100_000;
}

/// The limits of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// The maximum number of records.
    pub records: usize,
    /// The number of bytes of values after which a batch ends.
    pub bytes: usize,
}

impl Default for BatchLimits {
    /// 1,024 records are 3 ms of work at 300,000 per second, which a batch adds to the latency of
    /// its first record. 1 MiB is the same with 1 KiB per record, the size of a book of 30 levels.
    fn default() -> Self {
        Self {
            records: 1024,
            bytes: 1 << 20,
        }
    }
}

/// The offset at which a partition is continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeAt {
    /// The UUID of the topic. A recreated topic of the same name starts at [`IngestConfig::start`].
    pub topic_id: [u8; 16],
    /// The offset of the first record to read.
    pub next: Seq,
}

/// The configuration of consumption: what to read, from where, and how.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// The brokers as `host:port`, separated by commas.
    pub brokers: String,
    /// The topics to read and their formats.
    pub topics: Vec<TopicRule>,
    /// Where partitions are started.
    pub start: Start,
    /// Where partitions are continued instead, by topic and number.
    pub resume: BTreeMap<(String, i32), ResumeAt>,
    /// The maximum size of a value; larger ones are rejected.
    pub max_record_bytes: usize,
    /// The limits of a batch.
    pub batch: BatchLimits,
    /// Whether to query the UUIDs of topics, which show that a topic was recreated. Kafka has them
    /// since
    /// 2.8. Without them only offsets that went back are detected.
    pub topic_ids: bool,
    /// The interval at which new topics and partitions are looked for.
    pub discovery: Duration,
    /// The number of consumers that share the partitions.
    pub threads: usize,
    /// Further properties of librdkafka, such as those of SASL and TLS.
    pub properties: BTreeMap<String, String>,
}

impl IngestConfig {
    /// 4 MiB: a snapshot of 100,000 levels per side with 20 bytes each.
    pub const MAX_RECORD_BYTES: usize = 4 << 20;
    /// New markets are listed a few times a day, and the metadata of a thousand topics is 100 kB.
    pub const DISCOVERY: Duration = Duration::from_secs(5);

    /// The largest `max_record_bytes`. The client's fetch sizes pass such a record in any case.
    pub const LARGEST_RECORD: usize = 32 << 20;
    /// A thread reads 300,000 records per second or more, and few machines have more cores.
    const MAX_THREADS: usize = 64;

    /// The default configuration for these brokers and topics.
    #[must_use]
    pub fn new(brokers: impl Into<String>, topics: Vec<TopicRule>) -> Self {
        Self {
            brokers: brokers.into(),
            topics,
            start: Start::Earliest,
            resume: BTreeMap::new(),
            max_record_bytes: Self::MAX_RECORD_BYTES,
            batch: BatchLimits::default(),
            topic_ids: true,
            discovery: Self::DISCOVERY,
            threads: 1,
            properties: BTreeMap::new(),
        }
    }

    /// Validates the configuration and returns all errors.
    #[must_use]
    pub fn errors(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut add = |key: String, value: &dyn std::fmt::Display, expected: &str| {
            errors.push(ConfigError {
                key,
                value: value.to_string(),
                expected: expected.to_owned(),
            });
        };
        if self.brokers.trim().is_empty() {
            let expected = "must be host:port, or several separated by commas";
            add("brokers".to_owned(), &self.brokers, expected);
        }
        if self.topics.is_empty() {
            add("topics".to_owned(), &"", "must have at least one rule");
        }
        if self.threads == 0 || self.threads > Self::MAX_THREADS {
            let expected = format!("must be 1 to {}", Self::MAX_THREADS);
            add("threads".to_owned(), &self.threads, &expected);
        }
        let sizes = 1..=Self::LARGEST_RECORD;
        if !sizes.contains(&self.max_record_bytes) {
            let expected = format!("must be 1 to {}", sizes.end());
            add(
                "max_record_bytes".to_owned(),
                &self.max_record_bytes,
                &expected,
            );
        }
        let BatchLimits { records, bytes } = self.batch;
        for (key, value) in [("batch.records", records), ("batch.bytes", bytes)] {
            if value == 0 {
                add(key.to_owned(), &value, "must be at least 1");
            }
        }
        for (index, rule) in self.topics.iter().enumerate() {
            errors.extend(name_errors(index, rule));
        }
        for (index, rule) in self.topics.iter().enumerate() {
            errors.extend(mapping_error(index, rule));
        }
        errors.extend(client::errors(self));
        errors
    }
}

/// Validates the configured venue and symbol of a topic.
fn name_errors(index: usize, rule: &TopicRule) -> Vec<ConfigError> {
    let given = [
        ("venue", &rule.options.venue),
        ("symbol", &rule.options.symbol),
    ];
    let mut errors = Vec::new();
    for (option, value) in given {
        let Some(value) = value else {
            continue;
        };
        let name = match option {
            "venue" => InstrumentName::new(value, "X"),
            _ => InstrumentName::new("X", value),
        };
        let expected = if rule.format.takes_names() {
            name.err().map(|error| error.to_string())
        } else {
            Some("is only for formats whose records do not name the venue".to_owned())
        };
        errors.extend(expected.map(|expected| ConfigError {
            key: format!("topics[{index}].{option}"),
            value: value.clone(),
            expected,
        }));
    }
    errors
}

/// Checks that a topic has a mapping if and only if its format requires one.
fn mapping_error(index: usize, rule: &TopicRule) -> Option<ConfigError> {
    let expected = match (rule.format, &rule.options.mapping) {
        (Format::Mapped, None) => "is required for the format mapped",
        (Format::Mapped, Some(_)) | (_, None) => return None,
        _ => "is only for the format mapped",
    };
    Some(ConfigError {
        key: format!("topics[{index}].mapping"),
        value: String::new(),
        expected: expected.to_owned(),
    })
}

/// An error in an [`IngestConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value:?}: {expected}")]
pub struct ConfigError {
    /// The key, such as `topics[0].venue` or `properties.enable.auto.commit`.
    pub key: String,
    /// The configured value.
    pub value: String,
    /// What is wrong with it, or the values that are accepted.
    pub expected: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FormatOptions;

    fn rule(format: Format, venue: Option<&str>, symbol: Option<&str>) -> TopicRule {
        TopicRule {
            pattern: ".*".parse().unwrap(),
            format,
            options: FormatOptions {
                venue: venue.map(str::to_owned),
                symbol: symbol.map(str::to_owned),
                mapping: None,
            },
        }
    }

    #[track_caller]
    fn check(config: &IngestConfig, expected: &[(&str, &str)]) {
        let errors = config.errors();
        let keys: Vec<_> = errors
            .iter()
            .map(|error| (error.key.as_str(), error.value.as_str()))
            .collect();
        assert_eq!(keys, expected, "{errors:#?}");
    }

    #[test]
    fn the_defaults_are_no_mistake() {
        let rules = vec![
            rule(Format::Tapecast, None, None),
            rule(Format::Binance, Some("BINANCE_FUTURES"), Some("BTCUSDT")),
            rule(Format::Kraken, Some("KRAKEN_BETA"), None),
        ];
        check(&IngestConfig::new("localhost:9092", rules), &[]);
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let rules = vec![
            rule(Format::Tapecast, Some("BINANCE"), None),
            rule(Format::Binance, Some("binance"), Some("BTC USDT")),
        ];
        let properties = [
            ("auto.offset.reset", "latest"),
            ("fetch.wait.max.ms", "soon"),
            ("no.such.property", "1"),
            ("session.timeout.ms", "1000"),
        ];
        let config = IngestConfig {
            max_record_bytes: 1 << 30,
            batch: BatchLimits {
                records: 0,
                bytes: 1,
            },
            threads: 0,
            properties: properties.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..IngestConfig::new(" ", rules)
        };
        let expected = [
            ("brokers", " "),
            ("threads", "0"),
            ("max_record_bytes", "1073741824"),
            ("batch.records", "0"),
            ("topics[0].venue", "BINANCE"),
            ("topics[1].venue", "binance"),
            ("topics[1].symbol", "BTC USDT"),
            ("properties.auto.offset.reset", "latest"),
            ("properties.fetch.wait.max.ms", "soon"),
            ("properties.no.such.property", "1"),
        ];
        check(&config, &expected);
        check(
            &IngestConfig::new("localhost:9092", Vec::new()),
            &[("topics", "")],
        );
    }
}
