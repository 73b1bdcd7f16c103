//! Random messages.

use market::{
    Aggressor, Bbo, Channel, Epoch, Exponents, InstrumentId, Level, Nanos, Price, Reason, Seq,
    Size, State,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use wire::{
    Bar, GoAway, GoAwayReason, Head, Lag, LagKind, OwnedBody, OwnedInstrument, OwnedMessage,
    OwnedTrade, ReplayComplete, Status, Ticker, View,
};

const AGGRESSORS: [Aggressor; 3] = [Aggressor::Unknown, Aggressor::Buy, Aggressor::Sell];

pub(crate) fn message() -> impl Strategy<Value = OwnedMessage> {
    (head(), body()).prop_map(|(head, body)| OwnedMessage { head, body })
}

fn head() -> impl Strategy<Value = Head> {
    let times = (option::of(0..u64::MAX), any::<u64>(), any::<u64>());
    (
        any::<u64>(),
        any::<(u32, u32)>(),
        any::<(i64, i64)>(),
        times,
    )
        .prop_map(
            |(instrument, (epoch, view), (prev_seq, seq), (event, log, publish))| Head {
                instrument: InstrumentId(instrument),
                epoch: Epoch(epoch),
                view: View(view),
                prev_seq: Seq(prev_seq),
                seq: Seq(seq),
                event_time: event.map(Nanos),
                log_time: Nanos(log),
                publish_time: Nanos(publish),
            },
        )
}

fn body() -> impl Strategy<Value = OwnedBody> {
    prop_oneof![
        instrument().prop_map(OwnedBody::Instrument),
        (any::<(u32, u16, u16)>(), levels(), levels()).prop_map(
            |((checksum, chunk, chunks), bids, asks)| {
                OwnedBody::BookSnapshot {
                    checksum,
                    chunk,
                    chunks,
                    bids,
                    asks,
                }
            }
        ),
        (any::<u32>(), levels(), levels()).prop_map(|(checksum, bids, asks)| {
            OwnedBody::BookDelta {
                checksum,
                bids,
                asks,
            }
        }),
        (side(), side()).prop_map(|(bid, ask)| OwnedBody::Bbo(Bbo { bid, ask })),
        vec(trade(), 0..20).prop_map(OwnedBody::Trades),
        ticker().prop_map(OwnedBody::Ticker),
        bar().prop_map(OwnedBody::Bar),
        (
            select(&Channel::ALL),
            select(&State::ALL),
            select(&Reason::ALL)
        )
            .prop_map(|(channel, state, reason)| OwnedBody::Status(Status {
                channel,
                state,
                reason
            })),
        select(&Channel::ALL).prop_map(OwnedBody::Heartbeat),
        lag().prop_map(OwnedBody::Lag),
        (select(&Channel::ALL), any::<u64>()).prop_map(|(channel, messages)| {
            OwnedBody::ReplayComplete(ReplayComplete { channel, messages })
        }),
        (select(&GoAwayReason::ALL), any::<(u32, u32)>()).prop_map(
            |(reason, (delay, close_after))| {
                OwnedBody::GoAway(GoAway {
                    reason,
                    delay,
                    close_after,
                })
            }
        ),
    ]
}

fn instrument() -> impl Strategy<Value = OwnedInstrument> {
    let texts = ("\\PC{0,60}", ".{0,60}");
    (
        any::<(i8, i8)>(),
        select(&State::ALL),
        mantissa(),
        mantissa(),
        texts,
    )
        .prop_map(
            |((price, size), state, tick_size, lot_size, (venue, symbol))| OwnedInstrument {
                exponents: Exponents { price, size },
                state,
                tick_size: tick_size.map(Price),
                lot_size: lot_size.map(Size),
                venue,
                symbol,
            },
        )
}

fn levels() -> impl Strategy<Value = Vec<Level>> {
    vec(level(), 0..40)
}

fn level() -> impl Strategy<Value = Level> {
    any::<(i64, i64)>().prop_map(|(price, size)| Level::new(price, size))
}

/// A mantissa of an optional field, whose null is the least `i64`.
fn mantissa() -> impl Strategy<Value = Option<i64>> {
    option::of(i64::MIN + 1..=i64::MAX)
}

fn side() -> impl Strategy<Value = Option<Level>> {
    let mantissas = || i64::MIN + 1..=i64::MAX;
    option::of((mantissas(), mantissas()).prop_map(|(price, size)| Level::new(price, size)))
}

fn trade() -> impl Strategy<Value = OwnedTrade> {
    (level(), select(&AGGRESSORS), ".{0,60}").prop_map(|(level, side, id)| OwnedTrade {
        price: level.price,
        size: level.size,
        side,
        id,
    })
}

fn ticker() -> impl Strategy<Value = Ticker> {
    let price = || mantissa().prop_map(|value| value.map(Price));
    let size = mantissa().prop_map(|value| value.map(Size));
    (
        price(),
        price(),
        price(),
        price(),
        size,
        price(),
        price(),
        any::<u32>(),
    )
        .prop_map(
            |(open, high, low, last, volume, vwap, change, trades)| Ticker {
                open,
                high,
                low,
                last,
                volume,
                vwap,
                change,
                trades,
            },
        )
}

fn bar() -> impl Strategy<Value = Bar> {
    (any::<(u32, u64, u32, bool)>(), any::<[i64; 5]>()).prop_map(
        |((interval, open_time, trades, closed), [open, high, low, close, volume])| Bar {
            interval,
            open_time: Nanos(open_time),
            open: Price(open),
            high: Price(high),
            low: Price(low),
            close: Price(close),
            volume: Size(volume),
            trades,
            closed,
        },
    )
}

fn lag() -> impl Strategy<Value = Lag> {
    (
        select(&Channel::ALL),
        select(&LagKind::ALL),
        any::<(i64, i64, u32, u64, u64)>(),
    )
        .prop_map(
            |(channel, kind, (from_seq, to_seq, messages, bytes, age))| Lag {
                channel,
                kind,
                from_seq: Seq(from_seq),
                to_seq: Seq(to_seq),
                messages,
                bytes,
                age,
            },
        )
}
