use std::time::{Duration, Instant};

use market::{At, Nanos, Seq};
use metrics::label::DecodeOutcome;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};

use super::partitions::{Partitions, ReadState};
use super::{Consumer, KafkaConsumer};
use crate::{Decoder, RawRecord, Sink};

/// Whether everything that had arrived was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    Yes,
    No,
}

/// What the client said instead of a record.
enum PollError {
    /// There is no record at the offset of some partition.
    NoSuchOffset,
    /// Some topic or partition is not there.
    NoSuchTopic,
    Other,
}

impl Consumer {
    /// Reads what has arrived, as far as a batch goes.
    pub(super) fn read_batch<S: Sink>(&mut self, sink: &mut S) -> Drained {
        let limits = self.config.batch;
        let (mut records, mut bytes) = (0, 0);
        let mut drained = Drained::No;
        let mut notes = context(&self.client).notes();
        while records < limits.records && bytes < limits.bytes {
            let Self {
                client,
                decoder,
                partitions,
                ..
            } = self;
            match client.poll(Duration::ZERO) {
                None => {
                    let noted = std::mem::replace(&mut notes, context(client).notes());
                    if noted == notes {
                        drained = Drained::Yes;
                        break;
                    }
                }
                Some(Ok(message)) => {
                    records += 1;
                    bytes += message.payload_len();
                    if !context(client).has_changed() {
                        take(&message, partitions, decoder, sink);
                        continue;
                    }
                    // Forgotten, as are all behind it: the next client reads it again.
                }
                Some(Err(error)) => match classify(&error) {
                    PollError::NoSuchOffset => self.ask(),
                    PollError::NoSuchTopic => self.scout.wake(),
                    PollError::Other => {}
                },
            }
            self.hold_changed();
        }
        if records > 0 {
            // The client's statistics may not say so for long: librdkafka's main thread waits by the
            // wall clock, and sleeps for as long as that is set back.
            self.partitions.progress.heard = Some(Instant::now());
        }
        drained
    }

    /// Reads no more of topics that have become others, until the scout has looked at them.
    pub(super) fn hold_changed(&mut self) {
        if context(&self.client).has_changed() {
            self.partitions.hold(&context(&self.client).take_changed());
            self.ask();
        }
    }

    /// Takes note of what the client told of the logs' ends.
    pub(super) fn learn_watermarks<S: Sink>(&mut self, sink: &mut S, drained: Drained) {
        let told = context(&self.client).take_watermarks();
        told.iter().for_each(|one| self.partitions.learn(one));
        let heard = context(&self.client).heard();
        // A client that was made anew has not heard anybody yet.
        let progress = &mut self.partitions.progress;
        progress.heard = heard.max(progress.heard);
        if drained == Drained::Yes {
            self.partitions.drained(sink);
        }
    }
}

fn context(client: &KafkaConsumer) -> &crate::client::KafkaContext {
    use rdkafka::consumer::Consumer as _;
    client.context()
}

/// Decodes one record and hands it on.
#[inline]
fn take<S: Sink>(
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
    // What was had already is of no use again.
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
    partitions.note_position(index, sink);
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
