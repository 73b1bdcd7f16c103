use market::State;
use wire::{Encoding, LagKind};

use crate::families::families;
use crate::label::{CheckpointRefusal, EventOutcome};
use crate::{By, Counter, Gauge, Histogram};

families! {
    /// What one publisher counts; the publisher is its only writer.
    #[derive(Default)]
    #[repr(align(128))]
    pub struct PublisherMetrics {
        /// Events by outcome; gaps and crossed books start a resync.
        pub events: By<EventOutcome, Counter> = "tapecast_events_total",
        /// Books that became invalid, for any reason, and had to wait for a snapshot.
        pub resyncs: Counter = "tapecast_resyncs_total",
        /// Books that became valid again after a resync.
        pub recoveries: Counter = "tapecast_recoveries_total",
        /// Instruments that were quiet for longer than configured and became `STALE`.
        pub went_stale: Counter = "tapecast_stale_total",

        /// Instruments known to the node.
        pub instruments: Gauge = "tapecast_instruments",
        /// Instruments by the state of their book.
        pub books: By<State, Gauge> = "tapecast_books",
        /// Streams that at least one session subscribes to.
        pub streams_watched: Gauge = "tapecast_streams_watched",
        /// Views, which are all streams but the full raw ones, each counted once for all encodings and sessions.
        pub views: Gauge = "tapecast_views",
        /// Bytes held by the views of books.
        pub view_bytes: Gauge = "tapecast_view_bytes",
        /// Grouped streams rejected with `too_many_views`.
        pub views_rejected: Counter = "tapecast_views_rejected_total",
        /// Bytes held by books, their views and the logs of recent messages.
        pub log_bytes: Gauge = "tapecast_log_bytes",

        /// Messages encoded, once per encoding, however many sessions receive them.
        pub encoded_messages: By<Encoding, Counter> = "tapecast_encoded_messages_total",
        /// Bytes of the messages encoded.
        pub encoded_bytes: By<Encoding, Counter> = "tapecast_encoded_bytes_total",
        /// Runs of frames handed to shards.
        pub runs: Counter = "tapecast_runs_total",
        /// `Heartbeat` messages published in quiet streams.
        pub heartbeats: Counter = "tapecast_heartbeats_total",
        /// Subscriptions that started with a snapshot.
        pub joined: Counter = "tapecast_joins_total",
        /// Subscriptions that resumed.
        pub resumed: Counter = "tapecast_joins_resumed_total",
        /// Catch-ups computed for lagging subscriptions, by kind.
        pub catch_ups: By<LagKind, Counter> = "tapecast_catch_ups_total",

        /// Instruments restored from checkpoints at startup, counted once per partition.
        pub restored: Counter = "tapecast_checkpoints_restored_total",
        /// Checkpoints that were read and not restored, by reason; exported with
        /// [`CheckpointMetrics::refused`](crate::CheckpointMetrics::refused).
        pub not_restored: By<CheckpointRefusal, Counter>,
        /// Checkpoints taken for writing.
        pub checkpoints: Counter = "tapecast_checkpoints_taken_total",

        /// From the record's timestamp in Kafka to the poll that returned it; exported as a stage.
        pub stage_kafka: Histogram,
        /// From the poll to the encoded run; exported as a stage.
        pub stage_apply: Histogram,
    }
}
