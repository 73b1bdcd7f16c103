use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::families::families;
use crate::label::{BrokerError, DecodeOutcome};
use crate::{By, Counter, DurationGauge, Gauge};

/// How many topics have time series of their own; the others are summed as `other`.
///
/// A topic has one series for each of 13 outcomes and one of bytes: 1,000 topics are 14,000 series,
/// about 1 MiB of a scrape, which Prometheus reads well within its usual ten seconds.
pub const MAX_TOPICS: usize = 1_000;

/// How many partitions have time series of their own, for the same reason: two series each.
pub const MAX_PARTITIONS: usize = 10_000;

families! {
    /// What one consumer thread counts; the thread is its only writer.
    ///
    /// Topics and partitions are looked up when they are assigned; while records flow, the thread
    /// holds their cells.
    #[repr(align(128))]
    pub struct IngestMetrics {
        /// Partitions that the node reads.
        pub partitions_assigned: Gauge = "tapecast_partitions_assigned",
        /// Errors between the node and its brokers, by kind.
        pub broker_errors: By<BrokerError, Counter> = "tapecast_broker_errors_total",
        /// Times that the Kafka client was replaced, which reconnects it to its brokers.
        pub reconnects: Counter = "tapecast_broker_reconnects_total",
        /// Topics that were recreated or whose offsets went back.
        pub topic_resets: Counter = "tapecast_topic_resets_total",
        /// Times that Kafka deleted records of a partition before they were read.
        pub retention_losses: Counter = "tapecast_retention_losses_total",

        names: Arc<Names>,
        topics: Mutex<BTreeMap<Arc<str>, Arc<TopicMetrics>>>,
        partitions: Mutex<BTreeMap<PartitionKey, Arc<PartitionMetrics>>>,
    }
}

/// What is counted of one topic.
#[derive(Default)]
#[repr(align(128))]
pub struct TopicMetrics {
    /// Records read.
    pub records: By<DecodeOutcome, Counter>,
    /// Bytes of keys and values of the records read.
    pub bytes: Counter,
}

/// What is counted of one partition.
#[derive(Default)]
#[repr(align(128))]
pub struct PartitionMetrics {
    /// Records in the partition that have not been read yet.
    pub lag_records: Gauge,
    /// The age of the last record read while more are waiting, else zero.
    pub lag_time: DurationGauge,
}

type PartitionKey = (Arc<str>, i32);

/// The topics and partitions that have time series of their own, across all consumer threads.
#[derive(Default)]
pub(crate) struct Names {
    topics: Mutex<BTreeSet<Arc<str>>>,
    partitions: Mutex<BTreeSet<PartitionKey>>,
}

/// The name under which topics and partitions beyond the bounds are exported.
const OTHER: &str = "other";

impl IngestMetrics {
    pub(crate) fn new(names: Arc<Names>) -> Self {
        Self {
            partitions_assigned: Gauge::default(),
            broker_errors: By::default(),
            reconnects: Counter::default(),
            topic_resets: Counter::default(),
            retention_losses: Counter::default(),
            names,
            topics: Mutex::default(),
            partitions: Mutex::default(),
        }
    }

    /// The cells of a topic; beyond [`MAX_TOPICS`] they are exported as part of `other`.
    ///
    /// Takes a lock, so call it on assignment, not per record.
    #[must_use]
    pub fn topic(&self, topic: &str) -> Arc<TopicMetrics> {
        let name = self.names.topic(topic).unwrap_or_else(|| topic.into());
        Arc::clone(lock(&self.topics).entry(name).or_default())
    }

    /// The cells of a partition, exported from now on.
    ///
    /// Takes a lock, so call it on assignment, not per record.
    #[must_use]
    pub fn partition(&self, topic: &str, partition: i32) -> Arc<PartitionMetrics> {
        self.names.claim(topic, partition);
        let key = (topic.into(), partition);
        Arc::clone(lock(&self.partitions).entry(key).or_default())
    }

    /// Stops exporting a partition that was unassigned or whose topic is gone.
    pub fn forget_partition(&self, topic: &str, partition: i32) {
        let key = (topic.into(), partition);
        lock(&self.partitions).remove(&key);
        self.names.release(&key);
    }

