//! The past of one partition, read for somebody who asks for it.

use std::time::Duration;

use market::{Event, Handle, Nanos, Seq};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{self, KafkaConsumer};
use crate::{DecodeError, Decoder, IngestConfig, RawRecord, Resolve, Source};

/// How long a broker may take for one answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Why the past cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// No rule of the configuration is for the topic any more.
    #[error("no rule is for topic {0}")]
    NoRule(String),
    /// Kafka has no record any more where it is to be read.
    #[error("the offset is not in the log any more")]
    Gone,
    /// Of the client, or of the brokers.
    #[error("the log cannot be read: {0}")]
    Kafka(#[from] KafkaError),
}

/// Takes what a [`Past`] reads.
pub trait PastSink: Resolve {
    /// A record said something.
    fn event(&mut self, seq: Seq, log_time: Nanos, instrument: Handle, event: &Event<'_>);

    /// A record could not be read.
    fn refused(&mut self, seq: Seq, log_time: Nanos, error: &DecodeError);
}

/// What comes next in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A record; [`Past::take`] reads it.
    Record {
        /// Its offset.
        seq: Seq,
        /// Its timestamp.
        log_time: Nanos,
    },
    /// Nothing has come yet.
    Nothing,
    /// There is nothing more at the moment.
    End,
}

/// Reads one partition with a client of its own, record by record, as fast as its owner wants.
///
/// Invariant: at most `queue_bytes` and one fetch, which is as large, or one record wait in the client,
/// however slow the owner.
pub struct Past {
    client: KafkaConsumer,
    source: Source,
    partition: i32,
    decoder: Decoder,
    held: Option<OwnedMessage>,
}

impl Past {
    /// Opens a partition; nothing is read before [`Past::seek`].
    pub fn open(
        config: &IngestConfig,
        topic: &str,
        partition: i32,
        queue_bytes: usize,
    ) -> Result<Self, PastError> {
        let source = config.topics.iter().find_map(|rule| rule.source(topic));
        let source = source.ok_or_else(|| PastError::NoRule(topic.to_owned()))?;
        Ok(Self {
            client: client::past(config, queue_bytes)?,
            source,
            partition,
            decoder: Decoder::new(config.max_record_bytes),
            held: None,
        })
    }

    /// Where the log begins, and the offset behind its end.
    pub fn ends(&self) -> Result<(Seq, Seq), PastError> {
        let (topic, partition) = (&self.source.topic, self.partition);
        let (first, end) = self
            .client
            .fetch_watermarks(topic, partition, ANSWERS_WITHIN)?;
        Ok((Seq(first), Seq(end)))
    }

    /// The first record of that log time or later; none when there is none.
    pub fn first_since(&self, time: Nanos) -> Result<Option<Seq>, PastError> {
        // Kafka's times have milliseconds: what is within one belongs to the next.
        let millis = i64::try_from(time.0.div_ceil(1_000_000)).unwrap_or(i64::MAX);
        let mut times = TopicPartitionList::with_capacity(1);
        times.add_partition_offset(&self.source.topic, self.partition, Offset::Offset(millis))?;
        let found = self.client.offsets_for_times(times, ANSWERS_WITHIN)?;
        let Some(found) = found.find_partition(&self.source.topic, self.partition) else {
            return Ok(None);
        };
        found.error()?;
        Ok(match found.offset() {
            Offset::Offset(offset) => Some(Seq(offset)),
            _ => None,
        })
    }

    /// Reads from that offset on.
    pub fn seek(&mut self, from: Seq) -> Result<(), PastError> {
        self.held = None;
        // Taken back first, since a partition that is given again keeps what was fetched of it.
        self.client.unassign()?;
        let mut from_there = TopicPartitionList::with_capacity(1);
        from_there.add_partition_offset(
            &self.source.topic,
            self.partition,
            Offset::Offset(from.0),
        )?;
        Ok(self.client.assign(&from_there)?)
    }

    /// What comes next; waits for it, but not longer than that.
    pub fn next(&mut self, wait: Duration) -> Result<Next, PastError> {
        if self.held.is_none() {
            match self.client.poll(wait) {
                None => return Ok(Next::Nothing),
                Some(Ok(message)) => self.held = Some(message.detach()),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Next::End),
                Some(Err(error)) if is_gone(&error) => return Err(PastError::Gone),
                // A broker that is away is waited for.
                Some(Err(error)) => {
                    tracing::debug!(%error, topic = %self.source.topic, "reading the past");
                    return Ok(Next::Nothing);
                }
            }
        }
        Ok(self
            .held
            .as_ref()
            .map_or(Next::Nothing, |held| Next::Record {
                seq: Seq(held.offset()),
                log_time: log_time(held),
            }))
    }

    /// Passes over the record that [`Past::next`] found.
    pub fn pass(&mut self) {
        self.held = None;
    }

    /// Reads the record that [`Past::next`] found.
    pub fn take<S: PastSink>(&mut self, sink: &mut S) {
        let Some(message) = self.held.take() else {
            return;
        };
        let (seq, log_time) = (Seq(message.offset()), log_time(&message));
        let record = RawRecord {
            source: &self.source,
            key: message.key(),
            payload: message.payload(),
        };
        match self.decoder.decode(&record, sink) {
            Ok(decoded) => {
                if let Some((instrument, event)) = decoded.event() {
                    sink.event(seq, log_time, instrument, &event);
                    for instrument in decoded.also() {
                        sink.event(seq, log_time, *instrument, &event);
                    }
                }
            }
            Err(error) => sink.refused(seq, log_time, &error),
        }
    }
}

fn log_time(message: &OwnedMessage) -> Nanos {
    let millis = message.timestamp().to_millis().unwrap_or(0);
    Nanos::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicId,
        )
    )
}
