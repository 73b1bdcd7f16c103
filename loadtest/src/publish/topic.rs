use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Time for a broker to respond.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Creates the topic if missing. A broker that rejects the request creates it on first use.
pub(super) fn ensure(config: &ClientConfig, name: &str, partitions: i32) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        config.create().context("cannot create a Kafka client")?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    // Log times are then those of the broker, not of the producer.
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1))
        .set("message.timestamp.type", "LogAppendTime");
    let options = AdminOptions::new()
        .request_timeout(Some(ANSWER_WITHIN))
        .operation_timeout(Some(ANSWER_WITHIN));
    let refused = match runtime.block_on(admin.create_topics([&topic], &options)) {
        Ok(results) => results
            .into_iter()
            .find_map(Result::err)
            .map(|(_, code)| code),
        Err(KafkaError::AdminOp(code)) => Some(code),
        Err(error) => return Err(error).context("cannot request the topic from the broker"),
    };
    match refused {
        None
        | Some(RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::UnsupportedFeature) => {
            Ok(())
        }
        Some(code) => bail!("topic {name} cannot be created: {code}"),
    }
}
