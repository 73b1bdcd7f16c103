use std::sync::Arc;

use market::{Channel, Epoch, Handle, Nanos, Now, Position, Seq};
use wire::{Head, Lag, LagKind, View, sbe};

use super::Publisher;
use super::book_messages::MAX_DELTA_CHANGES;
use super::instrument::Instrument;
use super::resume::{net_change, write_net};
use super::shared::Scratch;
use super::start::{broken, restate, write_bars, write_start, write_whole_book};
use super::writer::Writer;
use crate::stamp::Stamp;
use crate::{MessageLog, Run, StreamId, StreamKey};

/// The size of a page of trades in bytes. A page has at least one message. Paging keeps the memory
/// constant that a client with a slow socket holds.
const TRADES_A_PAGE: usize = 32 * 1024;
/// The size of a level in a message, in bytes.
const LEVEL_BYTES: usize = 16;

/// What leads a lagging subscription to the stream's last message.
#[derive(Debug, Clone)]
pub struct CaughtUp {
    /// A `Lag`, then the net change or a snapshot; `None` if nothing was missed.
    pub run: Option<Arc<Run>>,
    /// The position that the stream's next run follows on, or to continue from if there is more.
    pub position: Position,
    /// Whether there is more to catch up with, to be requested from that position.
    pub more: bool,
    /// How it missed messages, and how many as far as is known.
    pub missed: Option<(LagKind, u64)>,
}

impl Publisher {
    /// Catches up a subscription at `from` whose next run is no longer retained, to everything
    /// published so far. Call [`Publisher::flush`] first.
    pub fn catch_up(&mut self, id: StreamId, from: Position, now: Now) -> Option<CaughtUp> {
        self.shared.advance_to(now.monotonic);
        let stream = self.shared.out.get(id)?;
        let (key, encoding, Handle(index)) = (stream.key, stream.encoding, stream.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.last(key.channel, key.params);
        let shared = &mut self.shared;
        let mut writer = Writer::new(&instrument.identity, encoding, &mut shared.out);
        let lagging = Lagging {
            instrument,
            key: &key,
            from,
            epoch,
            last: last.published_at(now.wall),
        };
        let mut page = None;
        let lag = if lagging.lacks_nothing() {
            lagging.restate(&mut writer);
            None
        } else if lagging.is_empty() {
            // Its epoch is over, and there is nothing of the new one yet that it could lack.
            write_start(instrument, &key, now.wall, &mut writer);
            None
        } else {
            match key.channel {
                Channel::Book => Some(lagging.catch_up_book(&mut shared.scratch, &mut writer)),
                Channel::Trades => lagging.catch_up_trades(&mut page, &mut writer),
                Channel::Bars => Some(lagging.catch_up_bars(&mut writer)),
                _ => Some(lagging.catch_up_latest(&mut writer)),
            }
        };
        match lag.map(|lag| lag.kind) {
            Some(LagKind::Conflated) => shared.stats.conflated += 1,
            Some(LagKind::Snapshot) => shared.stats.snapshotted += 1,
            Some(LagKind::Skipped) => shared.stats.skipped += 1,
            None => {}
        }
        let seq = page.unwrap_or_else(|| last.seq.max(lagging.seq_of_receiver()));
        let caught_up = CaughtUp {
            run: writer.finish(),
            position: Position { epoch, seq },
            more: page.is_some(),
            missed: lag.map(|lag| (lag.kind, u64::from(lag.messages))),
        };
        if let (Some((kind, messages)), Some(instrument)) =
            (caught_up.missed, self.instruments.get_mut(index as usize))
        {
            // If messages older than the log were skipped, their number is unknown, but at least
            // one.
            instrument.count_lag(kind, messages.max(1));
        }
        Some(caught_up)
    }
}

/// A lagging subscription and its stream.
struct Lagging<'a> {
    instrument: &'a Instrument,
    key: &'a StreamKey,
    from: Position,
    epoch: Epoch,
    /// The stamp of the stream's last message, published now.
    last: Stamp,
}

