//! What leads a client from its position to the stream's last message.

use std::ops::ControlFlow;

use market::{Changes, Channel, Epoch, Nanos, Position, Seq};
use wire::{Head, Speed, Status, View, sbe};

use super::book_messages::write_delta;
use super::identity::Identity;
use super::instrument::Instrument;
use super::resume_failure::ResumeFailure;
use super::room::Room;
use super::shared::Scratch;
use super::start::{broken, restate, write_bars};
use super::writer::Writer;
use crate::book_log::{BookEntry, BookEntryKind};
use crate::{MessageLog, StreamKey};

/// The work of sorting a change, in levels that are read.
const SORTED: usize = 3;

/// Writes exactly what follows `from`, as far as there is room: message by message for a full raw
/// stream, else as the net change of its view. Returns the last sequence number written if there is
/// more.
#[expect(
    clippy::too_many_lines,
    reason = "one decision: which of the few ways leads from a position to the last message"
)]
pub(super) fn write_missed(
    instrument: &Instrument,
    (key, from): (&StreamKey, Position),
    room: Room,
    now: Nanos,
    scratch: &mut Scratch,
    writer: &mut Writer<'_>,
) -> Result<Option<Seq>, ResumeFailure> {
    let (epoch, last) = instrument.last(key.channel, key.params);
    if from.epoch != epoch {
        return Err(ResumeFailure::EpochChanged);
    }
    let feed = &instrument.book;
    match key.channel {
        Channel::Book | Channel::Bbo if !feed.log.has_snapshot() => {
            return Err(ResumeFailure::NoState);
        }
        Channel::Status => {
            // A state may change by time alone, so the current one is sent whatever the client has.
            if from.seq > last.seq {
                return Err(ResumeFailure::LogExceeded);
            }
            let head = writer
                .identity()
                .head(epoch, from.seq, &last.published_at(now));
            writer.put(&head, |sbe| instrument.status.write(&head, sbe));
            return Ok(None);
        }
        _ => {}
    }
    if from.seq > last.seq && key.channel == Channel::Book && key.params.speed != Speed::Raw {
        // The next message of such a stream follows on its last one, not on a position in between.
        return Err(ResumeFailure::AheadOfLog);
    }
    if from.seq >= last.seq {
        // A client that is ahead of this node was sent the same log by another. It skips what it
        // gets again, by the one rule.
        return Ok(None);
    }
    let head = Head {
        view: View::from(key.params),
        ..writer
            .identity()
            .head(epoch, from.seq, &last.published_at(now))
    };
    if key.channel == Channel::Bars && !instrument.trades.bars.holds_since(key.params, from.seq) {
        return Err(ResumeFailure::LogExceeded);
    }
    let is_later = room == Room::None;
    // If every message is complete in itself, the latest suffices whatever the client has.
    let latest = match (key.channel, feed.bbo.views.get(key.params)) {
        (Channel::Bbo, Some(view)) => {
            writer.put(&head, |sbe| sbe::bbo(sbe, &head, &view.sent));
            true
        }
        (Channel::Ticker, _) => {
            let (sent, _) = instrument.trades.ticker.sent(key.params);
            writer.put(&head, |sbe| sbe::ticker(sbe, &head, &sent));
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
            // The best bid and offer has not changed at messages of the book that it has none for.
            let is_known = feed.bbo.log.has(from.seq) || feed.log.leads_from(from.seq);
            is_known && feed.bbo.log.holds_since(from.seq)
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
                .replay(from.seq, &mut scratch.changes, |entry, changes| {
                    let seq = entry.stamp.seq;
                    writer.put_part(seq, |sbe| {
                        write_entry(identity, epoch, entry, changes, sbe);
                    });
                    go_on(seq, room, writer, &mut upto)
                });
        }
        Channel::Book => write_net(instrument, key, from.seq, now, scratch, writer),
        Channel::Bbo => upto = write_messages(&feed.bbo.log, from.seq, room, writer),
        _ => upto = write_messages(&instrument.trades.log, from.seq, room, writer),
    }
    // What ends with the stream's last message is complete.
    Ok(upto.filter(|seq| *seq < last.seq))
}

/// Continues if there is room after the message of `seq`, which is noted as the last one otherwise.
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
    let head = identity.head(epoch, entry.prev_seq, &entry.stamp);
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

/// Writes the net change of a book stream after `from` as one delta, and its status if it cannot be
/// trusted.
pub(super) fn write_net(
    instrument: &Instrument,
    key: &StreamKey,
    from: Seq,
    now: Nanos,
    scratch: &mut Scratch,
    writer: &mut Writer<'_>,
) {
    let (epoch, last) = instrument.last(key.channel, key.params);
    let head = Head {
        view: View::from(key.params),
        ..writer.identity().head(epoch, from, &last.published_at(now))
    };
    let checksum = net_change(instrument, key, from, scratch, writer);
    // A view is compared with its earlier state; the full raw stream takes the log's changes alone.
    writer.has_read(if key.params.view() == View::FULL_RAW {
        scratch.visible.len()
    } else {
        instrument.book.book().len()
    });
    writer.put(&head, |sbe| {
        write_delta(sbe, &head, checksum, &scratch.visible);
    });
    restate(
        broken(instrument, Channel::Book),
        Channel::Book,
        &head,
        writer,
    );
}

/// Computes the net change of a book stream after `from` into `scratch.visible`. Returns the
/// stream's checksum.
pub(super) fn net_change(
    instrument: &Instrument,
    key: &StreamKey,
    from: Seq,
    scratch: &mut Scratch,
    writer: &mut Writer<'_>,
) -> u32 {
    let feed = &instrument.book;
    let view = feed.views.iter().find(|view| view.params == key.params);
    let Some(view) = view else {
        writer.has_read(SORTED * feed.log.net_since(from, &mut scratch.visible));
        return feed.book().checksum();
    };
    writer.has_read(SORTED * feed.log.net_since(from, &mut scratch.changes));
    view.net_change_since(feed.book(), &scratch.changes, &mut scratch.visible)
}
