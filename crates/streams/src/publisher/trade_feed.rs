use market::{Channel, Epoch, Nanos, Reason, State, Trade};
use wire::{Head, Status, ViewParams, sbe};

use super::bars_feed::BarsFeed;
use super::desk::Desk;
use super::home::Home;
use super::identity::Identity;
use super::outbox::Outbox;
use super::ticker_feed::TickerFeed;
use crate::pace::Resting;
use crate::place::Place;
use crate::{MessageLog, WatchId};

/// How far ahead of its record a trade's own time may be, in nanoseconds. A clock that is further
/// off would hold back the statistics and the bars of all trades behind it.
const AHEAD: u64 = 60_000_000_000;

/// The trades of one instrument, and what is made of them.
#[derive(Debug)]
pub(super) struct TradeFeed {
    pub(super) home: Option<Home>,
    pub(super) epoch: Epoch,
    pub(super) last: Place,
    pub(super) log: MessageLog,
    pub(super) watches: Vec<WatchId>,
    pub(super) ticker: TickerFeed,
    pub(super) bars: BarsFeed,
    /// A record could not be read, and no trade has been published since.
    pub(super) broken: Option<(State, Reason)>,
    /// Whether anything was published in the epoch, and in one before it.
    has_published: bool,
    pub(super) had_other_epochs: bool,
}

impl TradeFeed {
    pub(super) fn new(log_bytes: usize) -> Self {
        Self {
            home: None,
            epoch: Epoch::NONE,
            last: Place::NONE,
            log: MessageLog::new(log_bytes),
            watches: Vec::new(),
            ticker: TickerFeed::new(),
            bars: BarsFeed::new(),
            broken: None,
            has_published: false,
            had_other_epochs: false,
        }
    }

    /// Reading begins, or begins anew, behind `base`.
    pub(super) fn begin(&mut self, epoch: Epoch, base: Place) {
        self.epoch = epoch;
        self.last = base;
        self.log.restart(base.seq);
        self.ticker.begin(base);
        self.bars.begin(base);
        self.broken = None;
        self.had_other_epochs |= std::mem::take(&mut self.has_published);
    }

    /// Publishes trades; `false` when they cannot be encoded.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        trades: &[Trade<'_>],
        place: &Place,
        desk: &mut Desk,
    ) -> bool {
        let head = identity.head(self.epoch, self.last.seq, place);
        let mut encoded = Ok(());
        desk.out
            .draft(|sbe| encoded = sbe::trades(sbe, &head, trades.iter().copied()));
        if encoded.is_err() {
            return false;
        }
        let recovered = self.broken.take().is_some();
        self.tell(identity, &head, place, &mut desk.out);
        let traded = (traded_at(place), trades);
        let epoch = self.epoch;
        self.ticker
            .publish(identity, epoch, traded, recovered, place, desk);
        self.bars
            .publish(identity, epoch, traded, recovered, place, desk);
        true
    }

    /// Something may be missing from here on.
    pub(super) fn break_off(
        &mut self,
        identity: &Identity,
        (state, reason): (State, Reason),
        place: &Place,
        desk: &mut Desk,
    ) {
        self.broken = Some((state, reason));
        let status = |channel| Status {
            channel,
            state,
            reason,
        };
        let head = identity.head(self.epoch, self.last.seq, place);
        desk.out
            .draft(|sbe| sbe::status(sbe, &head, &status(Channel::Trades)));
        self.tell(identity, &head, place, &mut desk.out);
        let epoch = self.epoch;
        let of_ticker = status(Channel::Ticker);
        self.ticker
            .break_off(identity, epoch, &of_ticker, place, desk);
        let of_bars = status(Channel::Bars);
        self.bars.break_off(identity, epoch, &of_bars, place, desk);
    }

    /// A stream that rested may speak.
    pub(super) fn wake(
        &mut self,
        identity: &Identity,
        resting: &Resting,
        now: Nanos,
        desk: &mut Desk,
    ) {
        let (epoch, latest) = (self.epoch, self.ticker.latest);
        match resting.channel {
            Channel::Bars => self.bars.wake(identity, epoch, resting, now, desk),
            _ => {
                let views = &mut self.ticker.views;
                views.wake(identity, epoch, latest, resting, now, desk);
            }
        }
    }

    /// Tells what a stream has not told; whether there was anything.
    pub(super) fn speak(
        &mut self,
        identity: &Identity,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        let (epoch, latest) = (self.epoch, self.ticker.latest);
        match channel {
            Channel::Ticker => {
                let views = &mut self.ticker.views;
                views.speak(identity, epoch, latest, params, now, desk)
            }
            Channel::Bars => self.bars.speak(identity, epoch, params, now, desk),
            _ => false,
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.log.memory() + self.ticker.size() + self.bars.size()
    }

    fn tell(&mut self, identity: &Identity, head: &Head, place: &Place, out: &mut Outbox) {
        self.log
            .push(head.prev_seq, place.seq, place.now, out.message());
        out.emit(&self.watches, identity.text(), head);
        self.last = *place;
        self.has_published = true;
    }
}

/// When a record's trades were made: by the venue, or else by the log.
fn traded_at(place: &Place) -> Nanos {
    let latest = place.log_time.0.saturating_add(AHEAD);
    let said = place.event_time.filter(|time| time.0 <= latest);
    said.unwrap_or(place.log_time)
}
