use market::{
    Channel, Epoch, Event, Exponents, InstrumentId, InstrumentName, Nanos, Price, Reason, Seq,
    Size, State,
};
use wire::{Head, Status, View, ViewParams, sbe};

use super::About;
use super::book_feed::{BookFeed, Effect};
use super::outbox::{Outbox, Text};
use super::place::{At, Bench, Place, Scope};
use super::stats::Stats;
use super::trade_feed::TradeFeed;
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

/// What an instrument is called and how its numbers are to be read.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) name: InstrumentName,
    pub(super) id: InstrumentId,
    pub(super) exponents: Exponents,
    pub(super) tick_size: Option<Price>,
    pub(super) lot_size: Option<Size>,
}

/// The state of one instrument.
#[derive(Debug)]
pub(super) struct StatusFeed {
    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) epoch: Epoch,
    pub(super) last_seq: Seq,
    pub(super) watches: Vec<WatchId>,
}

impl Identity {
    /// The head of a full raw message.
    pub(super) const fn head(&self, epoch: Epoch, prev_seq: Seq, place: &Place) -> Head {
        Head {
            instrument: self.id,
            epoch,
            view: View::FULL_RAW,
            prev_seq,
            seq: place.seq,
            event_time: place.event_time,
            log_time: place.log_time,
            publish_time: place.now,
        }
    }

    pub(super) fn text(&self) -> Text<'_> {
        Text {
            name: self.name.as_str(),
            exponents: self.exponents,
        }
    }
}

impl Instrument {
    pub(super) fn new(
        name: InstrumentName,
        exponents: Exponents,
        settings: &Settings,
        now: Nanos,
    ) -> Self {
        Self {
            identity: Identity {
                id: name.id(),
                name,
                exponents,
                tick_size: None,
                lot_size: None,
            },
            book: BookFeed::new(settings),
            trades: TradeFeed::new(settings.log_bytes / 4),
            status: StatusFeed {
                state: State::Resyncing,
                reason: Reason::Starting,
                epoch: Epoch(0),
                last_seq: Seq::NONE,
                watches: Vec::new(),
            },
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

    /// The channel is read from this partition from now on.
    pub(super) fn move_home(
        &mut self,
        channel: Channel,
        index: u32,
        partition: &PartitionIdentity,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        self.fresh = true;
        let epoch = partition.epoch(self.identity.exponents);
        match channel {
            Channel::Trades => {
                self.trades_partition = Some(partition.clone());
                self.trades.begin(index, epoch, place.seq);
                self.retell_trades(place, bench, out);
            }
            _ => {
                self.book_partition = Some(partition.clone());
                self.book.begin(index, epoch, place.seq, Reason::Starting);
                self.retell_book(place, bench, out);
                self.set_state(State::Resyncing, Reason::Starting, epoch, place, bench, out);
            }
        }
    }

    pub(super) fn event(
        &mut self,
        at: At,
        event: &Event<'_>,
        now: Nanos,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) {
        self.last_heard = now;
        let place = |event_time: Option<Nanos>| Place {
            seq: at.seq,
            event_time,
            log_time: at.log_time,
            now,
        };
        match *event {
            Event::Nothing => {}
            Event::Snapshot {
                seq,
                origin,
                time,
                bids,
                asks,
            } => {
                let place = place(time);
                let effect = self.book.snapshot(
                    &self.identity,
                    seq,
                    origin,
                    bids,
                    asks,
                    &place,
                    bench,
                    out,
                    stats,
                );
                self.settle_book(effect, &place, bench, out, stats);
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                let place = place(time);
                let effect = self.book.delta(
                    &self.identity,
                    link,
                    origin,
                    bids,
                    asks,
                    &place,
                    bench,
                    out,
                    stats,
                );
                self.settle_book(effect, &place, bench, out, stats);
            }
            Event::Trades { time, trades } => {
                stats.trades += 1;
                let place = place(time);
                if !self
                    .trades
                    .publish(&self.identity, trades, &place, bench, out)
                {
                    stats.unusable += 1;
                    let (state, reason) = (State::Resyncing, Reason::BadRecord);
                    self.trades
                        .break_off(&self.identity, state, reason, &place, bench, out);
                }
                if self.book.home.is_none() {
                    self.wake(self.trades.epoch, &place, bench, out);
                }
            }
            Event::Status { time, state } => {
                let place = place(time);
                self.halted = state == State::Halted;
                if self.book.broken.is_none() {
                    self.wake(self.book.epoch, &place, bench, out);
                }
            }
            Event::Definition { time, definition } => {
                self.define(&definition, &place(time), bench, out);
            }
        }
    }

    pub(super) fn bad_record(
        &mut self,
        at: At,
        scope: Scope,
        now: Nanos,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) {
        stats.bad_records += 1;
        let place = Place {
            seq: at.seq,
            event_time: None,
            log_time: at.log_time,
            now,
        };
        let (state, reason) = (State::Resyncing, Reason::BadRecord);
        if scope != Scope::Trades && self.book.home == Some(at.partition) {
            self.book.builder.bad_record();
            let effect = self
                .book
                .lose(&self.identity, state, reason, &place, bench, out);
            self.settle_book(effect, &place, bench, out, stats);
        }
        if scope != Scope::Book && self.trades.home == Some(at.partition) {
            self.trades
                .break_off(&self.identity, state, reason, &place, bench, out);
        }
    }

    /// The log of a partition begins anew.
    #[expect(
        clippy::too_many_arguments,
        reason = "a partition, a moment, and where to write"
    )]
    pub(super) fn restart(
        &mut self,
        index: u32,
        partition: &PartitionIdentity,
        base: Seq,
        now: Nanos,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) {
        let place = Place::of_node(base, now);
        let epoch = partition.epoch(self.identity.exponents);
        if self.book.home == Some(index) {
            stats.resyncs += u64::from(self.book.broken.is_none());
            self.book_partition = Some(partition.clone());
            self.book.begin(index, epoch, base, Reason::TopicReset);
            self.retell_book(&place, bench, out);
            self.set_state(
                State::Resyncing,
                Reason::TopicReset,
                epoch,
                &place,
                bench,
                out,
            );
        }
        if self.trades.home == Some(index) {
            self.trades_partition = Some(partition.clone());
            self.trades.begin(index, epoch, base);
            self.retell_trades(&place, bench, out);
        }
    }

