use crate::label::ReplayRefusal;
use crate::{By, Counter, Gauge};

/// What the replays of the past count; they take turns in writing.
#[derive(Default)]
pub struct HistoryMetrics {
    /// Replays under way.
    pub active: Gauge,
    /// Kafka clients that they share.
    pub clients: Gauge,
    /// Replays begun.
    pub started: Counter,
    /// Replays that led to their live streams.
    pub completed: Counter,
    /// Replays that did not begin, or broke off, by the reason.
    pub refused: By<ReplayRefusal, Counter>,
    /// Records read for replays.
    pub records: Counter,
}
