use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::{ConfigError, IngestConfig};

/// librdkafka requires a group to assign partitions. It is never joined, and nothing is committed.
const GROUP: &str = "tapecast";

/// Properties that the design relies on and that cannot be configured.
const FIXED: [(&str, &str); 11] = [
    // Parsed by `brokers`.
    ("bootstrap.servers", ""),
    ("metadata.broker.list", ""),
    ("group.id", GROUP),
    // Every node reads all partitions, from offsets that it chooses.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // A missing offset is an error; it is never skipped silently.
    ("auto.offset.reset", "error"),
    // The end of a partition would be reported without its topic; the statistics have both.
    ("enable.partition.eof", "false"),
    // The source of the lag metrics.
    ("statistics.interval.ms", "1000"),
    ("allow.auto.create.topics", "false"),
    // Loads code.
    ("plugin.library.paths", ""),
    // Replaces the configured brokers.
    ("test.mock.num.brokers", ""),
];

/// The defaults of properties that can be configured.
const DEFAULTS: [(&str, &str); 12] = [
    ("client.id", "tapecast"),
    // Otherwise a flipped bit could become a price.
    ("check.crcs", "true"),
    // A broker responds at once if there are records, and otherwise after this time. The first
    // fetch of an added partition has to wait for that response.
    ("fetch.wait.max.ms", "10"),
    // The pause after the local queue was full. The default of a second would starve a node that
    // catches up.
    ("fetch.queue.backoff.ms", "2"),
    ("fetch.error.backoff.ms", "100"),
    // The local queue of a partition. With 200 bytes per record it holds 40,000 records: more than
    // 0.1 seconds at 300,000 records per second, while a fetch takes milliseconds. The queues of
    // 100 partitions take at most 800 MiB.
    ("queued.max.messages.kbytes", "8192"),
    // Large records must be fetched to be rejected with an error that names them. One above 60 MiB
    // stops its partition.
    ("fetch.max.bytes", "62914560"),
    ("receive.message.max.bytes", "67108864"),
    // A broker that is available again is used within a second.
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    // Deleted topics are reported soon.
    ("topic.metadata.propagation.max.ms", "1000"),
    // If the client does not know an assigned partition yet, it looks for it once and then only at
    // this interval. The default is five minutes.
    ("topic.metadata.refresh.interval.ms", "5000"),
];

/// The properties of a consumer's client.
pub(super) fn for_consumer(config: &IngestConfig) -> ClientConfig {
    let mut properties = common(config);
    for (key, value) in FIXED.iter().filter(|(_, value)| !value.is_empty()) {
        properties.set(*key, *value);
    }
    // Only the log reports that a topic was recreated. The facility logs a few lines when metadata
    // arrives: every few minutes and after errors.
    let more = config
        .properties
        .get("debug")
        .map(|more| format!(",{more}"));
    properties.set("debug", format!("metadata{}", more.unwrap_or_default()));
    properties.set_log_level(RDKafkaLogLevel::Debug);
    properties
}

/// The bounds of the fetch size of a client that reads one partition, which otherwise equals its
/// queue size. The upper bound is librdkafka's default.
const MIN_FETCH: usize = 64 << 10;
const MAX_FETCH: usize = 1 << 20;

/// The properties of a client that reads one partition, with a queue of at most `queue_bytes`.
pub(super) fn for_history(config: &IngestConfig, queue_bytes: usize) -> ClientConfig {
    let mut properties = for_consumer(config);
    properties.remove("debug");
    if let Some(debug) = config.properties.get("debug") {
        properties.set("debug", debug);
    }
    properties.set_log_level(RDKafkaLogLevel::Info);
    // With only one partition the topic is known.
    properties.set("enable.partition.eof", "true");
    properties.set("statistics.interval.ms", "0");
    // A fetch may exceed the queue by its own size. A larger record is still fetched, on its own.
    let fetch = queue_bytes.clamp(MIN_FETCH, MAX_FETCH);
    properties.set("fetch.message.max.bytes", fetch.to_string());
    let kbytes = (queue_bytes / 1024).max(1);
    properties.set("queued.max.messages.kbytes", kbytes.to_string());
    properties
}

/// The properties of all clients.
pub(super) fn common(config: &IngestConfig) -> ClientConfig {
    let mut properties = ClientConfig::new();
    for (key, value) in DEFAULTS {
        properties.set(key, value);
    }
    for (key, value) in &config.properties {
        properties.set(key, value);
    }
    properties.set("bootstrap.servers", &config.brokers);
    properties.set("allow.auto.create.topics", "false");
    properties
}

/// Validates the properties of a configuration.
pub(crate) fn errors(config: &IngestConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (key, value) in &config.properties {
        let expected = if FIXED.iter().any(|(fixed, _)| fixed == key) {
            "cannot be set, since tapecast sets it itself".to_owned()
        } else {
            let alone = ClientConfig::new().set(key, value).create_native_config();
            match alone {
                Ok(_) => continue,
                Err(KafkaError::ClientConfig(_, description, ..)) => description,
                Err(error) => error.to_string(),
            }
        };
        errors.push(ConfigError {
            key: format!("properties.{key}"),
            value: value.clone(),
            expected,
        });
    }
    errors
}
