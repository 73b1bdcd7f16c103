use anyhow::Context as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::config::Sources;

/// Where the market's records are.
pub(super) const TOPIC: &str = "market";
/// As many as librdkafka's mock makes by itself; it keeps 5 MiB of each.
const PARTITIONS: i32 = 4;

/// What the node of a demo is told, beside the broker's address. The terminal is for the banner,
/// so only what is wrong is logged there.
const CONFIG: &str = r#"
[kafka]
# The mock broker knows no UUIDs.
topic_ids = "none"

[[topics]]
pattern = "market"
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
}

impl DemoBroker {
    pub(super) fn start() -> anyhow::Result<Self> {
        let mock = MockCluster::new(1).context("cannot start the mock broker")?;
        mock.create_topic(TOPIC, PARTITIONS, 1)
            .context("cannot create the demo's topic")?;
        Ok(Self { mock })
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> String {
        self.mock.bootstrap_servers()
    }

    /// The configuration of a node on this broker; what the person asked for comes before it.
    pub(super) fn lay_over(&self, sources: Sources) -> Sources {
        sources
            .text("of the demo", CONFIG)
            .flag("kafka.brokers", Some(&self.address()))
    }
}
