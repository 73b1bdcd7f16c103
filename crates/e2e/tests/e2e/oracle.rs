//! Books against the exchange's own best bid and offer.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use client::{Client, Event, Subscription};
use e2e::kafka::Kafka;
use e2e::prints::{self, Print};
use e2e::publish::Publish;
use e2e::watcher::{Observer, Watcher};
use e2e::{Node, Settings, Tape, broker, captures, http};
use market::{Aggressor, Bbo, Book, Level, Price, Side, Size, decimal};
use serde_json::Value;
use wire::LagKind;

const WITHIN: Duration = Duration::from_secs(90);
const EXPONENT: i8 = -8;
/// Lines that are sent at once: about 1 MB of messages, which a node keeps for any slow client.
const PART: usize = 8_000;

/// A market with its capture files, one continuing the other, and what the README of the data states.
struct Market {
    venue: &'static str,
    symbol: &'static str,
    files: &'static [&'static str],
    equal: usize,
    of: usize,
    /// Deletes of levels that are not in the book, where the README counts them.
    absent: Option<usize>,
}

/// The expected result, by the files.
#[derive(Default)]
struct Truth {
    /// Depth events after the snapshot in the files: offset to the exchange's own best.
    at_offset: BTreeMap<i64, Bbo>,
    /// Those before it in the files and not in it: with their levels.
    held: Vec<(Value, Bbo)>,
    snapshot: Option<(i64, Value)>,
    trades: Vec<Print>,
    /// The offset of each trade.
    traded: Vec<i64>,
    /// How many lines each file has.
    lines: Vec<u64>,
    /// Deletes of levels that are not in the book.
    absent: usize,
}

/// The client's best bid and offer after every book message, by `seq`.
#[derive(Default)]
struct Bests {
    tape: Tape,
    bests: Vec<(i64, Bbo)>,
    trades: Vec<Print>,
    /// The full book after that message.
    wanted: i64,
    full: Option<(Vec<Level>, Vec<Level>)>,
    lags: Vec<LagKind>,
}

impl Observer for Bests {
    fn observe(&mut self, client: &Client, event: &Event) {
        self.tape.observe(client, event);
        match event {
            Event::Book(update) => {
                let kept = client.book(update.subscription).unwrap();
                assert!(kept.is_live());
                let seq = update.head.seq.0;
                self.bests.push((seq, kept.book().bbo()));
                if seq == self.wanted {
                    let (bids, asks) = (kept.book().bids().iter(), kept.book().asks().iter());
                    self.full = Some((bids.collect(), asks.collect()));
                }
            }
            Event::Trades(update) => {
                self.trades.extend(prints::of(update));
            }
            Event::Lag(notice) => self.lags.push(notice.lag.kind),
            _ => {}
        }
    }
}

fn mantissa(value: &Value) -> i64 {
    decimal::parse(value.as_str().unwrap().as_bytes(), EXPONENT).unwrap()
}

fn level(price: &Value, size: &Value) -> Level {
    Level {
        price: Price(mantissa(price)),
        size: Size(mantissa(size)),
    }
}

