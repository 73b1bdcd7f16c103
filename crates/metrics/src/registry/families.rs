//! Names, meanings and sources of all families.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::family::{Kind, Sample, Scrape, counter, gauge, seconds};
use crate::registry::NodeMetrics;
use crate::{
    BuildInfo, By, CheckpointMetrics, Counter, Histogram, HistoryMetrics, IngestMetrics,
    PublisherMetrics, ShardMetrics, TopicMetrics, TraceMetrics,
};

pub(super) fn node(build: &BuildInfo, node: &Arc<NodeMetrics>, out: &mut Scrape) {
    let labels = [
        ("version", build.version.to_owned()),
        ("revision", build.revision.to_owned()),
    ];
    out.push(
        "tapecast_build_info",
        Kind::Gauge,
        vec!["version", "revision"],
        "Always 1; the labels say what program this is.",
        vec![gauge(&labels, 1.0)],
    );
    let node = std::slice::from_ref(node);
    out.sum(
        "tapecast_ready",
        "1 while the node is caught up and not draining, else 0.",
        node,
        |n| &n.ready,
    );
    out.sum(
        "tapecast_draining",
        "1 once the node was told to stop taking sessions, else 0.",
        node,
        |n| &n.draining,
    );
    out.sum(
        "tapecast_partitions_behind",
        "Partitions that are not caught up with yet since the start.",
        node,
        |n| &n.partitions_behind,
    );
    out.sum(
        "tapecast_topics_listed",
        "Topics that the brokers list, whether they are read or not.",
        node,
        |n| &n.topics_listed,
    );
    out.sum(
        "tapecast_topics_matched",
        "Topics that `[[topics]]` matches; with 0 nothing is read, and the node is not ready.",
        node,
        |n| &n.topics_matched,
    );
    out.sum(
        "tapecast_threads_failed_total",
        "Threads that ended although they should not have, by what they did.",
        node,
        |n| &n.threads_failed,
    );
    out.sum(
        "tapecast_config_last_reload_successful",
        "1 while the last reload of the configuration succeeded, else 0.",
        node,
        |n| &n.reload_successful,
    );
    out.sum(
        "tapecast_config_last_reload_success_timestamp_seconds",
        "When a configuration was taken over last, in seconds since 1970 UTC.",
        node,
        |n| &n.reloaded_at,
    );
    out.sum(
        "tapecast_tls_certificate_not_after_timestamp_seconds",
        "When the certificate of the public listener ends, in seconds since 1970 UTC; 0 without TLS.",
        node,
        |n| &n.tls_expires,
    );
}

pub(super) fn checkpoints(
    checkpoints: &Arc<CheckpointMetrics>,
    publishers: &[Arc<PublisherMetrics>],
    out: &mut Scrape,
) {
    out.sum(
        "tapecast_checkpoints_restored_total",
        "Instruments taken over from checkpoints at the start, once for each of their partitions.",
        publishers,
        |p| &p.restored,
    );
    let mut refused: Vec<_> = publishers.iter().map(|p| &p.not_restored).collect();
    refused.push(&checkpoints.refused);
    let mut samples = Vec::new();
    By::sum(&refused, &mut Vec::new(), &mut samples);
    out.push(
        "tapecast_checkpoints_refused_total",
        Kind::Counter,
        vec!["reason"],
        "Checkpoints that were not taken over at the start; what is of them is read from the log.",
        samples,
    );
    out.sum(
        "tapecast_checkpoints_taken_total",
        "Checkpoints taken to be written.",
        publishers,
        |p| &p.checkpoints,
    );
    let checkpoints = std::slice::from_ref(checkpoints);
    out.sum(
        "tapecast_checkpoints_written_total",
        "Records of checkpoints that Kafka has acknowledged.",
        checkpoints,
        |c| &c.written,
    );
    out.sum(
        "tapecast_checkpoint_bytes_total",
        "Bytes of the checkpoints written, before they are packed.",
        checkpoints,
        |c| &c.bytes,
    );
    out.sum(
        "tapecast_checkpoints_failed_total",
        "Checkpoints that could not be sent.",
        checkpoints,
        |c| &c.failed,
    );
    out.sum(
        "tapecast_checkpoints_undelivered_total",
        "Records of checkpoints that were sent and did not arrive.",
        checkpoints,
        |c| &c.undelivered,
    );
}

