use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::{ConfigError, IngestConfig};

/// librdkafka wants a group before it assigns partitions. Nobody joins it and nothing is committed.
const GROUP: &str = "tapecast";

/// What the design rests on: nobody may set these.
const OWNED: [(&str, &str); 11] = [
    // Parsed by `brokers`.
    ("bootstrap.servers", ""),
    ("metadata.broker.list", ""),
    ("group.id", GROUP),
    // Every node reads everything, from where it chooses.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // An offset that is not there is told, and never skipped in silence.
    ("auto.offset.reset", "error"),
    // An end of a partition would be told without its topic; the statistics tell both.
    ("enable.partition.eof", "false"),
    // The lag's source.
    ("statistics.interval.ms", "1000"),
    ("allow.auto.create.topics", "false"),
    // Would load code.
    ("plugin.library.paths", ""),
    // Would read something else than `brokers` says.
    ("test.mock.num.brokers", ""),
];

/// What is set unless the configuration says otherwise.
const DEFAULTS: [(&str, &str); 12] = [
    ("client.id", "tapecast"),
    // A flipped bit is no price.
    ("check.crcs", "true"),
    // A broker answers at once when there is something. Without anything it holds the answer for
    // this long, and the fetching of a partition that is added has to wait for that.
    ("fetch.wait.max.ms", "10"),
    // How soon fetching goes on after the local queue was full; the default of a second would
    // starve a node that catches up.
    ("fetch.queue.backoff.ms", "2"),
    ("fetch.error.backoff.ms", "100"),
    // The local queue of a partition: at 200 bytes a record 40,000 records, more than a tenth of a
    // second at 300,000 a second, and a fetch takes milliseconds. 100 partitions that catch up
    // hold 800 MiB at most.
    ("queued.max.messages.kbytes", "8192"),
    // A record of 10 MiB passes, to be refused here with a name; one above 60 MiB stops its
    // partition.
    ("fetch.max.bytes", "62914560"),
    ("receive.message.max.bytes", "67108864"),
    // A broker that comes back is used again within a second.
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    // Topics that are gone are told soon.
    ("topic.metadata.propagation.max.ms", "1000"),
    // A partition that the client does not know yet when it is to read it is looked for once, and
    // then at this interval only; the default is five minutes.
    ("topic.metadata.refresh.interval.ms", "5000"),
];

/// The properties of a client that reads partitions.
pub(super) fn reading(config: &IngestConfig) -> ClientConfig {
    let mut properties = common(config);
    for (key, value) in OWNED.iter().filter(|(_, value)| !value.is_empty()) {
        properties.set(*key, *value);
    }
    // Its log tells what nothing else does: that a topic has become another one. These messages
    // come with metadata only, every few minutes or when something is wrong.
    let more = config
        .properties
        .get("debug")
        .map(|more| format!(",{more}"));
    properties.set("debug", format!("metadata{}", more.unwrap_or_default()));
    properties.set_log_level(RDKafkaLogLevel::Debug);
    properties
}

/// What a client that reads one partition fetches at a time: as much as may wait, within these. The upper one
/// is librdkafka's default.
const LEAST_FETCH: usize = 64 << 10;
const MOST_FETCH: usize = 1 << 20;

/// The properties of a client that reads one partition, of which at most so many bytes wait.
pub(super) fn past(config: &IngestConfig, queue_bytes: usize) -> ClientConfig {
    let mut properties = reading(config);
    properties.remove("debug");
    if let Some(debug) = config.properties.get("debug") {
        properties.set("debug", debug);
    }
    properties.set_log_level(RDKafkaLogLevel::Info);
    // It reads one partition, so an end needs no name.
    properties.set("enable.partition.eof", "true");
    properties.set("statistics.interval.ms", "0");
    // What a fetch may bring comes on top of the queue; a larger record still comes, alone.
    let fetch = queue_bytes.clamp(LEAST_FETCH, MOST_FETCH);
    properties.set("fetch.message.max.bytes", fetch.to_string());
    let kbytes = (queue_bytes / 1024).max(1);
    properties.set("queued.max.messages.kbytes", kbytes.to_string());
    properties
}

/// The properties of any client.
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

/// What is wrong with the properties of a configuration.
pub(crate) fn errors(config: &IngestConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (key, value) in &config.properties {
        let expected = if OWNED.iter().any(|(owned, _)| owned == key) {
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
