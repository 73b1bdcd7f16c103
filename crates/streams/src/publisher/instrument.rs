use market::{
    At, Bbo, Channel, Definition, Epoch, Event, Exponents, Handle, InstrumentName, Monotonic,
    Nanos, PartitionIdentity, PartitionIndex, Price, Reason, Scope, Seq, Size, State,
};
use wire::{Head, LagKind, Status, View, ViewParams, sbe};

use super::book_feed::{BookFeed, Delta, Effect, Whole};
use super::book_messages::write_snapshot;
use super::desk::{Desk, ViewTotals};
use super::home::Home;
use super::identity::Identity;
use super::status_feed::StatusFeed;
use super::trade_feed::TradeFeed;
use super::{About, Ledger};
use crate::pace::Resting;
use crate::place::Place;
use crate::view::{BookView, fits};
use crate::{Settings, WatchId};

/// One instrument: what it is, its book, its trades and its state.
#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) identity: Identity,
    pub(super) book: BookFeed,
    pub(super) trades: TradeFeed,
    pub(super) status: StatusFeed,
    /// Where definitions and the venue's own word on its state are read from.
    reference: Option<Home>,
    /// When it was last found to be well.
    last_well: Monotonic,
    halted: bool,
    /// Whether something besides the state changed since that was last asked.
    fresh: bool,
    /// Counts what changes the start of a stream without a message in that stream.
    revision: u64,
    /// What is counted here of its account; the book's part is in the book.
    ledger: Ledger,
    /// What its logs had when they were last counted.
    counted_logs: usize,
    /// Its views when they were last counted.
    counted_views: ViewTotals,
}

