use market::{Channel, Nanos, Reason, State};
use wire::{Head, Status, View, sbe};

use super::{BookFeed, Effect};
use crate::StreamId;
use crate::book_log::{BookEntry, BookEntryKind};
use crate::publisher::identity::Identity;
use crate::publisher::shared::Shared;
use crate::stamp::Stamp;

impl BookFeed {
    /// Invalidates the book because a record could not be read.
    pub(in crate::publisher) fn bad_record(
        &mut self,
        identity: &Identity,
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> Effect {
        self.venue_book.bad_record();
        self.lose(
            identity,
            (State::Resyncing, Reason::BadRecord),
            stamp,
            shared,
        )
    }

    /// Invalidates the book because records were lost before this node read them.
    ///
    /// No record causes this, and other nodes may have those records. So it is published at the
    /// streams' current positions, clients cannot resume across it, and the next snapshot is
    /// published as one.
    pub(in crate::publisher) fn lose_records(
        &mut self,
        identity: &Identity,
        now: Nanos,
        shared: &mut Shared,
    ) -> Effect {
        let state = (State::Resyncing, Reason::Retention);
        self.venue_book.invalidate();
        self.log.reset();
        self.bbo.log.reset();
        if self.broken.is_none() {
            self.broken = Some(state);
            self.send_lost(identity, state, now, |last| last.restated_at(now), shared);
        }
        Effect::Lost(state.0, state.1)
    }

    /// Invalidates the book because no valid one can be made of a record.
    pub(super) fn lose_to_unusable(
        &mut self,
        identity: &Identity,
        reason: Reason,
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> Effect {
        self.venue_checks.unusable += 1;
        self.lose(identity, (State::Resyncing, reason), stamp, shared)
    }

    /// Publishes once that the book cannot be trusted from this record on.
    pub(super) fn lose(
        &mut self,
        identity: &Identity,
        (state, reason): (State, Reason),
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> Effect {
        if self.broken.is_none() {
            self.broken = Some((state, reason));
            let kind = BookEntryKind::Status { state, reason };
            let entry = BookEntry::new(self.last.seq, *stamp, kind);
            shared.scratch.changes.clear();
            self.log.push(entry, &shared.scratch.changes);
            let now = stamp.publish_time;
            self.send_lost(identity, (state, reason), now, |_| *stamp, shared);
        }
        Effect::Lost(state, reason)
    }

    /// Sends to every stream of the book that it cannot be trusted; `at` computes the stamp from
    /// that of the stream's last message.
    fn send_lost(
        &mut self,
        identity: &Identity,
        (state, reason): (State, Reason),
        now: Nanos,
        at: impl Fn(&Stamp) -> Stamp,
        shared: &mut Shared,
    ) {
        let status = |channel| Status {
            channel,
            state,
            reason,
        };
        // A client at the status has the book as it was before.
        self.send_all_unsent(identity, now, shared);
        let epoch = self.epoch;
        let mut send = |last: &mut Stamp, view: View, status: &Status, streams: &[StreamId]| {
            let stamp = at(last);
            let head = Head {
                view,
                ..identity.head(epoch, last.seq, &stamp)
            };
            *last = stamp;
            shared.out.draft(|sbe| sbe::status(sbe, &head, status));
            shared.out.emit(streams, identity.text(), &head);
        };
        let book_status = status(Channel::Book);
        send(&mut self.last, View::FULL_RAW, &book_status, &self.full);
        for view in &mut self.views {
            let code = view.params.view();
            send(&mut view.last, code, &book_status, &view.streams);
        }
        let bbo = &mut self.bbo;
        let prev_seq = bbo.last.seq;
        let bbo_status = status(Channel::Bbo);
        send(&mut bbo.last, View::FULL_RAW, &bbo_status, &bbo.streams);
        let last = bbo.last;
        if last.seq > prev_seq {
            let message = shared.out.message();
            bbo.log.push(prev_seq, last.seq, last.publish_time, message);
        }
        bbo.views
            .send_status(identity, epoch, &bbo_status, at, shared);
    }
}