impl Lagging<'_> {
    /// The last sequence number that the client has of the stream's epoch.
    fn seq_of_receiver(&self) -> Seq {
        if self.from.epoch == self.epoch {
            self.from.seq
        } else {
            Seq::NONE
        }
    }

    /// Returns whether nothing it has not been sent advances the sequence.
    fn lacks_nothing(&self) -> bool {
        self.from.epoch == self.epoch && self.from.seq >= self.last.seq
    }

    /// Returns whether the stream has no state yet.
    fn is_empty(&self) -> bool {
        match self.key.channel {
            Channel::Trades => false,
            Channel::Bars => self.instrument.trades.bars.is_empty(),
            _ => self.last.seq == Seq::NONE,
        }
    }

    /// Repeats what does not advance the sequence and may have been missed: that the stream cannot
    /// be trusted, and a state that changed by time alone.
    fn restate(&self, writer: &mut Writer<'_>) {
        let head = self.head(self.last.seq, writer);
        if self.key.channel == Channel::Status {
            writer.put(&head, |sbe| self.instrument.status.write(&head, sbe));
        }
        let channel = self.key.channel;
        restate(broken(self.instrument, channel), channel, &head, writer);
    }

    /// Writes the exact net change, or a snapshot if that is smaller or the only way.
    fn catch_up_book(&self, scratch: &mut Scratch, writer: &mut Writer<'_>) -> Lag {
        let feed = &self.instrument.book;
        let known = self.from.epoch == self.epoch && feed.log.leads_from(self.from.seq);
        let view = feed
            .views
            .iter()
            .find(|view| view.params == self.key.params);
        let whole = view.map_or(feed.book().len(), |view| view.len(feed.book()));
        let conflates = known && {
            net_change(self.instrument, self.key, self.from.seq, scratch, writer);
            scratch.visible.len() <= whole.min(MAX_DELTA_CHANGES)
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
                count(
                    &mut lag,
                    entry.stamp.publish_time,
                    self.last.publish_time,
                    bytes as u64,
                );
            }
        }
        self.put_lag(&lag, writer);
        if conflates {
            let now = self.last.publish_time;
            write_net(
                self.instrument,
                self.key,
                self.from.seq,
                now,
                scratch,
                writer,
            );
        } else {
            // A snapshot is complete in itself, so it follows on whatever the client has.
            let head = self.head(Seq::NONE, writer);
            write_whole_book(self.instrument, self.key, &head, writer);
            self.restate(writer);
        }
        lag
    }

    /// Writes the latest state, which supersedes everything before: best bid and offer, statistics,
    /// status.
    fn catch_up_latest(&self, writer: &mut Writer<'_>) -> Lag {
        let mut lag = self.lag(LagKind::Conflated);
        let bbo = &self.instrument.book.bbo;
        if self.key.channel == Channel::Bbo {
            count_log(&mut lag, &bbo.log, self.last.publish_time);
        }
        self.put_lag(&lag, writer);
        let head = self.head(lag.from_seq, writer);
        if self.key.channel == Channel::Bbo {
            let sent = bbo.views.get(self.key.params);
            let sent = sent.map_or(bbo.bbo, |view| view.sent);
            writer.put(&head, |sbe| sbe::bbo(sbe, &head, &sent));
            self.restate(writer);
        } else if self.key.channel == Channel::Ticker {
            let (sent, _) = self.instrument.trades.ticker.sent(self.key.params);
            writer.put(&head, |sbe| sbe::ticker(sbe, &head, &sent));
            self.restate(writer);
        } else {
            writer.put(&head, |sbe| self.instrument.status.write(&head, sbe));
        }
        lag
    }

    /// Writes the bars that were closed meanwhile and the running one. If some are no longer
    /// retained, they are skipped, and the `Lag` says so.
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

    /// Writes a page of trades, as far back as the log reaches. Trades have no net change, so
    /// earlier ones are skipped, and the `Lag` says so. `page` is set to the end of a page that is
    /// not the last.
    fn catch_up_trades(&self, page: &mut Option<Seq>, writer: &mut Writer<'_>) -> Option<Lag> {
        let log = &self.instrument.trades.log;
        // A client that subscribed before there were trades, or even their topic, has missed none
        // of those retained from the first one on, unless an epoch has come and gone meanwhile.
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

    /// The head of a message at the stream's current position.
    fn head(&self, prev_seq: Seq, writer: &Writer<'_>) -> Head {
        Head {
            view: View::from(self.key.params),
            ..writer.identity().head(self.epoch, prev_seq, &self.last)
        }
    }

    /// A `Lag` from the client's position to the stream's last message, with nothing counted yet.
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

    /// Writes a `Lag`. It is at the client's position and does not advance it, unless messages are
    /// skipped. A client of another epoch has nothing of this one yet, and does not know its scale.
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

    /// Writes the instrument's identity for a client that does not know its scale and has `has`
    /// afterwards.
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