pub(super) fn history(history: &Arc<HistoryMetrics>, out: &mut Scrape) {
    let history = std::slice::from_ref(history);
    out.sum(
        "tapecast_replays_active",
        "Replays of the past under way.",
        history,
        |h| &h.active,
    );
    out.sum(
        "tapecast_replays_started_total",
        "Replays of the past begun.",
        history,
        |h| &h.started,
    );
    out.sum(
        "tapecast_replays_completed_total",
        "Replays of the past that led to their live streams.",
        history,
        |h| &h.completed,
    );
    out.sum(
        "tapecast_replays_refused_total",
        "Replays of the past that did not begin, or broke off.",
        history,
        |h| &h.refused,
    );
    out.sum(
        "tapecast_replay_records_total",
        "Kafka records read for replays of the past.",
        history,
        |h| &h.records,
    );
}

pub(super) fn traces(traces: &Arc<TraceMetrics>, out: &mut Scrape) {
    let traces = std::slice::from_ref(traces);
    out.sum(
        "tapecast_trace_spans_exported_total",
        "Spans of followed records that the collector took.",
        traces,
        |t| &t.exported,
    );
    out.sum(
        "tapecast_trace_spans_failed_total",
        "Spans of followed records that the collector did not take.",
        traces,
        |t| &t.failed,
    );
    out.sum(
        "tapecast_trace_spans_dropped_total",
        "Spans of followed records for which there was no room while the collector was waited for.",
        traces,
        |t| &t.dropped,
    );
}

pub(super) fn ingest(threads: &[Arc<IngestMetrics>], out: &mut Scrape) {
    topics(threads, out);
    partitions(threads, out);
    out.sum(
        "tapecast_partitions_assigned",
        "Partitions that the node reads.",
        threads,
        |t| &t.partitions_assigned,
    );
    out.sum(
        "tapecast_broker_errors_total",
        "Errors between the node and Kafka.",
        threads,
        |t| &t.broker_errors,
    );
    out.sum(
        "tapecast_broker_reconnects_total",
        "Connections to brokers that were made again.",
        threads,
        |t| &t.reconnects,
    );
    out.sum(
        "tapecast_topic_resets_total",
        "Topics that were made anew, or whose offsets went back.",
        threads,
        |t| &t.topic_resets,
    );
    out.sum(
        "tapecast_retention_losses_total",
        "Times that Kafka had deleted records of a partition before they were read.",
        threads,
        |t| &t.retention_losses,
    );
}

fn topics(threads: &[Arc<IngestMetrics>], out: &mut Scrape) {
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
        "Kafka records read, by what the decoder made of them; the topic is `other` beyond 1,000.",
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

fn partitions(threads: &[Arc<IngestMetrics>], out: &mut Scrape) {
    // Of those summed as `other`, records add up and the longest delay stands.
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
        "Records in the partition that were not read yet.",
        records,
    );
    out.push(
        "tapecast_consumer_lag_seconds",
        Kind::Gauge,
        labels,
        "Age of the last record read while there are others behind it, else 0.",
        times,
    );
}

