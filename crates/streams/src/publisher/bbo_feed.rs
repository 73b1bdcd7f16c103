use market::{Bbo, Epoch};

use super::desk::Desk;
use super::identity::Identity;
use super::paced::{Latest as _, PacedViews};
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
    pub(super) views: PacedViews<Bbo>,
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
            views: PacedViews::new(),
        }
    }

    /// Reading begins, or begins anew: nothing of before counts.
    pub(super) fn begin(&mut self, base: Place) {
        self.bbo = Bbo::default();
        self.last = base;
        self.log.reset();
        self.views.begin(self.bbo, base);
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
        out.draft(|sbe| bbo.write(&head, sbe));
        self.log
            .push(head.prev_seq, place.seq, place.now, out.message());
        out.emit(&self.watches, identity.text(), &head);
        self.last = *place;
        self.views
            .publish(identity, epoch, bbo, recovered, place, desk);
    }
}
