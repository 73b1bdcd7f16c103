use market::{Channel, Epoch, Nanos, Reason, State, Trade};
use wire::{Head, Status, ViewParams, sbe};

use super::bars_feed::BarsFeed;
use super::identity::Identity;
use super::outbox::Outbox;
use super::shared::Shared;
use super::source_partition::SourcePartition;
use super::ticker_feed::TickerFeed;
use crate::stamp::Stamp;
use crate::throttle::ThrottledStream;
use crate::{MessageLog, StreamId};

/// How far a trade's own time may be ahead of its record's, in nanoseconds. A clock that is further
/// ahead would hold back the statistics and bars of all later trades.
const AHEAD: u64 = 60_000_000_000;

/// The trades of one instrument, and what is derived from them.
#[derive(Debug)]
pub(super) struct TradeFeed {
    pub(super) source: Option<SourcePartition>,
    pub(super) epoch: Epoch,
    pub(super) last: Stamp,
    pub(super) log: MessageLog,
    /// The stream of trades, in all encodings.
    pub(super) streams: Vec<StreamId>,
    pub(super) ticker: TickerFeed,
    pub(super) bars: BarsFeed,
    /// The published state and reason since trades may be missing; `None` once there are new ones.
    pub(super) broken: Option<(State, Reason)>,
    /// Whether anything was published in this epoch.
    has_published: bool,
    /// Whether anything was published in an earlier epoch.
    pub(super) had_other_epochs: bool,
}

impl TradeFeed {
    pub(super) fn new(log_bytes: usize) -> Self {
        Self {
            source: None,
            epoch: Epoch::NONE,
            last: Stamp::NONE,
            log: MessageLog::new(log_bytes),
            streams: Vec::new(),
            ticker: TickerFeed::new(),
            bars: BarsFeed::new(),
            broken: None,
            has_published: false,
            had_other_epochs: false,
        }
    }

    /// Starts over in an epoch, after `base`.
    pub(super) fn restart(&mut self, epoch: Epoch, base: Stamp) {
        self.epoch = epoch;
        self.last = base;
        self.log.restart(base.seq);
        self.ticker.restart(base);
        self.bars.restart(base);
        self.broken = None;
        self.had_other_epochs |= std::mem::take(&mut self.has_published);
    }

    /// Publishes trades. Returns false if they cannot be encoded.
    pub(super) fn publish(
        &mut self,
        identity: &Identity,
        trades: &[Trade<'_>],
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> bool {
        let head = identity.head(self.epoch, self.last.seq, stamp);
        let mut encoded = Ok(());
        shared
            .out
            .draft(|sbe| encoded = sbe::trades(sbe, &head, trades.iter().copied()));
        if encoded.is_err() {
            return false;
        }
        let recovered = self.broken.take().is_some();
        self.send(identity, &head, stamp, &mut shared.out);
        let traded = (traded_at(stamp), trades);
        let epoch = self.epoch;
        self.ticker
            .publish(identity, epoch, traded, recovered, stamp, shared);
        self.bars
            .publish(identity, epoch, traded, recovered, stamp, shared);
        true
    }

    /// Publishes that trades may be missing from here on.
    pub(super) fn break_off(
        &mut self,
        identity: &Identity,
        (state, reason): (State, Reason),
        stamp: &Stamp,
        shared: &mut Shared,
    ) {
        self.broken = Some((state, reason));
        let status = |channel| Status {
            channel,
            state,
            reason,
        };
        let head = identity.head(self.epoch, self.last.seq, stamp);
        shared
            .out
            .draft(|sbe| sbe::status(sbe, &head, &status(Channel::Trades)));
        self.send(identity, &head, stamp, &mut shared.out);
        let epoch = self.epoch;
        let ticker_status = status(Channel::Ticker);
        self.ticker
            .break_off(identity, epoch, &ticker_status, stamp, shared);
        let bars_status = status(Channel::Bars);
        self.bars
            .break_off(identity, epoch, &bars_status, stamp, shared);
    }

    /// Lets a stream publish again whose interval is over.
    pub(super) fn release(
        &mut self,
        identity: &Identity,
        stream: &ThrottledStream,
        now: Nanos,
        shared: &mut Shared,
    ) {
        let (epoch, latest) = (self.epoch, self.ticker.latest);
        if stream.channel == Channel::Bars {
            self.bars.release(identity, epoch, stream, now, shared);
        } else if let Some(view) = self.ticker.views.release(stream) {
            view.send_unsent(identity, epoch, latest, now, shared);
        }
    }

    /// Sends what is unsent of a stream, throttled or not. Returns whether there was anything.
    pub(super) fn send_unsent(
        &mut self,
        identity: &Identity,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        shared: &mut Shared,
    ) -> bool {
        let (epoch, latest) = (self.epoch, self.ticker.latest);
        match channel {
            Channel::Ticker => {
                let view = self.ticker.views.get_mut(params);
                view.is_some_and(|view| view.send_unsent(identity, epoch, latest, now, shared))
            }
            Channel::Bars => self.bars.send_unsent(identity, epoch, params, now, shared),
            _ => false,
        }
    }

    /// The allocated memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.log.memory() + self.ticker.memory() + self.bars.memory()
    }

    fn send(&mut self, identity: &Identity, head: &Head, stamp: &Stamp, out: &mut Outbox) {
        self.log
            .push(head.prev_seq, stamp.seq, stamp.publish_time, out.message());
        out.emit(&self.streams, identity.text(), head);
        self.last = *stamp;
        self.has_published = true;
    }
}

/// The time of a record's trades: the venue's, or else the record's.
fn traded_at(stamp: &Stamp) -> Nanos {
    let latest = stamp.log_time.0.saturating_add(AHEAD);
    let event_time = stamp.event_time.filter(|time| time.0 <= latest);
    event_time.unwrap_or(stamp.log_time)
}
