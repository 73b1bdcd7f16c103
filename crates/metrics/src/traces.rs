use crate::Counter;

/// What becomes of the spans of followed records; the thread that exports them writes.
#[derive(Default)]
pub struct TraceMetrics {
    /// Spans that the collector took.
    pub exported: Counter,
    /// Spans that it did not take.
    pub failed: Counter,
    /// Spans for which there was no room while it was waited for.
    pub dropped: Counter,
}
