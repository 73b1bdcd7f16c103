use std::time::Duration;

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How long a broker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Creates the topic when it is not there; brokers that cannot be asked create it on first use.
pub(super) fn ensure(config: &ClientConfig, name: &str, partitions: i32) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config.create().context("no Kafka client")?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    // The broker's clock says when it had a record; the producer's would say when it was given.
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
        Err(error) => return Err(error).context("cannot ask the broker for the topic"),
    };
    match refused {
        None
        | Some(RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::UnsupportedFeature) => {
            Ok(())
        }
        Some(code) => bail!("topic {name} cannot be created: {code}"),
    }
}
