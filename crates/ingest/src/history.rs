//! Reads the history of single partitions.

mod clients;

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use market::{Event, Handle, Nanos, Seq};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::KafkaConsumer;
use crate::{DecodeError, Decoder, RawRecord, Resolve, Source};
use clients::{Lease, UserId};

pub use clients::HistoryClients;

/// The maximum number of records that are taken from the client at a time, and the number of bytes
/// after which no more are taken. A replay at the speed of its market then needs the client only
/// every few seconds.
const MAX_BUFFERED: usize = 256;
const MAX_BUFFERED_BYTES: usize = 32 * 1024;
/// The timeout of a request to a broker.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// An error that keeps the history from being read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No rule of the configuration matches the topic any more.
    #[error("no rule matches topic {0}")]
    NoRule(String),
    /// Kafka has deleted the records at the requested offset.
    #[error("the offset is no longer in the log")]
    Gone,
    /// All clients were in use, and none became free in time.
    #[error("all clients for reading the log are in use")]
    Busy,
    /// An error of the client or the brokers.
    #[error("the log cannot be read: {0}")]
    Kafka(#[from] KafkaError),
}

/// Receives what a [`HistoryReader`] reads.
pub trait HistorySink: Resolve {
    /// A record has an event.
    fn event(&mut self, seq: Seq, log_time: Nanos, instrument: Handle, event: &Event<'_>);

    /// A record could not be decoded.
    fn rejected(&mut self, seq: Seq, log_time: Nanos, error: &DecodeError);
}

/// The state of a reader after waiting for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is a record, which [`HistoryReader::take`] decodes.
    Record {
        /// The offset of the record.
        seq: Seq,
        /// The Kafka timestamp of the record.
        log_time: Nanos,
    },
    /// No record has arrived yet.
    Nothing,
    /// The end of the log was reached.
    End,
}

/// Reads one partition, record by record, at the pace of its owner. It shares its client with other
/// readers.
///
/// Invariants:
/// - At most 32 KiB and one record are buffered here. A client buffers
///   `queue_bytes` and one fetch, however many readers share it.
/// - Records are read in order and without gaps, whoever else used the client in between: reading
///   continues after a record only if it is still the one that was read last.
pub struct HistoryReader {
    clients: Arc<HistoryClients>,
    user: UserId,
    lease: Option<Lease<KafkaConsumer>>,
    source: Source,
    partition: i32,
    decoder: Decoder,
    buffered: VecDeque<OwnedMessage>,
    /// Where reading continues; `None` before [`HistoryReader::seek`].
    from: Option<ResumePoint>,
    /// Whether a client was positioned there since the last [`HistoryReader::seek`].
    is_positioned: bool,
    /// Whether the client was positioned and has returned no record since.
    is_seeking: bool,
    /// What to return once the buffer is empty.
    tail: Option<Tail>,
}

/// Where reading continues.
#[derive(Debug, Clone, Copy)]
enum ResumePoint {
    /// At an offset.
    At(Seq),
    /// After a record.
    After(Fingerprint),
}

/// Distinguishes a record from another one at the same offset, in a recreated topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    seq: Seq,
    millis: Option<i64>,
    payload: u64,
}

/// What follows the buffered records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    End,
    Gone,
}

impl HistoryReader {
    /// Opens a partition. Nothing is read before [`HistoryReader::seek`].
    pub fn open(
        clients: &Arc<HistoryClients>,
        topic: &str,
        partition: i32,
    ) -> Result<Self, HistoryError> {
        let config = &clients.config;
        let source = config.topics.iter().find_map(|rule| rule.source(topic));
        let source = source.ok_or_else(|| HistoryError::NoRule(topic.to_owned()))?;
        Ok(Self {
            user: clients.enter(),
            lease: None,
            source,
            partition,
            decoder: Decoder::new(config.max_record_bytes),
            clients: Arc::clone(clients),
            buffered: VecDeque::new(),
            from: None,
            is_positioned: false,
            is_seeking: false,
            tail: None,
        })
    }

    /// Gets the first offset of the partition, and the offset after its last record.
    pub fn ends(&mut self) -> Result<(Seq, Seq), HistoryError> {
        self.take_client(BROKER_TIMEOUT)?;
        let client = self.client().ok_or(HistoryError::Busy)?;
        let (topic, partition) = (&self.source.topic, self.partition);
        let (first, end) = client.fetch_watermarks(topic, partition, BROKER_TIMEOUT)?;
        Ok((Seq(first), Seq(end)))
    }

    /// Finds the first record with this log time or a later one.
    pub fn first_since(&mut self, time: Nanos) -> Result<Option<Seq>, HistoryError> {
        // Kafka's timestamps are in milliseconds, so this rounds up.
        let millis = i64::try_from(time.0.div_ceil(1_000_000)).unwrap_or(i64::MAX);
        let times = self.partition_at(millis)?;
        self.take_client(BROKER_TIMEOUT)?;
        let client = self.client().ok_or(HistoryError::Busy)?;
        let found = client.offsets_for_times(times, BROKER_TIMEOUT)?;
        let Some(found) = found.find_partition(&self.source.topic, self.partition) else {
            return Ok(None);
        };
        found.error()?;
        Ok(match found.offset() {
            Offset::Offset(offset) => Some(Seq(offset)),
            _ => None,
        })
    }

    /// Continues at an offset.
    pub fn seek(&mut self, from: Seq) {
        self.buffered.clear();
        self.tail = None;
        self.from = Some(ResumePoint::At(from));
        // Even if the client is still positioned for this reader, its fetched records are of other
        // offsets.
        self.is_positioned = false;
    }

