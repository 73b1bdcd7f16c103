use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use market::Seq;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::metadata::{MetadataBroker, MetadataPartition};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::KafkaConsumer;
use crate::topic_id::{self, NotDescribed, TopicId};
use crate::{ResumeAt, Source, Start, TopicRule};

/// The timeout of a request to a broker.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// The error of a failed query.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    /// An error of the client or the broker.
    #[error("no response from a broker: {0}")]
    Client(#[from] KafkaError),
    /// The UUIDs of the topics are not available.
    #[error(transparent)]
    NotDescribed(#[from] NotDescribed),
}

/// A topic that matches a rule.
pub(super) struct FoundTopic {
    pub(super) source: Source,
    pub(super) partitions: BTreeSet<i32>,
}

/// All topics that match a rule, and the broker that listed them.
pub(super) struct TopicList {
    pub(super) by_name: BTreeMap<Arc<str>, FoundTopic>,
    pub(super) broker_id: i32,
    /// The number of topics that the broker listed, whether they match a rule or not.
    pub(super) listed: u64,
}

/// Queries the brokers and waits for their responses.
pub(crate) struct Broker {
    client: KafkaConsumer,
}

impl Broker {
    pub(crate) fn new(client: KafkaConsumer) -> Self {
        Self { client }
    }

    /// Lists the topics that match a rule.
    pub(super) fn topics(&self, rules: &[TopicRule]) -> Result<TopicList, QueryError> {
        // The client queues its errors until they are polled.
        while self.client.poll(Duration::ZERO).is_some() {}
        let metadata = self.client.fetch_metadata(None, BROKER_TIMEOUT)?;
        let mut by_name = BTreeMap::new();
        for topic in metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none())
        {
            let rule = rules.iter().find_map(|rule| rule.source(topic.name()));
            if let Some(source) = rule {
                let partitions = topic
                    .partitions()
                    .iter()
                    .map(MetadataPartition::id)
                    .collect();
                by_name.insert(Arc::from(topic.name()), FoundTopic { source, partitions });
            }
        }
        // A bootstrap broker has no number yet.
        let broker_id = match metadata.orig_broker_id() {
            known if known >= 0 => known,
            _ => metadata.brokers().first().map_or(-1, MetadataBroker::id),
        };
        let listed = u64::try_from(metadata.topics().len()).unwrap_or(u64::MAX);
        Ok(TopicList {
            by_name,
            broker_id,
            listed,
        })
    }

    /// Gets the UUIDs of topics.
    pub(super) fn ids(&self, topics: &TopicList) -> Result<HashMap<String, TopicId>, QueryError> {
        let names: Vec<&str> = topics.by_name.keys().map(|name| &**name).collect();
        let client = self.client.client();
        Ok(topic_id::topic_ids(
            client,
            topics.broker_id,
            &names,
            BROKER_TIMEOUT,
        )?)
    }

    /// Gets the first offset of a partition, and the offset after its last record.
    pub(super) fn ends(&self, topic: &str, partition: i32) -> Result<(Seq, Seq), QueryError> {
        let ends = self
            .client
            .fetch_watermarks(topic, partition, BROKER_TIMEOUT)?;
        Ok((Seq(ends.0), Seq(ends.1)))
    }

    /// Gets the offset at which to start a partition, and the offset after its last record. A
    /// resume offset is used unless the log ends before it.
    pub(super) fn start_of(
        &self,
        topic: &str,
        partition: i32,
        start: Start,
        resume: Option<&ResumeAt>,
    ) -> Result<(Seq, Seq), QueryError> {
        if let Some(resume) = resume {
            let (first, end) = self.ends(topic, partition)?;
            if resume.next <= end {
                return Ok((resume.next.max(first), end));
            }
        }
        self.configured_start(topic, partition, start)
    }

    /// Gets the configured start of a partition, and the offset after its last record.
    pub(super) fn configured_start(
        &self,
        topic: &str,
        partition: i32,
        start: Start,
    ) -> Result<(Seq, Seq), QueryError> {
        let (first, end) = self.ends(topic, partition)?;
        let Start::Lookback(lookback) = start else {
            return Ok((first, end));
        };
        let start = match self.first_since(topic, partition, lookback) {
            Ok(Some(offset)) => offset,
            Ok(None) => Seq(end.0 - Start::QUIET_RECORDS),
            // The broker has no timestamps; an example is librdkafka's mock.
            Err(error) => {
                tracing::warn!(topic, partition, %error, "cannot find offsets by time; starting at the first record");
                first
            }
        };
        Ok((start.clamp(first, end), end))
    }

    /// Finds the first record that is at most this old.
    fn first_since(
        &self,
        topic: &str,
        partition: i32,
        lookback: Duration,
    ) -> Result<Option<Seq>, KafkaError> {
        let since = SystemTime::now()
            .checked_sub(lookback)
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0);
        let mut times = TopicPartitionList::with_capacity(1);
        times.add_partition_offset(topic, partition, Offset::Offset(since))?;
        let offsets = self.client.offsets_for_times(times, BROKER_TIMEOUT)?;
        let found = offsets.find_partition(topic, partition);
        let Some(found) = found else {
            return Ok(None);
        };
        found.error()?;
        match found.offset() {
            Offset::Offset(offset) => Ok(Some(Seq(offset))),
            _ => Ok(None),
        }
    }
}
