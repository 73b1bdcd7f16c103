use market::{Bbo, Channel, PartitionIdentity, PartitionIndex, Reason, Seq, State};
use wire::{Head, Status, View, ViewParams, sbe};

use super::Instrument;
use crate::StreamId;
use crate::publisher::book_messages::write_snapshot;
use crate::publisher::shared::Shared;
use crate::publisher::source_partition::SourcePartition;
use crate::stamp::Stamp;
use crate::view::fits;

impl Instrument {
    /// Ends the views whose price step is not a multiple of the smallest price at the current scale.
    /// A new subscription of such a view is rejected, and with another step it would not be the view
    /// that was subscribed to.
    pub(in crate::publisher) fn end_unfit_views(&mut self, shared: &mut Shared) {
        let price_exponent = self.identity.exponents.price;
        self.book.views.retain(|view| {
            let fits = fits(view.params, price_exponent);
            if !fits {
                shared.ended.extend(&view.streams);
            }
            fits
        });
        self.count_views(shared);
    }

    /// Reads the channel from another partition from now on.
    pub(in crate::publisher) fn move_source(
        &mut self,
        channel: Channel,
        index: PartitionIndex,
        partition: &PartitionIdentity,
        base: Stamp,
        shared: &mut Shared,
    ) {
        self.changed = true;
        let source = SourcePartition::new(index, partition);
        match channel {
            Channel::Trades => {
                self.trades.source = Some(source);
                self.restart_trades(base, shared);
            }
            Channel::Status => self.reference = Some(source),
            _ => {
                self.book.source = Some(source);
                let base = Stamp::NONE.published_at(base.publish_time);
                self.restart_book(base, Reason::Starting, shared);
            }
        }
    }

    /// Restarts the channels that are read from a partition whose log restarts.
    pub(in crate::publisher) fn restart(
        &mut self,
        index: PartitionIndex,
        partition: &PartitionIdentity,
        base: Stamp,
        shared: &mut Shared,
    ) {
        let source = || Some(SourcePartition::new(index, partition));
        if self.is_read_from(Channel::Status, index) {
            self.reference = source();
        }
        let reason = Reason::TopicReset;
        if self.is_read_from(Channel::Trades, index) {
            self.trades.source = source();
            self.restart_trades(base, shared);
            if self.main_channel() == Channel::Trades {
                self.set_state((State::Resyncing, reason), &base, shared);
            }
        }
        if self.is_read_from(Channel::Book, index) {
            shared.stats.resyncs += u64::from(self.book.broken.is_none());
            self.ledger.resyncs += u64::from(self.book.broken.is_none());
            self.book.source = source();
            let base = Stamp::NONE.published_at(base.publish_time);
            self.restart_book(base, reason, shared);
        }
    }

    /// Handles the loss of records that Kafka deleted before they were read; the next one follows
    /// on `base`.
    pub(in crate::publisher) fn lose_records(
        &mut self,
        index: PartitionIndex,
        base: Stamp,
        shared: &mut Shared,
    ) {
        self.ledger.own_gaps += 1;
        let now = base.publish_time;
        if self.is_read_from(Channel::Book, index) {
            let effect = self.book.lose_records(&self.identity, now, shared);
            let stamp = self.status.last.restated_at(now);
            self.follow_book(effect, &stamp, shared);
        }
        if self.is_read_from(Channel::Trades, index) {
            let state = (State::Resyncing, Reason::Retention);
            self.trades.break_off(&self.identity, state, &base, shared);
        }
        self.count_views(shared);
        self.count_logs(shared);
    }

    /// Starts an epoch in every stream of the book, also for existing subscriptions.
    ///
    /// `base` is the record that caused it, or precedes everything: where a node starts to read is
    /// not a position that other nodes know.
    pub(super) fn restart_book(&mut self, base: Stamp, reason: Reason, shared: &mut Shared) {
        let Some(source) = &self.book.source else {
            return;
        };
        let epoch = source.epoch(self.identity.exponents);
        let price_exponent = self.identity.exponents.price;
        self.book.restart(epoch, price_exponent, base, reason);
        self.count_views(shared);
        let book = &self.book;
        let head = self.identity.head(epoch, Seq::NONE, &base);
        self.send_restart(&head, Channel::Book, &book.full, shared);
        for view in &book.views {
            let head = Head {
                view: View::from(view.params),
                ..head
            };
            self.send_restart(&head, Channel::Book, &view.streams, shared);
        }
        self.send_restart(&head, Channel::Bbo, &book.bbo.streams, shared);
        for view in book.bbo.views.iter() {
            let head = Head {
                view: View::from(view.params),
                ..head
            };
            self.send_restart(&head, Channel::Bbo, &view.streams, shared);
        }
        self.set_state((State::Resyncing, reason), &base, shared);
    }

    /// Starts an epoch in every stream of the trades, also for existing subscriptions.
    pub(super) fn restart_trades(&mut self, base: Stamp, shared: &mut Shared) {
        let Some(source) = &self.trades.source else {
            return;
        };
        let epoch = source.epoch(self.identity.exponents);
        self.trades.restart(epoch, base);
        let head = self.identity.head(epoch, Seq::NONE, &base);
        self.send_restart(&head, Channel::Trades, &self.trades.streams, shared);
        // Trades have no state message that would carry the position they continue from.
        let params = ViewParams::default();
        let now = base.publish_time;
        self.heartbeat(&self.trades.streams, Channel::Trades, params, now, shared);
        let ticker = self.trades.ticker.views.iter();
        let ticker = ticker.map(|view| (Channel::Ticker, view.params, &view.streams));
        let bars = self.trades.bars.views().iter();
        let bars = bars.map(|view| (Channel::Bars, view.params, &view.streams));
        for (channel, params, streams) in ticker.chain(bars) {
            let head = Head {
                view: View::from(params),
                ..head
            };
            self.send_restart(&head, channel, streams, shared);
        }
    }

    /// Sends the instrument's identity, an empty state, and that it cannot be trusted.
    fn send_restart(
        &self,
        head: &Head,
        channel: Channel,
        streams: &[StreamId],
        shared: &mut Shared,
    ) {
        let out = &mut shared.out;
        let text = self.identity.text();
        let identity_head = Head {
            prev_seq: head.seq,
            ..*head
        };
        out.draft(|sbe| self.identity.write(&identity_head, self.status.state, sbe));
        out.emit(streams, text, &identity_head);
        match channel {
            Channel::Book => {
                let none = std::iter::empty;
                write_snapshot(head, 0, none(), none(), |has, write| {
                    out.draft(write);
                    out.emit_part(streams, text, has);
                });
            }
            Channel::Bbo => {
                out.draft(|sbe| sbe::bbo(sbe, head, &Bbo::default()));
                out.emit(streams, text, head);
            }
            Channel::Ticker => {
                out.draft(|sbe| sbe::ticker(sbe, head, &self.trades.ticker.latest));
                out.emit(streams, text, head);
            }
            _ => {}
        }
        if let (Channel::Book | Channel::Bbo, Some((state, reason))) = (channel, self.book.broken) {
            let status = Status {
                channel,
                state,
                reason,
            };
            out.draft(|sbe| sbe::status(sbe, head, &status));
            out.emit(streams, text, head);
        }
    }
}
