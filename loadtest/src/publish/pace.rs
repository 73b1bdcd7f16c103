use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde::Serialize;

use super::Zipf;
use super::deliveries::Deliveries;
use super::load::{Book, Load};
use super::{PublishArgs, Rate, topic};

/// Between two bursts: as fine as a market's own bursts are.
const TICK: Duration = Duration::from_millis(1);
/// The most records of a burst, so that acknowledgements are taken in between.
const BURST: u64 = 4_096;
/// How long to wait for room in the producer's queue before trying again.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(1);
/// How long the last acknowledgements may take.
const FINISH_WITHIN: Duration = Duration::from_secs(60);
/// The producer's queue: 256 MiB, or a million records.
const QUEUE_KBYTES: &str = "262144";
const QUEUE_RECORDS: &str = "1000000";

#[derive(Debug, Serialize)]
pub(super) struct Sent {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) acknowledged: u64,
    pub(super) failed: u64,
    /// How often the producer's queue was full: then the rate was not reached for Kafka's sake.
    pub(super) queue_full: u64,
}

struct Publisher<'a> {
    args: &'a PublishArgs,
    producer: BaseProducer<Deliveries>,
    text: Vec<u8>,
    sent: u64,
    bytes: u64,
    queue_full: u64,
}

pub(super) fn run(args: &PublishArgs) -> anyhow::Result<Sent> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &args.brokers)
        .set("client.id", "tapecast-loadtest")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.ms", "5")
        .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
        .set("queue.buffering.max.messages", QUEUE_RECORDS)
        .set("batch.num.messages", "10000");
    topic::ensure(&config, &args.topic, args.partitions)?;
    let producer = config
        .create_with_context(Deliveries::default())
        .context("cannot make a producer")?;
    Publisher {
        args,
        producer,
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
        let mut load = Load::new(args);
        let mut books: Vec<Book> = (1..=args.instruments.max(1))
            .map(|number| Book::new(number, args.depth, &mut load.random))
            .collect();
        for book in &books {
            self.refresh(book)?;
        }
        eprintln!("{} instruments are introduced", books.len());

        // Popular instruments are spread over the numbers as they come: the first is the busiest.
        let zipf = Zipf::new(books.len(), args.zipf);
        (self.sent, self.bytes) = (0, 0);
        let (start, length) = (Instant::now(), Duration::from_secs(args.seconds));
        let (mut shown, mut refreshed) = (start, 0);
        loop {
            let elapsed = start.elapsed();
            if elapsed >= length {
                break;
            }
            let due = match args.rate {
                Rate::Max => self.sent + BURST,
                Rate::PerSecond(rate) => floor(rate * elapsed.as_secs_f64()),
            };
            let now = wall_clock();
            for _ in self.sent..due.min(self.sent + BURST) {
                let book = &mut books[zipf.choose(&mut load.random)];
                self.text.clear();
                load.record(book, &mut self.text, now);
                self.send(book.name())?;
            }
            refreshed = self.refresh_due(&books, refreshed, elapsed)?;
            self.producer.poll(Duration::ZERO);
            if self.sent >= due {
                std::thread::sleep(TICK);
            }
            shown = self.show(start, shown);
        }
        let seconds = start.elapsed().as_secs_f64();
        // What is not acknowledged by then is told by the counts.
        let _flushed = self.producer.flush(FINISH_WITHIN);
        let deliveries = self.producer.context();
        Ok(Sent {
            records: self.sent,
            bytes: self.bytes,
            seconds,
            acknowledged: deliveries.acknowledged(),
            failed: deliveries.failed()
                + u64::try_from(self.producer.in_flight_count()).unwrap_or(0),
            queue_full: self.queue_full,
        })
    }

    /// Says an instrument anew, for readers that come late.
    fn refresh(&mut self, book: &Book) -> anyhow::Result<()> {
        let now = wall_clock();
        self.text.clear();
        book.definition(&mut self.text, now);
        self.send(book.name())?;
        self.text.clear();
        book.snapshot(&mut self.text, now);
        self.send(book.name())
    }

    /// All instruments take turns, each once an interval; returns how many turns there were.
    fn refresh_due(&mut self, books: &[Book], done: u64, elapsed: Duration) -> anyhow::Result<u64> {
        if self.args.refresh == 0 {
            return Ok(done);
        }
        let turns = elapsed.as_secs_f64() / self.args.refresh as f64 * books.len() as f64;
        let due = floor(turns);
        for turn in done..due {
            let index = turn % books.len() as u64;
            self.refresh(&books[usize::try_from(index).unwrap_or(0)])?;
            // They are not part of the rate.
            self.sent -= 2;
        }
        Ok(due)
    }

    fn send(&mut self, key: &str) -> anyhow::Result<()> {
        loop {
            let record = BaseRecord::to(&self.args.topic)
                .key(key)
                .payload(&self.text);
            match self.producer.send(record) {
                Ok(()) => {
                    self.sent += 1;
                    self.bytes += self.text.len() as u64;
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.queue_full += 1;
                    self.producer.poll(WAIT_FOR_ROOM);
                }
                Err((error, _)) => bail!("Kafka refuses a record: {error}"),
            }
        }
    }

    fn show(&self, start: Instant, shown: Instant) -> Instant {
        let now = Instant::now();
        if now.duration_since(shown) < Duration::from_secs(1) {
            return shown;
        }
        eprintln!(
            "{:6.1} s  {} sent  {} acknowledged  {} waiting",
            now.duration_since(start).as_secs_f64(),
            self.sent,
            self.producer.context().acknowledged(),
            self.producer.in_flight_count()
        );
        now
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of records, far below what a u64 holds and never negative; the cast saturates"
)]
fn floor(number: f64) -> u64 {
    number as u64
}

fn wall_clock() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
