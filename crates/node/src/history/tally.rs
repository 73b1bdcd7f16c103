use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::HistoryMetrics;
use metrics::label::ReplayRefusal;

/// Counts replays, and how many there are.
///
/// Cells have one writer; replays are several, and take turns here: once a page each.
pub(super) struct Tally {
    metrics: Arc<HistoryMetrics>,
    active: Mutex<usize>,
    most: usize,
}

/// A replay that is under way.
pub(super) struct Active<'a>(&'a Tally);

impl Tally {
    pub(super) const fn new(metrics: Arc<HistoryMetrics>, most: usize) -> Self {
        Self {
            metrics,
            active: Mutex::new(0),
            most,
        }
    }

    /// Whether there may be one more, and then there is.
    pub(super) fn begin(&self) -> bool {
        let mut active = self.lock();
        if *active >= self.most {
            self.metrics.refused[ReplayRefusal::Busy].inc();
            return false;
        }
        *active += 1;
        self.metrics.started.inc();
        self.metrics.active.set(*active as u64);
        true
    }

    /// One that has begun ends when this is dropped.
    pub(super) const fn active(&self) -> Active<'_> {
        Active(self)
    }

    pub(super) fn end(&self) {
        let mut active = self.lock();
        *active = active.saturating_sub(1);
        self.metrics.active.set(*active as u64);
    }

    pub(super) fn refuse(&self, why: ReplayRefusal) {
        let _turn = self.lock();
        self.metrics.refused[why].inc();
    }

    pub(super) fn read(&self, records: u64) {
        let _turn = self.lock();
        self.metrics.records.add(records);
    }

    pub(super) fn complete(&self) {
        let _turn = self.lock();
        self.metrics.completed.inc();
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        // A number is whole also after a panic.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