pub(super) fn publishers(publishers: &[Arc<PublisherMetrics>], out: &mut Scrape) {
    out.sum(
        "tapecast_events_total",
        "What records say, by what became of it: gaps and crossed books start a resync.",
        publishers,
        |p| &p.events,
    );
    out.sum(
        "tapecast_resyncs_total",
        "Books that were lost, whatever the cause, and wait for a whole one.",
        publishers,
        |p| &p.resyncs,
    );
    out.sum(
        "tapecast_recoveries_total",
        "Lost books that were right again.",
        publishers,
        |p| &p.recoveries,
    );
    out.sum(
        "tapecast_stale_total",
        "Instruments that went quiet for longer than configured.",
        publishers,
        |p| &p.went_stale,
    );
    out.sum(
        "tapecast_instruments",
        "Instruments that the node knows.",
        publishers,
        |p| &p.instruments,
    );
    out.sum(
        "tapecast_books",
        "Instruments by the state of their book.",
        publishers,
        |p| &p.books,
    );
    out.sum(
        "tapecast_streams_watched",
        "Streams that at least one session subscribes to.",
        publishers,
        |p| &p.streams_watched,
    );
    out.sum(
        "tapecast_views",
        "Views: streams other than the full raw ones, each once for all encodings and sessions.",
        publishers,
        |p| &p.views,
    );
    out.sum(
        "tapecast_view_bytes",
        "Bytes that the views of books hold.",
        publishers,
        |p| &p.view_bytes,
    );
    out.sum(
        "tapecast_views_rejected_total",
        "Grouped streams that were rejected with too_many_views.",
        publishers,
        |p| &p.views_rejected,
    );
    out.sum(
        "tapecast_log_bytes",
        "Bytes that books, their views and the logs of recent messages take.",
        publishers,
        |p| &p.log_bytes,
    );
    out.sum(
        "tapecast_encoded_messages_total",
        "Messages encoded, once for each encoding however many sessions get them.",
        publishers,
        |p| &p.encoded_messages,
    );
    out.sum(
        "tapecast_encoded_bytes_total",
        "Bytes of the messages encoded.",
        publishers,
        |p| &p.encoded_bytes,
    );
    out.sum(
        "tapecast_runs_total",
        "Runs of frames handed to shards.",
        publishers,
        |p| &p.runs,
    );
    out.sum(
        "tapecast_heartbeats_total",
        "`Heartbeat` messages published in streams that were quiet.",
        publishers,
        |p| &p.heartbeats,
    );
    out.sum(
        "tapecast_joins_total",
        "Subscribers that joined a stream with a snapshot.",
        publishers,
        |p| &p.joined,
    );
    out.sum(
        "tapecast_joins_resumed_total",
        "Subscribers that joined a stream by resuming.",
        publishers,
        |p| &p.resumed,
    );
    out.sum(
        "tapecast_catch_ups_total",
        "Catch-ups computed for subscribers that fell behind.",
        publishers,
        |p| &p.catch_ups,
    );
}

pub(super) fn shards(shards: &[Arc<ShardMetrics>], out: &mut Scrape) {
    sessions(shards, out);
    traffic(shards, out);
    slow_sessions(shards, out);
}

fn sessions(shards: &[Arc<ShardMetrics>], out: &mut Scrape) {
    out.sum(
        "tapecast_sessions",
        "Sessions that are open.",
        shards,
        |s| &s.sessions_open,
    );
    out.sum(
        "tapecast_sessions_blocked",
        "Sessions whose sockets are full, so that they wait.",
        shards,
        |s| &s.sessions_blocked,
    );
    out.sum(
        "tapecast_sessions_opened_total",
        "Sessions that were opened.",
        shards,
        |s| &s.sessions_opened,
    );
    out.sum(
        "tapecast_sessions_closed_total",
        "Sessions that ended, by reason.",
        shards,
        |s| &s.sessions_closed,
    );
    out.sum(
        "tapecast_handshakes_refused_total",
        "Connections that did not become sessions, by reason.",
        shards,
        |s| &s.handshakes_refused,
    );
    out.sum(
        "tapecast_handshakes_delayed_total",
        "Connections that had to wait, since clients at their address were closed for breaking a rule.",
        shards,
        |s| &s.handshakes_delayed,
    );
    out.sum(
        "tapecast_auth_refused_total",
        "Requests for a session or to `/v1` that were not let in, by the code that they were told.",
        shards,
        |s| &s.auth_refused,
    );
    out.sum(
        "tapecast_subscriptions",
        "Subscriptions that are in force.",
        shards,
        |s| &s.subscriptions,
    );
    out.sum(
        "tapecast_resumes_total",
        "Requests to resume: `resumed`, or why it became a snapshot.",
        shards,
        |s| &s.resumes,
    );
    out.sum(
        "tapecast_snapshots_sent_total",
        "Snapshots sent at the start of a subscription or instead of a resume.",
        shards,
        |s| &s.snapshots,
    );
    out.sum(
        "tapecast_request_errors_total",
        "Errors in answers to requests, by their stable code.",
        shards,
        |s| &s.request_errors,
    );
    out.sum(
        "tapecast_pings_total",
        "WebSocket pings sent.",
        shards,
        |s| &s.pings,
    );
    out.sum(
        "tapecast_heartbeat_failures_total",
        "WebSocket pings that were not answered in time; the session is closed with 4001.",
        shards,
        |s| &s.heartbeat_failures,
    );
    out.sum(
        "tapecast_rate_limited_total",
        "Sessions that sent more messages than they may; the session is closed with 4002.",
        shards,
        |s| &s.rate_limited,
    );
    out.sum(
        "tapecast_http_requests_rejected_total",
        "HTTP requests that were rejected with 429, since their address exceeded its rate.",
        shards,
        |s| &s.http_rejected,
    );
}

