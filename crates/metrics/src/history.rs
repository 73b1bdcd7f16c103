use crate::families::families;
use crate::label::ReplayRefusal;
use crate::{By, Counter, Gauge};

families! {
    /// What the replays of the past count; they take turns in writing.
    #[derive(Default)]
    pub struct HistoryMetrics {
        /// Replays in progress.
        pub active: Gauge = "tapecast_replays_active",
        /// Kafka clients that all replays share.
        pub clients: Gauge = "tapecast_replay_clients",
        /// Replays started.
        pub started: Counter = "tapecast_replays_started_total",
        /// Replays that reached their live streams.
        pub completed: Counter = "tapecast_replays_completed_total",
        /// Replays that were rejected or aborted, by reason.
        pub refused: By<ReplayRefusal, Counter> = "tapecast_replays_refused_total",
        /// Kafka records read for replays.
        pub records: Counter = "tapecast_replay_records_total",
    }
}
