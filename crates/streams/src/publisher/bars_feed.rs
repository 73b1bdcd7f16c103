use market::{Channel, Epoch, Nanos, Seq, Trade};
use wire::{Bar, BarInterval, Status, ViewParams, sbe};

use super::identity::Identity;
use super::shared::Shared;
use super::throttled_views::{ThrottledView, ThrottledViews};
use crate::StreamId;
use crate::bars::{Bars, TimedCandle};
use crate::candle::Candle;
use crate::checkpoint::{BarsPart, SavedStamp};
use crate::stamp::Stamp;
use crate::throttle::{Throttle, ThrottledStream};

/// The bars of one instrument.
#[derive(Debug)]
pub(super) struct BarsFeed {
    /// The bars by interval; empty before the first trade, since most instruments of a venue never
    /// trade.
    all: Vec<Bars>,
    /// The stamp that the bars are as of.
    at: Stamp,
    /// The open streams, with the running bar as it was sent.
    views: ThrottledViews<Option<TimedCandle>>,
}

impl BarsFeed {
    pub(super) const fn new() -> Self {
        Self {
            all: Vec::new(),
            at: Stamp::NONE,
            views: ThrottledViews::new(),
        }
    }

    /// Starts over without any trades.
    pub(super) fn restart(&mut self, base: Stamp) {
        self.all.clear();
        self.at = base;
        self.views.restart(None, base);
    }

    pub(super) fn save(&self) -> BarsPart {
        BarsPart {
            at: SavedStamp::of(&self.at),
            intervals: self.all.iter().map(Bars::save).collect(),
        }
    }

    /// Restores a saved state; no stream is open yet. Intervals that are not in it start with the
    /// next trade.
    pub(super) fn restore(&mut self, part: &BarsPart, now: Nanos) {
        self.at = part.at.restored_at(now);
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

    /// Returns whether there have been no trades.
    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) const fn views(&self) -> &ThrottledViews<Option<TimedCandle>> {
        &self.views
    }

    /// The stamp of a stream's last message.
    pub(super) fn last(&self, params: ViewParams) -> Stamp {
        self.views.get(params).map_or(self.at, |view| view.last)
    }

    pub(super) fn streams_mut(
        &mut self,
        params: ViewParams,
        start: impl FnOnce() -> Throttle,
    ) -> &mut Vec<StreamId> {
        let running = bars_of(&self.all, params).and_then(Bars::running);
        self.views.streams_mut(params, running, self.at, start)
    }

    pub(super) fn close_stream(&mut self, id: StreamId) {
        self.views.close_stream(id);
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
        let Some(candle) = Candle::of(trades) else {
            return;
        };
        if self.all.is_empty() {
            self.all.extend(BarInterval::ALL.map(Bars::new));
        }
        self.at = *stamp;
        let mut closes = [false; BarInterval::ALL.len()];
        for (bars, closes) in self.all.iter_mut().zip(&mut closes) {
            *closes = bars.add(time, &candle, stamp.seq);
        }
        for view in self.views.iter_mut() {
            let index = self
                .all
                .iter()
                .position(|bars| Some(bars.interval()) == view.params.interval);
            let Some(index) = index else { continue };
            let bars = &self.all[index];
            if closes[index] || recovered || view.throttle.is_open() {
                let closed = bars.last_closed().filter(|_| closes[index]);
                send(view, identity, epoch, bars, closed, stamp, shared);
            } else {
                view.unsent = Some(*stamp);
            }
        }
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
        for view in self.views.iter_mut() {
            send_unsent(view, identity, epoch, &self.all, stamp.publish_time, shared);
        }
        self.views
            .send_status(identity, epoch, status, |_| *stamp, shared);
        self.at = *stamp;
    }

    /// Lets a stream publish again whose interval is over.
    pub(super) fn release(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        stream: &ThrottledStream,
        now: Nanos,
        shared: &mut Shared,
    ) {
        if let Some(view) = self.views.release(stream) {
            send_unsent(view, identity, epoch, &self.all, now, shared);
        }
    }

    /// Sends what is unsent of a stream, throttled or not. Returns whether there was anything.
    pub(super) fn send_unsent(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        params: ViewParams,
        now: Nanos,
        shared: &mut Shared,
    ) -> bool {
        let view = self.views.get_mut(params);
        view.is_some_and(|view| send_unsent(view, identity, epoch, &self.all, now, shared))
    }

    /// Returns whether all bars that were closed after `seq` are retained.
    pub(super) fn holds_since(&self, params: ViewParams, seq: Seq) -> bool {
        let bars = bars_of(&self.all, params);
        bars.is_none_or(|bars| bars.forgotten() <= seq)
    }

    /// The record up to which closed bars are no longer retained.
    pub(super) fn forgotten(&self, params: ViewParams) -> Seq {
        bars_of(&self.all, params).map_or(Seq::NONE, Bars::forgotten)
    }

    /// The bars that a client at `seq` lacks: those closed since, oldest first, and the running one
    /// as it was last sent.
    pub(super) fn since(&self, params: ViewParams, seq: Seq) -> impl Iterator<Item = Bar> {
        let bars = bars_of(&self.all, params);
        let running = match self.views.get(params) {
            Some(view) => view.sent,
            None => bars.and_then(Bars::running),
        };
        let closed = bars
            .into_iter()
            .flat_map(move |bars| bars.closed_since(seq));
        let running = bars
            .zip(running)
            .map(|(bars, bar)| bars.running_message(&bar));
        closed.chain(running)
    }

    /// The allocated memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        let closed: usize = self.all.iter().map(Bars::memory).sum();
        closed + self.all.capacity() * size_of::<Bars>()
    }
}

fn bars_of(all: &[Bars], params: ViewParams) -> Option<&Bars> {
    all.iter()
        .find(|bars| Some(bars.interval()) == params.interval)
}

fn send_unsent(
    view: &mut ThrottledView<Option<TimedCandle>>,
    identity: &Identity,
    epoch: Epoch,
    all: &[Bars],
    now: Nanos,
    shared: &mut Shared,
) -> bool {
    let (Some(stamp), Some(bars)) = (view.unsent, bars_of(all, view.params)) else {
        return false;
    };
    let stamp = stamp.published_at(now);
    send(view, identity, epoch, bars, None, &stamp, shared);
    true
}

/// Sends the bar that a record closed and the running one. Both follow on the same message; only
/// the second one advances its receiver.
fn send(
    view: &mut ThrottledView<Option<TimedCandle>>,
    identity: &Identity,
    epoch: Epoch,
    bars: &Bars,
    closed: Option<Bar>,
    stamp: &Stamp,
    shared: &mut Shared,
) {
    let head = view.head(identity, epoch, stamp);
    let out = &mut shared.out;
    if let Some(closed) = closed {
        out.draft(|sbe| sbe::bar(sbe, &head, &closed));
        out.emit_part(&view.streams, identity.text(), head.prev_seq);
    }
    view.sent = bars.running();
    view.unsent = None;
    if let Some(running) = &view.sent {
        let running = bars.running_message(running);
        out.draft(|sbe| sbe::bar(sbe, &head, &running));
        out.emit(&view.streams, identity.text(), &head);
        view.last = *stamp;
    }
    let stream = (identity.handle, Channel::Bars, view.params);
    shared
        .throttles
        .published(&mut view.throttle, stream, shared.out.now());
}
