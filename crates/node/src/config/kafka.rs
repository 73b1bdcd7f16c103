use std::time::Duration;

use ingest::{BatchLimits, Format, FormatOptions, IngestConfig, Start, TopicRule};
use market::InstrumentName;
use regex::Regex;

use super::key::{Kind, LOOKBACK};
use super::mappings::Mappings;
use super::mistake::Mistake;
use super::reader::Reader;
use super::unit::parse_duration;

/// What is read, from where, and how; and how long Kafka may say nothing.
pub(super) fn read(reader: &mut Reader) -> (IngestConfig, Duration) {
    let brokers = reader.checked("kafka.brokers", brokers);
    let start = reader.checked("kafka.start", start);
    let threads = reader.count("kafka.threads");
    let topic_ids = reader.choice("kafka.topic_ids") == "ask";
    let discovery = reader.duration("kafka.discovery_interval");
    let lost_after = reader.duration("kafka.lost_after");
    let mut config = IngestConfig {
        brokers: brokers.unwrap_or_default(),
        topics: Vec::new(),
        start: start.unwrap_or(Start::Earliest),
        threads,
        topic_ids,
        discovery,
        max_record_bytes: reader.size("kafka.max_record_bytes"),
        batch: BatchLimits::default(),
        resume: std::collections::BTreeMap::new(),
        properties: reader.properties("kafka.properties"),
    };
    let mappings = Mappings::read(reader);
    let count = reader.items("topics");
    if count == 0
        && !reader
            .mistakes
            .iter()
            .any(|mistake| mistake.key == "topics")
    {
        let expected = "a list of tables, at least one, headed by [[topics]]";
        reader.mistakes.push(Mistake::missing("topics", expected));
    }
    let topics: Vec<_> = (0..count).map(|at| topic(reader, &mappings, at)).collect();
    if topics.iter().all(Option::is_some) {
        config.topics = topics.into_iter().flatten().collect();
    }
    check(reader, &config);
    (config, lost_after)
}

fn topic(reader: &mut Reader, mappings: &Mappings, at: usize) -> Option<TopicRule> {
    let key = |name: &str| format!("topics[{at}].{name}");
    let pattern = reader.checked(&key("pattern"), pattern);
    let format = Format::from_name(reader.choice(&key("format")));
    let venue = reader.checked(&key("venue"), |venue| {
        InstrumentName::new(venue, "ANY")
            .map(|_| venue.to_owned())
            .map_err(|_| Kind::Venue.expected())
    });
    let symbol = reader.checked(&key("symbol"), |symbol| {
        InstrumentName::new("ANY", symbol)
            .map(|_| symbol.to_owned())
            .map_err(|_| Kind::Symbol.expected())
    });
    if format.is_some_and(|format| !format.takes_names()) {
        for (name, given) in [("venue", venue.is_some()), ("symbol", symbol.is_some())] {
            if given {
                reader.mistake(
                    &key(name),
                    "only for topics of a venue's own format, such as \"binance\"",
                );
            }
        }
    }
    let mapping = reader.checked(&key("mapping"), |name| mappings.find(name));
    if format == Some(Format::Mapped) && mapping == Some(None) {
        // The mapping is wrong, and its mistakes are told.
        return None;
    }
    Some(TopicRule {
        pattern: pattern?,
        format: format?,
        options: FormatOptions {
            venue,
            symbol,
            mapping: mapping.flatten(),
        },
    })
}

/// What ingest itself finds wrong, under the names that it has here.
fn check(reader: &mut Reader, config: &IngestConfig) {
    for found in config.errors() {
        let key = match found.key.as_str() {
            // Of topics that are wrong or not there, more has been said already.
            "topics" => continue,
            "discovery" => "kafka.discovery_interval".to_owned(),
            key if key.starts_with("topics") => key.replace(".options.", "."),
            key => format!("kafka.{key}"),
        };
        if !reader.mistakes.iter().any(|mistake| mistake.key == key) {
            reader.mistake(&key, found.expected);
        }
    }
}

fn brokers(text: &str) -> Result<String, String> {
    let is_broker = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && !host.contains(char::is_whitespace)
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
    if brokers.iter().all(|broker| is_broker(broker)) {
        Ok(brokers.join(","))
    } else {
        Err(Kind::Brokers.expected())
    }
}

fn start(text: &str) -> Result<Start, String> {
    if text == "earliest" {
        return Ok(Start::Earliest);
    }
    parse_duration(text)
        .filter(|span| !span.is_zero() && *span <= LOOKBACK)
        .map(Start::Lookback)
        .ok_or_else(|| Kind::Start.expected())
}

/// Anchored at both ends, so that alternatives are tried until one covers the whole name.
fn pattern(text: &str) -> Result<Regex, String> {
    let explain = |error: regex::Error| {
        // The error draws the place over several lines; the last one says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        format!("{}; {reason}", Kind::Pattern.expected())
    };
    Regex::new(text).map_err(explain)?;
    Regex::new(&format!("^(?:{text})$")).map_err(explain)
}
