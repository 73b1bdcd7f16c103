use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use node::{Flag, Sources};

/// Where the market's records are, before the moment of the start. The mock broker knows no UUIDs
/// of topics, so the name is what tells one demo's log from the next one's: a client that comes
/// back to a new demo is not resumed in a log that it has never seen.
const TOPIC: &str = "market";
/// As many as librdkafka's mock makes by itself; it keeps 5 MiB of each.
const PARTITIONS: i32 = 4;

/// What the node of a demo is told, beside the broker's address. The terminal is for the banner,
/// so only what is wrong is logged there.
const CONFIG: &str = r#"
[kafka]
# The mock broker knows no UUIDs.
topic_ids = "none"

[[topics]]
pattern = "market-[0-9]+"
format = "tapecast"

[limits]
sessions = 1000

[session]
# Who ends a demo waits for it.
drain_delay = "200ms"

[log]
level = "warn"
"#;

/// A Kafka of its own, in this process: librdkafka's mock broker.
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

    /// The topic of the market's records.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> String {
        self.mock.bootstrap_servers()
    }

    /// The configuration of a node on this broker; what the person asked for comes before it.
    pub(super) fn configure(&self, sources: Sources) -> Sources {
        sources
            .text("of the demo", CONFIG)
            .flag(Flag::Brokers, Some(&self.address()))
    }
}
