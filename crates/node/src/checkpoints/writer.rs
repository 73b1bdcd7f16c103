use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use ingest::IngestConfig;
use metrics::CheckpointMetrics;
use metrics::label::ThreadKind;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use streams::Checkpoint;

use crate::deliveries::Deliveries;
use crate::threads::Threads;

/// Queued checkpoints, each with a book: 32 KiB at 1,000 levels per side.
const JOBS: usize = 64;
/// All are written to one partition, since their order matters across keys.
const PARTITION: i32 = 0;
/// Time for a broker to create the topic.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often acknowledgements are processed.
const POLL: Duration = Duration::from_millis(100);
/// Time to deliver the last checkpoints when the node stops.
const END_WITHIN: Duration = Duration::from_secs(2);
/// Limit of a checkpoint: 60,000 levels per side and all retained deltas are 2.2 MiB.
const MAX_BYTES: &str = "8388608";

/// A record to write.
#[derive(Debug)]
pub(crate) enum Job {
    /// The state of an instrument.
    Keep {
        key: String,
        checkpoint: Box<Checkpoint>,
        /// The key of an older checkpoint that this one supersedes.
        replaces: Option<String>,
    },
    /// Every instrument of this partition has a checkpoint.
    Mark { key: String, topic_id: [u8; 16] },
}

/// The thread that writes checkpoints; it ends when all senders are dropped.
pub(crate) struct Writer {
    topic: String,
    producer: BaseProducer<Deliveries>,
    jobs: Receiver<Job>,
    metrics: Arc<CheckpointMetrics>,
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn start(
        topic: &str,
        create: bool,
        config: &IngestConfig,
        metrics: Arc<CheckpointMetrics>,
        threads: &Threads,
    ) -> anyhow::Result<SyncSender<Job>> {
        let (sender, jobs) = sync_channel(JOBS);
        let properties = properties(config);
        let producer = properties.create_with_context(Deliveries::default())?;
        let writer = Self {
            topic: topic.to_owned(),
            producer,
            jobs,
            metrics,
            bytes: Vec::new(),
        };
        threads.spawn(ThreadKind::Checkpoints, "checkpoints", move || {
            if create && let Err(error) = make_topic(&writer.topic, &properties) {
                let topic = &writer.topic;
                tracing::warn!(topic, %error, "cannot create the topic of checkpoints");
            }
            writer.run();
            Ok::<_, Infallible>(())
        })?;
        Ok(sender)
    }

    fn run(mut self) {
        loop {
            match self.jobs.recv_timeout(POLL) {
                Ok(job) => self.write(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.producer.poll(Duration::ZERO);
            self.count();
        }
        let _unacknowledged = self.producer.flush(END_WITHIN);
        self.count();
    }

    fn write(&mut self, job: Job) {
        match job {
            Job::Keep {
                key,
                checkpoint,
                replaces,
            } => {
                let mut bytes = std::mem::take(&mut self.bytes);
                bytes.clear();
                checkpoint.encode(&mut bytes);
                self.metrics.bytes.add(bytes.len() as u64);
                self.send(&key, Some(&bytes));
                self.bytes = bytes;
                if let Some(replaced) = replaces {
                    self.send(&replaced, None);
                }
            }
            Job::Mark { key, topic_id } => self.send(&key, Some(&topic_id)),
        }
    }

    /// Waits while the producer is full; what Kafka rejects is counted.
    fn send(&self, key: &str, value: Option<&[u8]>) {
        let began = Instant::now();
        loop {
            let mut record = BaseRecord::to(&self.topic).key(key).partition(PARTITION);
            if let Some(value) = value {
                record = record.payload(value);
            }
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                    if began.elapsed() < ANSWER_WITHIN =>
                {
                    self.producer.poll(POLL);
                }
                Err((error, _)) => {
                    self.metrics.failed.inc();
                    tracing::warn!(key, %error, "cannot write a checkpoint");
                    return;
                }
            }
        }
    }

    fn count(&self) {
        let deliveries = self.producer.context();
        self.metrics.written.set_total(deliveries.acknowledged());
        self.metrics.undelivered.set_total(deliveries.failed());
    }
}

/// Uses the properties the node reads with, such as those of TLS and SASL.
fn properties(config: &IngestConfig) -> ClientConfig {
    let mut properties = ClientConfig::new();
    for (key, value) in &config.properties {
        properties.set(key, value);
    }
    properties
        .set("bootstrap.servers", &config.brokers)
        .set("enable.idempotence", "true")
        .set("compression.type", "zstd")
        .set("message.max.bytes", MAX_BYTES)
        .set("queue.buffering.max.kbytes", "65536")
        .set("queue.buffering.max.ms", "50");
    properties
}

/// Creates the compacted topic if it does not exist.
fn make_topic(topic: &str, properties: &ClientConfig) -> Result<(), MakeError> {
    let admin: AdminClient<DefaultClientContext> = properties.create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(-1))
        .set("cleanup.policy", "compact")
        // Compacted early, so that a starting node reads little more than one record per key.
        .set("min.cleanable.dirty.ratio", "0.1")
        .set("segment.ms", "600000")
        .set("max.message.bytes", MAX_BYTES);
    let options = AdminOptions::new()
        .request_timeout(Some(ANSWER_WITHIN))
        .operation_timeout(Some(ANSWER_WITHIN));
    let made = runtime.block_on(admin.create_topics([&new], &options));
    let refused = match made {
        Ok(results) => results.into_iter().find_map(Result::err),
        Err(error) => return Err(error.into()),
    };
    match refused {
        None | Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
        Some((_, code)) => Err(MakeError::Refused(code)),
    }
}

/// Why the topic cannot be created.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    #[error("no runtime: {0}")]
    Runtime(#[from] io::Error),
    #[error("{0}")]
    Refused(RDKafkaErrorCode),
}
