use std::sync::Arc;

use market::{Changes, Channel, Exponents, Nanos, Position, Seq};
use wire::{Depth, Encoding, Head, Speed, Status, View, ViewParams, sbe};

use super::Publisher;
use super::book_feed::{write_delta, write_snapshot};
use super::instrument::Instrument;
use super::outbox::Outbox;
use super::place::{Bench, Place};
use crate::book_log::{BookEntry, BookEntryKind};
use crate::view::{BookView, window_change};
use crate::{Handle, Run, RunBuilder, StreamKey, WatchId};

/// What a new subscriber of a stream begins with.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The frames that lead it to `position`; none when it stands there already.
    pub run: Option<Arc<Run>>,
    /// Where the stream's next run follows on.
    pub position: Position,
    /// The stream's mark in its messages.
    pub view: View,
    /// The instrument's scale.
    pub exponents: Exponents,
    /// How it begins.
    pub start: Start,
}

/// How a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the whole state; why it could not resume, where it asked to.
    Snapshot(Option<ResumeFailure>),
    /// With exactly what it missed.
    Resumed,
}

/// Why a subscriber could not go on where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeFailure {
    /// Its sequence number is of another numbering.
    EpochChanged,
    /// What follows its sequence number is no longer held, or was never read here.
    LogExceeded,
    /// The instrument has had no right state here yet.
    NoState,
}

impl ResumeFailure {
    /// The name that clients are told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::LogExceeded => "log_exceeded",
            Self::NoState => "no_state",
        }
    }
}

/// Why a stream cannot be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This publisher has no such instrument.
    #[error("no such instrument")]
    UnknownInstrument,
    /// This channel is not made yet.
    #[error("channel {0} is not served")]
    Channel(&'static str),
    /// This speed is not made yet.
    #[error("speed {0} is not served")]
    Speed(&'static str),
    /// Grouping is not made yet.
    #[error("grouping is not served")]
    Group,
}

impl Publisher {
    /// Begins to make a stream in an encoding; [`Publisher::join`] then lets subscribers in.
    pub fn watch(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        now: Nanos,
    ) -> Result<WatchId, Refused> {
        check(&key)?;
        let handle = self
            .by_id
            .get(&key.instrument)
            .copied()
            .ok_or(Refused::UnknownInstrument)?;
        let instrument = &mut self.instruments[handle.0 as usize];
        let id = self.out.add(key, encoding, handle, now);
        match key.channel {
            Channel::Bbo => instrument.book.bbo.watches.push(id),
            Channel::Trades => instrument.trades.watches.push(id),
            Channel::Status => instrument.status.watches.push(id),
            _ if key.params.view() == View::FULL_RAW => instrument.book.full.push(id),
            _ => view_of(instrument, key.params).watches.push(id),
        }
        Ok(id)
    }

    /// Nobody watches the stream in this encoding any more.
    pub fn unwatch(&mut self, id: WatchId) {
        let Some(watch) = self.out.remove(id) else {
            return;
        };
        let instrument = &mut self.instruments[watch.handle.0 as usize];
        for list in [
            &mut instrument.book.full,
            &mut instrument.book.bbo.watches,
            &mut instrument.trades.watches,
            &mut instrument.status.watches,
        ] {
            list.retain(|other| *other != id);
        }
        for view in &mut instrument.book.views {
            view.watches.retain(|other| *other != id);
        }
        // A view that nobody watches costs nothing.
        instrument
            .book
            .views
            .retain(|view| !view.watches.is_empty());
    }

    /// Lets a subscriber into a watched stream, at once behind all that was flushed.
    pub fn join(&mut self, id: WatchId, resume: Option<Position>, now: Nanos) -> Option<Joined> {
        let watch = self.out.get(id)?;
        let (key, encoding, Handle(index)) = (watch.key, watch.encoding, watch.handle);
        let instrument = self.instruments.get_mut(index as usize)?;
        let (epoch, last_seq) = instrument.position(key.channel, key.params);
        let position = Position {
            epoch,
            seq: last_seq,
        };
        let mut joined = Joined {
            run: None,
            position,
            view: View::from(key.params),
            exponents: instrument.exponents(),
            start: Start::Resumed,
        };
        let mut writer = Writer {
            encoding,
            out: &mut self.out,
            run: RunBuilder::default(),
        };
        let failure = resume.and_then(|from| {
            resume_stream(
                instrument,
                &key,
                from,
                position,
                now,
                &mut self.bench,
                &mut writer,
            )
            .err()
        });
        if let (Some(from), None) = (resume, failure) {
            self.stats.resumed += 1;
            joined.position.seq = last_seq.max(from.seq);
            joined.run = writer.finish(now);
            return Some(joined);
        }
        self.stats.joined += 1;
        joined.start = Start::Snapshot(failure);
        let revision = instrument.revision();
        joined.run = self.out.cached_start(id, revision);
        if joined.run.is_none() {
            let mut writer = Writer {
                encoding,
                out: &mut self.out,
                run: RunBuilder::default(),
            };
            write_start(instrument, &key, now, &mut self.bench, &mut writer);
            joined.run = writer.finish(now);
            if let Some(run) = &joined.run {
                self.out.cache_start(id, revision, run);
            }
        }
        Some(joined)
    }
}

/// Encodes messages of one instrument into a run of their own.
pub(super) struct Writer<'a> {
    pub(super) encoding: Encoding,
    pub(super) out: &'a mut Outbox,
    pub(super) run: RunBuilder,
}

