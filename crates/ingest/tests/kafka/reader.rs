//! Consumers under test, and everything that they report.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ingest::{
    DecodeError, Format, FormatOptions, IngestConfig, OpenedPartition, Progress, Rejection, Reset,
    Resolve, Resolved, Sink, Stop, TopicRule,
};
use market::{At, Event, Handle, PartitionIndex};
use metrics::label::{BrokerError, DecodeOutcome};

use crate::instruments::Instruments;

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// A call of the sink, with the partition by its topic and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Opened(OpenedPartition),
    /// A record at an offset contains a number.
    Number(i64, i64),
    Refused(i64, DecodeOutcome),
    Reset(OpenedPartition, Reset),
    CaughtUp,
}

/// All calls so far, by partition and in order.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) partitions: BTreeMap<(String, i32), Vec<Told>>,
    pub(crate) progress: BTreeMap<(String, i32), ingest::PartitionProgress>,
    pub(crate) discovered: usize,
    pub(crate) new_clients: u64,
    /// The partitions that were closed.
    pub(crate) closed: Vec<(String, i32)>,
    pub(crate) topics: Option<ingest::Topics>,
    pub(crate) troubles: [u64; BrokerError::ALL.len()],
}

impl Heard {
    /// The numbers of a partition with their offsets, since it was last opened or restarted.
    pub(crate) fn numbers(&self, topic: &str, partition: i32) -> Vec<(i64, i64)> {
        let mut numbers = Vec::new();
        for told in self.told(topic, partition) {
            match told {
                Told::Number(offset, number) => numbers.push((*offset, *number)),
                Told::Reset(..) => numbers.clear(),
                _ => {}
            }
        }
        numbers
    }

    pub(crate) fn told(&self, topic: &str, partition: i32) -> &[Told] {
        let told = self.partitions.get(&(topic.to_owned(), partition));
        told.map_or(&[], Vec::as_slice)
    }
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    more: Condvar,
    /// While it is held, no sink takes a number.
    gate: Mutex<()>,
}

/// Running consumers.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

/// The configuration of a consumer of the topics that match a pattern.
pub(crate) fn config(brokers: &str, pattern: &str) -> IngestConfig {
    let rule = TopicRule {
        pattern: pattern.parse().unwrap(),
        format: Format::Tapecast,
        options: FormatOptions::default(),
    };
    IngestConfig {
        discovery: Duration::from_millis(200),
        ..IngestConfig::new(brokers, vec![rule])
    }
}

impl Reader {
    pub(crate) fn start(config: &IngestConfig) -> Self {
        let stop = Stop::default();
        let shared = Arc::new(Shared::default());
        let spawn = |name, body| {
            let thread = std::thread::Builder::new().name(name);
            thread.spawn(body).map(drop)
        };
        let consumers = ingest::start(config, &stop, spawn).unwrap();
        assert_eq!(consumers.len(), config.threads);
        let run = |consumer: ingest::Consumer| {
            let mut listener = Listener {
                shared: shared.clone(),
                instruments: Instruments::new(&[]),
                names: Vec::new(),
                discovered: false,
                new_clients: 0,
            };
            std::thread::spawn(move || consumer.run(&mut listener).unwrap())
        };
        let threads = consumers.into_iter().map(run).collect();
        Self {
            shared,
            stop,
            threads,
        }
    }

    /// Waits until a condition is met.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut enough: impl FnMut(&Heard) -> Option<T>) -> T {
        let deadline = Instant::now() + LONG;
        let mut heard = self.shared.heard.lock().unwrap();
        loop {
            if let Some(enough) = enough(&heard) {
                return enough;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            heard = self.shared.more.wait_timeout(heard, left).unwrap().0;
            if left.is_zero() {
                for (partition, told) in &heard.partitions {
                    let tail = &told[told.len().saturating_sub(5)..];
                    println!("{partition:?}: {} told, the last {tail:?}", told.len());
                }
                panic!("not {what} within {LONG:?}");
            }
        }
    }

    /// Waits until a partition has exactly these numbers, one per offset.
    #[track_caller]
    pub(crate) fn expect(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        numbers: std::ops::Range<i64>,
    ) {
        let expected: Vec<(i64, i64)> = (offset..).zip(numbers).collect();
        let got = self.until("all numbers", |heard| {
            let got = heard.numbers(topic, partition);
            (got.len() >= expected.len()).then_some(got)
        });
        assert_eq!(got, expected);
    }

    /// Waits until everything that existed at the start is opened.
    pub(crate) fn until_discovered(&self) {
        let all = self.threads.len();
        self.until("discovered", |heard| {
            (heard.discovered == all).then_some(())
        });
    }

    /// Runs something while no sink takes a number.
    pub(crate) fn held<T>(&self, something: impl FnOnce() -> T) -> T {
        let _gate = self.shared.gate.lock().unwrap();
        something()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

struct Listener {
    shared: Arc<Shared>,
    instruments: Instruments,
    names: Vec<(String, i32)>,
    discovered: bool,
    new_clients: u64,
}

impl Listener {
    fn tell(&self, partition: PartitionIndex, told: Told) {
        let name = self.names[partition.0 as usize].clone();
        let mut heard = self.shared.heard.lock().unwrap();
        heard.partitions.entry(name).or_default().push(told);
        self.shared.more.notify_all();
    }
}

impl Resolve for Listener {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        self.instruments.resolve(venue, symbol)
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        self.instruments.find(venue, symbol)
    }
}

impl Sink for Listener {
    fn opened(&mut self, index: PartitionIndex, partition: &OpenedPartition) {
        assert_eq!(index.0 as usize, self.names.len());
        let identity = &partition.identity;
        self.names
            .push((identity.topic.to_string(), identity.partition));
        self.tell(index, Told::Opened(partition.clone()));
    }

    fn event(&mut self, at: At, _: Handle, event: Event<'_>) {
        drop(self.shared.gate.lock().unwrap());
        let Event::Trades { trades, .. } = event else {
            panic!("{event:?}");
        };
        let number = trades[0].price.0;
        self.tell(at.partition, Told::Number(at.seq.0, number));
    }

    fn rejected(&mut self, at: At, error: &DecodeError) {
        let outcome = error.kind.outcome();
        self.tell(at.partition, Told::Refused(at.seq.0, outcome));
    }

    fn reset(&mut self, index: PartitionIndex, partition: &OpenedPartition, cause: Reset) {
        self.tell(index, Told::Reset(partition.clone(), cause));
    }

    fn closed(&mut self, partition: PartitionIndex) {
        let name = self.names[partition.0 as usize].clone();
        let mut heard = self.shared.heard.lock().unwrap();
        heard.closed.push(name);
        self.shared.more.notify_all();
    }

    fn caught_up(&mut self, partition: PartitionIndex) {
        self.tell(partition, Told::CaughtUp);
    }

    fn advance(&mut self, progress: &Progress) {
        let mut heard = self.shared.heard.lock().unwrap();
        for (name, one) in self.names.iter().zip(&progress.partitions) {
            heard.progress.insert(name.clone(), one.clone());
        }
        heard.discovered += usize::from(progress.discovered && !self.discovered);
        heard.new_clients += progress.new_clients - self.new_clients;
        heard.topics = progress.topics;
        heard.troubles = progress.broker_errors;
        self.discovered = progress.discovered;
        self.new_clients = progress.new_clients;
        self.shared.more.notify_all();
    }
}