    /// Kafka deleted records of a partition before they were read.
    pub(super) fn lose(
        &mut self,
        index: u32,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) {
        let (state, reason) = (State::Resyncing, Reason::Retention);
        if self.book.home == Some(index) {
            self.book.builder.distrust();
            let effect = self
                .book
                .lose(&self.identity, state, reason, place, bench, out);
            self.settle_book(effect, place, bench, out, stats);
        }
        if self.trades.home == Some(index) {
            self.trades
                .break_off(&self.identity, state, reason, place, bench, out);
        }
    }

    /// Nothing has come for long; `false` when that is no news.
    pub(super) fn go_stale(&mut self, now: Nanos, bench: &mut Bench, out: &mut Outbox) -> bool {
        if self.status.state != State::Live {
            return false;
        }
        self.revision += 1;
        self.status.state = State::Stale;
        self.status.reason = Reason::Quiet;
        let place = Place::of_node(self.status.last_seq, now);
        self.tell_state(self.status.last_seq, &place, bench, out);
        true
    }

    pub(super) fn heartbeat(
        &self,
        watch: WatchId,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        let (epoch, seq) = self.position(channel, params);
        let place = Place::of_node(seq, now);
        let head = Head {
            view: View::from(params),
            ..self.identity.head(epoch, seq, &place)
        };
        bench.sbe.clear();
        sbe::heartbeat(&mut bench.sbe, &head, channel);
        out.emit(&[watch], self.identity.text(), &bench.sbe, seq, now);
    }