impl Writer<'_> {
    pub(super) fn put(&mut self, instrument: &Instrument, message: &[u8], seq: Seq) {
        let text = instrument.identity.text();
        self.out
            .encode(&mut self.run, self.encoding, text, message, seq);
    }

    pub(super) fn finish(mut self, now: Nanos) -> Option<Arc<Run>> {
        (!self.run.is_empty()).then(|| Arc::new(self.run.finish(now)))
    }
}

fn check(key: &StreamKey) -> Result<(), Refused> {
    match key.channel {
        Channel::Ticker | Channel::Bars => Err(Refused::Channel(key.channel.name())),
        _ if key.params.speed != Speed::Raw => Err(Refused::Speed(key.params.speed.name())),
        _ if key.params.group.is_some() => Err(Refused::Group),
        _ => Ok(()),
    }
}

fn view_of(instrument: &mut Instrument, params: ViewParams) -> &mut BookView {
    let book = &mut instrument.book;
    let index = book.views.iter().position(|view| view.params == params);
    let index = index.unwrap_or_else(|| {
        let view = BookView::new(params, book.builder.book(), book.last_seq);
        book.views.push(view);
        book.views.len() - 1
    });
    &mut book.views[index]
}

/// Writes what leads a subscriber from `from` to the stream's last message, message by message
/// where the stream is full and raw, else as the net change of its view.
fn resume_stream(
    instrument: &mut Instrument,
    key: &StreamKey,
    from: Position,
    last: Position,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) -> Result<(), ResumeFailure> {
    if from.epoch != last.epoch {
        return Err(ResumeFailure::EpochChanged);
    }
    if from.seq >= last.seq {
        // A client that is ahead of this node has read the same log elsewhere: what it has
        // already comes again and is passed over by the one rule.
        return Ok(());
    }
    match key.channel {
        Channel::Trades => resume_messages(instrument, Channel::Trades, from.seq, writer),
        Channel::Bbo => resume_messages(instrument, Channel::Bbo, from.seq, writer),
        Channel::Book if key.params.depth == Depth::Full => {
            founded(instrument)?;
            if !instrument.book.log.holds_since(from.seq) {
                return Err(ResumeFailure::LogExceeded);
            }
            let book = &instrument.book;
            let mut changes = std::mem::take(&mut bench.changes);
            book.log.replay(from.seq, &mut changes, |entry, changes| {
                bench.sbe.clear();
                write_entry(instrument, entry, changes, &mut bench.sbe);
                writer.put(instrument, &bench.sbe, entry.seq);
            });
            bench.changes = changes;
            Ok(())
        }
        Channel::Book => {
            founded(instrument)?;
            if !instrument.book.log.holds_since(from.seq) {
                return Err(ResumeFailure::LogExceeded);
            }
            write_net(instrument, key, from.seq, now, bench, writer);
            Ok(())
        }
        Channel::Status | Channel::Ticker | Channel::Bars => {
            write_status(instrument, key, now, bench, writer);
            Ok(())
        }
    }
}

const fn founded(instrument: &Instrument) -> Result<(), ResumeFailure> {
    if instrument.book.log.is_unfounded() {
        return Err(ResumeFailure::NoState);
    }
    Ok(())
}

fn resume_messages(
    instrument: &mut Instrument,
    channel: Channel,
    from: Seq,
    writer: &mut Writer<'_>,
) -> Result<(), ResumeFailure> {
    let Instrument {
        identity,
        book,
        trades,
        ..
    } = instrument;
    let log = match channel {
        Channel::Trades => &mut trades.log,
        _ => &mut book.bbo.log,
    };
    if !log.holds_since(from) {
        return Err(ResumeFailure::LogExceeded);
    }
    let index = log.index_after(from);
    log.for_each_from(index, |message, seq| {
        writer.out.encode(
            &mut writer.run,
            writer.encoding,
            identity.text(),
            message,
            seq,
        );
    });
    Ok(())
}

/// Encodes a logged message as it was published.
fn write_entry(instrument: &Instrument, entry: &BookEntry, changes: &Changes, sbe: &mut Vec<u8>) {
    let place = Place {
        seq: entry.seq,
        event_time: entry.event_time,
        log_time: entry.log_time,
        now: entry.published,
    };
    let head = instrument
        .identity
        .head(instrument.book.epoch, entry.prev_seq, &place);
    match entry.kind {
        BookEntryKind::Delta { checksum, .. } => write_delta(sbe, &head, checksum, changes),
        BookEntryKind::Status { state, reason } => {
            let status = Status {
                channel: Channel::Book,
                state,
                reason,
            };
            sbe::status(sbe, &head, &status);
        }
    }
}

