//! The past of one partition, read for somebody who asks for it.

mod readers;

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
use readers::{Lease, User};

pub use readers::PastReaders;

/// Records that are taken out of the client at a time, and their bytes: so a replay at the pace of its market
/// needs the client once in seconds.
const AHEAD: usize = 256;
const AHEAD_BYTES: usize = 32 * 1024;
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
    /// Others read with all the clients that there may be, and none became free in time.
    #[error("all clients are in use")]
    Busy,
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

/// Reads one partition, record by record, as fast as its owner wants, with a client that it shares with others.
///
/// Invariants:
/// - At most [`AHEAD_BYTES`] and one record wait here. What waits in a client, `queue_bytes` and one fetch, does
///   so once for each client, however many read.
/// - Records come in their order, and none is left out, whoever else used the client in between: it goes on
///   behind a record that is the same as the last one that was read.
pub struct Past {
    readers: Arc<PastReaders>,
    user: User,
    lease: Option<Lease<KafkaConsumer>>,
    source: Source,
    partition: i32,
    decoder: Decoder,
    ahead: VecDeque<OwnedMessage>,
    /// Where reading goes on; none before [`Past::seek`].
    from: Option<ReadFrom>,
    /// A client was sent there since the last [`Past::seek`].
    is_placed: bool,
    /// It was sent there, and has given no record since.
    sought: bool,
    /// What is to be told when nothing is ahead any more.
    then: Option<Then>,
}

/// Where reading goes on.
#[derive(Debug, Clone, Copy)]
enum ReadFrom {
    /// At this offset.
    At(Seq),
    /// Behind this record.
    Behind(Mark),
}

/// What tells a record from another one at the same offset of a topic of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    seq: Seq,
    millis: Option<i64>,
    payload: u64,
}

/// What comes behind the records that were read ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    End,
    Gone,
}

impl Past {
    /// Opens a partition; nothing is read before [`Past::seek`].
    pub fn open(
        readers: &Arc<PastReaders>,
        topic: &str,
        partition: i32,
    ) -> Result<Self, PastError> {
        let config = &readers.config;
        let source = config.topics.iter().find_map(|rule| rule.source(topic));
        let source = source.ok_or_else(|| PastError::NoRule(topic.to_owned()))?;
        Ok(Self {
            user: readers.enter(),
            lease: None,
            source,
            partition,
            decoder: Decoder::new(config.max_record_bytes),
            readers: Arc::clone(readers),
            ahead: VecDeque::new(),
            from: None,
            is_placed: false,
            sought: false,
            then: None,
        })
    }

    /// Where the log begins, and the offset behind its end.
    pub fn ends(&mut self) -> Result<(Seq, Seq), PastError> {
        self.take_client(ANSWERS_WITHIN)?;
        let client = self.client().ok_or(PastError::Busy)?;
        let (topic, partition) = (&self.source.topic, self.partition);
        let (first, end) = client.fetch_watermarks(topic, partition, ANSWERS_WITHIN)?;
        Ok((Seq(first), Seq(end)))
    }

