use std::collections::BTreeMap;
use std::time::Duration;

use ingest::{BatchLimits, IngestConfig, Start};

use super::kind::{
    HOUR, KIB, LOOKBACK, MIB, SECOND, choice, duration, integer, open, parsed, size,
};
use super::reader::Reader;
use super::section::{Section as _, section};
use super::topics;
use super::unit::parse_duration;

section! {
    Kafka in "kafka":
    /// The brokers to connect to first; they report the others.
    fixed brokers: String = parsed(
        r#"HOST:PORT, or several with commas, such as "kafka:9092""#,
        brokers,
    ), required;
    // Everything retained: without checkpoints, only that is sure to contain a snapshot of every book.
    /// Where reading starts in each partition: at its first record, or at the first one that is at most
    /// this old.
    fixed start: Start = parsed(
        r#""earliest", or a duration to look back of at most "31d""#,
        start,
    ), default "earliest";
    // One core decodes and publishes 300,000 records a second, more than most feeds have at their peak.
    /// Threads that read and publish; they share the partitions.
    fixed threads: usize = integer(1, 64), default "1";
    /// Whether to ask brokers for topic UUIDs, by which a recreated topic is detected; `none` is for
    /// brokers before Kafka 2.8.
    fixed topic_ids: bool = choice(&[("ask", true), ("none", false)]), default "ask";
    // Markets are listed a few times a day; metadata of a thousand topics is 100 kB.
    /// How often to look for new topics and partitions.
    fixed discovery_interval: Duration = duration(Duration::from_millis(100), HOUR), default "5s";
    // A broker answers each fetch within 10 ms, and a new leader is elected within a second or two.
    /// After no response from any broker for this long, the node is not ready and accepts no new sessions
    /// until it has caught up; existing ones stay. Must be longer than `fetch.wait.max.ms`, if that is set.
    fixed lost_after: Duration = duration(SECOND, HOUR), default "5s";
    // A snapshot with 100,000 levels a side, of 20 bytes each.
    /// Larger records are rejected and counted.
    fixed max_record_bytes: usize = size(KIB, 32 * MIB), default "4MiB";
    /// Other librdkafka properties by name, such as those of TLS and SASL. Passwords, secrets and private
    /// keys are never shown.
    fixed properties: BTreeMap<String, String> = open(), open "none";
}

/// Settings of ingest, and the silence after which contact with Kafka is lost.
pub(super) fn read(reader: &mut Reader) -> (IngestConfig, Duration) {
    let kafka = Kafka::read(reader);
    let config = IngestConfig {
        brokers: kafka.brokers.unwrap_or_default(),
        topics: topics::read(reader),
        start: kafka.start,
        threads: kafka.threads,
        topic_ids: kafka.topic_ids,
        discovery: kafka.discovery_interval,
        max_record_bytes: kafka.max_record_bytes,
        batch: BatchLimits::default(),
        resume: BTreeMap::new(),
        properties: kafka.properties,
    };
    check(reader, &config);
    (config, kafka.lost_after)
}

/// Reports errors found by ingest, under the names of keys.
fn check(reader: &mut Reader, config: &IngestConfig) {
    for found in config.errors() {
        let key = match found.key.as_str() {
            // Missing and invalid topics have been reported already.
            "topics" => continue,
            "discovery" => "kafka.discovery_interval".to_owned(),
            key if key.starts_with("topics") => key.replace(".options.", "."),
            key => format!("kafka.{key}"),
        };
        if !reader.is_wrong(&key) {
            reader.error(&key, found.expected);
        }
    }
}

fn brokers(text: &str) -> Option<String> {
    let is_broker = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && !host.contains(char::is_whitespace)
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
    let are_brokers = brokers.iter().all(|broker| is_broker(broker));
    are_brokers.then(|| brokers.join(","))
}

fn start(text: &str) -> Option<Start> {
    if text == "earliest" {
        return Some(Start::Earliest);
    }
    parse_duration(text)
        .filter(|span| !span.is_zero() && *span <= LOOKBACK)
        .map(Start::Lookback)
}
