use market::{Channel, Epoch, Nanos, Reason, Seq, State};
use wire::{Head, Status, sbe};

use super::identity::Identity;
use super::shared::Shared;
use crate::StreamId;
use crate::stamp::Stamp;

/// The state of one instrument.
#[derive(Debug)]
pub(super) struct StatusFeed {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) epoch: Epoch,
    pub(super) last: Stamp,
    /// The status stream, in all encodings.
    pub(super) streams: Vec<StreamId>,
}

impl StatusFeed {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Resyncing,
            reason: Reason::Starting,
            epoch: Epoch::NONE,
            last: Stamp::NONE,
            streams: Vec::new(),
        }
    }

    /// Sets and publishes the state. Returns whether it changed.
    pub(super) fn set(
        &mut self,
        identity: &Identity,
        state: (State, Reason),
        epoch: Epoch,
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> bool {
        if (self.state, self.reason) == state && self.epoch == epoch {
            return false;
        }
        (self.state, self.reason) = state;
        if self.epoch != epoch {
            self.epoch = epoch;
            self.last = *stamp;
            self.send(identity, Seq::NONE, shared);
            return true;
        }
        let prev_seq = self.last.seq;
        self.last = if stamp.seq > prev_seq {
            *stamp
        } else {
            // No record of this partition caused the change.
            self.last.restated_at(stamp.publish_time)
        };
        self.send(identity, prev_seq, shared);
        true
    }

    /// Publishes STALE at the stream's current position, since no record causes it.
    pub(super) fn go_stale(&mut self, identity: &Identity, now: Nanos, shared: &mut Shared) {
        self.restate((State::Stale, Reason::Quiet), identity, now, shared);
    }

    /// Publishes LIVE at the stream's current position, since no record causes it.
    pub(super) fn go_live(&mut self, identity: &Identity, now: Nanos, shared: &mut Shared) {
        self.restate((State::Live, Reason::None), identity, now, shared);
    }

    fn restate(
        &mut self,
        state: (State, Reason),
        identity: &Identity,
        now: Nanos,
        shared: &mut Shared,
    ) {
        (self.state, self.reason) = state;
        self.last = self.last.restated_at(now);
        self.send(identity, self.last.seq, shared);
    }

    pub(super) fn write(&self, head: &Head, out: &mut Vec<u8>) {
        let status = Status {
            channel: Channel::Status,
            state: self.state,
            reason: self.reason,
        };
        sbe::status(out, head, &status);
    }

    fn send(&self, identity: &Identity, prev_seq: Seq, shared: &mut Shared) {
        let head = identity.head(self.epoch, prev_seq, &self.last);
        shared.out.draft(|sbe| self.write(&head, sbe));
        shared.out.emit(&self.streams, identity.text(), &head);
    }
}
