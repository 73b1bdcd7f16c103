use market::{Epoch, Nanos, Trade};
use wire::{Status, Ticker, ViewParams};

use super::identity::Identity;
use super::shared::Shared;
use super::throttled_views::ThrottledViews;
use crate::checkpoint::{SavedStamp, TickerPart};
use crate::day::Day;
use crate::stamp::Stamp;

/// The statistics of one instrument's last 24 hours.
#[derive(Debug)]
pub(super) struct TickerFeed {
    day: Day,
    pub(super) latest: Ticker,
    /// The stamp that the statistics are as of.
    pub(super) at: Stamp,
    /// The open streams. The raw one publishes at every record with trades.
    pub(super) views: ThrottledViews<Ticker>,
}

impl TickerFeed {
    pub(super) fn new() -> Self {
        let day = Day::default();
        Self {
            latest: day.ticker(),
            day,
            at: Stamp::NONE,
            views: ThrottledViews::new(),
        }
    }

    /// Starts over without any trades.
    pub(super) fn restart(&mut self, base: Stamp) {
        self.day = Day::default();
        self.latest = self.day.ticker();
        self.at = base;
        self.views.restart(self.latest, base);
    }

    pub(super) fn save(&self) -> TickerPart {
        TickerPart {
            at: SavedStamp::of(&self.at),
            buckets: self.day.save(),
        }
    }

    /// Restores a saved state; no stream is open yet.
    pub(super) fn restore(&mut self, part: &TickerPart, now: Nanos) {
        self.day = Day::restored(&part.buckets);
        self.latest = self.day.ticker();
        self.at = part.at.restored_at(now);
    }

    /// The statistics that a stream has sent, and the stamp of that message.
    pub(super) fn sent(&self, params: ViewParams) -> (Ticker, Stamp) {
        let view = self.views.get(params);
        view.map_or((self.latest, self.at), |view| (view.sent, view.last))
    }

    /// Adds the trades of a record, which were made at `time`.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        (time, trades): (Nanos, &[Trade<'_>]),
        recovered: bool,
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        self.day.add(time, trades);
        self.at = *stamp;
        self.latest = self.day.ticker();
        self.views
            .publish(identity, epoch, self.latest, recovered, stamp, shared);
    }

    /// Publishes that trades may be missing from here on.
    pub(super) fn break_off(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        status: &Status,
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        let views = &mut self.views;
        views.send_all_unsent(identity, epoch, self.latest, stamp.publish_time, shared);
        views.send_status(identity, epoch, status, |_| *stamp, shared);
        self.at = *stamp;
    }

    /// The allocated memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.day.memory()
    }
}
