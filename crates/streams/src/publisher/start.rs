//! What a client without any state starts with.

use std::borrow::Cow;

use market::{Channel, Level, Nanos, Reason, Seq, Side, State, checksum};
use wire::{Head, Status, View, sbe};

use super::book_messages::write_snapshot;
use super::instrument::Instrument;
use super::writer::Writer;
use crate::StreamKey;
use crate::grouped::group;
use crate::view::step;

/// Writes the instrument's identity and the state of its stream.
pub(super) fn write_start(
    instrument: &Instrument,
    key: &StreamKey,
    now: Nanos,
    writer: &mut Writer<'_>,
) {
    let (epoch, last) = instrument.last(key.channel, key.params);
    let identity = writer.identity();
    let stamp = last.published_at(now);
    let head = Head {
        view: View::from(key.params),
        ..identity.head(epoch, last.seq, &stamp)
    };
    writer.put(&head, |sbe| {
        identity.write(&head, instrument.status.state, sbe);
    });
    // The state is complete in itself, so it follows on whatever the client has.
    let head = Head {
        prev_seq: Seq::NONE,
        ..head
    };
    match key.channel {
        Channel::Book => write_whole_book(instrument, key, &head, writer),
        Channel::Bbo => writer.put(&head, |sbe| {
            let feed = &instrument.book.bbo;
            let sent = feed
                .views
                .get(key.params)
                .map_or(feed.bbo, |view| view.sent);
            sbe::bbo(sbe, &head, &sent);
        }),
        // Trades have no state but the stream's position, from which a client resumes if it loses
        // its node before the next trade.
        Channel::Trades => {
            let head = Head {
                prev_seq: head.seq,
                ..head
            };
            writer.put(&head, |sbe| sbe::heartbeat(sbe, &head, key.channel));
        }
        Channel::Ticker => {
            let (sent, _) = instrument.trades.ticker.sent(key.params);
            writer.put(&head, |sbe| sbe::ticker(sbe, &head, &sent));
        }
        Channel::Bars => write_bars(instrument, key, Seq::NONE, &head, writer),
        Channel::Status => writer.put(&head, |sbe| instrument.status.write(&head, sbe)),
    }
    restate(broken(instrument, key.channel), key.channel, &head, writer);
}

/// Writes a snapshot of a book stream. A view that is not open is computed from the current book.
pub(super) fn write_whole_book(
    instrument: &Instrument,
    key: &StreamKey,
    head: &Head,
    writer: &mut Writer<'_>,
) {
    let feed = &instrument.book;
    let view = feed.views.iter().find(|view| view.params == key.params);
    let depth = key.params.depth.levels();
    let step = step(key.params, instrument.exponents().price);
    if view.is_none() && (depth.is_some() || step.is_some()) {
        let shown = |side| -> Vec<Level> {
            let levels = feed.book().side(side).iter();
            let depth = depth.unwrap_or(usize::MAX);
            match step {
                Some(step) => group(side, step, levels).take(depth).collect(),
                None => levels.take(depth).collect(),
            }
        };
        let (bids, asks) = (shown(Side::Bid), shown(Side::Ask));
        writer.has_read(if step.is_some() {
            feed.book().len()
        } else {
            bids.len() + asks.len()
        });
        let put = |has: Seq, write: &dyn Fn(&mut Vec<u8>)| writer.put_part(has, write);
        let checksum = checksum::of_levels(Side::Bid, bids.iter().copied())
            .wrapping_add(checksum::of_levels(Side::Ask, asks.iter().copied()));
        let (bids, asks) = (bids.iter().copied(), asks.iter().copied());
        write_snapshot(head, checksum, bids, asks, put);
        return;
    }
    let book = view.map_or(Cow::Borrowed(feed.book()), |view| view.sent(feed.book()));
    let put = |has: Seq, write: &dyn Fn(&mut Vec<u8>)| writer.put_part(has, write);
    let (bids, asks) = (book.bids().iter(), book.asks().iter());
    write_snapshot(head, book.checksum(), bids, asks, put);
}

/// Writes the bars that were closed after `seq`, and the running one, which advances its receiver.
pub(super) fn write_bars(
    instrument: &Instrument,
    key: &StreamKey,
    seq: Seq,
    head: &Head,
    writer: &mut Writer<'_>,
) {
    for bar in instrument.trades.bars.since(key.params, seq) {
        let has = if bar.closed { head.prev_seq } else { head.seq };
        writer.put_part(has, |sbe| sbe::bar(sbe, head, &bar));
    }
}

/// The state and reason of a channel whose streams cannot be trusted now.
pub(super) const fn broken(instrument: &Instrument, channel: Channel) -> Option<(State, Reason)> {
    match channel {
        Channel::Book | Channel::Bbo => instrument.book.broken,
        Channel::Trades | Channel::Ticker | Channel::Bars => instrument.trades.broken,
        Channel::Status => None,
    }
}

/// Repeats to one client, which is at `head`, that its stream cannot be trusted.
pub(super) fn restate(
    broken: Option<(State, Reason)>,
    channel: Channel,
    head: &Head,
    writer: &mut Writer<'_>,
) {
    let Some((state, reason)) = broken else {
        return;
    };
    let status = Status {
        channel,
        state,
        reason,
    };
    let head = Head {
        prev_seq: head.seq,
        ..*head
    };
    writer.put(&head, |sbe| sbe::status(sbe, &head, &status));
}
