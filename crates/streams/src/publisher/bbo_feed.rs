use market::{Bbo, Channel, Epoch, Reason, State};
use wire::{Head, Status, sbe};

use super::identity::Identity;
use super::outbox::Outbox;
use crate::place::Place;
use crate::{MessageLog, WatchId};

/// Best bid and offer of one instrument.
#[derive(Debug)]
pub(super) struct BboFeed {
    pub(super) bbo: Bbo,
    pub(super) last: Place,
    pub(super) log: MessageLog,
    pub(super) watches: Vec<WatchId>,
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
        }
    }

    /// Reading begins, or begins anew: nothing of before counts.
    pub(super) fn begin(&mut self, base: Place) {
        self.bbo = Bbo::default();
        self.last = base;
        self.log.reset();
    }

    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        bbo: Bbo,
        place: &Place,
        out: &mut Outbox,
    ) {
        self.bbo = bbo;
        let head = identity.head(epoch, self.last.seq, place);
        out.draft(|sbe| sbe::bbo(sbe, &head, &bbo));
        self.tell(identity, &head, place, out);
    }

    /// It is not to be trusted from here on.
    pub(super) fn lose(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        (state, reason): (State, Reason),
        place: &Place,
        out: &mut Outbox,
    ) {
        let head = identity.head(epoch, self.last.seq, place);
        let status = Status {
            channel: Channel::Bbo,
            state,
            reason,
        };
        out.draft(|sbe| sbe::status(sbe, &head, &status));
        self.tell(identity, &head, place, out);
    }

    fn tell(&mut self, identity: &Identity, head: &Head, place: &Place, out: &mut Outbox) {
        self.log
            .push(head.prev_seq, place.seq, place.now, out.message());
        out.emit(&self.watches, identity.text(), head);
        self.last = *place;
    }
}
