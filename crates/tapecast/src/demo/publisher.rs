use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord};

use super::broker::DemoBroker;
use super::market_sim::{MarketSim, Record};
use node::clock::{monotonic, now};

/// Minimum sleep, so that a request carries several records when the market is busy. Nobody notices 2 ms.
const MIN_SLEEP: Duration = Duration::from_millis(2);
/// Maximum sleep, after which acknowledgements are processed and a stop is noticed.
const MAX_SLEEP: Duration = Duration::from_millis(50);
/// After a longer suspension, the market continues as if no time had passed.
const MAX_BEHIND: Duration = Duration::from_secs(2);
/// How long records are batched for a request.
const LINGER_MS: &str = "2";
/// Queued records: up to two seconds of the busiest demo.
const MAX_QUEUED_RECORDS: &str = "100000";
/// How long to wait for room in the queue before a retry.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(10);

/// The thread that runs the market and publishes its records.
pub(super) struct DemoPublisher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), KafkaError>>,
}

impl DemoPublisher {
    pub(super) fn start(broker: &DemoBroker, seed: u64, rate: f64) -> anyhow::Result<Self> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", broker.address())
            .set("client.id", "tapecast-demo")
            // Without it, a retry could change the order.
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.ms", LINGER_MS)
            .set("queue.buffering.max.messages", MAX_QUEUED_RECORDS)
            .create()
            .context("cannot create the demo's producer")?;
        let sim = MarketSim::new(seed, monotonic(), rate);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let topic = broker.topic().to_owned();
        let thread = thread::Builder::new()
            .name("market".to_owned())
            .spawn(move || publish(sim, &producer, &topic, &asked))
            .context("cannot start the demo's market")?;
        Ok(Self { stop, thread })
    }

    /// Stops the market.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        match self.thread.join() {
            Ok(done) => done.context("the demo's market stopped"),
            Err(_) => Err(anyhow!("the demo's market panicked")),
        }
    }
}

fn publish(
    mut sim: MarketSim,
    producer: &BaseProducer,
    topic: &str,
    stop: &AtomicBool,
) -> Result<(), KafkaError> {
    while !stop.load(Ordering::Relaxed) {
        let now = now();
        let due = sim.next_at().unwrap_or(now.monotonic);
        if now.monotonic.since(due) > MAX_BEHIND {
            sim.skip_to(now.monotonic);
        }
        let mut sent = Ok(());
        sim.advance(now, &mut |record| {
            if sent.is_ok() {
                sent = send(producer, topic, record, stop);
            }
        });
        sent?;
        producer.poll(Duration::ZERO);
        let next = sim.next_at().map(|next| next.since(now.monotonic));
        thread::park_timeout(next.unwrap_or_default().clamp(MIN_SLEEP, MAX_SLEEP));
    }
    Ok(())
}

/// Gives a record to the producer; waits for room until a stop is requested.
fn send(
    producer: &BaseProducer,
    topic: &str,
    record: Record<'_>,
    stop: &AtomicBool,
) -> Result<(), KafkaError> {
    while !stop.load(Ordering::Relaxed) {
        let kafka = BaseRecord::to(topic)
            .key(record.instrument)
            .payload(record.json);
        match producer.send(kafka) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(WAIT_FOR_ROOM);
            }
            Err((error, _)) => return Err(error),
        }
    }
    Ok(())
}
