use std::sync::Arc;

use market::{Channel, Nanos, Position, Seq};
use wire::{Head, Lag, LagKind, View, sbe};

use super::Publisher;
use super::book_messages::MAX_DELTA_CHANGES;
use super::desk::Bench;
use super::instrument::Instrument;
use super::resume::{net_change, write_net};
use super::start::{broken, restate, write_whole_book};
use super::writer::Writer;
use crate::{Handle, MessageLog, Run, StreamKey, WatchId};

/// What a slow subscriber of `trades` is still given one by one; older ones are skipped.
const TRADES_KEPT: usize = 32 * 1024;
/// What a level adds to a message.
const LEVEL_BYTES: usize = 16;

/// What leads a subscriber that fell behind to the stream's last message.
#[derive(Debug, Clone)]
pub struct CaughtUp {
    /// `Lag`, then the net change or the whole state; none when nothing was missed.
    pub run: Option<Arc<Run>>,
    /// Where the stream's next run follows on.
    pub position: Position,
}

impl Publisher {
    /// Catches up a subscriber that has `from` and whose next run is no longer held, behind all
    /// that was published: so [`Publisher::flush`] comes first.
    pub fn catch_up(&mut self, id: WatchId, from: Position, now: Nanos) -> Option<CaughtUp> {
        let watch = self.desk.out.get(id)?;
        let (key, encoding, Handle(index)) = (watch.key, watch.encoding, watch.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.place(key.channel, key.params);
        let position = Position {
            epoch,
            seq: last.seq,
        };
        let desk = &mut self.desk;
        let mut writer = Writer::new(&instrument.identity, encoding, &mut desk.out);
        if from != position {
            let bench = &mut desk.bench;
            let kind = match key.channel {
                Channel::Book => catch_up_book(instrument, &key, from, now, bench, &mut writer),
                Channel::Trades => catch_up_trades(instrument, from, now, &mut writer),
                _ => catch_up_latest(instrument, &key, from, now, &mut writer),
            };
            match kind {
                LagKind::Conflated => desk.stats.conflated += 1,
                LagKind::Snapshot => desk.stats.snapshotted += 1,
                LagKind::Skipped => desk.stats.skipped += 1,
            }
        }
        Some(CaughtUp {
            run: writer.finish(now),
            position,
        })
    }
}

/// The exact net change, or the whole book where that is smaller or the only way.
fn catch_up_book(
    instrument: &Instrument,
    key: &StreamKey,
    from: Position,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) -> LagKind {
    let feed = &instrument.book;
    let (epoch, last) = instrument.place(key.channel, key.params);
    let head = Head {
        view: View::from(key.params),
        ..writer.identity().head(epoch, last.seq, &last.told_at(now))
    };
    let whole_levels = feed
        .views
        .iter()
        .find(|view| view.params == key.params)
        .map_or(feed.book().len(), |view| {
            view.bids().len() + view.asks().len()
        });
    let known = from.epoch == epoch && feed.log.holds_since(from.seq);
    let conflates = known && {
        net_change(instrument, key, from.seq, bench);
        bench.seen.len() <= whole_levels.min(MAX_DELTA_CHANGES)
    };
    let kind = if conflates {
        LagKind::Conflated
    } else {
        LagKind::Snapshot
    };
    let mut lag = lag(Channel::Book, kind, from, &head);
    if known {
        for entry in feed.log.since(from.seq) {
            let bytes = entry.levels() * LEVEL_BYTES;
            count(&mut lag, entry.place.now, now, bytes as u64);
        }
    }
    put_lag(&head, from, &lag, writer);
    if conflates {
        write_net(instrument, key, from.seq, now, bench, writer);
    } else {
        // It follows on what its receiver has, so that the one rule applies to it too.
        let head = Head {
            prev_seq: lag.from_seq,
            ..head
        };
        write_whole_book(instrument, key, &head, writer);
        restate(
            broken(instrument, Channel::Book),
            Channel::Book,
            &head,
            writer,
        );
    }
    lag.kind
}

/// The latest state says it all: best bid and offer, status.
fn catch_up_latest(
    instrument: &Instrument,
    key: &StreamKey,
    from: Position,
    now: Nanos,
    writer: &mut Writer<'_>,
) -> LagKind {
    let (epoch, last) = instrument.place(key.channel, key.params);
    let head = writer.identity().head(epoch, last.seq, &last.told_at(now));
    let mut lag = lag(key.channel, LagKind::Conflated, from, &head);
    if key.channel == Channel::Bbo {
        count_log(&mut lag, &instrument.book.bbo.log, usize::MAX, now);
    }
    put_lag(&head, from, &lag, writer);
    let head = Head {
        prev_seq: lag.from_seq,
        ..head
    };
    if key.channel == Channel::Bbo {
        writer.put(&head, |sbe| {
            sbe::bbo(sbe, &head, &instrument.book.bbo.bbo);
        });
        restate(
            broken(instrument, Channel::Bbo),
            Channel::Bbo,
            &head,
            writer,
        );
    } else {
        writer.put(&head, |sbe| instrument.status.write(&head, sbe));
    }
    LagKind::Conflated
}

/// Trades have no net change: the latest are given one by one, the others are skipped and told.
fn catch_up_trades(
    instrument: &Instrument,
    from: Position,
    now: Nanos,
    writer: &mut Writer<'_>,
) -> LagKind {
    let feed = &instrument.trades;
    let log = &feed.log;
    let known = from.epoch == feed.epoch && log.holds_since(from.seq);
    let missed = if known { log.index_after(from.seq) } else { 0 };
    let mut first = missed;
    while log.bytes_from(first) > TRADES_KEPT {
        first += 1;
    }
    let skips = !known || first > missed;
    if skips {
        let head = writer
            .identity()
            .head(feed.epoch, feed.last.seq, &feed.last.told_at(now));
        let mut lag = lag(Channel::Trades, LagKind::Skipped, from, &head);
        lag.to_seq = log.prev_seq(first).unwrap_or(feed.last.seq);
        count_log(&mut lag, log, first, now);
        put_lag(&head, from, &lag, writer);
    }
    log.for_each_from(first, |message, seq| writer.put_again(message, seq));
    if skips {
        LagKind::Skipped
    } else {
        LagKind::Conflated
    }
}

/// A `Lag` from where its receiver stands to the stream's last message; nothing is counted yet.
fn lag(channel: Channel, kind: LagKind, from: Position, head: &Head) -> Lag {
    Lag {
        channel,
        kind,
        from_seq: if from.epoch == head.epoch {
            from.seq
        } else {
            Seq::NONE
        },
        to_seq: head.seq,
        messages: 0,
        bytes: 0,
        age: 0,
    }
}

/// Puts a `Lag`: it stands where its receiver does and moves nothing.
fn put_lag(head: &Head, from: Position, lag: &Lag, writer: &mut Writer<'_>) {
    let head = Head {
        epoch: from.epoch,
        prev_seq: from.seq,
        seq: from.seq,
        event_time: None,
        ..*head
    };
    // When skipped, its receiver knows that it will never have what is before `to_seq`.
    let has = if lag.kind == LagKind::Skipped {
        lag.to_seq
    } else {
        from.seq
    };
    writer.put_part(has, |sbe| sbe::lag(sbe, &head, lag));
}

fn count_log(lag: &mut Lag, log: &MessageLog, end: usize, now: Nanos) {
    let begin = log.index_after(lag.from_seq);
    for index in begin..end.min(log.len()) {
        if let Some(published) = log.published(index) {
            count(lag, published, now, 0);
        }
    }
    let all = log.bytes_from(begin);
    lag.bytes = all.saturating_sub(log.bytes_from(end)) as u64;
}

fn count(lag: &mut Lag, published: Nanos, now: Nanos, bytes: u64) {
    lag.messages = lag.messages.saturating_add(1);
    lag.bytes += bytes;
    lag.age = lag.age.max(now.since(published));
}