/// Writes the net change of a book stream over (`from`, its last message] as one delta, and its
/// state where that is not to be trusted.
pub(super) fn write_net(
    instrument: &Instrument,
    key: &StreamKey,
    from: Seq,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) {
    let book = &instrument.book;
    let (epoch, seq) = instrument.position(key.channel, key.params);
    let place = Place {
        seq,
        ..book.place_of_last(now)
    };
    let head = Head {
        view: View::from(key.params),
        ..instrument.identity.head(epoch, from, &place)
    };
    let checksum = net_change(instrument, key, from, bench);
    bench.sbe.clear();
    write_delta(&mut bench.sbe, &head, checksum, &bench.seen);
    writer.put(instrument, &bench.sbe, seq);
    write_broken(instrument, key, &head, bench, writer);
}

/// Puts the net change of a book stream over (`from`, its last message] into `bench.seen`;
/// returns the stream's checksum.
pub(super) fn net_change(
    instrument: &Instrument,
    key: &StreamKey,
    from: Seq,
    bench: &mut Bench,
) -> u32 {
    let book = &instrument.book;
    let now = book.builder.book();
    let view = book.views.iter().find(|view| view.params == key.params);
    let Some(view) = view else {
        book.log.net_since(from, &mut bench.seen);
        return now.checksum();
    };
    book.log.net_since(from, &mut bench.changes);
    bench.seen.clear();
    for side in market::Side::BOTH {
        let net = bench.changes.side(side);
        window_change(now.side(side), view.depth(), net, bench.seen.side_mut(side));
    }
    view.checksum()
}

/// Writes what a subscriber without any state begins with.
pub(super) fn write_start(
    instrument: &Instrument,
    key: &StreamKey,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) {
    let (epoch, seq) = instrument.position(key.channel, key.params);
    let place = Place {
        seq,
        ..instrument.book.place_of_last(now)
    };
    let head = Head {
        view: View::from(key.params),
        ..instrument.identity.head(epoch, seq, &place)
    };
    bench.sbe.clear();
    instrument.write_instrument(&head, &mut bench.sbe);
    writer.put(instrument, &bench.sbe, seq);
    match key.channel {
        Channel::Book => write_whole_book(instrument, key, &head, bench, writer),
        Channel::Bbo => {
            bench.sbe.clear();
            sbe::bbo(&mut bench.sbe, &head, &instrument.book.bbo.last);
            writer.put(instrument, &bench.sbe, seq);
            write_broken(instrument, key, &head, bench, writer);
        }
        Channel::Trades => write_broken(instrument, key, &head, bench, writer),
        Channel::Status | Channel::Ticker | Channel::Bars => {
            write_status(instrument, key, now, bench, writer);
        }
    }
}

/// Writes a stream's whole book, and its state where that is not to be trusted.
pub(super) fn write_whole_book(
    instrument: &Instrument,
    key: &StreamKey,
    head: &Head,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) {
    let book = &instrument.book;
    let view = book.views.iter().find(|view| view.params == key.params);
    bench.bids.clear();
    bench.asks.clear();
    let checksum = if let Some(view) = view {
        bench.bids.extend_from_slice(view.bids());
        bench.asks.extend_from_slice(view.asks());
        view.checksum()
    } else {
        let whole = book.builder.book();
        bench.bids.extend(whole.bids().iter());
        bench.asks.extend(whole.asks().iter());
        whole.checksum()
    };
    write_snapshot(
        head,
        checksum,
        &bench.bids,
        &bench.asks,
        &mut bench.sbe,
        |message, seq| {
            writer.put(instrument, message, seq);
        },
    );
    write_broken(instrument, key, head, bench, writer);
}

/// Restates to one subscriber that its stream is not to be trusted at the moment.
pub(super) fn write_broken(
    instrument: &Instrument,
    key: &StreamKey,
    head: &Head,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) {
    let broken = match key.channel {
        Channel::Trades => instrument.trades.broken,
        _ => instrument.book.broken,
    };
    let Some((state, reason)) = broken else {
        return;
    };
    let status = Status {
        channel: key.channel,
        state,
        reason,
    };
    bench.sbe.clear();
    let head = Head {
        prev_seq: head.seq,
        ..*head
    };
    sbe::status(&mut bench.sbe, &head, &status);
    writer.put(instrument, &bench.sbe, head.seq);
}

fn write_status(
    instrument: &Instrument,
    key: &StreamKey,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) {
    let (epoch, seq) = instrument.position(key.channel, key.params);
    let place = Place {
        seq,
        ..instrument.book.place_of_last(now)
    };
    let status = Status {
        channel: Channel::Status,
        state: instrument.status.state,
        reason: instrument.status.reason,
    };
    bench.sbe.clear();
    sbe::status(
        &mut bench.sbe,
        &instrument.identity.head(epoch, seq, &place),
        &status,
    );
    writer.put(instrument, &bench.sbe, seq);
}
