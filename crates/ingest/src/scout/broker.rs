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

/// How long a broker may take for one answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// A question that no broker answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// Of the client.
    #[error("no answer from a broker: {0}")]
    Client(#[from] KafkaError),
    /// Of the topics' identities.
    #[error(transparent)]
    NotDescribed(#[from] NotDescribed),
}

/// A topic that a rule is for.
pub(super) struct Found {
    pub(super) source: Source,
    pub(super) partitions: BTreeSet<i32>,
}

/// Every topic that a rule is for, and the broker that said so.
pub(super) struct Topics {
    pub(super) by_name: BTreeMap<Arc<str>, Found>,
    pub(super) told_by: i32,
    /// How many topics the broker listed, whether a rule is for them or not.
    pub(super) listed: u64,
}

/// Asks the brokers, and waits for their answers.
pub(crate) struct Broker {
    client: KafkaConsumer,
}

impl Broker {
    pub(crate) fn new(client: KafkaConsumer) -> Self {
        Self { client }
    }

    /// The topics that the rules are for.
    pub(super) fn topics(&self, rules: &[TopicRule]) -> Result<Topics, Unanswered> {
        // Errors of the client wait here for somebody who takes them.
        while self.client.poll(Duration::ZERO).is_some() {}
        let metadata = self.client.fetch_metadata(None, ANSWERS_WITHIN)?;
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
                by_name.insert(Arc::from(topic.name()), Found { source, partitions });
            }
        }
        // One that is known by its address only has no number yet.
        let told_by = match metadata.orig_broker_id() {
            known if known >= 0 => known,
            _ => metadata.brokers().first().map_or(-1, MetadataBroker::id),
        };
        let listed = u64::try_from(metadata.topics().len()).unwrap_or(u64::MAX);
        Ok(Topics {
            by_name,
            told_by,
            listed,
        })
    }

    /// The identities of topics.
    pub(super) fn ids(&self, topics: &Topics) -> Result<HashMap<String, TopicId>, Unanswered> {
        let names: Vec<&str> = topics.by_name.keys().map(|name| &**name).collect();
        let client = self.client.client();
        Ok(topic_id::topic_ids(
            client,
            topics.told_by,
            &names,
            ANSWERS_WITHIN,
        )?)
    }

    /// Where a partition's log begins, and the offset behind its end.
    pub(super) fn ends(&self, topic: &str, partition: i32) -> Result<(Seq, Seq), Unanswered> {
        let ends = self
            .client
            .fetch_watermarks(topic, partition, ANSWERS_WITHIN)?;
        Ok((Seq(ends.0), Seq(ends.1)))
    }

    /// The same, but where it goes on, if that is given and the log reaches that far.
    pub(super) fn begin(
        &self,
        topic: &str,
        partition: i32,
        start: Start,
        resume: Option<&ResumeAt>,
    ) -> Result<(Seq, Seq), Unanswered> {
        if let Some(resume) = resume {
            let (first, end) = self.ends(topic, partition)?;
            if resume.next <= end {
                return Ok((resume.next.max(first), end));
            }
        }
        self.start(topic, partition, start)
    }

    /// Where to begin to read a partition, and the offset behind its end.
    pub(super) fn start(
        &self,
        topic: &str,
        partition: i32,
        start: Start,
    ) -> Result<(Seq, Seq), Unanswered> {
        let (first, end) = self.ends(topic, partition)?;
        let Start::Lookback(back) = start else {
            return Ok((first, end));
        };
        let begin = match self.first_since(topic, partition, back) {
            Ok(Some(offset)) => offset,
            Ok(None) => Seq(end.0 - Start::QUIET_RECORDS),
            // A broker that keeps no times, as librdkafka's mock is.
            Err(error) => {
                tracing::warn!(topic, partition, %error, "no offsets by time; begins at the start");
                first
            }
        };
        Ok((begin.clamp(first, end), end))
    }

    /// The first record that is at most so old; none when there is none.
    fn first_since(
        &self,
        topic: &str,
        partition: i32,
        back: Duration,
    ) -> Result<Option<Seq>, KafkaError> {
        let since = SystemTime::now()
            .checked_sub(back)
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0);
        let mut times = TopicPartitionList::with_capacity(1);
        times.add_partition_offset(topic, partition, Offset::Offset(since))?;
        let offsets = self.client.offsets_for_times(times, ANSWERS_WITHIN)?;
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
