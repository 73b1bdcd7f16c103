use market::State;
use wire::{Encoding, LagKind};

use crate::label::{CheckpointRefusal, EventOutcome};
use crate::{By, Counter, Gauge, Histogram};

/// What one publisher counts; the publisher is its only writer.
#[derive(Default)]
#[repr(align(128))]
pub struct PublisherMetrics {
    /// What records say, by what became of it.
    pub events: By<EventOutcome, Counter>,
    /// Books that were lost, for whatever reason.
    pub resyncs: Counter,
    /// Lost books that were right again.
    pub recoveries: Counter,
    /// Instruments that went quiet.
    pub went_stale: Counter,

    /// Instruments taken over from checkpoints, once for each partition.
    pub restored: Counter,
    /// Checkpoints that were not taken over, by the reason.
    pub not_restored: By<CheckpointRefusal, Counter>,
    /// Checkpoints taken.
    pub checkpoints: Counter,

    /// Instruments known.
    pub instruments: Gauge,
    /// Instruments by the state of their book.
    pub books: By<State, Gauge>,
    /// Streams that somebody watches.
    pub streams_watched: Gauge,
    /// Views: streams other than the full raw ones, each once for all encodings.
    pub views: Gauge,
    /// Bytes that the views of books hold.
    pub view_bytes: Gauge,
    /// Grouped views that were rejected.
    pub views_rejected: Counter,
    /// Bytes that books and the logs of recent messages take.
    pub log_bytes: Gauge,

    /// Messages encoded, once for each encoding however many subscribe.
    pub encoded_messages: By<Encoding, Counter>,
    /// Bytes of the messages encoded.
    pub encoded_bytes: By<Encoding, Counter>,
    /// Runs handed to shards.
    pub runs: Counter,
    /// `Heartbeat` messages.
    pub heartbeats: Counter,
    /// Subscribers that joined with a snapshot.
    pub joined: Counter,
    /// Subscribers that resumed.
    pub resumed: Counter,
    /// Catch-ups computed for subscribers that fell behind.
    pub catch_ups: By<LagKind, Counter>,

    /// From the record's timestamp in Kafka to the poll that returned it.
    pub stage_kafka: Histogram,
    /// From the poll to the encoded run.
    pub stage_apply: Histogram,
}
