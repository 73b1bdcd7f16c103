use crate::families::families;
use crate::label::ThreadKind;
use crate::{By, Counter, Gauge};

families! {
    /// What is known of the node as a whole; the admin listener writes it before a scrape.
    #[derive(Default)]
    pub struct NodeMetrics {
        /// 1 while the node has caught up and is not draining, else 0.
        pub ready: Gauge = "tapecast_ready",
        /// 1 once the node has been told to stop accepting sessions, else 0.
        pub draining: Gauge = "tapecast_draining",
        /// Partitions that the node has not caught up with since it started.
        pub partitions_behind: Gauge = "tapecast_partitions_behind",
        /// Topics that the brokers list, whether the node reads them or not.
        pub topics_listed: Gauge = "tapecast_topics_listed",
        /// Topics that `[[topics]]` matches; at 0 nothing is read, and the node is not ready.
        pub topics_matched: Gauge = "tapecast_topics_matched",
        /// Threads that ended unexpectedly, by role.
        pub threads_failed: By<ThreadKind, Counter> = "tapecast_threads_failed_total",
        /// 1 if the last reload of the configuration succeeded, else 0.
        pub reload_successful: Gauge = "tapecast_config_last_reload_successful",
        /// When a configuration was last applied, in seconds since 1970 UTC.
        pub reloaded_at: Gauge = "tapecast_config_last_reload_success_timestamp_seconds",
        /// When the public listener's certificate expires, in seconds since 1970 UTC; 0 without TLS.
        pub tls_expires: Gauge = "tapecast_tls_certificate_not_after_timestamp_seconds",
    }
}