fn traffic(shards: &[Arc<ShardMetrics>], out: &mut Scrape) {
    out.sum(
        "tapecast_messages_received_total",
        "WebSocket messages received from clients, control frames not counted.",
        shards,
        |s| &s.messages_in,
    );
    out.sum(
        "tapecast_bytes_received_total",
        "Bytes received from clients, frame heads included.",
        shards,
        |s| &s.bytes_in,
    );
    out.sum(
        "tapecast_messages_sent_total",
        "WebSocket messages of streams sent, counted once for each session that got them.",
        shards,
        |s| &s.messages_out,
    );
    out.sum(
        "tapecast_answers_sent_total",
        "Answers to requests sent.",
        shards,
        |s| &s.answers_out,
    );
    out.sum(
        "tapecast_bytes_sent_total",
        "Bytes sent to clients, frame heads included.",
        shards,
        |s| &s.bytes_out,
    );
    out.sum(
        "tapecast_sends_total",
        "System calls that sent something.",
        shards,
        |s| &s.sends,
    );
    out.sum(
        "tapecast_sends_short_total",
        "System calls that could not send all they were given, since the socket was full.",
        shards,
        |s| &s.sends_short,
    );
    let rested = shards.iter().map(|shard| shard.rested_ns.get()).sum();
    out.push(
        "tapecast_shard_rest_seconds_total",
        Kind::Counter,
        Vec::new(),
        "Time that busy shards rested so that messages gather (`fanout.busy_percent`).",
        vec![counter(&[], seconds(rested))],
    );
}

fn slow_sessions(shards: &[Arc<ShardMetrics>], out: &mut Scrape) {
    out.sum(
        "tapecast_cursors_fallen_total",
        "Cursors of slow sessions that fell off their stream's run buffer.",
        shards,
        |s| &s.cursors_fallen,
    );
    out.sum(
        "tapecast_conflations_total",
        "Slow sessions that caught up by an exact net delta.",
        shards,
        |s| &s.conflations,
    );
    out.sum(
        "tapecast_catch_up_snapshots_total",
        "Slow sessions that caught up by a snapshot.",
        shards,
        |s| &s.catch_up_snapshots,
    );
    out.sum(
        "tapecast_conflated_messages_total",
        "Messages that a catch-up replaced for a slow session.",
        shards,
        |s| &s.conflated_messages,
    );
    out.sum(
        "tapecast_skipped_messages_total",
        "Messages that a slow session lost, one where their number is not known; it was told so by `Lag` of kind `SKIPPED`.",
        shards,
        |s| &s.skipped_messages,
    );
    out.sum(
        "tapecast_slow_disconnects_total",
        "Sessions closed with 4000 for being slow, as they had chosen.",
        shards,
        |s| &s.slow_disconnects,
    );
}

/// One family for the way of a record, since its parts are to be looked at beside each other.
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
        "Time that a record spends in each stage: `kafka` from its timestamp to the poll, once the node has caught up, `apply` to the encoded run, `queue` to the start of the system call, `send` in it.",
        metrics,
    );
}
