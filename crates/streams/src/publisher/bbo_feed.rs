use market::{Bbo, Epoch};
use wire::sbe;

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
        self.log
            .push(head.prev_seq, place.seq, place.now, out.message());
        out.emit(&self.watches, identity.text(), &head);
        self.last = *place;
    }
}
