use market::{Channel, Epoch, Reason, Seq, State};
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
            epoch: Epoch(0),
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
        let prev_seq = if self.epoch == epoch {
            self.last.seq
        } else {
            Seq::NONE
        };
        self.epoch = epoch;
        self.last = *place;
        self.tell(identity, prev_seq, place, desk);
        true
    }

    /// Nothing has come for long: told where the stream stands, since no record says so.
    pub(super) fn go_stale(&mut self, identity: &Identity, place: &Place, desk: &mut Desk) {
        (self.state, self.reason) = (State::Stale, Reason::Quiet);
        self.tell(identity, place.seq, place, desk);
    }

    pub(super) fn write(&self, head: &Head, out: &mut Vec<u8>) {
        let status = Status {
            channel: Channel::Status,
            state: self.state,
            reason: self.reason,
        };
        sbe::status(out, head, &status);
    }

    fn tell(&self, identity: &Identity, prev_seq: Seq, place: &Place, desk: &mut Desk) {
        let head = identity.head(self.epoch, prev_seq, place);
        desk.out.draft(|sbe| self.write(&head, sbe));
        desk.out.emit(&self.watches, identity.text(), &head);
    }
}
