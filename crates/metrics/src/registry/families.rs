//! The families that are not a single cell: those with free labels, and sums across structs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::family::{Kind, Sample, Scrape, gauge, seconds};
use crate::{
    BuildInfo, By, CheckpointMetrics, Counter, Histogram, IngestMetrics, PublisherMetrics,
    ShardMetrics, TopicMetrics,
};

pub(super) fn build(build: &BuildInfo, out: &mut Scrape) {
    let labels = [
        ("version", build.version.to_owned()),
        ("revision", build.revision.to_owned()),
    ];
    out.push(
        "tapecast_build_info",
        Kind::Gauge,
        vec!["version", "revision"],
        "Always 1; the labels identify the build.",
        vec![gauge(&labels, 1.0)],
    );
}

/// Checkpoints are rejected by the thread that reads them or by the publisher that they are for.
pub(super) fn checkpoints_refused(
    checkpoints: &CheckpointMetrics,
    publishers: &[Arc<PublisherMetrics>],
    out: &mut Scrape,
) {
    let mut refused: Vec<_> = publishers.iter().map(|p| &p.not_restored).collect();
    refused.push(&checkpoints.refused);
    let mut samples = Vec::new();
    By::sum(&refused, &mut Vec::new(), &mut samples);
    out.push(
        "tapecast_checkpoints_refused_total",
        Kind::Counter,
        vec!["reason"],
        "Checkpoints not restored at startup, by reason; what they hold is read from the log.",
        samples,
    );
}

pub(super) fn topics(threads: &[Arc<IngestMetrics>], out: &mut Scrape) {
    let mut cells = BTreeMap::<String, Vec<Arc<TopicMetrics>>>::new();
    for thread in threads {
        thread.each_topic(|name, topic| {
            cells
                .entry(name.to_owned())
                .or_default()
                .push(Arc::clone(topic));
        });
    }
    let mut records = Vec::new();
    let mut bytes = Vec::new();
    for (topic, cells) in &cells {
        let mut labels = vec![("topic", topic.clone())];
        let of_records: Vec<_> = cells.iter().map(|topic| &topic.records).collect();
        By::sum(&of_records, &mut labels, &mut records);
        let of_bytes: Vec<_> = cells.iter().map(|topic| &topic.bytes).collect();
        Counter::sum(&of_bytes, &mut labels, &mut bytes);
    }
    out.push(
        "tapecast_records_total",
        Kind::Counter,
        vec!["topic", "outcome"],
        "Kafka records read, by the outcome of decoding; topics beyond the first 1,000 are summed as `other`.",
        records,
    );
    out.push(
        "tapecast_record_bytes_total",
        Kind::Counter,
        vec!["topic"],
        "Bytes of keys and values of the Kafka records read.",
        bytes,
    );
}

pub(super) fn partitions(threads: &[Arc<IngestMetrics>], out: &mut Scrape) {
    // Of those exported as `other`, the records are summed and the longest delay is kept.
    let mut lags = BTreeMap::<(String, String), (u64, u64)>::new();
    for thread in threads {
        thread.each_partition(|topic, partition, cells| {
            let lag = lags
                .entry((topic.to_owned(), partition.to_owned()))
                .or_default();
            lag.0 += cells.lag_records.get();
            lag.1 = lag.1.max(cells.lag_time.get_ns());
        });
    }
    let mut records = Vec::new();
    let mut times = Vec::new();
    for ((topic, partition), (lag_records, lag_ns)) in lags {
        let labels = [("topic", topic), ("partition", partition)];
        records.push(gauge(&labels, lag_records as f64));
        times.push(gauge(&labels, seconds(lag_ns)));
    }
    let labels = vec!["topic", "partition"];
    out.push(
        "tapecast_consumer_lag_records",
        Kind::Gauge,
        labels.clone(),
        "Records in the partition that have not been read yet.",
        records,
    );
    out.push(
        "tapecast_consumer_lag_seconds",
        Kind::Gauge,
        labels,
        "Age of the last record read while more are waiting, else 0.",
        times,
    );
}

/// One family for the path of a record, since its stages are compared with each other.
pub(super) fn stages(
    publishers: &[Arc<PublisherMetrics>],
    shards: &[Arc<ShardMetrics>],
    out: &mut Scrape,
) {
    let kafka: Vec<_> = publishers.iter().map(|p| &p.stage_kafka).collect();
    let apply: Vec<_> = publishers.iter().map(|p| &p.stage_apply).collect();
    let queue: Vec<_> = shards.iter().map(|s| &s.stage_queue).collect();
    let send: Vec<_> = shards.iter().map(|s| &s.stage_send).collect();
    let mut metrics = Vec::new();
    for (stage, cells) in [
        ("kafka", kafka),
        ("apply", apply),
        ("queue", queue),
        ("send", send),
    ] {
        Histogram::sum(&cells, &mut vec![("stage", stage.to_owned())], &mut metrics);
    }
    out.push(
        "tapecast_stage_seconds",
        Kind::Histogram,
        vec!["stage"],
        "Time that a record spends in each stage: `kafka` from its timestamp to the poll, once the node has caught up; `apply` to the encoded run; `queue` to the start of the system call; `send` in the system call.",
        metrics,
    );
}
