use std::time::Duration;

/// Settings of checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckpointSettings {
    /// The compacted topic; `None` disables checkpoints.
    pub(crate) topic: Option<String>,
    /// Interval of an instrument's checkpoints; `None` only reads.
    pub(crate) write_every: Option<Duration>,
    /// Whether a writing node creates a missing topic.
    pub(crate) create: bool,
}
