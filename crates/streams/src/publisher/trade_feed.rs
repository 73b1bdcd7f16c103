use market::{Channel, Epoch, Reason, Seq, State, Trade};
use wire::{Status, sbe};

use super::instrument::Identity;
use super::outbox::Outbox;
use super::place::{Bench, Place};
use crate::{MessageLog, WatchId};

/// The trades of one instrument.
#[derive(Debug)]
pub(super) struct TradeFeed {
    pub(super) home: Option<u32>,
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    pub(super) log: MessageLog,
    pub(super) watches: Vec<WatchId>,
    /// A record could not be read, and no trade has been published since.
    pub(super) broken: Option<(State, Reason)>,
}

impl TradeFeed {
    pub(super) const fn new(log_bytes: usize) -> Self {
        Self {
            home: None,
            epoch: Epoch(0),
            last_seq: Seq::NONE,
            log: MessageLog::new(log_bytes),
            watches: Vec::new(),
            broken: None,
        }
    }

    /// Reading begins, or begins anew, behind `base`.
    pub(super) fn begin(&mut self, home: u32, epoch: Epoch, base: Seq) {
        self.home = Some(home);
        self.epoch = epoch;
        self.last_seq = base;
        self.log.restart(base);
        self.broken = None;
    }

    /// Publishes trades; `false` when they cannot be encoded.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        trades: &[Trade<'_>],
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) -> bool {
        bench.sbe.clear();
        let head = identity.head(self.epoch, self.last_seq, place);
        if sbe::trades(&mut bench.sbe, &head, trades.iter().copied()).is_err() {
            return false;
        }
        self.broken = None;
        self.tell(identity, place, bench, out);
        true
    }

    /// Something may be missing from here on.
    pub(super) fn break_off(
        &mut self,
        identity: &Identity,
        state: State,
        reason: Reason,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        if place.seq <= self.last_seq {
            return;
        }
        bench.sbe.clear();
        let head = identity.head(self.epoch, self.last_seq, place);
        let status = Status {
            channel: Channel::Trades,
            state,
            reason,
        };
        sbe::status(&mut bench.sbe, &head, &status);
        self.broken = Some((state, reason));
        self.tell(identity, place, bench, out);
    }

    fn tell(&mut self, identity: &Identity, place: &Place, bench: &Bench, out: &mut Outbox) {
        self.log
            .push(self.last_seq, place.seq, place.now, &bench.sbe);
        out.emit(
            &self.watches,
            identity.text(),
            &bench.sbe,
            place.seq,
            place.now,
        );
        self.last_seq = place.seq;
    }
}