    /// Visits every topic under its exported name.
    pub(crate) fn each_topic(&self, mut visit: impl FnMut(&str, &Arc<TopicMetrics>)) {
        for (name, cells) in lock(&self.topics).iter() {
            let is_named = self.names.has_topic(name);
            visit(if is_named { name } else { OTHER }, cells);
        }
    }

    /// Visits every partition under its exported names.
    pub(crate) fn each_partition(&self, mut visit: impl FnMut(&str, &str, &PartitionMetrics)) {
        for (key, cells) in lock(&self.partitions).iter() {
            if self.names.has(key) {
                visit(&key.0, &key.1.to_string(), cells);
            } else {
                visit(OTHER, OTHER, cells);
            }
        }
    }
}

impl Names {
    /// The topic's name, when it may have time series of its own.
    fn topic(&self, topic: &str) -> Option<Arc<str>> {
        let mut topics = lock(&self.topics);
        if let Some(name) = topics.get(topic) {
            return Some(Arc::clone(name));
        }
        if topics.len() >= MAX_TOPICS {
            return None;
        }
        let name = Arc::<str>::from(topic);
        topics.insert(Arc::clone(&name));
        Some(name)
    }

    fn has_topic(&self, topic: &str) -> bool {
        lock(&self.topics).contains(topic)
    }

    fn claim(&self, topic: &str, partition: i32) {
        let Some(name) = self.topic(topic) else {
            return;
        };
        let mut partitions = lock(&self.partitions);
        if partitions.len() < MAX_PARTITIONS {
            partitions.insert((name, partition));
        }
    }

    fn release(&self, key: &PartitionKey) {
        lock(&self.partitions).remove(key);
    }

    fn has(&self, key: &PartitionKey) -> bool {
        lock(&self.partitions).contains(key)
    }
}

/// A poisoned lock is harmless: single calls cannot leave these maps half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported_topics(ingest: &IngestMetrics) -> BTreeMap<String, u64> {
        let mut records = BTreeMap::new();
        ingest.each_topic(|topic, cells| {
            *records.entry(topic.to_owned()).or_default() +=
                cells.records[DecodeOutcome::Event].get();
        });
        records
    }

    fn exported_partitions(ingest: &IngestMetrics) -> BTreeMap<(String, String), u64> {
        let mut lags = BTreeMap::new();
        ingest.each_partition(|topic, partition, cells| {
            *lags
                .entry((topic.to_owned(), partition.to_owned()))
                .or_default() += cells.lag_records.get();
        });
        lags
    }

    #[test]
    fn topics_beyond_the_bound_are_counted_as_other_over_all_threads() {
        let names = Arc::<Names>::default();
        let first = IngestMetrics::new(Arc::clone(&names));
        let second = IngestMetrics::new(names);
        for n in 0..MAX_TOPICS {
            let _ = first.topic(&format!("t{n}"));
        }
        first.topic("late").records[DecodeOutcome::Event].inc();
        second.topic("later").records[DecodeOutcome::Event].set_total(3);
        second.topic("latest").records[DecodeOutcome::Event].set_total(4);
        second.topic("t7").records[DecodeOutcome::Event].inc();

        assert_eq!(exported_topics(&first).len(), MAX_TOPICS + 1);
        let expected = [("other".to_owned(), 7), ("t7".to_owned(), 1)];
        assert_eq!(exported_topics(&second), BTreeMap::from(expected));
    }

    #[test]
    fn partitions_beyond_the_bound_are_summed_as_other() {
        let ingest = IngestMetrics::new(Arc::default());
        let bound = i32::try_from(MAX_PARTITIONS).unwrap();
        for partition in 0..bound + 2 {
            ingest.partition("t", partition).lag_records.set(3);
        }
        let lags = exported_partitions(&ingest);
        assert_eq!(lags.len(), MAX_PARTITIONS + 1);
        assert_eq!(lags[&("other".to_owned(), "other".to_owned())], 6);
    }

    #[test]
    fn a_forgotten_partition_is_no_longer_exported() {
        let ingest = IngestMetrics::new(Arc::default());
        ingest.partition("t", 0).lag_records.set(3);
        ingest.partition("t", 1).lag_records.set(4);
        ingest.forget_partition("t", 0);
        let lags = exported_partitions(&ingest);
        assert_eq!(lags.into_values().collect::<Vec<_>>(), [4]);
    }
}
