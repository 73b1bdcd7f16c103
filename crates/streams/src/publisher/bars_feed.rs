use market::{Epoch, Nanos, Seq, Trade};
use wire::{Bar, BarInterval, Head, Status, View, ViewParams, sbe};

use super::desk::Desk;
use super::identity::Identity;
use crate::WatchId;
use crate::bars::{Bars, OneBar};
use crate::candle::Candle;
use crate::checkpoint::{BarsPart, SavedPlace};
use crate::pace::{Pace, Resting};
use crate::place::Place;

/// The bars of one instrument.
#[derive(Debug)]
pub(super) struct BarsFeed {
    /// By interval; none before the first trade, since most instruments of a venue never trade.
    all: Vec<Bars>,
    /// Where they stand.
    at: Place,
    views: Vec<BarView>,
}

/// A stream of bars that somebody watches.
#[derive(Debug)]
pub(super) struct BarView {
    pub(super) params: ViewParams,
    pub(super) watches: Vec<WatchId>,
    /// Its last message.
    pub(super) last: Place,
    /// The running bar as it was told.
    told: Option<OneBar>,
    /// The newest record whose trades have not been told.
    behind: Option<Place>,
    pace: Pace,
}

impl BarsFeed {
    pub(super) const fn new() -> Self {
        Self {
            all: Vec::new(),
            at: Place::NONE,
            views: Vec::new(),
        }
    }

    /// Reading begins, or begins anew: nothing of before counts.
    pub(super) fn begin(&mut self, base: Place) {
        self.all.clear();
        self.at = base;
        for view in &mut self.views {
            view.last = base;
            view.told = None;
            view.behind = None;
        }
    }

    /// What it knows.
    pub(super) fn save(&self) -> BarsPart {
        BarsPart {
            at: SavedPlace::of(&self.at),
            intervals: self.all.iter().map(Bars::save).collect(),
        }
    }

    /// Becomes what was saved; nobody watches yet. Intervals that the one who saved did not know
    /// begin with the next trade.
    pub(super) fn restore(&mut self, part: &BarsPart, now: Nanos) {
        self.at = part.at.place(now);
        if part.intervals.is_empty() {
            return;
        }
        let bars = |interval| {
            let mut saved = part.intervals.iter();
            let saved = saved.find(|saved| saved.interval == interval);
            saved.map_or_else(|| Bars::new(interval), Bars::restored)
        };
        self.all = BarInterval::ALL.map(bars).into();
    }