    /// The first record of that log time or later; none when there is none.
    pub fn first_since(&mut self, time: Nanos) -> Result<Option<Seq>, PastError> {
        // Kafka's times have milliseconds: what is within one belongs to the next.
        let millis = i64::try_from(time.0.div_ceil(1_000_000)).unwrap_or(i64::MAX);
        let times = self.partition_at(millis)?;
        self.take_client(ANSWERS_WITHIN)?;
        let client = self.client().ok_or(PastError::Busy)?;
        let found = client.offsets_for_times(times, ANSWERS_WITHIN)?;
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
    pub fn seek(&mut self, from: Seq) {
        self.ahead.clear();
        self.then = None;
        self.from = Some(ReadFrom::At(from));
        // Also where the client is still this one's: what it fetched is of elsewhere.
        self.is_placed = false;
    }

    /// What comes next; waits for it, but not longer than that.
    pub fn next(&mut self, wait: Duration) -> Result<Next, PastError> {
        if self.ahead.is_empty() && self.then.is_none() {
            self.read_ahead(wait)?;
        }
        if let Some(record) = self.ahead.front() {
            return Ok(Next::Record {
                seq: Seq(record.offset()),
                log_time: log_time(record),
            });
        }
        match self.then.take() {
            Some(Then::End) => Ok(Next::End),
            Some(Then::Gone) => Err(PastError::Gone),
            None => Ok(Next::Nothing),
        }
    }

    /// Leaves the client to others, since its owner waits for something else. Reading goes on where it was.
    pub fn rest(&mut self) {
        match self.lease.take() {
            Some(lease) => self.readers.give_back(lease),
            None => self.readers.stop_waiting(self.user),
        }
        // With the buffers for what was decoded.
        self.decoder = Decoder::new(self.readers.config.max_record_bytes);
    }

    /// Returns whether it has the client, so that others may have to wait for it.
    #[must_use]
    pub const fn has_client(&self) -> bool {
        self.lease.is_some()
    }

    fn client(&self) -> Option<&KafkaConsumer> {
        self.lease.as_ref().map(|lease| &lease.client)
    }

    /// Gets a client, if one can be had within that time.
    fn take_client(&mut self, wait: Duration) -> Result<(), PastError> {
        if self.lease.is_none() {
            self.lease = self.readers.lease(self.user, wait)?;
        }
        Ok(())
    }

    /// Takes what the client has, as much as may be read ahead.
    fn read_ahead(&mut self, wait: Duration) -> Result<(), PastError> {
        let until = Instant::now() + wait;
        if let Some(lease) = &self.lease
            && self.readers.is_over(lease, !self.sought)
        {
            self.rest();
        }
        self.take_client(wait)?;
        self.position()?;
        let Some(lease) = &self.lease else {
            return Ok(());
        };
        let mut wait = until.saturating_duration_since(Instant::now());
        let mut bytes = 0;
        while bytes < AHEAD_BYTES && self.ahead.len() < AHEAD {
            match lease.client.poll(wait) {
                None => break,
                Some(Ok(record)) if !self.is_its(&record) => {}
                Some(Ok(record)) => {
                    if std::mem::take(&mut self.sought)
                        && let Some(ReadFrom::Behind(last)) = self.from
                    {
                        if Mark::of(&record) == last {
                            continue;
                        }
                        self.then = Some(Then::Gone);
                        break;
                    }
                    bytes += record.payload_len() + record.key_len();
                    self.ahead.push_back(record.detach());
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // The record that was to be found is not there any more.
                    let is_lost = self.sought && matches!(self.from, Some(ReadFrom::Behind(_)));
                    self.then = Some(if is_lost { Then::Gone } else { Then::End });
                    self.sought = false;
                    break;
                }
                Some(Err(error)) if is_gone(&error) => {
                    self.then = Some(Then::Gone);
                    break;
                }
                // A broker that is away is waited for.
                Some(Err(error)) => {
                    tracing::debug!(%error, topic = %self.source.topic, "reading the past");
                    break;
                }
            }
            wait = Duration::ZERO;
        }
        if let Some(last) = self.ahead.back() {
            self.from = Some(ReadFrom::Behind(Mark::of(last)));
        }
        Ok(())
    }

    /// Returns whether a record is of this partition, not of what the client was used for before.
    fn is_its(&self, record: &impl Message) -> bool {
        record.partition() == self.partition && record.topic() == self.source.topic
    }

    /// Has the client read where this goes on, unless it does.
    fn position(&mut self) -> Result<(), PastError> {
        let offset = match self.from {
            Some(ReadFrom::At(seq) | ReadFrom::Behind(Mark { seq, .. })) => seq,
            None => return Ok(()),
        };
        let user = Some(self.user);
        let is_placed = self.is_placed;
        let is_there = |lease: &&mut Lease<_>| is_placed && lease.positioned_for == user;
        let from = self.partition_at(offset.0)?;
        let lease = self.lease.as_mut();
        let Some(lease) = lease.filter(|lease| !is_there(lease)) else {
            return Ok(());
        };
        lease.positioned_for = None;
        // Taken back first, since a partition that is given again keeps what was fetched of it.
        lease.client.unassign()?;
        lease.client.assign(&from)?;
        lease.positioned_for = user;
        self.is_placed = true;
        self.sought = true;
        Ok(())
    }

    /// The partition with an offset, or a time.
    fn partition_at(&self, at: i64) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.source.topic, self.partition, Offset::Offset(at))?;
        Ok(list)
    }

    /// Passes over the record that [`Past::next`] found.
    pub fn pass(&mut self) {
        self.ahead.pop_front();
    }

    /// Reads the record that [`Past::next`] found.
    pub fn take<S: PastSink>(&mut self, sink: &mut S) {
        let Some(message) = self.ahead.pop_front() else {
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

impl Drop for Past {
    fn drop(&mut self) {
        self.rest();
        self.readers.leave(self.user);
    }
}

impl Mark {
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
