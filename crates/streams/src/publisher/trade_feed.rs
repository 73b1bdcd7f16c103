use market::{Channel, Epoch, Reason, State, Trade};
use wire::{Head, Status, sbe};

use super::home::Home;
use super::identity::Identity;
use super::outbox::Outbox;
use crate::place::Place;
use crate::{MessageLog, WatchId};

/// The trades of one instrument.
#[derive(Debug)]
pub(super) struct TradeFeed {
    pub(super) home: Option<Home>,
    pub(super) epoch: Epoch,
    pub(super) last: Place,
    pub(super) log: MessageLog,
    pub(super) watches: Vec<WatchId>,
    /// A record could not be read, and no trade has been published since.
    pub(super) broken: Option<(State, Reason)>,
}

impl TradeFeed {
    pub(super) const fn new(log_bytes: usize) -> Self {
        Self {
            home: None,
            epoch: Epoch::NONE,
            last: Place::NONE,
            log: MessageLog::new(log_bytes),
            watches: Vec::new(),
            broken: None,
        }
    }

    /// Reading begins, or begins anew, behind `base`.
    pub(super) fn begin(&mut self, epoch: Epoch, base: Place) {
        self.epoch = epoch;
        self.last = base;
        self.log.restart(base.seq);
        self.broken = None;
    }

    /// Publishes trades; `false` when they cannot be encoded.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        trades: &[Trade<'_>],
        place: &Place,
        out: &mut Outbox,
    ) -> bool {
        let head = identity.head(self.epoch, self.last.seq, place);
        let mut encoded = Ok(());
        out.draft(|sbe| encoded = sbe::trades(sbe, &head, trades.iter().copied()));
        if encoded.is_err() {
            return false;
        }
        self.broken = None;
        self.tell(identity, &head, place, out);
        true
    }

    /// Something may be missing from here on.
    pub(super) fn break_off(
        &mut self,
        identity: &Identity,
        (state, reason): (State, Reason),
        place: &Place,
        out: &mut Outbox,
    ) {
        self.broken = Some((state, reason));
        let head = identity.head(self.epoch, self.last.seq, place);
        let status = Status {
            channel: Channel::Trades,
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