fn truth(files: &[PathBuf]) -> Truth {
    let mut truth = Truth::default();
    let lines: Vec<_> = files.iter().map(|file| captures::lines(file)).collect();
    truth.lines = lines.iter().map(|lines| lines.len() as u64).collect();
    let lines = lines.into_iter().flatten();
    let mut tickers: Vec<(u64, Bbo)> = Vec::new();
    let mut depths: Vec<(i64, Value)> = Vec::new();
    for (offset, line) in (0_i64..).zip(lines) {
        let mut value: Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
        if value.get("lastUpdateId").is_some() {
            truth.snapshot = Some((offset, value));
            continue;
        }
        let data = value["data"].take();
        match value["stream"].as_str().unwrap() {
            stream if stream.ends_with("@bookTicker") => {
                let bbo = Bbo {
                    bid: Some(level(&data["b"], &data["B"])),
                    ask: Some(level(&data["a"], &data["A"])),
                };
                tickers.push((data["u"].as_u64().unwrap(), bbo));
            }
            stream if stream.contains("@depth") => depths.push((offset, data)),
            stream if stream.ends_with("@trade") => {
                // The buyer was the maker: the seller took.
                let is_sold = data["m"].as_bool().unwrap();
                let side = if is_sold {
                    Aggressor::Sell
                } else {
                    Aggressor::Buy
                };
                let (price, size) = (mantissa(&data["p"]), mantissa(&data["q"]));
                truth
                    .trades
                    .push((price, size, side, data["t"].to_string()));
            }
            _ => {}
        }
    }
    let (at, snapshot) = truth.snapshot.as_ref().expect("the capture has a snapshot");
    let start = snapshot["lastUpdateId"].as_u64().unwrap();
    let prices = |levels: &Value| -> HashSet<i64> {
        let levels = levels.as_array().unwrap().iter();
        levels.map(|level| mantissa(&level[0])).collect()
    };
    let mut there = [prices(&snapshot["bids"]), prices(&snapshot["asks"])];
    for (offset, data) in depths {
        let u = data["u"].as_u64().unwrap();
        if u <= start {
            continue;
        }
        for (side, there) in ["b", "a"].into_iter().zip(&mut there) {
            for level in data[side].as_array().unwrap() {
                let price = mantissa(&level[0]);
                if mantissa(&level[1]) != 0 {
                    there.insert(price);
                } else if !there.remove(&price) {
                    truth.absent += 1;
                }
            }
        }
        let before = tickers.partition_point(|(ticker, _)| *ticker <= u);
        let best = tickers[before - 1].1;
        if offset < *at {
            truth.held.push((data, best));
        } else {
            truth.at_offset.insert(offset, best);
        }
    }
    truth
}

/// Checks the events that came before the snapshot: one message answers them together with it, so they
/// are applied here, and the result has to be the node's full book. How many were right?
fn check_held(truth: &Truth, node: (Vec<Level>, Vec<Level>)) -> usize {
    let mut book = Book::new();
    let set = |book: &mut Book, side, levels: &Value| {
        for pair in levels.as_array().unwrap() {
            book.set(side, level(&pair[0], &pair[1]));
        }
    };
    let snapshot = &truth.snapshot.as_ref().unwrap().1;
    set(&mut book, Side::Bid, &snapshot["bids"]);
    set(&mut book, Side::Ask, &snapshot["asks"]);
    let mut equal = 0;
    for (data, best) in &truth.held {
        set(&mut book, Side::Bid, &data["b"]);
        set(&mut book, Side::Ask, &data["a"]);
        equal += usize::from(book.bbo() == *best);
    }
    let folded: (Vec<_>, Vec<_>) = (book.bids().iter().collect(), book.asks().iter().collect());
    assert!(folded == node, "the book at the snapshot is another one");
    equal
}

fn check(market: &Market) {
    let found: Option<Vec<PathBuf>> = market
        .files
        .iter()
        .map(|name| captures::find(name))
        .collect();
    let Some(files) = found else {
        return;
    };
    let truth = truth(&files);
    let name = format!("{}:{}", market.venue, market.symbol);
    let turn = broker::turn();
    let topic = format!("oracle-{}-{}", market.venue, market.files.len());
    Kafka::connect(&turn.bootstrap()).create(&topic, 1);
    let node = Node::start(
        &Settings::new(&turn.bootstrap())
            .topics(&topic, "binance", &format!("venue = \"{}\"", market.venue))
            .instrument(&name, ""),
    );
    let observer = Bests {
        wanted: truth.snapshot.as_ref().unwrap().0,
        ..Bests::default()
    };
    let streams = [Subscription::book(&name), Subscription::trades(&name)];
    let mut watcher = Watcher::start(&[node.url()], &streams, observer);
    watcher.wait(WITHIN, "the subscriptions", |observer| {
        observer.tape.accepted() == 2
    });
    publish_in_step(&turn.bootstrap(), &topic, &files, &truth, &watcher);
    watcher.stop();
    watcher.look(|observer| verdict(market, &truth, observer));
    assert!(node.metric("tapecast_conflations_total", &[]) == 0.0);
    let path = format!("/v1/ledger/{name}");
    let ledger = http::fetch(node.public(), "GET", &path, &[]).json();
    for count in ["upstreamGaps", "ownGaps", "refused", "unusable"] {
        assert_eq!(ledger[count], 0, "{count}");
    }
    assert!(market.absent.is_none_or(|absent| absent == truth.absent));
    println!("{} deletes of absent levels; {ledger}", truth.absent);
}

