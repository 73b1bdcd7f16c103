use std::sync::Arc;

use market::{Channel, Epoch, Handle, Nanos, Now, Position, Seq};
use wire::{Head, Lag, LagKind, View, sbe};

use super::Publisher;
use super::book_messages::MAX_DELTA_CHANGES;
use super::desk::Bench;
use super::instrument::Instrument;
use super::resume::{net_change, write_net};
use super::start::{broken, restate, write_bars, write_start, write_whole_book};
use super::writer::Writer;
use crate::place::Place;
use crate::{MessageLog, Run, StreamKey, WatchId};

/// Trades are given to a slow subscriber one by one, so many bytes at a time and one message at
/// least, so that whoever waits for a slow socket waits with a constant.
const TRADES_A_PAGE: usize = 32 * 1024;
/// What a level adds to a message.
const LEVEL_BYTES: usize = 16;

/// What leads a subscriber that fell behind to the stream's last message.
#[derive(Debug, Clone)]
pub struct CaughtUp {
    /// `Lag`, then the net change or the whole state; none when nothing was missed.
    pub run: Option<Arc<Run>>,
    /// Where the stream's next run follows on; or where it stands when there is more.
    pub position: Position,
    /// There is more to be caught up: it is to ask again from that position.
    pub more: bool,
    /// What it missed, and how many messages that were as far as is known.
    pub missed: Option<(LagKind, u64)>,
}

impl Publisher {
    /// Catches up a subscriber that has `from` and whose next run is no longer held, behind all
    /// that was published: so [`Publisher::flush`] comes first.
    pub fn catch_up(&mut self, id: WatchId, from: Position, now: Now) -> Option<CaughtUp> {
        self.desk.advance_to(now.monotonic);
        let watch = self.desk.out.get(id)?;
        let (key, encoding, Handle(index)) = (watch.key, watch.encoding, watch.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.place(key.channel, key.params);
        let desk = &mut self.desk;
        let mut writer = Writer::new(&instrument.identity, encoding, &mut desk.out);
        let fallen = Fallen {
            instrument,
            key: &key,
            from,
            epoch,
            last: last.told_at(now.wall),
        };
        let mut page = None;
        let lag = if fallen.lacks_nothing() {
            fallen.restate(&mut writer);
            None
        } else if fallen.is_empty() {
            // Its epoch is over, and nothing has come of the new one that it could lack.
            write_start(instrument, &key, now.wall, &mut writer);
            None
        } else {
            match key.channel {
                Channel::Book => Some(fallen.catch_up_book(&mut desk.bench, &mut writer)),
                Channel::Trades => fallen.catch_up_trades(&mut page, &mut writer),
                Channel::Bars => Some(fallen.catch_up_bars(&mut writer)),
                _ => Some(fallen.catch_up_latest(&mut writer)),
            }
        };
        match lag.map(|lag| lag.kind) {
            Some(LagKind::Conflated) => desk.stats.conflated += 1,
            Some(LagKind::Snapshot) => desk.stats.snapshotted += 1,
            Some(LagKind::Skipped) => desk.stats.skipped += 1,
            None => {}
        }
        let seq = page.unwrap_or_else(|| last.seq.max(fallen.seq_of_receiver()));
        let caught_up = CaughtUp {
            run: writer.finish(),
            position: Position { epoch, seq },
            more: page.is_some(),
            missed: lag.map(|lag| (lag.kind, u64::from(lag.messages))),
        };
        if let (Some((kind, messages)), Some(instrument)) =
            (caught_up.missed, self.instruments.get_mut(index as usize))
        {
            // Of a skip that reaches behind the log nobody knows how many there were: one at least.
            instrument.missed(kind, messages.max(1));
        }
        Some(caught_up)
    }
}

/// A subscriber that fell behind, and how its stream stands.
struct Fallen<'a> {
    instrument: &'a Instrument,
    key: &'a StreamKey,
    from: Position,
    epoch: Epoch,
    /// The stream's last place, told now.
    last: Place,
}

