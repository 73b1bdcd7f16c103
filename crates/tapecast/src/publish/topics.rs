use std::collections::HashSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime::Runtime;

use super::sink_error::SinkError;

/// How long a broker may take to answer before it counts as unreachable.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
use node::Deliveries;

/// Existing topics; missing ones are created before their first record.
///
/// A created topic has one partition, so that its records keep their order whatever their keys,
/// and the broker's default number of replicas.
pub(super) struct Topics {
    known: HashSet<String>,
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
}

impl Topics {
    /// Lists the topics; fails if no broker responds.
    pub(super) fn of(
        client: &Client<Deliveries>,
        config: &ClientConfig,
    ) -> Result<Self, SinkError> {
        let metadata = client
            .fetch_metadata(None, ANSWER_WITHIN)
            .map_err(SinkError::NoBroker)?;
        let names = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned());
        Ok(Self {
            known: names.collect(),
            admin: config.create().map_err(SinkError::Config)?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .map_err(SinkError::Runtime)?,
        })
    }

    /// Creates a topic if it does not exist.
    pub(super) fn ensure(&mut self, name: &str) -> Result<(), SinkError> {
        if self.known.contains(name) {
            return Ok(());
        }
        let topic = NewTopic::new(name, 1, TopicReplication::Fixed(-1));
        let options = AdminOptions::new()
            .request_timeout(Some(ANSWER_WITHIN))
            .operation_timeout(Some(ANSWER_WITHIN));
        let answer = self
            .runtime
            .block_on(self.admin.create_topics([&topic], &options));
        let refused = match answer {
            Ok(results) => results.into_iter().find_map(Result::err),
            Err(KafkaError::AdminOp(code)) => Some((name.to_owned(), code)),
            Err(error) => return Err(SinkError::Broker(error)),
        };
        match refused.map(|(_, code)| code) {
            // Someone else created it, or the broker does not support the request and creates on first use.
            None
            | Some(RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::UnsupportedFeature) => {
                self.known.insert(name.to_owned());
                Ok(())
            }
            Some(code) => Err(SinkError::Topic {
                topic: name.to_owned(),
                code,
            }),
        }
    }
}
