use std::collections::BTreeMap;
use std::time::Duration;

use market::{InstrumentName, Seq};

use crate::{Format, TopicRule, client};

/// Where a node that has nothing begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At each partition's beginning.
    Earliest,
    /// At the first record that is at most this old; in a partition without such a record, at most
    /// [`Start::QUIET_RECORDS`] before its end, since a book needs its last whole one.
    Lookback(Duration),
}

impl Start {
    /// How far before its end a partition is begun that has nothing new: a third of a second of
    /// reading at 300,000 records a second.
    pub const QUIET_RECORDS: i64 = 100_000;
}

/// When a batch ends, although there is more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Records.
    pub records: usize,
    /// Bytes of values.
    pub bytes: usize,
}

impl Default for BatchLimits {
    /// 1,024 records are 3 ms of work at 300,000 a second: what a batch adds to the latency of its
    /// first record. 1 MiB is the same at 1 KiB a record, which books of 30 levels have.
    fn default() -> Self {
        Self {
            records: 1024,
            bytes: 1 << 20,
        }
    }
}

/// Where a partition of a very topic goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeAt {
    /// The topic's UUID; another topic of the same name begins as [`IngestConfig::start`] says.
    pub topic_id: [u8; 16],
    /// The first record that is needed.
    pub next: Seq,
}

/// What is read, from where, and how.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// Which topics, and how their records read.
    pub topics: Vec<TopicRule>,
    /// Where to begin.
    pub start: Start,
    /// Partitions that are begun elsewhere, by topic and number: what is before is known already.
    pub resume: BTreeMap<(String, i32), ResumeAt>,
    /// Larger values are refused.
    pub max_record_bytes: usize,
    /// When a batch ends.
    pub batch: BatchLimits,
    /// Whether the brokers are asked for topics' UUIDs, by which a topic made anew is told from the
    /// one before. Kafka tells them since 2.8; without them only offsets that went back are noticed.
    pub topic_ids: bool,
    /// How often new topics and partitions are looked for.
    pub discovery: Duration,
    /// How many consumers the partitions are divided over.
    pub threads: usize,
    /// More properties of librdkafka, such as those of SASL and TLS.
    pub properties: BTreeMap<String, String>,
}

impl IngestConfig {
    /// 4 MiB: a whole book of 100,000 levels a side of 20 bytes each.
    pub const MAX_RECORD_BYTES: usize = 4 << 20;
    /// New markets are listed a few times a day; metadata of a thousand topics is 100 kB.
    pub const DISCOVERY: Duration = Duration::from_secs(5);

    /// The largest record that may be accepted: the client passes it on in every case, see its fetch sizes.
    pub const LARGEST_RECORD: usize = 32 << 20;
    /// One reads 300,000 records a second or more; a machine has no more cores than this.
    const MAX_THREADS: usize = 64;

    /// The defaults, for brokers and topics.
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

    /// All errors in it; none when it can be used.
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
            let expected = "must be host:port, or several of them with commas";
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
            let given = [
                ("venue", &rule.options.venue),
                ("symbol", &rule.options.symbol),
            ];
            for (option, value) in given {
                let key = || format!("topics[{index}].{option}");
                match value {
                    Some(value) if !rule.format.takes_names() => {
                        let expected = "is an option of formats whose records name no venue";
                        add(key(), value, expected);
                    }
                    Some(value) => {
                        let name = match option {
                            "venue" => InstrumentName::new(value, "X"),
                            _ => InstrumentName::new("X", value),
                        };
                        if let Err(error) = name {
                            add(key(), value, &error.to_string());
                        }
                    }
                    None => {}
                }
            }
        }
        for (index, rule) in self.topics.iter().enumerate() {
            let expected = match (rule.format, &rule.options.mapping) {
                (Format::Mapped, None) => "is needed for the format mapped",
                (Format::Mapped, Some(_)) | (_, None) => continue,
                _ => "is for the format mapped only",
            };
            errors.push(ConfigError {
                key: format!("topics[{index}].mapping"),
                value: String::new(),
                expected: expected.to_owned(),
            });
        }
        errors.extend(client::errors(self));
        errors
    }
}

/// One error in an [`IngestConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value:?}: {expected}")]
pub struct ConfigError {
    /// The field, such as `topics[0].options.venue` or `properties.enable.auto.commit`.
    pub key: String,
    /// What it is.
    pub value: String,
    /// What it may be.
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
