use market::{
    Channel, Definition, Epoch, Event, Exponents, InstrumentName, Nanos, Price, Reason, Size, State,
};
use wire::{Head, Status, View, ViewParams, sbe};

use super::About;
use super::book_feed::{BookFeed, Delta, Effect, Whole};
use super::book_messages::write_snapshot;
use super::desk::Desk;
use super::identity::Identity;
use super::status_feed::StatusFeed;
use super::trade_feed::TradeFeed;
use crate::place::{At, Place, Scope};
use crate::{PartitionIdentity, Settings, WatchId};

/// One instrument: what it is, its book, its trades and its state.
#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) identity: Identity,
    pub(super) book: BookFeed,
    pub(super) trades: TradeFeed,
    pub(super) status: StatusFeed,
    book_partition: Option<PartitionIdentity>,
    trades_partition: Option<PartitionIdentity>,
    last_heard: Nanos,
    halted: bool,
    fresh: bool,
    /// Counts what changes the start of a stream without a message in that stream.
    revision: u64,
}

impl Instrument {
    pub(super) fn new(
        name: InstrumentName,
        exponents: Exponents,
        settings: &Settings,
        now: Nanos,
    ) -> Self {
        Self {
            identity: Identity::new(name, exponents),
            book: BookFeed::new(settings),
            trades: TradeFeed::new(settings.log_bytes / 4),
            status: StatusFeed::new(),
            book_partition: None,
            trades_partition: None,
            last_heard: now,
            halted: false,
            fresh: true,
            revision: 0,
        }
    }

    pub(super) const fn name(&self) -> &InstrumentName {
        &self.identity.name
    }

    pub(super) const fn exponents(&self) -> Exponents {
        self.identity.exponents
    }

    pub(super) const fn state(&self) -> (State, Reason) {
        (self.status.state, self.status.reason)
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) const fn last_heard(&self) -> Nanos {
        self.last_heard
    }

