//! What a subscriber without any state begins with.

use std::borrow::Cow;

use market::{Channel, Level, Nanos, Reason, Seq, Side, State, checksum};
use wire::{Head, Status, View, sbe};

use super::book_messages::write_snapshot;
use super::instrument::Instrument;
use super::writer::Writer;
use crate::StreamKey;
use crate::grouped::group;
use crate::view::step;

/// Writes what the instrument is and how its stream stands.
pub(super) fn write_start(
    instrument: &Instrument,
    key: &StreamKey,
    now: Nanos,
    writer: &mut Writer<'_>,
) {
    let (epoch, last) = instrument.place(key.channel, key.params);
    let identity = writer.identity();
    let place = last.told_at(now);
    let head = Head {
        view: View::from(key.params),
        ..identity.head(epoch, last.seq, &place)
    };
    writer.put(&head, |sbe| {
        identity.write(&head, instrument.status.state, sbe);
    });
    // What is whole in itself follows on whatever its receiver has.
    let head = Head {
        prev_seq: Seq::NONE,
        ..head
    };
    match key.channel {
        Channel::Book => write_whole_book(instrument, key, &head, writer),
        Channel::Bbo => writer.put(&head, |sbe| {
            let feed = &instrument.book.bbo;
            let told = feed
                .views
                .get(key.params)
                .map_or(feed.bbo, |view| view.told);
            sbe::bbo(sbe, &head, &told);
        }),
        // Trades have no state: where the stream stands is all there is, and what a client that loses
        // its node before the next trade resumes behind.
        Channel::Trades => {
            let head = Head {
                prev_seq: head.seq,
                ..head
            };
            writer.put(&head, |sbe| sbe::heartbeat(sbe, &head, key.channel));
        }
        Channel::Ticker => {
            let (told, _) = instrument.trades.ticker.told(key.params);
            writer.put(&head, |sbe| sbe::ticker(sbe, &head, &told));
        }
        Channel::Bars => write_bars(instrument, key, Seq::NONE, &head, writer),
        Channel::Status => writer.put(&head, |sbe| instrument.status.write(&head, sbe)),
    }
    restate(broken(instrument, key.channel), key.channel, &head, writer);
}

/// Writes a stream's whole book. A view that nobody watches is written from the book as it stands.
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
    let book = view.map_or(Cow::Borrowed(feed.book()), |view| view.told(feed.book()));
    let put = |has: Seq, write: &dyn Fn(&mut Vec<u8>)| writer.put_part(has, write);
    let (bids, asks) = (book.bids().iter(), book.asks().iter());
    write_snapshot(head, book.checksum(), bids, asks, put);
}

/// Writes the bars that were closed behind `seq`, and the running one, which moves its receiver.
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

/// Whether and why a channel's streams are not to be trusted at the moment.
pub(super) const fn broken(instrument: &Instrument, channel: Channel) -> Option<(State, Reason)> {
    match channel {
        Channel::Book | Channel::Bbo => instrument.book.broken,
        Channel::Trades | Channel::Ticker | Channel::Bars => instrument.trades.broken,
        Channel::Status => None,
    }
}

/// Restates to one subscriber, who stands at `head`, that its stream is not to be trusted.
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
