use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use market::{Event, InstrumentName};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde::Serialize;

use super::deliveries::Deliveries;
use super::load::{Book, Load};
use super::pacer::Pacer;
use super::{InstrumentChoice, PublishArgs, text, topic};
use crate::clock::{floor, wall_clock};
use crate::progress::Progress;

/// Records of a burst at most, so that acknowledgements are handled in between.
const BURST: u64 = 4_096;
/// Delay before a retry when the producer's queue is full.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(1);
/// Time for the last acknowledgements.
const FINISH_WITHIN: Duration = Duration::from_secs(60);
/// Bound of the producer's queue: 256 MiB or a million records.
const QUEUE_KBYTES: &str = "262144";
const QUEUE_RECORDS: &str = "1000000";

#[derive(Debug, Serialize)]
pub(super) struct Sent {
    /// Updates that were due, if there is a rate.
    pub(super) offered: Option<u64>,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) acknowledged: u64,
    pub(super) failed: u64,
    /// How often the producer's queue was full; then Kafka limited the rate.
    pub(super) queue_full: u64,
}

struct Publisher<'a> {
    args: &'a PublishArgs,
    producer: BaseProducer<Deliveries>,
    topic: &'a str,
    text: Vec<u8>,
    sent: u64,
    bytes: u64,
    queue_full: u64,
}

pub(super) fn run(args: &PublishArgs, brokers: &str) -> anyhow::Result<Sent> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "tapecast-loadtest")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.ms", args.linger.to_string())
        .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
        .set("queue.buffering.max.messages", QUEUE_RECORDS)
        .set("batch.num.messages", "10000");
    topic::ensure(&config, &args.topic, args.partitions)?;
    let producer = config
        .create_with_context(Deliveries::default())
        .context("cannot create a producer")?;
    Publisher {
        args,
        producer,
        topic: &args.topic,
        text: Vec::new(),
        sent: 0,
        bytes: 0,
        queue_full: 0,
    }
    .run()
}

impl Publisher<'_> {
    fn run(mut self) -> anyhow::Result<Sent> {
        let args = self.args;
        let (mut load, mut books) = args.market()?;
        let mut progress = Progress::new("introducing", books.len() as u64);
        for (number, book) in (1..).zip(&books) {
            self.introduce(&mut load, book)?;
            progress.show(number, "instruments");
        }
        drop(progress);

        // The first instrument is the busiest.
        let instrument_choice = InstrumentChoice::of(args);
        (self.sent, self.bytes) = (0, 0);
        let (pacer, mut refreshed) = (Pacer::new(args.rate), 0);
        let mut progress = Progress::new("publishing", args.seconds);
        let mut elapsed = Duration::ZERO;
        while args.goes_on(elapsed) {
            let due = pacer.due(elapsed, self.sent, BURST);
            for number in self.sent..due {
                let book = &mut books[instrument_choice.choose(number, &mut load.random)];
                load.next(book, pacer.time(number), |name, event| {
                    self.send(name, event)
                })?;
            }
            refreshed = self.refresh_due(&mut load, &books, refreshed, elapsed)?;
            self.producer.poll(Duration::ZERO);
            elapsed = pacer.elapsed();
            if pacer.due(elapsed, self.sent, BURST) == self.sent {
                std::thread::sleep(pacer.rest(elapsed, self.sent));
                elapsed = pacer.elapsed();
            }
            let waiting = self.producer.in_flight_count();
            let note = format_args!("s, {} sent, {waiting} waiting", self.sent);
            progress.show(elapsed.as_secs(), note);
        }
        drop(progress);
        // The counts show what is not acknowledged by then.
        let _flushed = self.producer.flush(FINISH_WITHIN);
        let deliveries = self.producer.context();
        Ok(Sent {
            offered: pacer.offered(elapsed),
            records: self.sent,
            bytes: self.bytes,
            seconds: elapsed.as_secs_f64(),
            acknowledged: deliveries.acknowledged(),
            failed: deliveries.failed()
                + u64::try_from(self.producer.in_flight_count()).unwrap_or(0),
            queue_full: self.queue_full,
        })
    }

    /// Publishes a snapshot, for readers that start late.
    fn introduce(&mut self, load: &mut Load, book: &Book) -> anyhow::Result<()> {
        let now = wall_clock();
        self.send(book.name(), &Load::definition(now))?;
        self.send(book.name(), &load.whole(book, now))
    }

    /// Publishes the snapshots that are due, one per instrument and interval. Returns their number.
    fn refresh_due(
        &mut self,
        load: &mut Load,
        books: &[Book],
        done: u64,
        elapsed: Duration,
    ) -> anyhow::Result<u64> {
        if self.args.refresh == 0 {
            return Ok(done);
        }
        let turns = elapsed.as_secs_f64() / self.args.refresh as f64 * books.len() as f64;
        let due = floor(turns);
        let sent = self.sent;
        for turn in done..due {
            let index = turn % books.len() as u64;
            self.introduce(load, &books[usize::try_from(index).unwrap_or(0)])?;
        }
        // Snapshots do not count towards the rate.
        self.sent = sent;
        Ok(due)
    }

    fn send(&mut self, name: &InstrumentName, event: &Event<'_>) -> anyhow::Result<()> {
        self.text.clear();
        text::write(&mut self.text, name, event);
        let full_since = Instant::now();
        loop {
            let record = BaseRecord::to(self.topic)
                .key(name.as_str())
                .payload(&self.text);
            match self.producer.send(record) {
                Ok(()) => {
                    self.sent += 1;
                    self.bytes += self.text.len() as u64;
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.queue_full += 1;
                    let waited = full_since.elapsed();
                    anyhow::ensure!(
                        waited < FINISH_WITHIN,
                        "Kafka takes nothing for {waited:.0?}"
                    );
                    self.producer.poll(WAIT_FOR_ROOM);
                }
                Err((error, _)) => bail!("kafka rejected a record: {error}"),
            }
        }
    }
}
