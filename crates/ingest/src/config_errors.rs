//! Validation of the configuration.

use market::InstrumentName;

use crate::config::{BatchLimits, ConfigError, IngestConfig};
use crate::{Format, TopicRule, client};

impl IngestConfig {
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
