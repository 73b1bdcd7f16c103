use std::time::Duration;

/// Where checkpoints are, and who writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckpointSettings {
    /// The compacted topic; without one there are none.
    pub(crate) topic: Option<String>,
    /// How often this node writes each instrument's; without it, it only reads.
    pub(crate) write_every: Option<Duration>,
    /// Whether a node that writes makes the topic where it is not there.
    pub(crate) create: bool,
}
