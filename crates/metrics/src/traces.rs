use crate::Counter;
use crate::families::families;

families! {
    /// What became of the spans of traced records; the thread that exports them is the only writer.
    #[derive(Default)]
    pub struct TraceMetrics {
        /// Spans of traced records that the collector accepted.
        pub exported: Counter = "tapecast_trace_spans_exported_total",
        /// Spans of traced records that the collector did not accept.
        pub failed: Counter = "tapecast_trace_spans_failed_total",
        /// Spans of traced records that were dropped because too many were waiting for the collector.
        pub dropped: Counter = "tapecast_trace_spans_dropped_total",
    }
}