    /// Waits for the next record, but not longer than `wait`.
    pub fn next(&mut self, wait: Duration) -> Result<Next, HistoryError> {
        if self.buffered.is_empty() && self.tail.is_none() {
            self.fill_buffer(wait)?;
        }
        if let Some(record) = self.buffered.front() {
            return Ok(Next::Record {
                seq: Seq(record.offset()),
                log_time: log_time(record),
            });
        }
        match self.tail.take() {
            Some(Tail::End) => Ok(Next::End),
            Some(Tail::Gone) => Err(HistoryError::Gone),
            None => Ok(Next::Nothing),
        }
    }

    /// Gives the client back, since the owner waits for something else. Reading continues where it
    /// was.
    pub fn yield_client(&mut self) {
        match self.lease.take() {
            Some(lease) => self.clients.give_back(lease),
            None => self.clients.stop_waiting(self.user),
        }
        // Frees the decoder's buffers.
        self.decoder = Decoder::new(self.clients.config.max_record_bytes);
    }

    /// Returns whether the reader has a client, which others may be waiting for.
    #[must_use]
    pub const fn has_client(&self) -> bool {
        self.lease.is_some()
    }

    fn client(&self) -> Option<&KafkaConsumer> {
        self.lease.as_ref().map(|lease| &lease.client)
    }

    /// Leases a client if one is available within `wait`.
    fn take_client(&mut self, wait: Duration) -> Result<(), HistoryError> {
        if self.lease.is_none() {
            self.lease = self.clients.lease(self.user, wait)?;
        }
        Ok(())
    }

    /// Fills the buffer with records that the client has fetched.
    fn fill_buffer(&mut self, wait: Duration) -> Result<(), HistoryError> {
        let until = Instant::now() + wait;
        if let Some(lease) = &self.lease
            && self.clients.must_yield(lease, !self.is_seeking)
        {
            self.yield_client();
        }
        self.take_client(wait)?;
        self.position()?;
        let Some(lease) = &self.lease else {
            return Ok(());
        };
        let mut wait = until.saturating_duration_since(Instant::now());
        let mut bytes = 0;
        while bytes < MAX_BUFFERED_BYTES && self.buffered.len() < MAX_BUFFERED {
            match lease.client.poll(wait) {
                None => break,
                Some(Ok(record)) if !self.is_own(&record) => {}
                Some(Ok(record)) => {
                    if std::mem::take(&mut self.is_seeking)
                        && let Some(ResumePoint::After(last)) = self.from
                    {
                        if Fingerprint::of(&record) == last {
                            continue;
                        }
                        self.tail = Some(Tail::Gone);
                        break;
                    }
                    bytes += record.payload_len() + record.key_len();
                    self.buffered.push_back(record.detach());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // The record that was read last no longer exists.
                    let is_lost =
                        self.is_seeking && matches!(self.from, Some(ResumePoint::After(_)));
                    self.tail = Some(if is_lost { Tail::Gone } else { Tail::End });
                    self.is_seeking = false;
                    break;
                }
                Some(Err(error)) if is_gone(&error) => {
                    self.tail = Some(Tail::Gone);
                    break;
                }
                // An unavailable broker is waited for.
                Some(Err(error)) => {
                    tracing::debug!(%error, topic = %self.source.topic, "cannot read the log yet");
                    break;
                }
            }
            wait = Duration::ZERO;
        }
        if let Some(last) = self.buffered.back() {
            self.from = Some(ResumePoint::After(Fingerprint::of(last)));
        }
        Ok(())
    }

    /// Returns whether a record is of this partition, not of the client's previous reader.
    fn is_own(&self, record: &impl Message) -> bool {
        record.partition() == self.partition && record.topic() == self.source.topic
    }

    /// Positions the client where reading continues, unless it is there.
    fn position(&mut self) -> Result<(), HistoryError> {
        let offset = match self.from {
            Some(ResumePoint::At(seq) | ResumePoint::After(Fingerprint { seq, .. })) => seq,
            None => return Ok(()),
        };
        let user = Some(self.user);
        let is_positioned = self.is_positioned;
        let is_present = |lease: &&mut Lease<_>| is_positioned && lease.positioned_for == user;
        let from = self.partition_at(offset.0)?;
        let lease = self.lease.as_mut();
        let Some(lease) = lease.filter(|lease| !is_present(lease)) else {
            return Ok(());
        };
        lease.positioned_for = None;
        // Without this, a partition that is assigned again keeps its fetched records.
        lease.client.unassign()?;
        lease.client.assign(&from)?;
        lease.positioned_for = user;
        self.is_positioned = true;
        self.is_seeking = true;
        Ok(())
    }

    /// This partition with an offset or a timestamp.
    fn partition_at(&self, at: i64) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.source.topic, self.partition, Offset::Offset(at))?;
        Ok(list)
    }

    /// Skips the record that [`HistoryReader::next`] returned.
    pub fn skip(&mut self) {
        self.buffered.pop_front();
    }

    /// Decodes the record that [`HistoryReader::next`] returned.
    pub fn take<S: HistorySink>(&mut self, sink: &mut S) {
        let Some(message) = self.buffered.pop_front() else {
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
            Err(error) => sink.rejected(seq, log_time, &error),
        }
    }
}

impl Drop for HistoryReader {
    fn drop(&mut self) {
        self.yield_client();
        self.clients.leave(self.user);
    }
}

impl Fingerprint {
    fn of(record: &impl Message) -> Self {
        let mut hasher = DefaultHasher::new();
        record.payload().hash(&mut hasher);
        Self {
            seq: Seq(record.offset()),
            millis: record.timestamp().to_millis(),
            payload: hasher.finish(),
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
