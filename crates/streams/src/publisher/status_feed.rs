use market::{Channel, Epoch, Nanos, Reason, Seq, State};
use wire::{Head, Status, sbe};

use super::desk::Desk;
use super::identity::Identity;
use crate::WatchId;
use crate::place::Place;

/// The state of one instrument.
#[derive(Debug)]
pub(super) struct StatusFeed {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) epoch: Epoch,
    pub(super) last: Place,
    pub(super) watches: Vec<WatchId>,
}

impl StatusFeed {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Resyncing,
            reason: Reason::Starting,
            epoch: Epoch::NONE,
            last: Place::NONE,
            watches: Vec::new(),
        }
    }

    /// Takes over a state and tells it; `false` when it is no news.
    pub(super) fn set(
        &mut self,
        identity: &Identity,
        told: (State, Reason),
        epoch: Epoch,
        place: &Place,
        desk: &mut Desk,
    ) -> bool {
        if (self.state, self.reason) == told && self.epoch == epoch {
            return false;
        }
        (self.state, self.reason) = told;
        if self.epoch != epoch {
            self.epoch = epoch;
            self.last = *place;
            self.tell(identity, Seq::NONE, desk);
            return true;
        }
        let prev_seq = self.last.seq;
        self.last = if place.seq > prev_seq {
            *place
        } else {
            // No record of this numbering says so.
            self.last.restated_at(place.now)
        };
        self.tell(identity, prev_seq, desk);
        true
    }

    /// Nothing has come for long: told where the stream stands, since no record says so.
    pub(super) fn go_stale(&mut self, identity: &Identity, now: Nanos, desk: &mut Desk) {
        (self.state, self.reason) = (State::Stale, Reason::Quiet);
        self.last = self.last.restated_at(now);
        self.tell(identity, self.last.seq, desk);
    }

    /// It can be seen again that nothing has come: told where the stream stands, likewise.
    pub(super) fn go_live(&mut self, identity: &Identity, now: Nanos, desk: &mut Desk) {
        (self.state, self.reason) = (State::Live, Reason::None);
        self.last = self.last.restated_at(now);
        self.tell(identity, self.last.seq, desk);
    }

    pub(super) fn write(&self, head: &Head, out: &mut Vec<u8>) {
        let status = Status {
            channel: Channel::Status,
            state: self.state,
            reason: self.reason,
        };
        sbe::status(out, head, &status);
    }

    fn tell(&self, identity: &Identity, prev_seq: Seq, desk: &mut Desk) {
        let head = identity.head(self.epoch, prev_seq, &self.last);
        desk.out.draft(|sbe| self.write(&head, sbe));
        desk.out.emit(&self.watches, identity.text(), &head);
    }
}
