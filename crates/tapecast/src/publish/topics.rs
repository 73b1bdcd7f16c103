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

/// The topics that exist; those that do not are created before the first record goes there.
///
/// A created topic has one partition, so that its records keep their order whatever their keys,
/// and as many replicas as the broker's default says.
pub(super) struct Topics {
    known: HashSet<String>,
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
}

impl Topics {
    /// Asks the brokers what there is; an error when none of them answers.
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

    /// Creates a topic when it is not there.
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
            // Somebody else was faster; or the broker cannot be asked and creates on first use.
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
