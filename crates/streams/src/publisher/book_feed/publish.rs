use market::{Channel, Nanos, Seq};
use wire::ViewParams;

use super::BookFeed;
use crate::book_log::{BookEntry, BookEntryKind};
use crate::publisher::book_messages::{MAX_DELTA_CHANGES, write_delta, write_snapshot};
use crate::publisher::book_views::{ViewContext, send_view};
use crate::publisher::identity::Identity;
use crate::publisher::shared::Shared;
use crate::stamp::Stamp;
use crate::throttle::ThrottledStream;

impl BookFeed {
    /// Publishes the changes in `scratch`, which the book includes, in every stream that is derived
    /// from it.
    pub(super) fn publish(&mut self, identity: &Identity, stamp: &Stamp, shared: &mut Shared) {
        let recovers = self.broken.take().is_some();
        let is_first = !self.log.has_snapshot();
        self.publish_full(identity, stamp, shared);
        let context = ViewContext {
            identity,
            epoch: self.epoch,
            book: self.venue_book.book(),
            recovers,
            is_first,
        };
        for view in &mut self.views {
            let scratch = &mut shared.scratch;
            view.update(&scratch.changes, stamp, &mut scratch.grouped);
            if recovers || view.unsent.is_some() && view.throttle.is_open() {
                send_view(view, &context, stamp, shared);
            }
        }
        let bbo = self.book().bbo();
        if recovers || bbo != self.bbo.bbo {
            self.bbo
                .publish(identity, self.epoch, bbo, recovers, stamp, shared);
        }
    }

    /// Publishes a fetched snapshot and the retained deltas after it, each with the stamp of its
    /// own record. The snapshot's record itself then changes nothing, but takes its place in the
    /// sequence.
    ///
    /// Clients can resume only from the last of them: a node that never stopped has deeper books at
    /// the sequence numbers in between.
    pub(super) fn publish_staged(
        &mut self,
        identity: &Identity,
        base: Seq,
        first: usize,
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        let at_base = Stamp {
            seq: base,
            ..*stamp
        };
        self.publish(identity, &at_base, shared);
        let mut index = first;
        while let Some(delta) = self.venue_book.replay(index, &mut shared.scratch.changes) {
            let at_delta = Stamp {
                seq: delta.offset,
                event_time: delta.time,
                log_time: delta.log_time,
                publish_time: stamp.publish_time,
            };
            self.publish(identity, &at_delta, shared);
            index += 1;
        }
        shared.scratch.changes.clear();
        self.publish(identity, stamp, shared);
        self.log.restart(stamp.seq);
        self.bbo.log.restart(self.bbo.last.seq);
    }

    /// Sends what throttled streams have not sent.
    pub(super) fn send_all_unsent(&mut self, identity: &Identity, now: Nanos, shared: &mut Shared) {
        let context = ViewContext {
            identity,
            epoch: self.epoch,
            book: self.venue_book.book(),
            recovers: false,
            is_first: false,
        };
        for view in &mut self.views {
            if let Some(stamp) = view.unsent {
                send_view(view, &context, &stamp.published_at(now), shared);
            }
        }
        let (bbo, views) = (self.bbo.bbo, &mut self.bbo.views);
        views.send_all_unsent(identity, self.epoch, bbo, now, shared);
    }

    /// Lets a stream publish again whose interval is over.
    pub(in crate::publisher) fn release(
        &mut self,
        identity: &Identity,
        stream: &ThrottledStream,
        now: Nanos,
        shared: &mut Shared,
    ) {
        if stream.channel == Channel::Bbo {
            let (bbo, views) = (self.bbo.bbo, &mut self.bbo.views);
            if let Some(view) = views.release(stream) {
                view.send_unsent(identity, self.epoch, bbo, now, shared);
            }
            return;
        }
        let mut views = self.views.iter_mut();
        let Some(view) = views.find(|view| view.throttle.is_of(stream)) else {
            return;
        };
        view.throttle.release();
        self.send_unsent(identity, Channel::Book, stream.params, now, shared);
    }

    /// Sends what is unsent of a stream, throttled or not. Returns whether there was anything.
    pub(in crate::publisher) fn send_unsent(
        &mut self,
        identity: &Identity,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        shared: &mut Shared,
    ) -> bool {
        if channel == Channel::Bbo {
            let bbo = self.bbo.bbo;
            let view = self.bbo.views.get_mut(params);
            return view
                .is_some_and(|view| view.send_unsent(identity, self.epoch, bbo, now, shared));
        }
        let context = ViewContext {
            identity,
            epoch: self.epoch,
            book: self.venue_book.book(),
            recovers: false,
            is_first: false,
        };
        let mut views = self.views.iter_mut();
        let Some(view) = views.find(|view| view.params == params) else {
            return false;
        };
        let Some(stamp) = view.unsent else {
            return false;
        };
        send_view(view, &context, &stamp.published_at(now), shared)
    }

    fn publish_full(&mut self, identity: &Identity, stamp: &Stamp, shared: &mut Shared) {
        let Shared { scratch, out, .. } = shared;
        let head = identity.head(self.epoch, self.last.seq, stamp);
        self.last = *stamp;
        let book = self.venue_book.book();
        if !self.log.has_snapshot() || scratch.changes.len() > MAX_DELTA_CHANGES {
            // Nobody can resume across this message.
            self.log.restart(stamp.seq);
            if !self.full.is_empty() {
                let (bids, asks) = (book.bids().iter(), book.asks().iter());
                write_snapshot(&head, book.checksum(), bids, asks, |has, write| {
                    out.draft(write);
                    out.emit_part(&self.full, identity.text(), has);
                });
            }
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_DELTA_CHANGES")]
        let kind = BookEntryKind::Delta {
            checksum: book.checksum(),
            bids: scratch.changes.bids.len() as u32,
            asks: scratch.changes.asks.len() as u32,
        };
        let entry = BookEntry::new(head.prev_seq, *stamp, kind);
        self.log.push(entry, &scratch.changes);
        if !self.full.is_empty() {
            out.draft(|sbe| write_delta(sbe, &head, book.checksum(), &scratch.changes));
            out.emit(&self.full, identity.text(), &head);
        }
    }
}