impl Instrument {
    pub(super) fn new(
        handle: Handle,
        name: InstrumentName,
        exponents: Exponents,
        settings: &Settings,
        now: Monotonic,
    ) -> Self {
        Self {
            identity: Identity::new(handle, name, exponents),
            book: BookFeed::new(settings),
            trades: TradeFeed::new(settings.log_bytes / 4),
            status: StatusFeed::new(),
            reference: None,
            last_well: now,
            halted: false,
            fresh: true,
            revision: 0,
            ledger: Ledger::default(),
            counted_logs: 0,
            counted_views: ViewTotals::default(),
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

    pub(super) const fn last_well(&self) -> Monotonic {
        self.last_well
    }

    /// What became of its records and messages.
    pub(super) const fn ledger(&self) -> Ledger {
        let proofs = &self.book.proofs;
        Ledger {
            chained: proofs.chained,
            checked: proofs.checked,
            upstream_gaps: proofs.gaps,
            unusable: self.ledger.unusable + proofs.unusable,
            ..self.ledger
        }
    }

    /// A slow client got so many of its messages as one, or not at all.
    pub(super) const fn missed(&mut self, kind: LagKind, messages: u64) {
        match kind {
            LagKind::Skipped => self.ledger.lost_to_slow += messages,
            LagKind::Conflated | LagKind::Snapshot => self.ledger.conflated += messages,
        }
    }

    /// Where its state is read from.
    pub(super) const fn state_home(&self) -> Option<&Home> {
        self.home(self.main_channel())
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

    pub(super) const fn is_halted(&self) -> bool {
        self.halted
    }

    pub(super) const fn reference(&self) -> Option<&Home> {
        self.reference.as_ref()
    }

    pub(super) fn set_reference(&mut self, home: Home) {
        self.reference = Some(home);
    }

    /// What was known of it once is known again.
    pub(super) const fn restored(&mut self, halted: bool, now: Monotonic) {
        self.halted = halted;
        self.last_well = now;
        self.fresh = true;
        self.revision += 1;
    }

    pub(super) const fn home(&self, channel: Channel) -> Option<&Home> {
        match channel {
            Channel::Trades => self.trades.home.as_ref(),
            Channel::Status => self.reference.as_ref(),
            _ => self.book.home.as_ref(),
        }
    }

    pub(super) const fn home_mut(&mut self, channel: Channel) -> Option<&mut Home> {
        match channel {
            Channel::Trades => self.trades.home.as_mut(),
            Channel::Status => self.reference.as_mut(),
            _ => self.book.home.as_mut(),
        }
    }

    /// Whether a record of the channel's home is news.
    pub(super) fn hear(&mut self, channel: Channel, at: At) -> bool {
        let home = self.home_mut(channel);
        home.is_some_and(|home| home.hear(at))
    }

    /// A partition no longer exists.
    pub(super) fn give_up(&mut self, index: PartitionIndex) {
        for channel in [Channel::Book, Channel::Trades, Channel::Status] {
            if let Some(home) = self.home_mut(channel).filter(|home| home.is(index)) {
                home.give_up();
            }
        }
    }

    /// Whether the channel is read from this partition.
    fn lives_in(&self, channel: Channel, index: PartitionIndex) -> bool {
        self.home(channel).is_some_and(|home| home.is(index))
    }

    /// Returns whether anything of it has been read.
    pub(super) const fn is_read(&self) -> bool {
        self.book.home.is_some() || self.trades.home.is_some() || self.reference.is_some()
    }

    /// Whether anything of it is read from this partition.
    pub(super) fn reads(&self, index: PartitionIndex) -> bool {
        [Channel::Book, Channel::Trades, Channel::Status]
            .into_iter()
            .any(|channel| self.lives_in(channel, index))
    }

    /// Where a stream stands.
    pub(super) fn place(&self, channel: Channel, params: ViewParams) -> (Epoch, Place) {
        match channel {
            Channel::Trades => (self.trades.epoch, self.trades.last),
            Channel::Ticker => (self.trades.epoch, self.trades.ticker.told(params).1),
            Channel::Bars => (self.trades.epoch, self.trades.bars.last(params)),
            Channel::Status => (self.status.epoch, self.status.last),
            Channel::Bbo => {
                let view = self.book.bbo.views.get(params);
                let last = view.map_or(self.book.bbo.last, |view| view.last);
                (self.book.epoch, last)
            }
            Channel::Book => {
                let view = self.book.views.iter().find(|view| view.params == params);
                let last = view.map_or(self.book.last, |view| view.last);
                (self.book.epoch, last)
            }
        }
    }

    /// Bytes that its logs hold.
    pub(super) fn log_bytes(&self) -> usize {
        self.book.log.memory() + self.book.bbo.log.memory() + self.trades.log.memory()
    }

    /// Counts its logs anew among all, after they may have grown.
    fn count_logs(&mut self, desk: &mut Desk) {
        let bytes = self.log_bytes();
        desk.log_bytes = desk.log_bytes - self.counted_logs + bytes;
        self.counted_logs = bytes;
    }

    /// Its views and what they hold.
    pub(super) fn views(&self) -> ViewTotals {
        let views = &self.book.views;
        let bytes = |view: &BookView| size_of::<BookView>() + view.memory();
        let grouped = views.iter().filter(|view| view.is_grouped());
        ViewTotals {
            open: views.len()
                + self.book.bbo.views.len()
                + self.trades.ticker.views.len()
                + self.trades.bars.open_views(),
            bytes: views.iter().map(bytes).sum(),
            grouped_bytes: grouped.map(bytes).sum(),
        }
    }

    /// Counts its views again among all, after they may have changed.
    pub(super) fn count_views(&mut self, desk: &mut Desk) {
        let views = self.views();
        desk.views.subtract(self.counted_views);
        desk.views.add(views);
        self.counted_views = views;
    }

    /// Lets its logs have so many bytes: the book's all, the others' a quarter each.
    pub(super) fn bound_logs(&mut self, bytes: usize, desk: &mut Desk) {
        self.book.log.set_bound(bytes);
        self.book.bbo.log.set_bound(bytes / 4);
        self.trades.log.set_bound(bytes / 4);
        self.count_logs(desk);
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.book.memory() + self.trades.memory() + self.counted_views.bytes
    }

    /// The channel is read from this partition from now on.
    pub(super) fn move_home(
        &mut self,
        channel: Channel,
        index: PartitionIndex,
        partition: &PartitionIdentity,
        base: Place,
        desk: &mut Desk,
    ) {
        self.fresh = true;
        let home = Home::new(index, partition);
        match channel {
            Channel::Trades => {
                self.trades.home = Some(home);
                self.begin_trades(base, desk);
            }
            Channel::Status => self.reference = Some(home),
            _ => {
                self.book.home = Some(home);
                let base = Place::NONE.told_at(base.now);
                self.begin_book(base, Reason::Starting, desk);
            }
        }
    }

    pub(super) fn event(&mut self, at: At, event: &Event<'_>, now: Nanos, desk: &mut Desk) {
        self.ledger.records += 1;
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
                self.ledger.trades += 1;
                let place = Place::of(at, time, now);
                if !self.trades.publish(&self.identity, trades, &place, desk) {
                    desk.stats.unusable += 1;
                    self.ledger.unusable += 1;
                    let told = (State::Resyncing, Reason::BadRecord);
                    self.trades.break_off(&self.identity, told, &place, desk);
                }
                if self.book.home.is_none() {
                    self.wake(&place, desk);
                }
            }
            Event::Status { time, state } => {
                self.halted = state == State::Halted;
                if self.is_well() {
                    let place = self.place_here(at, time, now);
                    self.wake(&place.unwrap_or(self.status.last.told_at(now)), desk);
                }
            }
            Event::Definition { time, definition } => {
                let place = self.place_here(at, time, now);
                self.define(&definition, place, now, desk);
            }
        }
        self.count_logs(desk);
        self.count_views(desk);
    }

    /// The place of a record among those that its state is made of; none when it is read from
    /// elsewhere, where offsets mean nothing here.
    fn place_here(&self, at: At, time: Option<Nanos>, now: Nanos) -> Option<Place> {
        self.lives_in(self.main_channel(), at.partition)
            .then(|| Place::of(at, time, now))
    }

    /// The channel that its state is about: its trades only as long as it has no book.
    pub(super) const fn main_channel(&self) -> Channel {
        if self.book.home.is_none() {
            Channel::Trades
        } else {
            Channel::Book
        }
    }

    pub(super) const fn main_epoch(&self) -> Epoch {
        match self.main_channel() {
            Channel::Trades => self.trades.epoch,
            _ => self.book.epoch,
        }
    }

    /// Whether what it has been seen of can be trusted, as far as this node knows.
    const fn is_well(&self) -> bool {
        match self.main_channel() {
            Channel::Trades => self.trades.home.is_some(),
            _ => self.book.broken.is_none(),
        }
    }

    pub(super) fn bad_record(&mut self, at: At, scope: Scope, now: Nanos, desk: &mut Desk) {
        desk.stats.bad_records += 1;
        self.ledger.records += 1;
        self.ledger.refused += 1;
        let place = Place::of(at, None, now);
        let may_be = |instrument: &mut Self, channel: Channel| {
            instrument.lives_in(channel, at.partition) && instrument.hear(channel, at)
        };
        if scope != Scope::Trades && may_be(self, Channel::Book) {
            let effect = self.book.bad_record(&self.identity, &place, desk);
            self.settle_book(effect, &place, desk);
        }
        if scope != Scope::Book && may_be(self, Channel::Trades) {
            let told = (State::Resyncing, Reason::BadRecord);
            self.trades.break_off(&self.identity, told, &place, desk);
        }
        self.count_views(desk);
        self.count_logs(desk);
    }

    /// The log of a partition begins anew.
    pub(super) fn restart(
        &mut self,
        index: PartitionIndex,
        partition: &PartitionIdentity,
        base: Place,
        desk: &mut Desk,
    ) {
        let home = || Some(Home::new(index, partition));
        if self.lives_in(Channel::Status, index) {
            self.reference = home();
        }
        let reason = Reason::TopicReset;
        if self.lives_in(Channel::Trades, index) {
            self.trades.home = home();
            self.begin_trades(base, desk);
            if self.main_channel() == Channel::Trades {
                self.set_state((State::Resyncing, reason), &base, desk);
            }
        }
        if self.lives_in(Channel::Book, index) {
            desk.stats.resyncs += u64::from(self.book.broken.is_none());
            self.ledger.resyncs += u64::from(self.book.broken.is_none());
            self.book.home = home();
            self.begin_book(Place::NONE.told_at(base.now), reason, desk);
        }
    }

    /// Kafka deleted records of a partition before they were read; the next one follows on `base`.
    pub(super) fn lose(&mut self, index: PartitionIndex, base: Place, desk: &mut Desk) {
        self.ledger.own_gaps += 1;
        if self.lives_in(Channel::Book, index) {
            let effect = self.book.lose_records(&self.identity, base.now, desk);
            let place = self.status.last.restated_at(base.now);
            self.settle_book(effect, &place, desk);
        }
        if self.lives_in(Channel::Trades, index) {
            let told = (State::Resyncing, Reason::Retention);
            self.trades.break_off(&self.identity, told, &base, desk);
        }
        self.count_views(desk);
        self.count_logs(desk);
    }

    /// Nothing has come for long; `false` when that is no news.
    pub(super) fn go_stale(&mut self, now: Nanos, desk: &mut Desk) -> bool {
        if self.status.state != State::Live {
            return false;
        }
        self.revision += 1;
        self.status.go_stale(&self.identity, now, desk);
        true
    }

    /// It was stale for no fault of its own; `false` when that is no news.
    pub(super) fn go_live(&mut self, now: Nanos, desk: &mut Desk) -> bool {
        if self.status.state != State::Stale {
            return false;
        }
        self.revision += 1;
        self.status.go_live(&self.identity, now, desk);
        true
    }

    /// A stream that rested may speak.
    pub(super) fn wake_stream(&mut self, resting: &Resting, now: Nanos, desk: &mut Desk) {
        match resting.channel {
            Channel::Book | Channel::Bbo => {
                self.book.wake(&self.identity, resting, now, desk);
                self.count_views(desk);
            }
            _ => self.trades.wake(&self.identity, resting, now, desk),
        }
    }

    /// A stream says what it has not said; whether there was anything.
    pub(super) fn speak(
        &mut self,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        match channel {
            Channel::Book | Channel::Bbo => {
                let spoke = self.book.speak(&self.identity, channel, params, now, desk);
                self.count_views(desk);
                spoke
            }
            _ => self
                .trades
                .speak(&self.identity, channel, params, now, desk),
        }
    }

    fn settle_book(&mut self, effect: Effect, place: &Place, desk: &mut Desk) {
        match effect {
            Effect::Silent => {}
            Effect::Published => {
                let recovers = u64::from(self.status.state.is_broken());
                desk.stats.recoveries += recovers;
                self.ledger.recoveries += recovers;
                self.wake(place, desk);
            }
            Effect::Lost(state, reason) => {
                let resyncs = u64::from(!self.status.state.is_broken());
                desk.stats.resyncs += resyncs;
                self.ledger.resyncs += resyncs;
                self.set_state((state, reason), place, desk);
            }
        }
    }

    /// The instrument is well again, or still.
    fn wake(&mut self, place: &Place, desk: &mut Desk) {
        self.last_well = desk.now();
        if self.halted {
            self.set_state((State::Halted, Reason::Venue), place, desk);
        } else if self.status.state != State::Live {
            let reason = match (self.status.state, self.status.reason) {
                (State::Halted, _) => Reason::Venue,
                (_, Reason::Starting) => Reason::None,
                _ => Reason::Recovered,
            };
            self.set_state((State::Live, reason), place, desk);
        }
    }

    fn set_state(&mut self, told: (State, Reason), place: &Place, desk: &mut Desk) {
        let epoch = self.main_epoch();
        let is_news = self.status.set(&self.identity, told, epoch, place, desk);
        self.revision += u64::from(is_news);
    }

    /// Takes over a definition. Another scale makes all mantissas of before meaningless, so the
    /// streams start over in a new epoch, behind the definition's own record where that stands
    /// among theirs.
    fn define(
        &mut self,
        definition: &Definition,
        place: Option<Place>,
        now: Nanos,
        desk: &mut Desk,
    ) {
        self.revision += 1;
        if !self.identity.define(definition) {
            return;
        }
        self.end_unfit_views(desk);
        self.fresh = true;
        if self.trades.home.is_some() {
            let base = self.trades.last.restated_at(now);
            self.begin_trades(base, desk);
            if self.main_channel() == Channel::Trades {
                self.set_state(self.state(), &base, desk);
            }
        }
        if self.book.home.is_some() {
            let base = place.unwrap_or(Place::NONE.told_at(now));
            self.begin_book(base, Reason::Starting, desk);
        }
    }

    /// Ends the views whose step is no whole number of prices of the current scale. A new subscriber
    /// is refused such a view, and a book with another step would not be what its watchers asked for.
    pub(super) fn end_unfit_views(&mut self, desk: &mut Desk) {
        let price_exponent = self.identity.exponents.price;
        self.book.views.retain(|view| {
            let fits = fits(view.params, price_exponent);
            if !fits {
                desk.ended.extend(&view.watches);
            }
            fits
        });
        self.count_views(desk);
    }

    /// Begins an epoch in every stream of the book, also for those who are subscribed already.
    ///
    /// `base` is the record that began it, or before everything: where a node begins to read is no
    /// place that another one knows.
    fn begin_book(&mut self, base: Place, reason: Reason, desk: &mut Desk) {
        let Some(home) = &self.book.home else {
            return;
        };
        let epoch = home.epoch(self.identity.exponents);
        let price_exponent = self.identity.exponents.price;
        self.book.begin(epoch, price_exponent, base, reason);
        self.count_views(desk);
        let book = &self.book;
        let head = self.identity.head(epoch, Seq::NONE, &base);
        self.retell(&head, Channel::Book, &book.full, desk);
        for view in &book.views {
            let head = Head {
                view: View::from(view.params),
                ..head
            };
            self.retell(&head, Channel::Book, &view.watches, desk);
        }
        self.retell(&head, Channel::Bbo, &book.bbo.watches, desk);
        for view in book.bbo.views.iter() {
            let head = Head {
                view: View::from(view.params),
                ..head
            };
            self.retell(&head, Channel::Bbo, &view.watches, desk);
        }
        self.set_state((State::Resyncing, reason), &base, desk);
    }

    /// Begins an epoch in the stream of the trades, also for those who are subscribed already.
    fn begin_trades(&mut self, base: Place, desk: &mut Desk) {
        let Some(home) = &self.trades.home else {
            return;
        };
        let epoch = home.epoch(self.identity.exponents);
        self.trades.begin(epoch, base);
        let head = self.identity.head(epoch, Seq::NONE, &base);
        self.retell(&head, Channel::Trades, &self.trades.watches, desk);
        // Trades have no state that would say behind what they go on.
        let params = ViewParams::default();
        self.heartbeat(
            &self.trades.watches,
            Channel::Trades,
            params,
            base.now,
            desk,
        );
        let ticker = self.trades.ticker.views.iter();
        let ticker = ticker.map(|view| (Channel::Ticker, view.params, &view.watches));
        let bars = self.trades.bars.views();
        let bars = bars.map(|view| (Channel::Bars, view.params, &view.watches));
        for (channel, params, watches) in ticker.chain(bars) {
            let head = Head {
                view: View::from(params),
                ..head
            };
            self.retell(&head, channel, watches, desk);
        }
    }

    /// What the instrument now is, that nothing of it is known, and that this is not to be trusted.
    fn retell(&self, head: &Head, channel: Channel, watches: &[WatchId], desk: &mut Desk) {
        let out = &mut desk.out;
        let text = self.identity.text();
        let about = Head {
            prev_seq: head.seq,
            ..*head
        };
        out.draft(|sbe| self.identity.write(&about, self.status.state, sbe));
        out.emit(watches, text, &about);
        match channel {
            Channel::Book => {
                let none = std::iter::empty;
                write_snapshot(head, 0, none(), none(), |has, write| {
                    out.draft(write);
                    out.emit_part(watches, text, has);
                });
            }
            Channel::Bbo => {
                out.draft(|sbe| sbe::bbo(sbe, head, &Bbo::default()));
                out.emit(watches, text, head);
            }
            Channel::Ticker => {
                out.draft(|sbe| sbe::ticker(sbe, head, &self.trades.ticker.latest));
                out.emit(watches, text, head);
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
            out.emit(watches, text, head);
        }
    }
}
