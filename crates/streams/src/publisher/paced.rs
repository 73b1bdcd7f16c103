//! Streams of which every message is whole in itself, told at most so often.

use market::{Channel, Epoch, Nanos};
use wire::{Head, Status, View, ViewParams, sbe};

use super::desk::Desk;
use super::identity::Identity;
use crate::WatchId;
use crate::pace::{Pace, Resting};
use crate::place::Place;

/// What such a stream says.
pub(super) trait Latest: Copy + PartialEq {
    /// The channel that says it.
    const CHANNEL: Channel;

    /// Appends the message.
    fn write(&self, head: &Head, sbe: &mut Vec<u8>);
}

impl Latest for market::Bbo {
    const CHANNEL: Channel = Channel::Bbo;

    fn write(&self, head: &Head, sbe: &mut Vec<u8>) {
        sbe::bbo(sbe, head, self);
    }
}

impl Latest for wire::Ticker {
    const CHANNEL: Channel = Channel::Ticker;

    fn write(&self, head: &Head, sbe: &mut Vec<u8>) {
        sbe::ticker(sbe, head, self);
    }
}

/// One such stream.
#[derive(Debug)]
pub(super) struct PacedView<T> {
    pub(super) params: ViewParams,
    pub(super) watches: Vec<WatchId>,
    /// Its last message.
    pub(super) last: Place,
    /// What was told.
    pub(super) told: T,
    /// The newest record that changed what has not been told.
    behind: Option<Place>,
    pace: Pace,
}

/// All such streams of one channel of an instrument that somebody watches.
#[derive(Debug)]
pub(super) struct PacedViews<T> {
    views: Vec<PacedView<T>>,
}

impl<T: Latest> PacedViews<T> {
    pub(super) const fn new() -> Self {
        Self { views: Vec::new() }
    }

    /// The stream of these parameters.
    pub(super) fn get(&self, params: ViewParams) -> Option<&PacedView<T>> {
        self.views.iter().find(|view| view.params == params)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PacedView<T>> {
        self.views.iter()
    }

    /// The watchers of the stream of these parameters, which is made where there is none: it has
    /// told `now` at `last`.
    pub(super) fn watches_of(
        &mut self,
        params: ViewParams,
        now: T,
        last: Place,
        begin: impl FnOnce() -> Pace,
    ) -> &mut Vec<WatchId> {
        let index = self.views.iter().position(|view| view.params == params);
        let index = index.unwrap_or_else(|| {
            self.views.push(PacedView {
                params,
                watches: Vec::new(),
                last,
                told: now,
                behind: None,
                pace: begin(),
            });
            self.views.len() - 1
        });
        &mut self.views[index].watches
    }

    pub(super) const fn len(&self) -> usize {
        self.views.len()
    }

    /// Forgets a watcher, and the streams that nobody watches any more.
    pub(super) fn unwatch(&mut self, id: WatchId) {
        for view in &mut self.views {
            view.watches.retain(|other| *other != id);
        }
        self.views.retain(|view| !view.watches.is_empty());
    }

    /// Nothing of before counts.
    pub(super) fn begin(&mut self, now: T, base: Place) {
        for view in &mut self.views {
            view.last = base;
            view.told = now;
            view.behind = None;
        }
    }

    /// A record changed what there is to say, or must be told of.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        now: T,
        must: bool,
        place: &Place,
        desk: &mut Desk,
    ) {
        for view in &mut self.views {
            if must || view.pace.may_speak() && now != view.told {
                view.tell(identity, epoch, now, place, desk);
            } else {
                view.behind = Some(*place);
            }
        }
    }

    /// Tells what has not been told.
    pub(super) fn tell_all(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        now: Nanos,
        desk: &mut Desk,
    ) {
        for view in &mut self.views {
            view.speak(identity, epoch, latest, now, desk);
        }
    }

    /// Tells all streams how far they can be trusted from here on.
    pub(super) fn tell_status(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        status: &Status,
        at: impl Fn(&Place) -> Place,
        desk: &mut Desk,
    ) {
        for view in &mut self.views {
            let place = at(&view.last);
            let head = view.head(identity, epoch, &place);
            view.last = place;
            desk.out.draft(|sbe| sbe::status(sbe, &head, status));
            desk.out.emit(&view.watches, identity.text(), &head);
        }
    }

    /// A stream that rested may speak.
    pub(super) fn wake(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        resting: &Resting,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let mut views = self.views.iter_mut();
        if let Some(view) = views.find(|view| view.pace.is(resting)) {
            view.pace.wake();
            view.speak(identity, epoch, latest, now, desk);
        }
    }

    /// Tells what a stream has not told; whether there was anything.
    pub(super) fn speak(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        let mut views = self.views.iter_mut();
        let view = views.find(|view| view.params == params);
        view.is_some_and(|view| view.speak(identity, epoch, latest, now, desk))
    }
}

impl<T: Latest> PacedView<T> {
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
        latest: T,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        let place = self.behind.take();
        let Some(place) = place.filter(|_| latest != self.told) else {
            return false;
        };
        self.tell(identity, epoch, latest, &place.told_at(now), desk);
        true
    }

    fn tell(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        latest: T,
        place: &Place,
        desk: &mut Desk,
    ) {
        let head = self.head(identity, epoch, place);
        desk.out.draft(|sbe| latest.write(&head, sbe));
        desk.out.emit(&self.watches, identity.text(), &head);
        self.last = *place;
        self.told = latest;
        self.behind = None;
        let what = (identity.handle, T::CHANNEL, self.params);
        desk.paces.speaks(&mut self.pace, what, desk.out.now());
    }
}
