//! One or more messages of every kind, with the values at which encodings break: nulls, empty and
//! full groups, extremes, texts of every length class.

#![allow(dead_code, reason = "every test takes its part")]

use market::{
    Aggressor, Bbo, Channel, Epoch, Exponents, InstrumentId, Level, Nanos, Price, Reason, Seq,
    Side, Size, State,
};
use wire::{
    Bar, GoAway, GoAwayReason, Head, Lag, LagKind, OwnedBody, OwnedInstrument, OwnedMessage,
    OwnedTrade, ReplayComplete, Status, Ticker, View,
};

pub(crate) fn usual_head() -> Head {
    Head {
        instrument: InstrumentId(0x001f_ffff_ffff_ffff),
        epoch: Epoch(0x9e37_79b9),
        view: View(5 << 28 | 2 << 25),
        prev_seq: Seq(1_000_000),
        seq: Seq(1_000_007),
        event_time: Some(Nanos(1_723_075_200_123_456_789)),
        log_time: Nanos(1_723_075_200_125_000_000),
        publish_time: Nanos(1_723_075_200_125_678_901),
    }
}

/// The head of a stream's first message, of a venue that tells no time.
pub(crate) fn first_head() -> Head {
    Head {
        instrument: InstrumentId(1),
        epoch: Epoch(0),
        view: View::FULL_RAW,
        prev_seq: Seq::NONE,
        seq: Seq(0),
        event_time: None,
        log_time: Nanos(0),
        publish_time: Nanos(0),
    }
}

pub(crate) fn extreme_head() -> Head {
    Head {
        instrument: InstrumentId(u64::MAX),
        epoch: Epoch(u32::MAX),
        view: View(u32::MAX),
        prev_seq: Seq(i64::MIN),
        seq: Seq(i64::MAX),
        event_time: Some(Nanos(u64::MAX - 1)),
        log_time: Nanos(u64::MAX),
        publish_time: Nanos(u64::MAX),
    }
}

/// One message of every kind with everyday values; docs/protocol.md shows them.
pub(crate) fn everyday() -> Vec<OwnedMessage> {
    let instrument = InstrumentId::of("BINANCE:BTC-USDT");
    let stream = Head {
        instrument,
        epoch: Epoch(2_654_435_769),
        view: View::FULL_RAW,
        prev_seq: Seq(1041),
        seq: Seq(1042),
        event_time: Some(Nanos(1_723_075_200_123_000_000)),
        log_time: Nanos(1_723_075_200_125_000_000),
        publish_time: Nanos(1_723_075_200_125_678_901),
    };
    let here = Head {
        prev_seq: Seq(1042),
        event_time: None,
        ..stream
    };
    let best_bid = Level::new(6_173_763_000_000, 150_000_000);
    let best_ask = Level::new(6_173_764_000_000, 1_000_000);
    let gone = Level::new(6_173_760_000_000, 0);
    let price = |mantissa| Some(Price(mantissa));
    let bodies = [
        (
            here,
            OwnedBody::Instrument(OwnedInstrument {
                exponents: Exponents::default(),
                state: State::Live,
                tick_size: price(1_000_000),
                lot_size: Some(Size(1_000)),
                venue: "BINANCE".to_owned(),
                symbol: "BTC-USDT".to_owned(),
            }),
        ),
        (
            Head {
                prev_seq: Seq::NONE,
                ..here
            },
            OwnedBody::BookSnapshot {
                checksum: checksum(&[best_bid], &[best_ask]),
                chunk: 0,
                chunks: 1,
                bids: vec![best_bid],
                asks: vec![best_ask],
            },
        ),
        (
            stream,
            OwnedBody::BookDelta {
                checksum: checksum(&[best_bid], &[best_ask]),
                bids: vec![best_bid, gone],
                asks: vec![],
            },
        ),
        (
            stream,
            OwnedBody::Bbo(Bbo {
                bid: Some(best_bid),
                ask: Some(best_ask),
            }),
        ),
        (
            stream,
            OwnedBody::Trades(vec![OwnedTrade {
                price: best_ask.price,
                size: Size(250_000),
                side: Aggressor::Buy,
                id: "3700123456".to_owned(),
            }]),
        ),
        (
            stream,
            OwnedBody::Ticker(Ticker {
                open: price(6_000_000_000_000),
                high: price(6_200_000_000_000),
                low: price(5_990_000_000_000),
                last: price(6_173_764_000_000),
                volume: Some(Size(2_345_678_900_000)),
                vwap: price(6_101_234_567_890),
                change: price(173_764_000_000),
                trades: 1_234_567,
            }),
        ),
        (
            stream,
            OwnedBody::Bar(Bar {
                interval: 60,
                open_time: Nanos(1_723_075_200_000_000_000),
                open: Price(6_173_000_000_000),
                high: Price(6_174_000_000_000),
                low: Price(6_172_550_000_000),
                close: Price(6_173_764_000_000),
                volume: Size(1_234_000_000),
                trades: 321,
                closed: false,
            }),
        ),
        (
            stream,
            OwnedBody::Status(Status {
                channel: Channel::Book,
                state: State::Resyncing,
                reason: Reason::Gap,
            }),
        ),
        (here, OwnedBody::Heartbeat(Channel::Book)),
        (
            here,
            OwnedBody::Lag(Lag {
                channel: Channel::Book,
                kind: LagKind::Conflated,
                from_seq: Seq(1042),
                to_seq: Seq(1163),
                messages: 118,
                bytes: 14_520,
                age: 1_250_000_000,
            }),
        ),
        (
            Head {
                event_time: None,
                ..stream
            },
            OwnedBody::ReplayComplete(ReplayComplete {
                channel: Channel::Book,
                messages: 3_600,
            }),
        ),
        (
            Head::of_connection(Nanos(1_723_075_200_125_678_901)),
            OwnedBody::GoAway(GoAway {
                reason: GoAwayReason::Shutdown,
                delay: 2_000,
                close_after: 5_000,
            }),
        ),
    ];
    bodies
        .into_iter()
        .map(|(head, body)| OwnedMessage { head, body })
        .collect()
}

