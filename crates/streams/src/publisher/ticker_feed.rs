use market::{Epoch, Nanos, Trade};
use wire::{Status, Ticker, ViewParams};

use super::desk::Desk;
use super::identity::Identity;
use super::paced::PacedViews;
use crate::checkpoint::{SavedPlace, TickerPart};
use crate::day::Day;
use crate::place::Place;

/// The statistics of one instrument's last 24 hours.
#[derive(Debug)]
pub(super) struct TickerFeed {
    day: Day,
    pub(super) latest: Ticker,
    /// Where the statistics stand.
    pub(super) at: Place,
    /// One that is raw speaks with every record.
    pub(super) views: PacedViews<Ticker>,
}

impl TickerFeed {
    pub(super) fn new() -> Self {
        let day = Day::default();
        Self {
            latest: day.ticker(),
            day,
            at: Place::NONE,
            views: PacedViews::new(),
        }
    }

    /// Reading begins, or begins anew: nothing of before counts.
    pub(super) fn begin(&mut self, base: Place) {
        self.day = Day::default();
        self.latest = self.day.ticker();
        self.at = base;
        self.views.begin(self.latest, base);
    }

    /// What it knows.
    pub(super) fn save(&self) -> TickerPart {
        TickerPart {
            at: SavedPlace::of(&self.at),
            parts: self.day.save(),
        }
    }

    /// Becomes what was saved; nobody watches yet.
    pub(super) fn restore(&mut self, part: &TickerPart, now: Nanos) {
        self.day = Day::restored(&part.parts);
        self.latest = self.day.ticker();
        self.at = part.at.place(now);
    }

    /// What a stream has told, and where.
    pub(super) fn told(&self, params: ViewParams) -> (Ticker, Place) {
        let view = self.views.get(params);
        view.map_or((self.latest, self.at), |view| (view.told, view.last))
    }

    /// A record traded at that time.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        (time, trades): (Nanos, &[Trade<'_>]),
        recovered: bool,
        place: &Place,
        desk: &mut Desk,
    ) {
        self.day.take(time, trades);
        self.at = *place;
        self.latest = self.day.ticker();
        self.views
            .publish(identity, epoch, self.latest, recovered, place, desk);
    }

    /// Something may be missing from here on.
    pub(super) fn break_off(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        status: &Status,
        place: &Place,
        desk: &mut Desk,
    ) {
        let views = &mut self.views;
        views.tell_all(identity, epoch, self.latest, place.now, desk);
        views.tell_status(identity, epoch, status, |_| *place, desk);
        self.at = *place;
    }

    pub(super) fn size(&self) -> usize {
        self.day.size()
    }
}
