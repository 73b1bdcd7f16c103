use std::time::{Duration, Instant};

use market::{At, Nanos, Seq};
use metrics::label::DecodeOutcome;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};

use super::partitions::{Partitions, ReadState};
use super::{Consumer, KafkaConsumer};
use crate::{Decoder, RawRecord, Sink};

/// Whether all records that had arrived were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    Yes,
    No,
}

/// An error that was polled instead of a record.
enum PollError {
    /// A partition has no record at its offset.
    NoSuchOffset,
    /// A topic or a partition does not exist.
    NoSuchTopic,
    Other,
}

impl Consumer {
    /// Reads the records that have arrived, up to the limits of a batch.
    pub(super) fn read_batch<S: Sink>(&mut self, sink: &mut S) -> Drained {
        let limits = self.config.batch;
        let (mut records, mut bytes) = (0, 0);
        let mut drained = Drained::No;
        let mut notifications = context(&self.client).notifications();
        while records < limits.records && bytes < limits.bytes {
            let Self {
                client,
                decoder,
                partitions,
                ..
            } = self;
            match client.poll(Duration::ZERO) {
                None => {
                    let before =
                        std::mem::replace(&mut notifications, context(client).notifications());
                    if before == notifications {
                        drained = Drained::Yes;
                        break;
                    }
                }
                Some(Ok(message)) => {
                    records += 1;
                    bytes += message.payload_len();
                    if !context(client).has_recreated() {
                        process(&message, partitions, decoder, sink);
                        continue;
                    }
                    // Dropped, as are all later ones: the next client reads them again.
                }
                Some(Err(error)) => match classify(&error) {
                    PollError::NoSuchOffset => self.request_check(),
                    PollError::NoSuchTopic => self.scout.wake(),
                    PollError::Other => {}
                },
            }
            self.hold_recreated();
        }
        if records > 0 {
            // The client's statistics may be late: librdkafka's main thread waits by the wall
            // clock, and if that is set back it sleeps for as long.
            self.partitions.progress.last_response = Some(Instant::now());
        }
        drained
    }

    /// Holds recreated topics until the scout has checked them.
    pub(super) fn hold_recreated(&mut self) {
        if context(&self.client).has_recreated() {
            self.partitions
                .hold(&context(&self.client).take_recreated());
            self.request_check();
        }
    }

    /// Updates the partitions with what the client has reported.
    pub(super) fn update_watermarks<S: Sink>(&mut self, sink: &mut S, drained: Drained) {
        let watermarks = context(&self.client).take_watermarks();
        watermarks
            .iter()
            .for_each(|one| self.partitions.apply_watermark(one));
        let last_response = context(&self.client).last_response();
        // A new client has had no response yet.
        let progress = &mut self.partitions.progress;
        progress.last_response = last_response.max(progress.last_response);
        if drained == Drained::Yes {
            self.partitions.drained(sink);
        }
    }
}

fn context(client: &KafkaConsumer) -> &crate::client::KafkaContext {
    use rdkafka::consumer::Consumer as _;
    client.context()
}

/// Decodes a record and passes it to the sink.
#[inline]
fn process<S: Sink>(
    message: &BorrowedMessage<'_>,
    partitions: &mut Partitions,
    decoder: &mut Decoder,
    sink: &mut S,
) {
    let Some(index) = partitions.of(message) else {
        return;
    };
    let (partition, progress) = partitions.get_mut(index);
    let offset = message.offset();
    // Records that were read already are skipped.
    if offset < progress.position || partition.state != ReadState::Read {
        return;
    }
    let millis = message.timestamp().to_millis().unwrap_or(0);
    let at = At {
        partition: index,
        seq: Seq(offset),
        log_time: Nanos::from_millis(u64::try_from(millis).unwrap_or(0)),
    };
    let record = RawRecord {
        source: &partition.source,
        key: message.key(),
        payload: message.payload(),
    };
    let outcome = match decoder.decode(&record, sink) {
        Ok(decoded) => match decoded.event() {
            Some((instrument, event)) => {
                sink.event(at, instrument, event);
                for instrument in decoded.also() {
                    sink.event(at, *instrument, event);
                }
                DecodeOutcome::Event
            }
            None => DecodeOutcome::Nothing,
        },
        Err(error) => {
            sink.rejected(at, &error);
            error.kind.outcome()
        }
    };
    progress.outcomes[outcome as usize] += 1;
    progress.bytes += (message.payload_len() + message.key_len()) as u64;
    progress.last_log_time = at.log_time;
    progress.position = offset + 1;
    progress.high_watermark = progress.high_watermark.max(progress.position);
    partitions.check_caught_up(index, sink);
}

fn classify(error: &KafkaError) -> PollError {
    let code = match error {
        KafkaError::MessageConsumption(code) | KafkaError::MessageConsumptionFatal(code) => *code,
        _ => return PollError::Other,
    };
    match code {
        RDKafkaErrorCode::AutoOffsetReset
        | RDKafkaErrorCode::OffsetOutOfRange
        | RDKafkaErrorCode::LogTruncation => PollError::NoSuchOffset,
        RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownPartition
        | RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownTopicId => PollError::NoSuchTopic,
        _ => PollError::Other,
    }
}