fn checksum(bids: &[Level], asks: &[Level]) -> u32 {
    let bids = market::checksum::of_levels(Side::Bid, bids.iter().copied());
    bids.wrapping_add(market::checksum::of_levels(Side::Ask, asks.iter().copied()))
}

pub(crate) fn examples() -> Vec<OwnedMessage> {
    let mut bodies = instruments();
    bodies.extend(books());
    bodies.extend(bbos());
    bodies.extend(trades());
    bodies.extend(statistics());
    bodies.extend(states());
    let heads = [usual_head(), first_head(), extreme_head()];
    let mut examples = everyday();
    for (i, body) in bodies.into_iter().enumerate() {
        examples.push(OwnedMessage {
            head: heads[i % heads.len()],
            body,
        });
    }
    let go_away = OwnedBody::GoAway(GoAway {
        reason: GoAwayReason::Drain,
        delay: 5_000,
        close_after: 10_000,
    });
    examples.push(OwnedMessage {
        head: Head::of_connection(Nanos(1)),
        body: go_away,
    });
    examples
}

fn instruments() -> Vec<OwnedBody> {
    let instrument = |exponents, state, tick, lot, venue: &str, symbol: &str| {
        OwnedBody::Instrument(OwnedInstrument {
            exponents,
            state,
            tick_size: tick,
            lot_size: lot,
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
        })
    };
    let usual = Exponents::default();
    let extreme = Exponents {
        price: i8::MIN,
        size: i8::MAX,
    };
    let (tick, lot) = (Some(Price(1_000_000)), Some(Size(1)));
    let long = "é".repeat(127);
    assert_eq!(long.len(), wire::sbe::MAX_TEXT);
    let mut instruments = vec![
        instrument(usual, State::Live, tick, lot, "BINANCE", "BTC-USDT"),
        instrument(extreme, State::Resyncing, None, None, "", ""),
        instrument(
            extreme,
            State::Live,
            Some(Price(i64::MAX)),
            Some(Size(i64::MIN + 1)),
            &long,
            &long,
        ),
        instrument(
            usual,
            State::Live,
            None,
            lot,
            "X",
            "quote\" back\\slash \u{1}\n\u{1f980}",
        ),
    ];
    instruments.extend(State::ALL.map(|state| instrument(usual, state, None, None, "V", "S")));
    instruments
}

fn books() -> Vec<OwnedBody> {
    let few = vec![
        Level::new(6_173_763_000_000, 100),
        Level::new(6_173_762_000_000, 0),
        Level::new(-5, 1),
    ];
    let extreme = vec![
        Level::new(i64::MAX, i64::MAX),
        Level::new(0, 0),
        Level::new(i64::MIN, i64::MIN),
    ];
    let full: Vec<_> = (0..1_000).map(|i| Level::new(i, i * i)).collect();
    let many: Vec<_> = (0..4_000).map(|i| Level::new(-i, i)).collect();
    let delta = |checksum, bids: &[Level], asks: &[Level]| OwnedBody::BookDelta {
        checksum,
        bids: bids.to_vec(),
        asks: asks.to_vec(),
    };
    let snapshot =
        |checksum, chunk, chunks, bids: &[Level], asks: &[Level]| OwnedBody::BookSnapshot {
            checksum,
            chunk,
            chunks,
            bids: bids.to_vec(),
            asks: asks.to_vec(),
        };
    vec![
        delta(0xdead_beef, &few, &extreme),
        delta(0, &[], &[]),
        delta(1, &few, &[]),
        delta(u32::MAX, &[], &few),
        delta(2, &many, &full),
        snapshot(0xdead_beef, 0, 1, &few, &extreme),
        snapshot(0, 0, 1, &[], &[]),
        snapshot(7, 1, 3, &full, &full),
        snapshot(7, u16::MAX, u16::MAX, &[], &few),
    ]
}

