use crate::label::{BookState, Encoding, EventOutcome, RecordOutcome, ResyncReason};
use crate::{By, Counter, Gauge, Histogram};

/// What one publisher counts; the publisher is its only writer.
#[derive(Default)]
#[repr(align(128))]
pub struct PublisherMetrics {
    /// Records by what was made of them.
    pub records: By<RecordOutcome, Counter>,
    /// Events of records by what became of them: `stale`, `gap` and `crossed` are here.
    pub events: By<EventOutcome, Counter>,
    /// Instruments that went from a right book to a resync.
    pub resyncs: By<ResyncReason, Counter>,

    /// Instruments known.
    pub instruments: Gauge,
    /// Instruments by the state of their book.
    pub books: By<BookState, Gauge>,
    /// Streams that somebody watches.
    pub streams_watched: Gauge,
    /// Bytes that the logs of recent deltas hold.
    pub log_bytes: Gauge,

    /// Messages encoded, once for each encoding however many subscribe.
    pub encoded_messages: By<Encoding, Counter>,
    /// Bytes of the messages encoded.
    pub encoded_bytes: By<Encoding, Counter>,
    /// Runs handed to shards.
    pub runs: Counter,
    /// `Heartbeat` messages.
    pub heartbeats: Counter,
    /// Net deltas computed for sessions that fell behind or resumed.
    pub catch_ups: Counter,

    /// From the record's timestamp in Kafka to the poll that returned it.
    pub stage_kafka: Histogram,
    /// From the poll to the encoded run.
    pub stage_apply: Histogram,
}
