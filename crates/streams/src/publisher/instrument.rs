//! One instrument: its identity, its book, its trades and its state.

mod memory;
mod restart;
mod sources;

use market::{
    At, Channel, Definition, Event, Exponents, Handle, InstrumentName, Monotonic, Nanos, Price,
    Reason, Scope, Size, State,
};
use wire::{LagKind, ViewParams};

use super::book_feed::{BookFeed, Delta, Effect, Snapshot};
use super::identity::Identity;
use super::instrument_info::InstrumentInfo;
use super::ledger::Ledger;
use super::shared::{Shared, ViewTotals};
use super::source_partition::SourcePartition;
use super::status_feed::StatusFeed;
use super::trade_feed::TradeFeed;
use crate::Settings;
use crate::stamp::Stamp;
use crate::throttle::ThrottledStream;

/// One instrument: its identity, its book, its trades and its state.
#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) identity: Identity,
    pub(super) book: BookFeed,
    pub(super) trades: TradeFeed,
    pub(super) status: StatusFeed,
    /// The source of definitions and of the venue's own status.
    reference: Option<SourcePartition>,
    /// When it was last found valid.
    last_valid: Monotonic,
    /// Whether the venue last reported a halt.
    halted: bool,
    /// Whether anything but the state has changed since the last [`Instrument::take_changed`].
    changed: bool,
    /// Counts changes that affect the start of a stream but cause no message in it.
    revision: u64,
    /// Its counters, except for those that the book keeps.
    ledger: Ledger,
    /// The memory of its logs when it was last added to the total.
    counted_logs: usize,
    /// Its views when they were last added to the total.
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
            last_valid: now,
            halted: false,
            changed: true,
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

    pub(super) const fn last_valid(&self) -> Monotonic {
        self.last_valid
    }

    pub(super) const fn ledger(&self) -> Ledger {
        let checks = &self.book.venue_checks;
        Ledger {
            chained: checks.chained,
            checked: checks.checked,
            upstream_gaps: checks.gaps,
            unusable: self.ledger.unusable + checks.unusable,
            ..self.ledger
        }
    }

    /// Counts messages that a lagging client received conflated, or not at all.
    pub(super) const fn count_lag(&mut self, kind: LagKind, messages: u64) {
        match kind {
            LagKind::Skipped => self.ledger.lost_to_slow += messages,
            LagKind::Conflated | LagKind::Snapshot => self.ledger.conflated += messages,
        }
    }

    pub(super) const fn info(&self) -> InstrumentInfo<'_> {
        InstrumentInfo {
            name: &self.identity.name,
            exponents: self.identity.exponents,
            state: self.status.state,
            reason: self.status.reason,
            has_book: self.book.source.is_some(),
            has_trades: self.trades.source.is_some(),
        }
    }

    pub(super) const fn set_steps(&mut self, tick_size: Option<Price>, lot_size: Option<Size>) {
        self.identity.set_steps(tick_size, lot_size);
        self.revision += 1;
    }

    /// Returns whether anything but the state has changed since the last call.
    pub(super) const fn take_changed(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    pub(super) const fn is_halted(&self) -> bool {
        self.halted
    }

    /// Notes that a saved state has been restored.
    pub(super) const fn restored(&mut self, halted: bool, now: Monotonic) {
        self.halted = halted;
        self.last_valid = now;
        self.changed = true;
        self.revision += 1;
    }

    /// The epoch of a stream, and the stamp of its last message.
    pub(super) fn last(&self, channel: Channel, params: ViewParams) -> (market::Epoch, Stamp) {
        match channel {
            Channel::Trades => (self.trades.epoch, self.trades.last),
            Channel::Ticker => (self.trades.epoch, self.trades.ticker.sent(params).1),
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

    pub(super) fn event(&mut self, at: At, event: &Event<'_>, now: Nanos, shared: &mut Shared) {
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
                let stamp = Stamp::of(at, time, now);
                let snapshot = Snapshot {
                    seq,
                    origin,
                    bids,
                    asks,
                };
                let effect = self
                    .book
                    .snapshot(&self.identity, &snapshot, &stamp, shared);
                self.follow_book(effect, &stamp, shared);
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                let stamp = Stamp::of(at, time, now);
                let delta = Delta {
                    link,
                    origin,
                    bids,
                    asks,
                };
                let effect = self.book.delta(&self.identity, &delta, &stamp, shared);
                self.follow_book(effect, &stamp, shared);
            }
            Event::Trades { time, trades } => {
                shared.stats.trades += 1;
                self.ledger.trades += 1;
                let stamp = Stamp::of(at, time, now);
                if !self.trades.publish(&self.identity, trades, &stamp, shared) {
                    shared.stats.unusable += 1;
                    self.ledger.unusable += 1;
                    let state = (State::Resyncing, Reason::BadRecord);
                    self.trades.break_off(&self.identity, state, &stamp, shared);
                }
                if self.book.source.is_none() {
                    self.mark_valid(&stamp, shared);
                }
            }
            Event::Status { time, state } => {
                self.halted = state == State::Halted;
                if self.is_valid() {
                    let stamp = self.stamp_here(at, time, now);
                    let stamp = stamp.unwrap_or(self.status.last.published_at(now));
                    self.mark_valid(&stamp, shared);
                }
            }
            Event::Definition { time, definition } => {
                let stamp = self.stamp_here(at, time, now);
                self.define(&definition, stamp, now, shared);
            }
        }
        self.count_logs(shared);
        self.count_views(shared);
    }

    /// The stamp of a record of the partition that the state follows; `None` for other partitions,
    /// whose offsets mean nothing in the status stream.
    fn stamp_here(&self, at: At, time: Option<Nanos>, now: Nanos) -> Option<Stamp> {
        self.is_read_from(self.main_channel(), at.partition)
            .then(|| Stamp::of(at, time, now))
    }

    /// Returns whether its data is valid as far as this node knows.
    const fn is_valid(&self) -> bool {
        match self.main_channel() {
            Channel::Trades => self.trades.source.is_some(),
            _ => self.book.broken.is_none(),
        }
    }

    pub(super) fn bad_record(&mut self, at: At, scope: Scope, now: Nanos, shared: &mut Shared) {
        shared.stats.bad_records += 1;
        self.ledger.records += 1;
        self.ledger.rejected += 1;
        let stamp = Stamp::of(at, None, now);
        let concerns = |instrument: &mut Self, channel: Channel| {
            instrument.is_read_from(channel, at.partition) && instrument.accept(channel, at)
        };
        if scope != Scope::Trades && concerns(self, Channel::Book) {
            let effect = self.book.bad_record(&self.identity, &stamp, shared);
            self.follow_book(effect, &stamp, shared);
        }
        if scope != Scope::Book && concerns(self, Channel::Trades) {
            let state = (State::Resyncing, Reason::BadRecord);
            self.trades.break_off(&self.identity, state, &stamp, shared);
        }
        self.count_views(shared);
        self.count_logs(shared);
    }

    /// Marks the instrument as STALE. Returns whether that is a change.
    pub(super) fn go_stale(&mut self, now: Nanos, shared: &mut Shared) -> bool {
        if self.status.state != State::Live {
            return false;
        }
        self.revision += 1;
        self.status.go_stale(&self.identity, now, shared);
        true
    }

    /// Marks a STALE instrument as LIVE again. Returns whether that is a change.
    pub(super) fn go_live(&mut self, now: Nanos, shared: &mut Shared) -> bool {
        if self.status.state != State::Stale {
            return false;
        }
        self.revision += 1;
        self.status.go_live(&self.identity, now, shared);
        true
    }

    /// Lets a stream publish again whose interval is over.
    pub(super) fn release(&mut self, stream: &ThrottledStream, now: Nanos, shared: &mut Shared) {
        match stream.channel {
            Channel::Book | Channel::Bbo => {
                self.book.release(&self.identity, stream, now, shared);
                self.count_views(shared);
            }
            _ => self.trades.release(&self.identity, stream, now, shared),
        }
    }

    /// Sends what is unsent of a stream, throttled or not. Returns whether there was anything.
    pub(super) fn send_unsent(
        &mut self,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        shared: &mut Shared,
    ) -> bool {
        match channel {
            Channel::Book | Channel::Bbo => {
                let sent = self
                    .book
                    .send_unsent(&self.identity, channel, params, now, shared);
                self.count_views(shared);
                sent
            }
            _ => self
                .trades
                .send_unsent(&self.identity, channel, params, now, shared),
        }
    }

    /// Updates the state after an event of the book.
    fn follow_book(&mut self, effect: Effect, stamp: &Stamp, shared: &mut Shared) {
        match effect {
            Effect::Silent => {}
            Effect::Published => {
                let recovers = u64::from(self.status.state.is_broken());
                shared.stats.recoveries += recovers;
                self.ledger.recoveries += recovers;
                self.mark_valid(stamp, shared);
            }
            Effect::Lost(state, reason) => {
                let resyncs = u64::from(!self.status.state.is_broken());
                shared.stats.resyncs += resyncs;
                self.ledger.resyncs += resyncs;
                self.set_state((state, reason), stamp, shared);
            }
        }
    }

    /// Marks the instrument as LIVE, or HALTED if the venue halted it.
    fn mark_valid(&mut self, stamp: &Stamp, shared: &mut Shared) {
        self.last_valid = shared.now();
        if self.halted {
            self.set_state((State::Halted, Reason::Venue), stamp, shared);
        } else if self.status.state != State::Live {
            let reason = match (self.status.state, self.status.reason) {
                (State::Halted, _) => Reason::Venue,
                (_, Reason::Starting) => Reason::None,
                _ => Reason::Recovered,
            };
            self.set_state((State::Live, reason), stamp, shared);
        }
    }

    fn set_state(&mut self, state: (State, Reason), stamp: &Stamp, shared: &mut Shared) {
        let epoch = self.main_epoch();
        let changed = self.status.set(&self.identity, state, epoch, stamp, shared);
        self.revision += u64::from(changed);
    }

    /// Applies a definition. A change of scale makes all earlier mantissas meaningless, so the
    /// streams restart in a new epoch, after the definition's record if that is in their partition.
    fn define(
        &mut self,
        definition: &Definition,
        stamp: Option<Stamp>,
        now: Nanos,
        shared: &mut Shared,
    ) {
        self.revision += 1;
        if !self.identity.define(definition) {
            return;
        }
        self.end_unfit_views(shared);
        self.changed = true;
        if self.trades.source.is_some() {
            let base = self.trades.last.restated_at(now);
            self.restart_trades(base, shared);
            if self.main_channel() == Channel::Trades {
                self.set_state(self.state(), &base, shared);
            }
        }
        if self.book.source.is_some() {
            let base = stamp.unwrap_or(Stamp::NONE.published_at(now));
            self.restart_book(base, Reason::Starting, shared);
        }
    }
}
