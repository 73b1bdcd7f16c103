use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use node::{Flag, Sources};

/// Prefix of the topic's name, which ends with the start time. The mock broker has no UUIDs of topics, so only
/// the name distinguishes the logs of two runs: a client that reconnects to a new demo must not resume in a
/// log that it has never seen.
const TOPIC: &str = "market";
/// The default of librdkafka's mock broker, which retains 5 MiB of each.
const PARTITIONS: i32 = 4;

/// The configuration of the demo's node, except the broker's address. Only warnings are logged, since the
/// terminal is for the banner.
const CONFIG: &str = r#"
[kafka]
# The mock broker has no UUIDs of topics.
topic_ids = "none"

[[topics]]
pattern = "market-[0-9]+"
format = "tapecast"

[limits]
sessions = 1000

[session]
# The person who stops the demo waits for it.
drain_delay = "200ms"

[log]
level = "warn"
"#;

/// An in-process Kafka broker: librdkafka's mock.
pub(super) struct DemoBroker {
    mock: MockCluster<'static, DefaultProducerContext>,
    topic: String,
}

impl DemoBroker {
    pub(super) fn start() -> anyhow::Result<Self> {
        let mock = MockCluster::new(1).context("cannot start the mock broker")?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let topic = format!("{TOPIC}-{}", since.map_or(0, |since| since.as_millis()));
        mock.create_topic(&topic, PARTITIONS, 1)
            .context("cannot create the demo's topic")?;
        Ok(Self { mock, topic })
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// The address of the broker.
    pub(super) fn address(&self) -> String {
        self.mock.bootstrap_servers()
    }

    /// Adds the configuration of a node on this broker, which variables and flags override.
    pub(super) fn configure(&self, sources: Sources) -> Sources {
        sources
            .text("of the demo", CONFIG)
            .flag(Flag::Brokers, Some(&self.address()))
    }
}