    /// Whether there has been no trade.
    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) const fn open_views(&self) -> usize {
        self.views.len()
    }

    pub(super) fn views(&self) -> impl Iterator<Item = &BarView> {
        self.views.iter()
    }

    /// Where a stream stands.
    pub(super) fn last(&self, params: ViewParams) -> Place {
        self.view(params).map_or(self.at, |view| view.last)
    }

    /// The watchers of a stream, which is made where there is none.
    pub(super) fn watches_of(
        &mut self,
        params: ViewParams,
        begin: impl FnOnce() -> Pace,
    ) -> &mut Vec<WatchId> {
        let index = self.views.iter().position(|view| view.params == params);
        let index = index.unwrap_or_else(|| {
            self.views.push(BarView {
                params,
                watches: Vec::new(),
                last: self.at,
                told: bars_of(&self.all, params).and_then(Bars::running),
                behind: None,
                pace: begin(),
            });
            self.views.len() - 1
        });
        &mut self.views[index].watches
    }

    /// Forgets a watcher, and the streams that nobody watches any more.
    pub(super) fn unwatch(&mut self, id: WatchId) {
        for view in &mut self.views {
            view.watches.retain(|other| *other != id);
        }
        self.views.retain(|view| !view.watches.is_empty());
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
        let Some(candle) = Candle::of(trades) else {
            return;
        };
        if self.all.is_empty() {
            self.all.extend(BarInterval::ALL.map(Bars::new));
        }
        self.at = *place;
        let mut closes = [false; BarInterval::ALL.len()];
        for (bars, closes) in self.all.iter_mut().zip(&mut closes) {
            *closes = bars.take(time, &candle, place.seq);
        }
        for view in &mut self.views {
            let index = self
                .all
                .iter()
                .position(|bars| Some(bars.interval()) == view.params.interval);
            let Some(index) = index else { continue };
            let bars = &self.all[index];
            if closes[index] || recovered || view.pace.may_speak() {
                let closed = bars.last_closed().filter(|_| closes[index]);
                view.tell(identity, epoch, bars, closed, place, desk);
            } else {
                view.behind = Some(*place);
            }
        }
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
        for view in &mut self.views {
            view.speak(identity, epoch, &self.all, place.now, desk);
            let head = view.head(identity, epoch, place);
            view.last = *place;
            desk.out.draft(|sbe| sbe::status(sbe, &head, status));
            desk.out.emit(&view.watches, identity.text(), &head);
        }
        self.at = *place;
    }

    /// A stream that rested may speak.
    pub(super) fn wake(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        resting: &Resting,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let mut views = self.views.iter_mut();
        if let Some(view) = views.find(|view| view.pace.is(resting)) {
            view.pace.wake();
            view.speak(identity, epoch, &self.all, now, desk);
        }
    }

    /// Tells what a stream has not told; whether there was anything.
    pub(super) fn speak(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        let mut views = self.views.iter_mut();
        let view = views.find(|view| view.params == params);
        view.is_some_and(|view| view.speak(identity, epoch, &self.all, now, desk))
    }

    /// Whether all that was closed behind `seq` is kept.
    pub(super) fn holds_since(&self, params: ViewParams, seq: Seq) -> bool {
        let bars = bars_of(&self.all, params);
        bars.is_none_or(|bars| bars.forgotten() <= seq)
    }

    /// The record up to which closed bars are not kept any more.
    pub(super) fn forgotten(&self, params: ViewParams) -> Seq {
        bars_of(&self.all, params).map_or(Seq::NONE, Bars::forgotten)
    }

    /// What somebody who has all up to `seq` lacks of what was told: the bars that were closed since,
    /// oldest first, and the running one.
    pub(super) fn since(&self, params: ViewParams, seq: Seq) -> impl Iterator<Item = Bar> {
        let bars = bars_of(&self.all, params);
        let running = match self.view(params) {
            Some(view) => view.told,
            None => bars.and_then(Bars::running),
        };
        let closed = bars
            .into_iter()
            .flat_map(move |bars| bars.closed_since(seq));
        let running = bars.zip(running).map(|(bars, bar)| bars.told_running(&bar));
        closed.chain(running)
    }

    pub(super) fn size(&self) -> usize {
        let closed: usize = self.all.iter().map(Bars::size).sum();
        closed + self.all.capacity() * size_of::<Bars>()
    }

    fn view(&self, params: ViewParams) -> Option<&BarView> {
        self.views.iter().find(|view| view.params == params)
    }
}

fn bars_of(all: &[Bars], params: ViewParams) -> Option<&Bars> {
    all.iter()
        .find(|bars| Some(bars.interval()) == params.interval)
}

impl BarView {
    fn head(&self, identity: &Identity, epoch: Epoch, place: &Place) -> Head {
        Head {
            view: View::from(self.params),
            ..identity.head(epoch, self.last.seq, place)
        }
    }

    fn speak(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        all: &[Bars],
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        let (Some(place), Some(bars)) = (self.behind, bars_of(all, self.params)) else {
            return false;
        };
        self.tell(identity, epoch, bars, None, &place.told_at(now), desk);
        true
    }

    /// Tells the bar that a record closed, and the one that runs now. Both follow on the same
    /// message; only the second one moves its receiver.
    fn tell(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        bars: &Bars,
        closed: Option<Bar>,
        place: &Place,
        desk: &mut Desk,
    ) {
        let head = self.head(identity, epoch, place);
        let out = &mut desk.out;
        if let Some(closed) = closed {
            out.draft(|sbe| sbe::bar(sbe, &head, &closed));
            out.emit_part(&self.watches, identity.text(), head.prev_seq);
        }
        self.told = bars.running();
        self.behind = None;
        if let Some(running) = &self.told {
            let running = bars.told_running(running);
            out.draft(|sbe| sbe::bar(sbe, &head, &running));
            out.emit(&self.watches, identity.text(), &head);
            self.last = *place;
        }
        let what = (identity.handle, market::Channel::Bars, self.params);
        desk.paces.speaks(&mut self.pace, what, desk.out.now());
    }
}
