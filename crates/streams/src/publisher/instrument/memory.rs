use super::Instrument;
use crate::publisher::shared::{Shared, ViewTotals};
use crate::view::BookView;

impl Instrument {
    /// The memory of its logs, in bytes.
    pub(in crate::publisher) fn log_bytes(&self) -> usize {
        self.book.log.memory() + self.book.bbo.log.memory() + self.trades.log.memory()
    }

    /// Updates the total memory of all logs, after its own may have grown.
    pub(super) fn count_logs(&mut self, shared: &mut Shared) {
        let bytes = self.log_bytes();
        shared.log_bytes = shared.log_bytes - self.counted_logs + bytes;
        self.counted_logs = bytes;
    }

    /// Limits its logs: the book's to `bytes`, the others to a quarter each.
    pub(in crate::publisher) fn bound_logs(&mut self, bytes: usize, shared: &mut Shared) {
        self.book.log.set_bound(bytes);
        self.book.bbo.log.set_bound(bytes / 4);
        self.trades.log.set_bound(bytes / 4);
        self.count_logs(shared);
    }

    /// Its views and their memory.
    pub(in crate::publisher) fn views(&self) -> ViewTotals {
        let views = &self.book.views;
        let bytes = |view: &BookView| size_of::<BookView>() + view.memory();
        let grouped = views.iter().filter(|view| view.is_grouped());
        ViewTotals {
            open: views.len()
                + self.book.bbo.views.len()
                + self.trades.ticker.views.len()
                + self.trades.bars.views().len(),
            bytes: views.iter().map(bytes).sum(),
            grouped_bytes: grouped.map(bytes).sum(),
        }
    }

    /// Updates the totals of all views, after its own may have changed.
    pub(in crate::publisher) fn count_views(&mut self, shared: &mut Shared) {
        let views = self.views();
        shared.views.subtract(self.counted_views);
        shared.views.add(views);
        self.counted_views = views;
    }

    /// The memory of the instrument, in bytes.
    pub(in crate::publisher) fn memory(&self) -> usize {
        size_of::<Self>() + self.book.memory() + self.trades.memory() + self.counted_views.bytes
    }
}
