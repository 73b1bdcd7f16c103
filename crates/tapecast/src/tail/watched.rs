use std::collections::VecDeque;

use client::event::TradesUpdate;
use client::session::Session;
use client::{Event, StreamStats, SubscriptionId, Trust};
use market::decimal::to_string;
use market::{Aggressor, Bbo, Channel, Exponents, InstrumentName, Nanos, Reason, Seq, State};
use wire::Status;

use super::latency::Latency;
use node::clock::wall_clock;

/// Trades kept: as many as a screen has room for.
const TRADES: usize = 8;

/// One instrument and its streams.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) name: InstrumentName,
    pub(super) streams: Vec<Stream>,
    pub(super) latency: Latency,
    /// Newest first.
    pub(super) trades: VecDeque<Printed>,
    /// The last best bid and offer of the channel `bbo`.
    pub(super) bbo: Option<(Bbo, Exponents)>,
    /// The last state of the channel `status`.
    pub(super) status: Option<Status>,
    /// Sequence number of the last message of any stream; goes back if the log is recreated.
    pub(super) seq: Seq,
}

/// The stream of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamName<'a> {
    pub(super) name: &'a InstrumentName,
    pub(super) channel: Channel,
}

impl<'a> StreamName<'a> {
    pub(super) fn find(watched: &'a [Watched], id: SubscriptionId) -> Option<Self> {
        watched.iter().find_map(|one| {
            let stream = one.streams.iter().find(|stream| stream.id == id)?;
            Some(Self {
                name: &one.name,
                channel: stream.channel,
            })
        })
    }
}

/// Returns whether the event is a data message of its stream, as `--count` counts them, on every channel.
pub(super) const fn is_data(event: &Event) -> bool {
    head_of(event).is_some()
}

/// The position and times of a data message; `None` for other events.
///
/// Heartbeats, lags and the end of a replay have a head too, but carry no market data.
const fn head_of(event: &Event) -> Option<&wire::Head> {
    match event {
        Event::Book(update) => Some(&update.head),
        Event::Bbo(update) => Some(&update.head),
        Event::Trades(update) => Some(&update.head),
        Event::Ticker(update) => Some(&update.head),
        Event::Bar(update) => Some(&update.head),
        Event::Status(update) => Some(&update.head),
        _ => None,
    }
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: SubscriptionId,
    pub(super) channel: Channel,
    pub(super) phase: Phase,
    /// Why the node reports that it cannot be trusted, while it does.
    pub(super) broken: Option<(State, Reason)>,
    pub(super) stats: StreamStats,
}

impl Stream {
    pub(super) fn new(id: SubscriptionId, channel: Channel) -> Self {
        Self {
            id,
            channel,
            phase: Phase::Waiting,
            broken: None,
            stats: StreamStats::default(),
        }
    }
}

/// State of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Requested.
    Waiting,
    /// Accepted.
    Open,
    /// A gap or checksum mismatch, and no recovery since.
    Faulty,
    /// Rejected for good.
    Rejected,
}

/// A trade, formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) time: Nanos,
    pub(super) side: Aggressor,
    pub(super) price: String,
    pub(super) size: String,
}

impl Watched {
    pub(super) fn new(name: InstrumentName) -> anyhow::Result<Self> {
        Ok(Self {
            name,
            streams: Vec::new(),
            latency: Latency::new()?,
            trades: VecDeque::new(),
            bbo: None,
            status: None,
            seq: Seq::NONE,
        })
    }

    /// Returns whether the subscription is one of its own.
    pub(super) fn has(&self, id: SubscriptionId) -> bool {
        self.streams.iter().any(|stream| stream.id == id)
    }

    /// Applies an event of one of its subscriptions.
    pub(super) fn take(&mut self, event: &Event) {
        let Some(id) = event.subscription() else {
            return;
        };
        if let Some(head) = head_of(event) {
            self.moved(head);
        }
        match event {
            Event::Trades(update) => self.print(update),
            Event::Bbo(update) => self.bbo = Some((update.bbo, update.exponents)),
            Event::Status(update) if update.status.channel == Channel::Status => {
                self.status = Some(update.status);
            }
            _ => {}
        }
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) else {
            return;
        };
        match event {
            Event::Subscribed(_) if stream.phase == Phase::Waiting => stream.phase = Phase::Open,
            Event::Rejected(rejected) if rejected.retry.is_none() => stream.phase = Phase::Rejected,
            // A gap that is not resumed is over as soon as it is reported.
            Event::Gap(gap) if gap.cause.is_loss() => {}
            Event::Gap(_) | Event::ChecksumMismatch(_) => stream.phase = Phase::Faulty,
            Event::Resync(_) => stream.phase = Phase::Open,
            Event::Status(update) if update.status.state.is_broken() => {
                stream.broken = Some((update.status.state, update.status.reason));
            }
            _ => {}
        }
        // A status is about the data, not data itself.
        if is_data(event) && !matches!(event, Event::Status(_)) {
            stream.broken = None;
            stream.phase = Phase::Open;
        }
    }

    fn moved(&mut self, head: &wire::Head) {
        self.seq = head.seq;
        self.latency.add(head.publish_time, wall_clock());
    }

    fn print(&mut self, update: &TradesUpdate) {
        let exponents = update.exponents;
        for trade in update.trades().into_iter().flatten() {
            self.trades.truncate(TRADES - 1);
            self.trades.push_front(Printed {
                time: update.head.event_time.unwrap_or(update.head.log_time),
                side: trade.side,
                price: to_string(trade.price.0, exponents.price),
                size: to_string(trade.size.0, exponents.size),
            });
        }
    }

    /// Updates the counters.
    pub(super) fn count(&mut self, session: &Session) {
        for stream in &mut self.streams {
            if let Some(stats) = session.stream_stats(stream.id) {
                stream.stats = stats;
            }
        }
    }

    /// The sum of all streams.
    pub(super) fn stats(&self) -> StreamStats {
        let mut sum = StreamStats::default();
        for stream in &self.streams {
            sum.messages += stream.stats.messages;
            sum.bytes += stream.stats.bytes;
            sum.duplicates += stream.stats.duplicates;
            sum.verified += stream.stats.verified;
            sum.mismatches += stream.stats.mismatches;
            sum.gaps += stream.stats.gaps;
            sum.losses += stream.stats.losses;
            sum.resyncs += stream.stats.resyncs;
            sum.lags += stream.stats.lags;
        }
        sum
    }

    /// The subscription to its book, if any.
    pub(super) fn book(&self) -> Option<SubscriptionId> {
        let book = self
            .streams
            .iter()
            .find(|stream| stream.channel == Channel::Book);
        book.map(|stream| stream.id)
    }

    /// The state of its data in a word, and whether it is good.
    pub(super) fn state(&self, session: &Session) -> (&'static str, bool) {
        if self
            .streams
            .iter()
            .all(|stream| stream.phase == Phase::Rejected)
        {
            return ("REFUSED", false);
        }
        if let Some(status) = self.status.filter(|status| status.state != State::Live) {
            return (status.state.name(), false);
        }
        let broken = self.streams.iter().find_map(|stream| stream.broken);
        if let Some((state, _)) = broken {
            return (state.name(), false);
        }
        if let Some(kept) = self.book().and_then(|id| session.book(id)) {
            return match kept.trust() {
                Trust::Empty => ("WAITING", false),
                trust => (trust.name(), trust == Trust::Live),
            };
        }
        if self
            .streams
            .iter()
            .any(|stream| stream.phase == Phase::Open)
        {
            return (State::Live.name(), true);
        }
        ("WAITING", false)
    }
}