    pub(super) const fn about(&self) -> About<'_> {
        About {
            name: &self.identity.name,
            exponents: self.identity.exponents,
            state: self.status.state,
            reason: self.status.reason,
            has_book: self.book.home.is_some(),
            has_trades: self.trades.home.is_some(),
        }
    }

    pub(super) const fn set_steps(&mut self, tick_size: Option<Price>, lot_size: Option<Size>) {
        self.identity.set_steps(tick_size, lot_size);
        self.revision += 1;
    }

    /// Whether something besides the state changed since the last call.
    pub(super) const fn take_fresh(&mut self) -> bool {
        std::mem::replace(&mut self.fresh, false)
    }

    pub(super) const fn home(&self, channel: Channel) -> Option<u32> {
        match channel {
            Channel::Trades => self.trades.home,
            _ => self.book.home,
        }
    }

    pub(super) fn lives_in(&self, index: u32) -> bool {
        self.book.home == Some(index) || self.trades.home == Some(index)
    }

    /// Where a stream stands.
    pub(super) fn place(&self, channel: Channel, params: ViewParams) -> (Epoch, Place) {
        match channel {
            Channel::Trades => (self.trades.epoch, self.trades.last),
            Channel::Status | Channel::Ticker | Channel::Bars => {
                (self.status.epoch, self.status.last)
            }
            Channel::Bbo => (self.book.epoch, self.book.bbo.last),
            Channel::Book => {
                let view = self.book.views.iter().find(|view| view.params == params);
                let last = view.map_or(self.book.last, |view| view.last);
                (self.book.epoch, last)
            }
        }
    }

    /// Bytes that its logs hold.
    pub(super) fn log_bytes(&self) -> usize {
        self.book.log.size() + self.book.bbo.log.size() + self.trades.log.size()
    }

    /// Lets its logs have so many bytes: the book's all, the others' a quarter each.
    pub(super) fn bound_logs(&mut self, bytes: usize) {
        self.book.log.set_bound(bytes);
        self.book.bbo.log.set_bound(bytes / 4);
        self.trades.log.set_bound(bytes / 4);
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.book.memory() + self.trades.log.size()
    }

    /// The channel is read from this partition from now on.
    pub(super) fn move_home(
        &mut self,
        channel: Channel,
        index: u32,
        partition: &PartitionIdentity,
        base: Place,
        desk: &mut Desk,
    ) {
        self.fresh = true;
        let epoch = partition.epoch(self.identity.exponents);
        match channel {
            Channel::Trades => {
                self.trades_partition = Some(partition.clone());
                self.begin_trades(index, epoch, base, desk);
            }
            _ => {
                self.book_partition = Some(partition.clone());
                self.begin_book(index, epoch, base, Reason::Starting, desk);
            }
        }
    }

    pub(super) fn event(&mut self, at: At, event: &Event<'_>, now: Nanos, desk: &mut Desk) {
        self.last_heard = now;
        match *event {
            Event::Nothing => {}
            Event::Snapshot {
                seq,
                origin,
                time,
                bids,
                asks,
            } => {
                let place = Place::of(at, time, now);
                let whole = Whole {
                    seq,
                    origin,
                    bids,
                    asks,
                };
                let effect = self.book.whole(&self.identity, &whole, &place, desk);
                self.settle_book(effect, &place, desk);
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                let place = Place::of(at, time, now);
                let delta = Delta {
                    link,
                    origin,
                    bids,
                    asks,
                };
                let effect = self.book.delta(&self.identity, &delta, &place, desk);
                self.settle_book(effect, &place, desk);
            }
            Event::Trades { time, trades } => {
                desk.stats.trades += 1;
                let place = Place::of(at, time, now);
                let out = &mut desk.out;
                if !self.trades.publish(&self.identity, trades, &place, out) {
                    desk.stats.unusable += 1;
                    let told = (State::Resyncing, Reason::BadRecord);
                    self.trades.break_off(&self.identity, told, &place, out);
                }
                if self.book.home.is_none() {
                    self.wake(self.trades.epoch, &place, desk);
                }
            }
            Event::Status { time, state } => {
                self.halted = state == State::Halted;
                if self.book.broken.is_none() {
                    self.wake(self.book.epoch, &Place::of(at, time, now), desk);
                }
            }
            Event::Definition { time, definition } => {
                self.define(&definition, &Place::of(at, time, now), desk);
            }
        }
    }

    pub(super) fn bad_record(&mut self, at: At, scope: Scope, now: Nanos, desk: &mut Desk) {
        desk.stats.bad_records += 1;
        let place = Place::of(at, None, now);
        if scope != Scope::Trades && self.book.home == Some(at.partition) {
            let effect = self.book.bad_record(&self.identity, &place, desk);
            self.settle_book(effect, &place, desk);
        }
        if scope != Scope::Book && self.trades.home == Some(at.partition) {
            let told = (State::Resyncing, Reason::BadRecord);
            self.trades
                .break_off(&self.identity, told, &place, &mut desk.out);
        }
    }

    /// The log of a partition begins anew.
    pub(super) fn restart(
        &mut self,
        index: u32,
        partition: &PartitionIdentity,
        base: Place,
        desk: &mut Desk,
    ) {
        let epoch = partition.epoch(self.identity.exponents);
        if self.book.home == Some(index) {
            desk.stats.resyncs += u64::from(self.book.broken.is_none());
            self.book_partition = Some(partition.clone());
            self.begin_book(index, epoch, base, Reason::TopicReset, desk);
        }
        if self.trades.home == Some(index) {
            self.trades_partition = Some(partition.clone());
            self.begin_trades(index, epoch, base, desk);
        }
    }

    /// Kafka deleted records of a partition before they were read.
    pub(super) fn lose(&mut self, index: u32, place: &Place, desk: &mut Desk) {
        if self.book.home == Some(index) {
            let effect = self.book.lose_records(&self.identity, place, desk);
            self.settle_book(effect, place, desk);
        }
        if self.trades.home == Some(index) {
            let told = (State::Resyncing, Reason::Retention);
            self.trades
                .break_off(&self.identity, told, place, &mut desk.out);
        }
    }

    /// Nothing has come for long; `false` when that is no news.
    pub(super) fn go_stale(&mut self, now: Nanos, desk: &mut Desk) -> bool {
        if self.status.state != State::Live {
            return false;
        }
        self.revision += 1;
        let place = Place {
            event_time: None,
            ..self.status.last.told_at(now)
        };
        self.status.go_stale(&self.identity, &place, desk);
        true
    }

    pub(super) fn heartbeat(
        &self,
        watch: WatchId,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let (epoch, last) = self.place(channel, params);
        let head = Head {
            view: View::from(params),
            event_time: None,
            ..self.identity.head(epoch, last.seq, &last.told_at(now))
        };
        desk.out.draft(|sbe| sbe::heartbeat(sbe, &head, channel));
        desk.out.emit(&[watch], self.identity.text(), &head);
    }

    fn settle_book(&mut self, effect: Effect, place: &Place, desk: &mut Desk) {
        match effect {
            Effect::Silent => {}
            Effect::Published => {
                desk.stats.recoveries += u64::from(self.status.state.is_broken());
                self.wake(self.book.epoch, place, desk);
            }
            Effect::Lost(state, reason) => {
                desk.stats.resyncs += u64::from(!self.status.state.is_broken());
                self.set_state((state, reason), self.book.epoch, place, desk);
            }
        }
    }

    /// The instrument is well again, or still.
    fn wake(&mut self, epoch: Epoch, place: &Place, desk: &mut Desk) {
        if self.halted {
            self.set_state((State::Halted, Reason::Venue), epoch, place, desk);
        } else if self.status.state != State::Live {
            let reason = match (self.status.state, self.status.reason) {
                (State::Halted, _) => Reason::Venue,
                (_, Reason::Starting) => Reason::None,
                _ => Reason::Recovered,
            };
            self.set_state((State::Live, reason), epoch, place, desk);
        }
    }

    fn set_state(&mut self, told: (State, Reason), epoch: Epoch, place: &Place, desk: &mut Desk) {
        let is_news = self.status.set(&self.identity, told, epoch, place, desk);
        self.revision += u64::from(is_news);
    }

    /// Takes over a definition. Another scale makes all mantissas of before meaningless, so the
    /// streams start over in a new epoch.
    fn define(&mut self, definition: &Definition, place: &Place, desk: &mut Desk) {
        self.revision += 1;
        if !self.identity.define(definition) {
            return;
        }
        self.fresh = true;
        if let (Some(home), Some(partition)) = (self.book.home, &self.book_partition) {
            let epoch = partition.epoch(definition.exponents);
            self.begin_book(home, epoch, *place, Reason::Starting, desk);
        }
        if let (Some(home), Some(partition)) = (self.trades.home, &self.trades_partition) {
            let epoch = partition.epoch(definition.exponents);
            let base = Place {
                seq: self.trades.last.seq,
                ..*place
            };
            self.begin_trades(home, epoch, base, desk);
        }
    }

    /// Begins an epoch in every stream of the book, also for those who are subscribed already.
    fn begin_book(
        &mut self,
        home: u32,
        epoch: Epoch,
        base: Place,
        reason: Reason,
        desk: &mut Desk,
    ) {
        self.book.begin(home, epoch, base, reason);
        let book = &self.book;
        let head = self.identity.head(epoch, market::Seq::NONE, &base);
        self.retell(&head, Channel::Book, &book.full, desk);
        for view in &book.views {
            let head = Head {
                view: View::from(view.params),
                ..head
            };
            self.retell(&head, Channel::Book, &view.watches, desk);
        }
        self.retell(&head, Channel::Bbo, &book.bbo.watches, desk);
        self.set_state((State::Resyncing, reason), epoch, &base, desk);
    }

    /// Begins an epoch in the stream of the trades, also for those who are subscribed already.
    fn begin_trades(&mut self, home: u32, epoch: Epoch, base: Place, desk: &mut Desk) {
        self.trades.begin(home, epoch, base);
        let head = self.identity.head(epoch, market::Seq::NONE, &base);
        self.retell(&head, Channel::Trades, &self.trades.watches, desk);
    }

    /// What the instrument now is, an empty book where it is a book's stream, and its state.
    fn retell(&self, head: &Head, channel: Channel, watches: &[WatchId], desk: &mut Desk) {
        let out = &mut desk.out;
        let text = self.identity.text();
        out.draft(|sbe| self.identity.write(head, self.status.state, sbe));
        out.emit(watches, text, head);
        if channel == Channel::Book {
            let none = std::iter::empty;
            write_snapshot(head, 0, none(), none(), |has, write| {
                out.draft(write);
                out.emit_part(watches, text, has, head.publish_time);
            });
        }
        if let (Channel::Book | Channel::Bbo, Some((state, reason))) = (channel, self.book.broken) {
            let status = Status {
                channel,
                state,
                reason,
            };
            out.draft(|sbe| sbe::status(sbe, head, &status));
            out.emit(watches, text, head);
        }
    }
}
