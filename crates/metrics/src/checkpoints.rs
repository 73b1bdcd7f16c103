use crate::families::families;
use crate::label::CheckpointRefusal;
use crate::{By, Counter};

families! {
    /// What is counted of checkpoints; written at startup by the thread that reads them, then by the
    /// one that writes them.
    #[derive(Default)]
    pub struct CheckpointMetrics {
        /// Checkpoints that could not be read at startup, by reason; exported with
        /// [`PublisherMetrics::not_restored`](crate::PublisherMetrics::not_restored).
        pub refused: By<CheckpointRefusal, Counter>,
        /// Checkpoint records that Kafka acknowledged.
        pub written: Counter = "tapecast_checkpoints_written_total",
        /// Bytes of the checkpoints written, before compression.
        pub bytes: Counter = "tapecast_checkpoint_bytes_total",
        /// Checkpoints that could not be sent.
        pub failed: Counter = "tapecast_checkpoints_failed_total",
        /// Checkpoint records that were sent but not delivered.
        pub undelivered: Counter = "tapecast_checkpoints_undelivered_total",
    }
}
