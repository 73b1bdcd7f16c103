use std::collections::HashMap;
use std::sync::Arc;

use ingest::Progress;
use market::{Nanos, State};
use metrics::label::{BrokerError, DecodeOutcome, EventOutcome};
use metrics::{IngestMetrics, PartitionMetrics, PublisherMetrics, TopicMetrics};
use streams::Publisher;
use wire::{Encoding, LagKind};

/// Exports the counters of a consumer.
pub(crate) struct IngestCounts {
    metrics: Arc<IngestMetrics>,
    topics: HashMap<Arc<str>, Arc<TopicMetrics>>,
    partitions: HashMap<(Arc<str>, i32), Arc<PartitionMetrics>>,
}

/// Totals of one topic.
#[derive(Default)]
struct TopicTotals {
    bytes: u64,
    outcomes: [u64; DecodeOutcome::ALL.len()],
}

impl IngestCounts {
    pub(crate) fn new(metrics: Arc<IngestMetrics>) -> Self {
        Self {
            metrics,
            topics: HashMap::new(),
            partitions: HashMap::new(),
        }
    }

    pub(super) fn topic_was_reset(&self) {
        self.metrics.topic_resets.inc();
    }

    pub(super) fn lost_to_retention(&self) {
        self.metrics.retention_losses.inc();
    }

    pub(super) fn show(&mut self, progress: &Progress, now: Nanos) {
        self.metrics
            .partitions_assigned
            .set(progress.partitions.iter().filter(|one| !one.gone).count() as u64);
        for (error, count) in BrokerError::ALL.into_iter().zip(progress.broker_errors) {
            self.metrics.broker_errors[error].set_total(count);
        }
        self.metrics.reconnects.set_total(progress.new_clients);
        let mut totals: HashMap<&Arc<str>, TopicTotals> = HashMap::new();
        for partition in &progress.partitions {
            let topic = totals.entry(&partition.topic).or_default();
            topic.bytes += partition.bytes;
            for (total, count) in topic.outcomes.iter_mut().zip(partition.outcomes) {
                *total += count;
            }
            let key = (Arc::clone(&partition.topic), partition.partition);
            if partition.gone {
                // It has no lag anymore; what was read from it still counts for its topic.
                if self.partitions.remove(&key).is_some() {
                    self.metrics.forget_partition(&key.0, key.1);
                }
                continue;
            }
            let cells = self.partitions.entry(key).or_insert_with(|| {
                self.metrics
                    .partition(&partition.topic, partition.partition)
            });
            let lag = partition.lag();
            cells.lag_records.set(lag);
            let age = if lag == 0 {
                0
            } else {
                now.since(partition.last_log_time)
            };
            cells.lag_time.set_ns(age);
        }
        for (topic, total) in totals {
            let cells = self
                .topics
                .entry(Arc::clone(topic))
                .or_insert_with(|| self.metrics.topic(topic));
            cells.bytes.set_total(total.bytes);
            for (outcome, count) in DecodeOutcome::ALL.into_iter().zip(total.outcomes) {
                cells.records[outcome].set_total(count);
            }
        }
    }
}

/// Exports the counters of a publisher.
pub(super) fn show_publisher(metrics: &PublisherMetrics, publisher: &Publisher, runs: u64) {
    let stats = publisher.stats();
    for (outcome, count) in [
        (EventOutcome::Delta, stats.deltas),
        (EventOutcome::Snapshot, stats.snapshots),
        (EventOutcome::Trades, stats.trades),
        (EventOutcome::Nothing, stats.ignored),
        (EventOutcome::Stale, stats.stale),
        (EventOutcome::Waiting, stats.waiting),
        (EventOutcome::Gap, stats.upstream_gaps),
        (EventOutcome::Crossed, stats.crossed),
        (EventOutcome::TooOld, stats.too_old),
        (EventOutcome::Unusable, stats.unusable),
        (EventOutcome::BadRecord, stats.bad_records),
        (EventOutcome::OtherPartition, stats.other_partition),
    ] {
        metrics.events[outcome].set_total(count);
    }
    metrics.resyncs.set_total(stats.resyncs);
    metrics.recoveries.set_total(stats.recoveries);
    metrics.went_stale.set_total(stats.went_stale);
    metrics.heartbeats.set_total(stats.heartbeats);
    metrics.joined.set_total(stats.joined);
    metrics.resumed.set_total(stats.resumed);
    metrics.catch_ups[LagKind::Conflated].set_total(stats.conflated);
    metrics.catch_ups[LagKind::Snapshot].set_total(stats.snapshotted);
    metrics.catch_ups[LagKind::Skipped].set_total(stats.skipped);
    metrics.instruments.set(publisher.instruments() as u64);
    for (state, count) in State::ALL.into_iter().zip(publisher.states()) {
        metrics.books[state].set(count as u64);
    }
    metrics.views.set(publisher.views() as u64);
    metrics.view_bytes.set(publisher.view_bytes() as u64);
    metrics.views_rejected.set_total(stats.views_rejected);
    metrics.streams_watched.set(publisher.open_streams() as u64);
    metrics.log_bytes.set(publisher.memory() as u64);
    metrics.runs.set_total(runs);
    for encoding in Encoding::ALL {
        let encoded = publisher.encoded(encoding);
        metrics.encoded_messages[encoding].set_total(encoded.messages);
        metrics.encoded_bytes[encoding].set_total(encoded.bytes);
    }
}
