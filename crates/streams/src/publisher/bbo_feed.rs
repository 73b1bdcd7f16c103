use market::{Bbo, Epoch};

use super::identity::Identity;
use super::shared::Shared;
use super::throttled_views::{Latest as _, ThrottledViews};
use crate::stamp::Stamp;
use crate::{MessageLog, StreamId};

/// The best bid and offer of one instrument.
#[derive(Debug)]
pub(super) struct BboFeed {
    pub(super) bbo: Bbo,
    pub(super) last: Stamp,
    pub(super) log: MessageLog,
    /// The raw stream, in all encodings.
    pub(super) streams: Vec<StreamId>,
    /// The throttled streams.
    pub(super) views: ThrottledViews<Bbo>,
}

impl BboFeed {
    pub(super) const fn new(log_bytes: usize) -> Self {
        Self {
            bbo: Bbo {
                bid: None,
                ask: None,
            },
            last: Stamp::NONE,
            log: MessageLog::new(log_bytes),
            streams: Vec::new(),
            views: ThrottledViews::new(),
        }
    }

    /// Starts over with an empty book.
    pub(super) fn restart(&mut self, base: Stamp) {
        self.bbo = Bbo::default();
        self.last = base;
        self.log.reset();
        self.views.restart(self.bbo, base);
    }

    /// Publishes a best bid and offer because it has changed, or because the book is valid again.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        epoch: Epoch,
        bbo: Bbo,
        recovered: bool,
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        self.bbo = bbo;
        let head = identity.head(epoch, self.last.seq, stamp);
        let out = &mut shared.out;
        out.draft(|sbe| bbo.write(&head, sbe));
        self.log
            .push(head.prev_seq, stamp.seq, stamp.publish_time, out.message());
        out.emit(&self.streams, identity.text(), &head);
        self.last = *stamp;
        self.views
            .publish(identity, epoch, bbo, recovered, stamp, shared);
    }
}
