//! What leads a subscriber from where it stands to its stream's last message.

use std::ops::ControlFlow;

use market::{Changes, Channel, Epoch, Nanos, Position, Seq};
use wire::{Head, Speed, Status, View, sbe};

use super::book_messages::write_delta;
use super::desk::Bench;
use super::identity::Identity;
use super::instrument::Instrument;
use super::start::{broken, restate, write_bars};
use super::writer::Writer;
use super::{ResumeFailure, Room};
use crate::book_log::{BookEntry, BookEntryKind};
use crate::{MessageLog, StreamKey};

/// What sorting a change costs, in levels that are read.
const SORTED: usize = 3;

/// Writes exactly what follows `from`, as far as there is room: message by message where the stream
/// is full and raw, else as the net change of its view. Returns where it ended, if there is more.
pub(super) fn write_missed(
    instrument: &Instrument,
    (key, from): (&StreamKey, Position),
    room: Room,
    now: Nanos,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) -> Result<Option<Seq>, ResumeFailure> {
    let (epoch, last) = instrument.place(key.channel, key.params);
    if from.epoch != epoch {
        return Err(ResumeFailure::EpochChanged);
    }
    let feed = &instrument.book;
    match key.channel {
        Channel::Book | Channel::Bbo if feed.log.is_unfounded() => {
            return Err(ResumeFailure::NoState);
        }
        Channel::Status => {
            // A state may change by time alone, so that of now is told wherever one stands.
            if from.seq > last.seq {
                return Err(ResumeFailure::LogExceeded);
            }
            let head = writer.identity().head(epoch, from.seq, &last.told_at(now));
            writer.put(&head, |sbe| instrument.status.write(&head, sbe));
            return Ok(None);
        }
        _ => {}
    }
    if from.seq > last.seq && key.channel == Channel::Book && key.params.speed != Speed::Raw {
        // What such a stream says next leads on from its last message, and not from between.
        return Err(ResumeFailure::AheadOfLog);
    }
    if from.seq >= last.seq {
        // A client that is ahead of this node has read the same log elsewhere: what it has
        // already comes again and is passed over by the one rule.
        return Ok(None);
    }
    let head = Head {
        view: View::from(key.params),
        ..writer.identity().head(epoch, from.seq, &last.told_at(now))
    };
    if key.channel == Channel::Bars && !instrument.trades.bars.holds_since(key.params, from.seq) {
        return Err(ResumeFailure::LogExceeded);
    }
    let is_later = room == Room::None;
    // Where every message is whole in itself, the latest says it all, wherever one stands.
    let latest = match (key.channel, feed.bbo.views.get(key.params)) {
        (Channel::Bbo, Some(view)) => {
            writer.put(&head, |sbe| sbe::bbo(sbe, &head, &view.told));
            true
        }
        (Channel::Ticker, _) => {
            let (told, _) = instrument.trades.ticker.told(key.params);
            writer.put(&head, |sbe| sbe::ticker(sbe, &head, &told));
            true
        }
        (Channel::Bars, _) if is_later => return Ok(Some(from.seq)),
        (Channel::Bars, _) => {
            write_bars(instrument, key, from.seq, &head, writer);
            true
        }
        _ => false,
    };
    if latest {
        restate(broken(instrument, key.channel), key.channel, &head, writer);
        return Ok(None);
    }
    let leads = match key.channel {
        Channel::Book => feed.log.leads_from(from.seq),
        Channel::Bbo => {
            // A place of the book is one of its best bid and offer too, where that was silent.
            let is_place = feed.bbo.log.is_place(from.seq) || feed.log.leads_from(from.seq);
            is_place && feed.bbo.log.holds_since(from.seq)
        }
        _ => instrument.trades.log.holds_since(from.seq),
    };
    if !leads {
        return Err(ResumeFailure::LogExceeded);
    }
    if is_later {
        return Ok(Some(from.seq));
    }
    let mut upto = None;
    match key.channel {
        Channel::Book if key.params.view() == View::FULL_RAW => {
            let identity = writer.identity();
            feed.log
                .replay(from.seq, &mut bench.changes, |entry, changes| {
                    let seq = entry.place.seq;
                    writer.put_part(seq, |sbe| {
                        write_entry(identity, epoch, entry, changes, sbe);
                    });
                    go_on(seq, room, writer, &mut upto)
                });
        }
        Channel::Book => write_net(instrument, key, from.seq, now, bench, writer),
        Channel::Bbo => upto = write_messages(&feed.bbo.log, from.seq, room, writer),
        _ => upto = write_messages(&instrument.trades.log, from.seq, room, writer),
    }
    // What ends with the stream's last message is all.
    Ok(upto.filter(|seq| *seq < last.seq))
}

/// Whether there is room for the next message after that of `seq`, where it ends otherwise.
fn go_on(seq: Seq, room: Room, writer: &Writer<'_>, upto: &mut Option<Seq>) -> ControlFlow<()> {
    if room.is_left(writer.len()) {
        return ControlFlow::Continue(());
    }
    *upto = Some(seq);
    ControlFlow::Break(())
}

fn write_messages(log: &MessageLog, from: Seq, room: Room, writer: &mut Writer<'_>) -> Option<Seq> {
    let mut upto = None;
    log.while_each(log.index_after(from)..log.len(), |message, seq| {
        writer.put_again(message, seq);
        go_on(seq, room, writer, &mut upto)
    });
    upto
}

/// Encodes a logged message as it was published.
fn write_entry(
    identity: &Identity,
    epoch: Epoch,
    entry: &BookEntry,
    changes: &Changes,
    sbe: &mut Vec<u8>,
) {
    let head = identity.head(epoch, entry.prev_seq, &entry.place);
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
    let (epoch, last) = instrument.place(key.channel, key.params);
    let head = Head {
        view: View::from(key.params),
        ..writer.identity().head(epoch, from, &last.told_at(now))
    };
    let checksum = net_change(instrument, key, from, bench, writer);
    // A view is compared with what it was; the full raw one only tells the log's changes.
    writer.has_read(if key.params.view() == View::FULL_RAW {
        bench.seen.len()
    } else {
        instrument.book.book().len()
    });
    writer.put(&head, |sbe| write_delta(sbe, &head, checksum, &bench.seen));
    restate(
        broken(instrument, Channel::Book),
        Channel::Book,
        &head,
        writer,
    );
}

/// Puts the net change of a book stream over (`from`, its last message] into `bench.seen`;
/// returns the stream's checksum.
pub(super) fn net_change(
    instrument: &Instrument,
    key: &StreamKey,
    from: Seq,
    bench: &mut Bench,
    writer: &mut Writer<'_>,
) -> u32 {
    let feed = &instrument.book;
    let view = feed.views.iter().find(|view| view.params == key.params);
    let Some(view) = view else {
        writer.has_read(SORTED * feed.log.net_since(from, &mut bench.seen));
        return feed.book().checksum();
    };
    writer.has_read(SORTED * feed.log.net_since(from, &mut bench.changes));
    view.change_since(feed.book(), &bench.changes, &mut bench.seen)
}
