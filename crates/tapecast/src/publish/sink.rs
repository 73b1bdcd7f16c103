use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};

use super::StopFlag;
use super::capture::Record;
use super::sink_error::SinkError;
use super::topics::Topics;
use node::Deliveries;

/// Time for a record to be acknowledged. A restarting broker is back within seconds, a slow one within a minute.
const DELIVER_WITHIN: Duration = Duration::from_secs(120);
/// Time to wait for outstanding records after Ctrl-C.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Limits of the producer's queue: 64 MiB, which are 100,000 records of 600 bytes.
const MAX_QUEUED_KBYTES: &str = "65536";
const MAX_QUEUED_RECORDS: &str = "100000";
/// Maximum size of a record; the broker's limit (1 MiB by default) is usually lower.
const MAX_RECORD_BYTES: &str = "16777216";
/// How long records are batched for a request: short compared with any feed.
const LINGER_MS: &str = "2";
/// Records between two polls for acknowledgements; far below the limit of the queue.
const POLL_EVERY: u64 = 1_000;
/// How long to wait for room in the queue before checking for errors and Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A producer that keeps the order, delivers exactly once, and queues a bounded number of records.
pub(super) struct Sink {
    producer: BaseProducer<Deliveries>,
    topics: Topics,
    sent: u64,
}

impl Sink {
    /// Connects and lists the topics.
    pub(super) fn connect(brokers: &str) -> Result<Self, SinkError> {
        let config = config(brokers);
        let producer: BaseProducer<Deliveries> = config
            .create_with_context(Deliveries::default())
            .map_err(SinkError::Config)?;
        let topics = Topics::of(producer.client(), &config)?;
        Ok(Self {
            producer,
            topics,
            sent: 0,
        })
    }

    /// Queues a record, waiting for room. Returns false if a stop was requested meanwhile.
    pub(super) fn send(
        &mut self,
        record: &Record<'_>,
        keep_time: bool,
        stop: &StopFlag,
    ) -> Result<bool, SinkError> {
        self.topics.ensure(&record.topic)?;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.producer.poll(Duration::ZERO);
        }
        loop {
            self.check()?;
            match self.producer.send(to_kafka(record, keep_time)) {
                Ok(()) => {
                    self.sent += 1;
                    return Ok(true);
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.producer.poll(LOOK_EVERY);
                }
                Err((source, _)) => {
                    return Err(SinkError::Refused {
                        topic: record.topic.clone().into_owned(),
                        source,
                    });
                }
            }
            if stop.is_asked() {
                return Ok(false);
            }
        }
    }

    /// Waits at most that long, and processes acknowledgements meanwhile.
    pub(super) fn wait(&self, time: Duration) -> Result<(), SinkError> {
        // The producer polls in milliseconds: a shorter wait would spin.
        if time < Duration::from_millis(1) {
            std::thread::sleep(time);
        } else {
            self.producer.poll(time.min(LOOK_EVERY));
        }
        self.check()
    }

    /// Number of acknowledged records.
    pub(super) fn acknowledged(&self) -> u64 {
        self.producer.context().acknowledged()
    }

    /// Waits until Kafka has acknowledged everything; fails if it does not.
    pub(super) fn finish(&self, stop: &StopFlag) -> Result<(), SinkError> {
        let mut deadline = Instant::now() + DELIVER_WITHIN;
        let mut stopping = false;
        while self.producer.flush(LOOK_EVERY).is_err() {
            self.check()?;
            if stop.is_asked() && !stopping {
                stopping = true;
                deadline = deadline.min(Instant::now() + STOP_WITHIN);
            }
            if Instant::now() >= deadline {
                let records = self.producer.in_flight_count();
                return Err(SinkError::Unacknowledged { records });
            }
        }
        self.check()
    }

    /// Fails if a record was not delivered; drops the queued ones, which must not be delivered then.
    fn check(&self) -> Result<(), SinkError> {
        let deliveries = self.producer.context();
        if deliveries.failed() == 0 {
            return Ok(());
        }
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        // Purged records are reported as failed too, and counted.
        let _purged = self.producer.flush(LOOK_EVERY);
        deliveries.first_failure().map_or(Ok(()), |first| {
            Err(SinkError::Failed {
                failed: deliveries.failed(),
                topic: first.topic,
                source: first.source,
            })
        })
    }
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "tapecast-publish")
        // Keeps the order and delivers once, over retries and broker restarts; implies acks=all.
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", DELIVER_WITHIN.as_millis().to_string())
        .set("message.max.bytes", MAX_RECORD_BYTES)
        .set("queue.buffering.max.kbytes", MAX_QUEUED_KBYTES)
        .set("queue.buffering.max.messages", MAX_QUEUED_RECORDS)
        .set("queue.buffering.max.ms", LINGER_MS)
        // The same partition for a key as Java clients choose.
        .set("partitioner", "murmur2_random");
    config
}

fn to_kafka<'a>(record: &'a Record<'_>, keep_time: bool) -> BaseRecord<'a, str, [u8]> {
    let mut kafka = BaseRecord::to(&record.topic).payload(record.value);
    if let Some(key) = &record.key {
        kafka = kafka.key(key.as_ref());
    }
    if let Some(partition) = record.partition {
        kafka = kafka.partition(partition);
    }
    let recorded = record.time.filter(|_| keep_time);
    if let Some(millis) = recorded.and_then(|time| i64::try_from(time.0 / 1_000_000).ok()) {
        kafka = kafka.timestamp(millis);
    }
    kafka
}
