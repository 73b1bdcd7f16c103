use crate::label::CheckpointRefusal;
use crate::{By, Counter};

/// What checkpoints count; written at the start by the thread that reads them, then by the one that
/// writes them.
#[derive(Default)]
pub struct CheckpointMetrics {
    /// Checkpoints that could not be read at the start, by the reason.
    pub refused: By<CheckpointRefusal, Counter>,
    /// Checkpoints that Kafka has.
    pub written: Counter,
    /// Their bytes, before they are packed.
    pub bytes: Counter,
    /// Checkpoints that could not be sent.
    pub failed: Counter,
    /// Checkpoints that were sent and did not arrive.
    pub undelivered: Counter,
}