impl Fallen<'_> {
    /// What it has of the stream's epoch.
    fn seq_of_receiver(&self) -> Seq {
        if self.from.epoch == self.epoch {
            self.from.seq
        } else {
            Seq::NONE
        }
    }

    /// Whether all that it has not been sent moves nothing.
    fn lacks_nothing(&self) -> bool {
        self.from.epoch == self.epoch && self.from.seq >= self.last.seq
    }

    /// Whether the stream has said nothing yet that could be told again.
    fn is_empty(&self) -> bool {
        match self.key.channel {
            Channel::Trades => false,
            Channel::Bars => self.instrument.trades.bars.is_empty(),
            _ => self.last.seq == Seq::NONE,
        }
    }

    /// What moves nothing may still have been missed: that a stream is not to be trusted, and a
    /// state that time alone changed.
    fn restate(&self, writer: &mut Writer<'_>) {
        let head = self.head(self.last.seq, writer);
        if self.key.channel == Channel::Status {
            writer.put(&head, |sbe| self.instrument.status.write(&head, sbe));
        }
        let channel = self.key.channel;
        restate(broken(self.instrument, channel), channel, &head, writer);
    }

    /// The exact net change, or the whole book where that is smaller or the only way.
    fn catch_up_book(&self, bench: &mut Bench, writer: &mut Writer<'_>) -> Lag {
        let feed = &self.instrument.book;
        let known = self.from.epoch == self.epoch && feed.log.leads_from(self.from.seq);
        let view = feed
            .views
            .iter()
            .find(|view| view.params == self.key.params);
        let whole = view.map_or(feed.book().len(), |view| view.len(feed.book()));
        let conflates = known && {
            net_change(self.instrument, self.key, self.from.seq, bench, writer);
            bench.seen.len() <= whole.min(MAX_DELTA_CHANGES)
        };
        let kind = if conflates {
            LagKind::Conflated
        } else {
            LagKind::Snapshot
        };
        let mut lag = self.lag(kind);
        if known {
            for entry in feed.log.since(self.from.seq) {
                let bytes = entry.levels() * LEVEL_BYTES;
                count(&mut lag, entry.place.now, self.last.now, bytes as u64);
            }
        }
        self.put_lag(&lag, writer);
        if conflates {
            let now = self.last.now;
            write_net(self.instrument, self.key, self.from.seq, now, bench, writer);
        } else {
            // It is whole in itself, so it follows on whatever its receiver has.
            let head = self.head(Seq::NONE, writer);
            write_whole_book(self.instrument, self.key, &head, writer);
            self.restate(writer);
        }
        lag
    }

    /// The latest state says it all: best bid and offer, statistics, status.
    fn catch_up_latest(&self, writer: &mut Writer<'_>) -> Lag {
        let mut lag = self.lag(LagKind::Conflated);
        let bbo = &self.instrument.book.bbo;
        if self.key.channel == Channel::Bbo {
            count_log(&mut lag, &bbo.log, self.last.now);
        }
        self.put_lag(&lag, writer);
        let head = self.head(lag.from_seq, writer);
        if self.key.channel == Channel::Bbo {
            let told = bbo.views.get(self.key.params);
            let told = told.map_or(bbo.bbo, |view| view.told);
            writer.put(&head, |sbe| sbe::bbo(sbe, &head, &told));
            self.restate(writer);
        } else if self.key.channel == Channel::Ticker {
            let (told, _) = self.instrument.trades.ticker.told(self.key.params);
            writer.put(&head, |sbe| sbe::ticker(sbe, &head, &told));
            self.restate(writer);
        } else {
            writer.put(&head, |sbe| self.instrument.status.write(&head, sbe));
        }
        lag
    }

    /// The bars that were closed meanwhile, and the running one. Where some are not kept any more,
    /// what is before the others is lost, and told.
    fn catch_up_bars(&self, writer: &mut Writer<'_>) -> Lag {
        let (bars, params) = (&self.instrument.trades.bars, self.key.params);
        let mut from = self.seq_of_receiver();
        let kind = if bars.holds_since(params, from) {
            LagKind::Conflated
        } else {
            LagKind::Skipped
        };
        let mut lag = self.lag(kind);
        if kind == LagKind::Skipped {
            from = bars.forgotten(params);
            lag.to_seq = from;
        }
        self.put_lag(&lag, writer);
        let head = self.head(from, writer);
        write_bars(self.instrument, self.key, from, &head, writer);
        self.restate(writer);
        lag
    }

    /// Trades have no net change: they are given one by one, page by page, as far back as the log
    /// reaches. What is before is lost, and told. `page` is where a page ends that is not the last.
    fn catch_up_trades(&self, page: &mut Option<Seq>, writer: &mut Writer<'_>) -> Option<Lag> {
        let log = &self.instrument.trades.log;
        // Who subscribed before there was a trade, or even their topic, has lost none of those that
        // are held from the very first one on. Where an epoch has come and gone meanwhile, it may
        // have lost those.
        let had_none = self.from.seq == Seq::NONE
            && self.from.epoch == Epoch::NONE
            && !self.instrument.trades.had_other_epochs;
        let same = self.from.epoch == self.epoch;
        let known = (same || had_none)
            && (log.holds_since(self.from.seq) || log.prev_seq(0) == Some(self.from.seq));
        let first = if known {
            log.index_after(self.from.seq)
        } else {
            0
        };
        if known && !same {
            self.put_identity(Seq::NONE, writer);
        }
        let lag = (!known).then(|| {
            let mut lag = self.lag(LagKind::Skipped);
            lag.to_seq = log.prev_seq(first).unwrap_or(self.last.seq);
            self.put_lag(&lag, writer);
            lag
        });
        let end = log.end_within(first, TRADES_A_PAGE);
        log.for_each(first..end, |message, seq| writer.put_again(message, seq));
        if end < log.len() {
            *page = end.checked_sub(1).and_then(|last| log.seq(last));
        }
        lag
    }

    /// The head of a message that stands where the stream does.
    fn head(&self, prev_seq: Seq, writer: &Writer<'_>) -> Head {
        Head {
            view: View::from(self.key.params),
            ..writer.identity().head(self.epoch, prev_seq, &self.last)
        }
    }

    /// From where its receiver stands to the stream's last message; nothing is counted yet.
    fn lag(&self, kind: LagKind) -> Lag {
        Lag {
            channel: self.key.channel,
            kind,
            from_seq: self.seq_of_receiver(),
            to_seq: self.last.seq,
            messages: 0,
            bytes: 0,
            age: 0,
        }
    }

    /// Puts a `Lag`: it stands where its receiver does and moves nothing, but when something is
    /// skipped. Of another epoch its receiver has nothing yet, and does not know the scale.
    fn put_lag(&self, lag: &Lag, writer: &mut Writer<'_>) {
        let head = Head {
            seq: lag.from_seq,
            event_time: None,
            ..self.head(lag.from_seq, writer)
        };
        let has = match lag.kind {
            LagKind::Skipped => lag.to_seq,
            _ => lag.from_seq,
        };
        writer.put_part(has, |sbe| sbe::lag(sbe, &head, lag));
        if self.from.epoch != self.epoch {
            self.put_identity(has, writer);
        }
    }

    /// Puts what the instrument is, for one who does not know its scale; its receiver has `has` then.
    fn put_identity(&self, has: Seq, writer: &mut Writer<'_>) {
        let (identity, state) = (writer.identity(), self.instrument.status.state);
        let head = self.head(self.last.seq, writer);
        writer.put_part(has, |sbe| identity.write(&head, state, sbe));
    }
}

fn count_log(lag: &mut Lag, log: &MessageLog, now: Nanos) {
    let begin = log.index_after(lag.from_seq);
    for index in begin..log.len() {
        if let Some(published) = log.published(index) {
            count(lag, published, now, 0);
        }
    }
    lag.bytes = log.bytes_from(begin) as u64;
}

fn count(lag: &mut Lag, published: Nanos, now: Nanos, bytes: u64) {
    lag.messages = lag.messages.saturating_add(1);
    lag.bytes += bytes;
    lag.age = lag.age.max(now.since(published));
}
