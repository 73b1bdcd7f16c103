//! The spans of a traced record. Their names are the stages of `tapecast_stage_seconds`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fanout::Passage;
use market::{InstrumentName, Nanos};
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// A traced record in its publisher.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) instrument: InstrumentName,
    /// Its timestamp; 0 if it has none.
    pub(super) log_time: Nanos,
    pub(super) received: Nanos,
}

/// The spans of the record itself, of Kafka and of the publisher.
pub(super) fn of_record(record: &Record, published: Nanos) -> Vec<SpanData> {
    let has_log_time = record.log_time != Nanos(0) && record.log_time <= record.received;
    let begin = if has_log_time {
        record.log_time
    } else {
        record.received
    };
    let attributes = vec![
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", record.topic.to_string()),
        KeyValue::new(
            "messaging.destination.partition.id",
            record.partition.to_string(),
        ),
        KeyValue::new("messaging.kafka.offset", record.offset),
        KeyValue::new("tapecast.instrument", record.instrument.as_str().to_owned()),
    ];
    let own = SpanId::from(record.span);
    let mut spans = vec![SpanData {
        span_kind: SpanKind::Consumer,
        ..span(
            (record.trace, own, SpanId::INVALID),
            "record",
            (begin, published),
            attributes,
        )
    }];
    let child = |name, times| span((record.trace, new_id(), own), name, times, Vec::new());
    if has_log_time {
        spans.push(child("kafka", (record.log_time, record.received)));
    }
    spans.push(child("apply", (record.received, published)));
    spans
}

/// The spans of a shard: waiting for it, and sending.
pub(super) fn of_passage(passage: &Passage) -> [SpanData; 2] {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let parent = SpanId::from(passage.mark.parent);
    let attributes = vec![
        KeyValue::new("tapecast.shard", count(passage.shard)),
        KeyValue::new("tapecast.streams", count(passage.streams)),
        KeyValue::new("tapecast.subscribers", count(passage.subscribers)),
    ];
    let child = |name, times, attributes| {
        span(
            (passage.mark.trace, new_id(), parent),
            name,
            times,
            attributes,
        )
    };
    [
        child(
            "queue",
            (passage.published, passage.taken),
            attributes.clone(),
        ),
        child("send", (passage.taken, passage.sent), attributes),
    ]
}

/// A random id other than 0, which is invalid.
pub(super) fn new_id() -> SpanId {
    SpanId::from(fastrand::u64(1..))
}

fn span(
    (trace, own, parent): (u128, SpanId, SpanId),
    name: &'static str,
    (begin, end): (Nanos, Nanos),
    attributes: Vec<KeyValue>,
) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(trace),
            own,
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: time(begin),
        end_time: time(end.max(begin)),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("tapecast")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn time(Nanos(nanos): Nanos) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}