fn bbos() -> Vec<OwnedBody> {
    let level = Some(Level::new(6_173_763_000_000, 100));
    vec![
        OwnedBody::Bbo(Bbo {
            bid: level,
            ask: Some(Level::new(i64::MAX, i64::MAX)),
        }),
        OwnedBody::Bbo(Bbo {
            bid: None,
            ask: level,
        }),
        OwnedBody::Bbo(Bbo {
            bid: Some(Level::new(i64::MIN + 1, 0)),
            ask: None,
        }),
        OwnedBody::Bbo(Bbo::default()),
    ]
}

fn trades() -> Vec<OwnedBody> {
    let trade = |price, size, side, id: &str| OwnedTrade {
        price: Price(price),
        size: Size(size),
        side,
        id: id.to_owned(),
    };
    let all = vec![
        trade(6_173_763_000_000, 100, Aggressor::Buy, "3700123456"),
        trade(i64::MIN, i64::MAX, Aggressor::Sell, ""),
        trade(0, 0, Aggressor::Unknown, &"9".repeat(254)),
        trade(-1, 1, Aggressor::Buy, "ab\"c\\d\té\u{1f980}"),
    ];
    let many = (0..500)
        .map(|i| trade(i, i + 1, Aggressor::Sell, &i.to_string()))
        .collect();
    vec![
        OwnedBody::Trades(all.clone()),
        OwnedBody::Trades(vec![]),
        OwnedBody::Trades(all[..1].to_vec()),
        OwnedBody::Trades(many),
    ]
}

fn statistics() -> Vec<OwnedBody> {
    let ticker = |value: Option<i64>, trades| {
        OwnedBody::Ticker(Ticker {
            open: value.map(Price),
            high: value.map(|value| Price(value.saturating_add(1))),
            low: value.map(|value| Price(value.saturating_add(2))),
            last: value.map(|value| Price(value.saturating_add(3))),
            volume: value.map(|value| Size(value.saturating_add(4))),
            vwap: value.map(|value| Price(value.saturating_add(5))),
            change: value.map(|value| Price(value.saturating_add(6))),
            trades,
        })
    };
    let bar = |value: i64, closed| {
        OwnedBody::Bar(Bar {
            interval: 60,
            open_time: Nanos(1_723_075_200_000_000_000),
            open: Price(value),
            high: Price(value.saturating_add(4)),
            low: Price(value.saturating_add(3)),
            close: Price(value.saturating_add(2)),
            volume: Size(value.saturating_add(1)),
            trades: u32::MAX,
            closed,
        })
    };
    vec![
        ticker(Some(6_173_763_000_000), 12),
        ticker(None, 0),
        ticker(Some(i64::MAX), u32::MAX),
        ticker(Some(i64::MIN + 1), 1),
        bar(6_173_763_000_000, true),
        bar(i64::MIN, false),
        bar(i64::MAX, false),
    ]
}

fn states() -> Vec<OwnedBody> {
    let mut states = Vec::new();
    for (i, reason) in Reason::ALL.into_iter().enumerate() {
        let channel = Channel::ALL[i % Channel::ALL.len()];
        let state = State::ALL[i % State::ALL.len()];
        states.push(OwnedBody::Status(Status {
            channel,
            state,
            reason,
        }));
    }
    states.extend(Channel::ALL.map(OwnedBody::Heartbeat));
    for (i, kind) in LagKind::ALL.into_iter().enumerate() {
        let small = i == 0;
        states.push(OwnedBody::Lag(Lag {
            channel: Channel::ALL[i],
            kind,
            from_seq: Seq(if small { 10 } else { i64::MIN }),
            to_seq: Seq(if small { 4_242 } else { i64::MAX }),
            messages: if small { 17 } else { u32::MAX },
            bytes: if small { 123_456 } else { u64::MAX },
            age: if small { 1_500_000_000 } else { u64::MAX },
        }));
    }
    for (channel, messages) in Channel::ALL
        .into_iter()
        .zip([0, 1, i64::MAX.unsigned_abs()])
    {
        states.push(OwnedBody::ReplayComplete(ReplayComplete {
            channel,
            messages,
        }));
    }
    for reason in GoAwayReason::ALL {
        states.push(OwnedBody::GoAway(GoAway {
            reason,
            delay: u32::MAX,
            close_after: 0,
        }));
    }
    states
}