    /// Where a stream stands.
    pub(super) fn position(&self, channel: Channel, params: ViewParams) -> (Epoch, Seq) {
        match channel {
            Channel::Trades => (self.trades.epoch, self.trades.last_seq),
            Channel::Status | Channel::Ticker | Channel::Bars => {
                (self.status.epoch, self.status.last_seq)
            }
            Channel::Bbo => (self.book.epoch, self.book.bbo.last_seq),
            Channel::Book => {
                let view = self.book.views.iter().find(|view| view.params == params);
                (
                    self.book.epoch,
                    view.map_or(self.book.last_seq, |view| view.last_seq),
                )
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.book.memory() + self.trades.log.size()
    }

    /// Appends the message that every subscription begins with.
    pub(super) fn write_instrument(&self, head: &Head, sbe: &mut Vec<u8>) {
        let about = sbe::Instrument {
            exponents: self.identity.exponents,
            state: self.status.state,
            tick_size: self.identity.tick_size,
            lot_size: self.identity.lot_size,
            venue: self.identity.name.venue(),
            symbol: self.identity.name.symbol(),
        };
        let encoded = sbe::instrument(sbe, head, &about);
        debug_assert!(
            encoded.is_ok(),
            "a checked name is far shorter than the encoder's bound"
        );
    }

    fn settle_book(
        &mut self,
        effect: Effect,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) {
        match effect {
            Effect::Silent => {}
            Effect::Published => {
                let was_broken = self.status.state.is_broken();
                stats.recoveries += u64::from(was_broken);
                self.wake(self.book.epoch, place, bench, out);
            }
            Effect::Lost(state, reason) => {
                stats.resyncs += u64::from(!self.status.state.is_broken());
                self.set_state(state, reason, self.book.epoch, place, bench, out);
            }
        }
    }

    /// The instrument is well again, or still.
    fn wake(&mut self, epoch: Epoch, place: &Place, bench: &mut Bench, out: &mut Outbox) {
        if self.halted {
            self.set_state(State::Halted, Reason::Venue, epoch, place, bench, out);
        } else if self.status.state != State::Live {
            let reason = match (self.status.state, self.status.reason) {
                (State::Halted, _) => Reason::Venue,
                (_, Reason::Starting) => Reason::None,
                _ => Reason::Recovered,
            };
            self.set_state(State::Live, reason, epoch, place, bench, out);
        }
    }

    fn set_state(
        &mut self,
        state: State,
        reason: Reason,
        epoch: Epoch,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        if (self.status.state, self.status.reason) == (state, reason) && self.status.epoch == epoch
        {
            return;
        }
        self.revision += 1;
        self.status.state = state;
        self.status.reason = reason;
        let prev_seq = if self.status.epoch == epoch {
            self.status.last_seq
        } else {
            Seq::NONE
        };
        self.status.epoch = epoch;
        self.status.last_seq = place.seq;
        self.tell_state(prev_seq, place, bench, out);
    }

    fn tell_state(&self, prev_seq: Seq, place: &Place, bench: &mut Bench, out: &mut Outbox) {
        let status = Status {
            channel: Channel::Status,
            state: self.status.state,
            reason: self.status.reason,
        };
        bench.sbe.clear();
        sbe::status(
            &mut bench.sbe,
            &self.identity.head(self.status.epoch, prev_seq, place),
            &status,
        );
        out.emit(
            &self.status.watches,
            self.identity.text(),
            &bench.sbe,
            place.seq,
            place.now,
        );
    }

    /// Takes over a definition. Another scale makes all mantissas of before meaningless, so the
    /// streams start over in a new epoch.
    fn define(
        &mut self,
        definition: &market::Definition,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        self.revision += 1;
        self.identity.tick_size = definition.tick_size.map(Price);
        self.identity.lot_size = definition.lot_size.map(Size);
        if self.identity.exponents == definition.exponents {
            return;
        }
        self.fresh = true;
        self.identity.exponents = definition.exponents;
        if let (Some(home), Some(partition)) = (self.book.home, &self.book_partition) {
            let epoch = partition.epoch(definition.exponents);
            self.book.begin(home, epoch, place.seq, Reason::Starting);
            self.retell_book(place, bench, out);
            self.set_state(State::Resyncing, Reason::Starting, epoch, place, bench, out);
        }
        if let (Some(home), Some(partition)) = (self.trades.home, &self.trades_partition) {
            let epoch = partition.epoch(definition.exponents);
            let base = self.trades.last_seq;
            self.trades.begin(home, epoch, base);
            let place = Place {
                seq: base,
                ..*place
            };
            self.retell_trades(&place, bench, out);
        }
    }

    /// Begins a new epoch in every stream of the book, for those who are subscribed already.
    fn retell_book(&mut self, place: &Place, bench: &mut Bench, out: &mut Outbox) {
        let mut streams = vec![(View::FULL_RAW, Channel::Book, self.book.full.clone())];
        for view in &self.book.views {
            streams.push((View::from(view.params), Channel::Book, view.watches.clone()));
        }
        streams.push((View::FULL_RAW, Channel::Bbo, self.book.bbo.watches.clone()));
        for (view, channel, watches) in streams {
            let head = Head {
                view,
                prev_seq: Seq::NONE,
                ..self.identity.head(self.book.epoch, Seq::NONE, place)
            };
            self.retell(&head, channel, &watches, place, bench, out);
        }
    }

    fn retell_trades(&mut self, place: &Place, bench: &mut Bench, out: &mut Outbox) {
        let watches = self.trades.watches.clone();
        let head = self.identity.head(self.trades.epoch, Seq::NONE, place);
        self.retell(&head, Channel::Trades, &watches, place, bench, out);
    }

    /// What the instrument now is, an empty book where it is a book's stream, and its state.
    fn retell(
        &self,
        head: &Head,
        channel: Channel,
        watches: &[WatchId],
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        let mut tell = |bench: &Bench| {
            out.emit(
                watches,
                self.identity.text(),
                &bench.sbe,
                place.seq,
                place.now,
            );
        };
        bench.sbe.clear();
        self.write_instrument(head, &mut bench.sbe);
        tell(bench);
        if channel == Channel::Book {
            bench.sbe.clear();
            let none = std::iter::empty::<market::Level>;
            let encoded = sbe::book_snapshot(&mut bench.sbe, head, 0, 0, 1, none(), none());
            debug_assert!(encoded.is_ok(), "an empty chunk is within every bound");
            tell(bench);
        }
        if let (Channel::Book | Channel::Bbo, Some((state, reason))) = (channel, self.book.broken) {
            bench.sbe.clear();
            let status = Status {
                channel,
                state,
                reason,
            };
            sbe::status(&mut bench.sbe, head, &status);
            tell(bench);
        }
    }
}
