use market::{Bbo, Channel, Epoch, Nanos};
use wire::{Head, View, ViewParams, sbe};

use super::desk::Desk;
use super::identity::Identity;
use crate::pace::{Pace, Resting};
use crate::place::Place;
use crate::{MessageLog, WatchId};

/// Best bid and offer of one instrument.
#[derive(Debug)]
pub(super) struct BboFeed {
    pub(super) bbo: Bbo,
    pub(super) last: Place,
    pub(super) log: MessageLog,
    pub(super) watches: Vec<WatchId>,
    /// The same, told at most so often.
    pub(super) views: Vec<BboView>,
}

/// Best bid and offer, told at most so often.
#[derive(Debug)]
pub(super) struct BboView {
    pub(super) params: ViewParams,
    pub(super) watches: Vec<WatchId>,
    /// Its last message.
    pub(super) last: Place,
    /// What was told.
    pub(super) told: Bbo,
    /// The newest record that changed what has not been told.
    behind: Option<Place>,
    pace: Pace,
}

impl BboFeed {
    pub(super) const fn new(log_bytes: usize) -> Self {
        Self {
            bbo: Bbo {
                bid: None,
                ask: None,
            },
            last: Place::NONE,
            log: MessageLog::new(log_bytes),
            watches: Vec::new(),
            views: Vec::new(),
        }
    }

    /// Reading begins, or begins anew: nothing of before counts.
    pub(super) fn begin(&mut self, base: Place) {
        self.bbo = Bbo::default();
        self.last = base;
        self.log.reset();
        for view in &mut self.views {
            view.last = base;
            view.told = Bbo::default();
            view.behind = None;
        }
    }

    /// The stream of these parameters, if it is not the raw one.
    pub(super) fn view(&self, params: ViewParams) -> Option<&BboView> {
        self.views.iter().find(|view| view.params == params)
    }

    /// The watchers of the stream of these parameters, which is made where there is none.
    pub(super) fn watches_of(
        &mut self,
        params: ViewParams,
        begin: impl FnOnce() -> Pace,
    ) -> &mut Vec<WatchId> {
        if params.view() == View::FULL_RAW {
            return &mut self.watches;
        }
        let index = self.views.iter().position(|view| view.params == params);
        let index = index.unwrap_or_else(|| {
            self.views.push(BboView {
                params,
                watches: Vec::new(),
                last: self.last,
                told: self.bbo,
                behind: None,
                pace: begin(),
            });
            self.views.len() - 1
        });
        &mut self.views[index].watches
    }

    /// Best bid and offer have changed, or the book is right again.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        bbo: Bbo,
        recovered: bool,
        place: &Place,
        desk: &mut Desk,
    ) {
        self.bbo = bbo;
        let head = identity.head(epoch, self.last.seq, place);
        let out = &mut desk.out;
        out.draft(|sbe| sbe::bbo(sbe, &head, &bbo));
        self.log
            .push(head.prev_seq, place.seq, place.now, out.message());
        out.emit(&self.watches, identity.text(), &head);
        self.last = *place;
        for view in &mut self.views {
            if recovered || view.pace.may_speak() && bbo != view.told {
                view.tell(identity, epoch, bbo, place, desk);
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
        now: Nanos,
        desk: &mut Desk,
    ) {
        for view in &mut self.views {
            view.speak(identity, epoch, self.bbo, now, desk);
        }
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
            view.speak(identity, epoch, self.bbo, now, desk);
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
        view.is_some_and(|view| view.speak(identity, epoch, self.bbo, now, desk))
    }
}

impl BboView {
    fn speak(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        bbo: Bbo,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        let place = self.behind.take();
        let Some(place) = place.filter(|_| bbo != self.told) else {
            return false;
        };
        self.tell(identity, epoch, bbo, &place.told_at(now), desk);
        true
    }

    fn tell(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        bbo: Bbo,
        place: &Place,
        desk: &mut Desk,
    ) {
        let head = Head {
            view: View::from(self.params),
            ..identity.head(epoch, self.last.seq, place)
        };
        desk.out.draft(|sbe| sbe::bbo(sbe, &head, &bbo));
        desk.out.emit(&self.watches, identity.text(), &head);
        self.last = *place;
        self.told = bbo;
        self.behind = None;
        let what = (identity.handle, Channel::Bbo, self.params);
        desk.paces.speaks(&mut self.pace, what, place.now);
    }
}
