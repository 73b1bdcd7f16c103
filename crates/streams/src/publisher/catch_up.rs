use std::sync::Arc;

use market::{Channel, Nanos, Position, Seq};
use wire::{Head, Lag, LagKind, View, sbe};

use super::Publisher;
use super::instrument::Instrument;
use super::join::{Writer, net_change, write_broken, write_net, write_whole_book};
use super::place::{Bench, Place};
use crate::book_log::BookEntryKind;
use crate::{Handle, Run, RunBuilder, StreamKey, WatchId};

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
    /// Catches up a subscriber that has `from` and whose next run is no longer held, at once
    /// behind all that was flushed.
    pub fn catch_up(&mut self, id: WatchId, from: Position, now: Nanos) -> Option<CaughtUp> {
        let watch = self.out.get(id)?;
        let (key, encoding, Handle(index)) = (watch.key, watch.encoding, watch.handle);
        let instrument = self.instruments.get_mut(index as usize)?;
        let (epoch, seq) = instrument.position(key.channel, key.params);
        let mut writer = Writer {
            encoding,
            out: &mut self.out,
            run: RunBuilder::default(),
        };
        if from != (Position { epoch, seq }) {
            let bench = &mut self.bench;
            let kind = match key.channel {
                Channel::Book => catch_up_book(instrument, &key, from, now, bench, &mut writer),
                Channel::Trades => catch_up_trades(instrument, from, now, bench, &mut writer),
                _ => catch_up_latest(instrument, &key, from, now, bench, &mut writer),
            };
            match kind {
                LagKind::Conflated => self.stats.conflated += 1,
                LagKind::Snapshot => self.stats.snapshotted += 1,
                LagKind::Skipped => self.stats.skipped += 1,
            }
        }
        Some(CaughtUp {
            run: writer.finish(now),
            position: Position { epoch, seq },
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
    let book = &instrument.book;
    let (epoch, seq) = instrument.position(key.channel, key.params);
    let place = Place {
        seq,
        ..book.place_of_last(now)
    };
    let head = Head {
        view: View::from(key.params),
        ..instrument.identity.head(epoch, seq, &place)
    };
    let whole_levels = book
        .views
        .iter()
        .find(|view| view.params == key.params)
        .map_or(book.builder.book().len(), |view| {
            view.bids().len() + view.asks().len()
        });
    let known = from.epoch == epoch && book.log.holds_since(from.seq);
    let conflates = known && {
        net_change(instrument, key, from.seq, bench);
        bench.seen.len() <= whole_levels.min(super::book_feed::MAX_DELTA_CHANGES)
    };
    let mut lag = Lag {
        channel: Channel::Book,
        kind: if conflates {
            LagKind::Conflated
        } else {
            LagKind::Snapshot
        },
        from_seq: if from.epoch == epoch {
            from.seq
        } else {
            Seq::NONE
        },
        to_seq: seq,
        messages: 0,
        bytes: 0,
        age: 0,
    };
    if known {
        for entry in book.log.since(from.seq) {
            let levels = match entry.kind {
                BookEntryKind::Delta { bids, asks, .. } => bids as usize + asks as usize,
                BookEntryKind::Status { .. } => 0,
            };
            count(
                &mut lag,
                entry.published,
                now,
                (levels * LEVEL_BYTES) as u64,
            );
        }
    }
    put_lag(instrument, &head, from, &lag, bench, writer);
    if conflates {
        write_net(instrument, key, from.seq, now, bench, writer);
    } else {
        write_whole_book(instrument, key, &head, bench, writer);
    }
    lag.kind
}

/// The latest state says it all: best bid and offer, status.
fn catch_up_latest(
    instrument: &mut Instrument,
    key: &StreamKey,
    from: Position,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) -> LagKind {
    let (epoch, seq) = instrument.position(key.channel, key.params);
    let place = Place {
        seq,
        ..instrument.book.place_of_last(now)
    };
    let head = instrument.identity.head(epoch, seq, &place);
    let from_seq = if from.epoch == epoch {
        from.seq
    } else {
        Seq::NONE
    };
    let mut lag = Lag {
        channel: key.channel,
        kind: LagKind::Conflated,
        from_seq,
        to_seq: seq,
        messages: 0,
        bytes: 0,
        age: 0,
    };
    if key.channel == Channel::Bbo {
        count_log(
            &instrument.book.bbo.log,
            from_seq,
            usize::MAX,
            now,
            &mut lag,
        );
    }
    put_lag(instrument, &head, from, &lag, bench, writer);
    bench.sbe.clear();
    let head = Head {
        prev_seq: from_seq,
        ..head
    };
    if key.channel == Channel::Bbo {
        sbe::bbo(&mut bench.sbe, &head, &instrument.book.bbo.last);
        writer.put(instrument, &bench.sbe, seq);
        write_broken(instrument, key, &head, bench, writer);
    } else {
        let status = wire::Status {
            channel: Channel::Status,
            state: instrument.status.state,
            reason: instrument.status.reason,
        };
        sbe::status(&mut bench.sbe, &head, &status);
        writer.put(instrument, &bench.sbe, seq);
    }
    LagKind::Conflated
}

/// Trades have no net change: the latest are given one by one, the others are skipped and told.
fn catch_up_trades(
    instrument: &mut Instrument,
    from: Position,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) -> LagKind {
    let (epoch, seq) = (instrument.trades.epoch, instrument.trades.last_seq);
    let log = &mut instrument.trades.log;
    let known = from.epoch == epoch && log.holds_since(from.seq);
    let missed = if known { log.index_after(from.seq) } else { 0 };
    let mut first = missed;
    while log.bytes_from(first) > TRADES_KEPT {
        first += 1;
    }
    let skips = !known || first > missed;
    if skips {
        let to_seq = log.prev_seq(first).unwrap_or(seq);
        let mut lag = Lag {
            channel: Channel::Trades,
            kind: LagKind::Skipped,
            from_seq: if from.epoch == epoch {
                from.seq
            } else {
                Seq::NONE
            },
            to_seq,
            messages: 0,
            bytes: 0,
            age: 0,
        };
        count_log(log, lag.from_seq, first, now, &mut lag);
        let place = Place::of_node(seq, now);
        let head = instrument.identity.head(epoch, seq, &place);
        put_lag(instrument, &head, from, &lag, bench, writer);
    }
    let Instrument {
        identity, trades, ..
    } = instrument;
    trades.log.for_each_from(first, |message, seq| {
        writer.out.encode(
            &mut writer.run,
            writer.encoding,
            identity.text(),
            message,
            seq,
        );
    });
    if skips {
        LagKind::Skipped
    } else {
        LagKind::Conflated
    }
}

/// Puts a `Lag`: it stands where its receiver does and moves nothing.
fn put_lag(
    instrument: &Instrument,
    head: &Head,
    from: Position,
    lag: &Lag,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) {
    let head = Head {
        epoch: from.epoch,
        prev_seq: from.seq,
        seq: from.seq,
        event_time: None,
        ..*head
    };
    bench.sbe.clear();
    sbe::lag(&mut bench.sbe, &head, lag);
    // When skipped, its receiver knows that it will never have what is before `to_seq`.
    let has = if lag.kind == LagKind::Skipped {
        lag.to_seq
    } else {
        from.seq
    };
    writer.put(instrument, &bench.sbe, has);
}

fn count_log(log: &crate::MessageLog, from: Seq, end: usize, now: Nanos, lag: &mut Lag) {
    for index in log.index_after(from)..end.min(log.len()) {
        if let Some(published) = log.published(index) {
            count(lag, published, now, 0);
        }
    }
    let all = log.bytes_from(log.index_after(from));
    lag.bytes = all.saturating_sub(log.bytes_from(end)) as u64;
}

fn count(lag: &mut Lag, published: Nanos, now: Nanos, bytes: u64) {
    lag.messages = lag.messages.saturating_add(1);
    lag.bytes += bytes;
    lag.age = lag.age.max(now.since(published));
}