/// Sends the files in parts, each when the client has what is before: one that is slow would be given
/// the net change of what it missed, and every message is wanted.
fn publish_in_step(
    brokers: &str,
    topic: &str,
    files: &[PathBuf],
    truth: &Truth,
    watcher: &Watcher<Bests>,
) {
    let mut end = 0;
    for (file, lines) in files.iter().zip(&truth.lines) {
        for from in (1..=*lines).step_by(PART) {
            let limit = (PART as u64).min(lines + 1 - from);
            let part = Publish {
                from,
                limit: Some(limit),
                ..Publish::all(brokers, Some(topic))
            };
            part.run(file);
            end += i64::try_from(limit).unwrap();
            let depth = truth.at_offset.range(..end).next_back();
            let depth = depth.map_or(-1, |(offset, _)| *offset);
            let trades = truth.traded.partition_point(|offset| *offset < end);
            watcher.wait(WITHIN, "the last depth event and trade", |observer| {
                let last = observer.bests.last().map_or(-1, |(seq, _)| *seq);
                last >= depth && observer.trades.len() >= trades
            });
        }
    }
}

fn verdict(market: &Market, truth: &Truth, observer: &mut Bests) {
    let bests: BTreeMap<i64, Bbo> = observer.bests.iter().copied().collect();
    let mut equal = check_held(truth, observer.full.take().expect("a book at the snapshot"));
    let mut missed = Vec::new();
    for (offset, best) in &truth.at_offset {
        match bests.get(offset) {
            Some(mine) if mine == best => equal += 1,
            other => missed.push((*offset, *best, other.copied())),
        }
    }
    assert!(observer.trades == truth.trades, "other trades, or not all");
    let of = truth.at_offset.len() + truth.held.len();
    let file = Path::new(market.files[0]).display();
    println!(
        "{file} and {} more: {equal} of {of} equal the exchange's own; {} messages verified, {} trades",
        market.files.len() - 1,
        observer.tape.verified,
        observer.trades.len()
    );
    let after = |(offset, ..): &(i64, Bbo, Option<Bbo>)| {
        let message = observer.tape.messages[&0]
            .iter()
            .find(|message| message.seq >= *offset);
        message.map(|message| (message.prev, message.seq))
    };
    assert!(
        (equal, of) == (market.equal, market.of),
        "missed: {missed:?}, received instead: {:?}, lags {:?}, faults {:?}",
        missed.first().map(after),
        observer.lags,
        observer.tape.faults
    );
    // The first book ends the wait for it; nothing else may interrupt.
    let faults = observer.tape.faults.iter();
    let faults: Vec<_> = faults
        .filter(|fault| !fault.contains("EpochChanged") && !fault.contains("Upstream(Starting)"))
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert!(observer.lags.is_empty() && observer.tape.reconnects.is_empty());
}

#[test]
fn every_capture_matches_the_exchanges_own_book_ticker() {
    for market in [
        Market {
            venue: "BINANCE",
            symbol: "BTCUSDT",
            files: &["hftbacktest/spot/btcusdt_20240808.gz"],
            equal: 3_449,
            of: 3_449,
            absent: Some(11_239),
        },
        Market {
            venue: "BINANCE",
            symbol: "BTCUSDT",
            files: &[
                "hftbacktest/spot/btcusdt_20240808.gz",
                "hftbacktest/spot/btcusdt_20240809.gz",
            ],
            equal: 6_491,
            of: 6_493,
            absent: None,
        },
        Market {
            venue: "BINANCE_USDM",
            symbol: "BTCUSDT",
            files: &["hftbacktest/usdm/btcusdt_20240808.gz"],
            equal: 6_547,
            of: 6_547,
            absent: None,
        },
        Market {
            venue: "BINANCE_CM",
            symbol: "BTCUSD_PERP",
            files: &["hftbacktest/cm/btcusd_perp_20240808.gz"],
            equal: 26_824,
            of: 26_824,
            absent: None,
        },
    ] {
        check(&market);
    }
}
