//! Sessions of venues as they were recorded, through Kafka and a node to a client, against what
//! proves them: the venues' own checksums, sequences and best prices, and an independent reader.

mod truth;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use client::{Client, Event, Subscription, SubscriptionId};
use e2e::kafka::Kafka;
use e2e::prints::{self, Print};
use e2e::publish::Publish;
use e2e::watcher::Observer;
use e2e::{Node, Settings, Tape, Watcher, broker, captures, http, wait};
use flate2::Crc;
use market::{Level, decimal};
use truth::{EXPONENT, Entry, Market, Read, Sides, Step, Truth, top};

const WITHIN: Duration = Duration::from_secs(120);
/// As many levels as the deepest checksum of a venue covers.
const DEPTH: usize = 25;

/// A venue, and the files of its session.
struct Session {
    venue: &'static str,
    files: &'static [&'static str],
    read: Read,
}

const SESSIONS: [Session; 5] = [
    Session {
        venue: "KRAKEN",
        files: &["KRAKEN.ws.50.0"],
        read: truth::kraken,
    },
    Session {
        venue: "OKX",
        files: &["OKX.ws.1.0"],
        read: truth::okx,
    },
    Session {
        venue: "COINBASE",
        files: &["COINBASE.ws.28.0"],
        read: truth::coinbase,
    },
    Session {
        venue: "BINANCE",
        files: &["BINANCE.http.0.0", "BINANCE.ws.1.0"],
        read: truth::binance,
    },
    Session {
        venue: "BYBIT",
        files: &["BYBIT.ws.25.0"],
        read: truth::bybit,
    },
];

/// What a client got of one instrument.
#[derive(Debug, Default)]
struct Got {
    /// The best levels after every message of the book, by its `seq`.
    bests: BTreeMap<i64, [Vec<Entry>; 2]>,
    /// The record after which the full book is compared: the last that changes it.
    wanted: i64,
    full: Option<Sides>,
    trades: Vec<Print>,
    /// The last `seq` of the book and of the trades.
    last: [i64; 2],
}

/// What a client got: each instrument has two subscriptions, of its book and of its trades.
#[derive(Debug, Default)]
struct Seen {
    tape: Tape,
    got: Vec<Got>,
}

impl Observer for Seen {
    fn observe(&mut self, client: &Client, event: &Event) {
        self.tape.observe(client, event);
        match event {
            Event::Book(update) => {
                let kept = client.book(update.subscription).unwrap();
                assert!(kept.is_live());
                let (bids, asks) = (kept.book().bids().iter(), kept.book().asks().iter());
                let entry = |level: Level| (level.price.0, level.size.0);
                let best = [
                    bids.clone().take(DEPTH).map(entry).collect(),
                    asks.clone().take(DEPTH).map(entry).collect(),
                ];
                let (got, seq) = (self.got(update.subscription), update.head.seq.0);
                if seq == got.wanted {
                    got.full = Some([bids.map(entry).collect(), asks.map(entry).collect()]);
                }
                got.bests.insert(seq, best);
                got.last[0] = seq;
            }
            Event::Trades(update) => {
                let got = self.got(update.subscription);
                got.trades.extend(prints::of(update));
                got.last[1] = update.head.seq.0;
            }
            _ => {}
        }
    }
}

impl Seen {
    fn got(&mut self, subscription: SubscriptionId) -> &mut Got {
        &mut self.got[usize::try_from(subscription.0 / 2).unwrap()]
    }
}

/// One venue after the replay: what was sent, received, and counted by the node.
#[derive(Debug)]
struct Replayed {
    truth: Truth,
    got: BTreeMap<String, Got>,
    /// Records of its topic by outcome.
    outcomes: BTreeMap<String, u32>,
    /// The sums of its ledger.
    ledger: BTreeMap<String, u64>,
}

/// A venue after the replay of all sessions through one Kafka and one node, which the first test
/// that asks does; none where there are no captures.
fn replayed(venue: &str) -> Option<&'static Replayed> {
    static REPLAYED: OnceLock<Option<BTreeMap<&'static str, Replayed>>> = OnceLock::new();
    REPLAYED.get_or_init(replay).as_ref().map(|all| &all[venue])
}

fn files(session: &Session) -> Option<Vec<PathBuf>> {
    let names = session.files.iter();
    let files = names.map(|name| captures::find(&format!("cryptofeed-raw/{name}.gz")));
    files.collect()
}

fn topic(venue: &str) -> String {
    format!("session-{}", venue.to_lowercase())
}

fn replay() -> Option<BTreeMap<&'static str, Replayed>> {
    let sessions = SESSIONS.iter().map(|session| {
        let files = files(session)?;
        let truth = Truth::read(&files, session.read);
        Some((session.venue, files, truth))
    });
    let sessions: Vec<_> = sessions.collect::<Option<_>>()?;
    let turn = broker::turn();
    let brokers = turn.bootstrap();
    let mut settings = Settings::new(&brokers);
    let mut subscriptions = Vec::new();
    let mut seen = Seen::default();
    for (venue, _, truth) in &sessions {
        Kafka::connect(&brokers).create(&topic(venue), 1);
        settings = settings.topics(&topic(venue), &venue.to_lowercase(), "");
        for (symbol, market) in &truth.markets {
            let name = format!("{venue}:{symbol}");
            settings = settings.instrument(&name, "");
            subscriptions.extend([Subscription::book(&name), Subscription::trades(&name)]);
            seen.got.push(Got {
                wanted: market.last_change(),
                last: [-1; 2],
                ..Got::default()
            });
        }
    }
    let node = Node::start(&settings);
    let count = subscriptions.len();
    let mut watcher = Watcher::start(&[node.url()], &subscriptions, seen);
    watcher.wait(WITHIN, "the subscriptions", |seen| {
        seen.tape.accepted() == count
    });
    // One venue after the other: a client that is slow would be given the net change of what it
    // missed, and every message is wanted. One session is at most 1 MB of messages.
    let mut known = 0;
    for (venue, files, truth) in &sessions {
        let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        Publish::all(&brokers, Some(&topic(venue))).run_merged(&files);
        let trades: Vec<_> = truth
            .markets
            .values()
            .map(|market| market.last_trade)
            .collect();
        let first = known;
        known += trades.len();
        watcher.wait(WITHIN, "the last messages of a venue", |seen| {
            let mut all = seen.got[first..].iter().zip(&trades);
            all.all(|(got, trade)| got.last[0] >= got.wanted && got.last[1] >= *trade)
        });
    }
    watcher.stop();
    let mut got = watcher.look(|seen| {
        check_undisturbed(&seen.tape);
        std::mem::take(&mut seen.got).into_iter()
    });
    assert!(node.metric("tapecast_conflations_total", &[]) == 0.0);
    let replayed = sessions.into_iter().map(|(venue, _, truth)| {
        let outcomes = wait::until(WITHIN, "all records to be read", || {
            let outcomes = http::outcomes(&node.metrics(), &topic(venue));
            (outcomes.values().sum::<u32>() == truth.records).then_some(outcomes)
        });
        let one = Replayed {
            got: truth.markets.keys().cloned().zip(&mut got).collect(),
            ledger: ledger(&node, venue),
            truth,
            outcomes,
        };
        (venue, one)
    });
    Some(replayed.collect())
}

/// No stream was interrupted: the first book ends the wait for it, and nothing else may happen.
fn check_undisturbed(tape: &Tape) {
    let faults = tape.faults.iter();
    let faults: Vec<_> = faults
        .filter(|fault| !fault.contains("EpochChanged") && !fault.contains("Upstream(Starting)"))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(tape.reconnects.is_empty(), "{:?}", tape.reconnects);
}

/// The ledger of a venue's instruments, summed.
fn ledger(node: &Node, venue: &str) -> BTreeMap<String, u64> {
    let path = format!("/v1/ledger?symbol={venue}:*");
    let page = http::fetch(node.public(), "GET", &path, &[]).json();
    let mut sums = BTreeMap::new();
    for entry in page["ledger"].as_array().unwrap() {
        for (field, count) in entry.as_object().unwrap() {
            if let Some(count) = count.as_u64().filter(|_| field != "instrumentId") {
                *sums.entry(field.clone()).or_default() += count;
            }
        }
    }
    sums
}

impl Replayed {
    /// The client's best levels after a record: those of its last message up to there.
    fn best(&self, symbol: &str, offset: i64) -> &[Vec<Entry>; 2] {
        let mut until = self.got[symbol].bests.range(..=offset);
        until.next_back().expect("a message up to there").1
    }

    /// Every step of every book with the client's best levels after it.
    fn steps(&self) -> impl Iterator<Item = (&Market, &Step, &[Vec<Entry>; 2])> {
        self.truth.markets.iter().flat_map(move |(symbol, market)| {
            let steps = market.steps.iter();
            steps.map(move |step| (market, step, self.best(symbol, step.offset)))
        })
    }

    /// Every book at every step, the full one at the end, and all trades are those of an
    /// independent reader; the node lost nothing, rejected nothing, and saw no gap.
    fn check(&self, [steps, trades, nothing]: [u32; 3]) {
        let (mut compared, mut printed) = (0, 0);
        for (symbol, market) in &self.truth.markets {
            let got = &self.got[symbol];
            let mut book = Sides::default();
            for step in &market.steps {
                step.apply(&mut book);
                let theirs = top(&book, DEPTH);
                let place = format!("{symbol} at {}", step.offset);
                assert_eq!(*self.best(symbol, step.offset), theirs, "{place}");
                compared += 1;
            }
            let last = market.steps.last();
            assert!(
                last.is_none() || got.full.as_ref() == Some(&book),
                "{symbol}"
            );
            assert_eq!(got.trades, market.trades, "{symbol}");
            printed += market.trades.len();
        }
        assert_eq!(
            (compared, printed),
            (steps, usize::try_from(trades).unwrap())
        );
        let events = self.truth.records - nothing;
        let read = BTreeMap::from([
            ("event".to_owned(), events),
            ("nothing".to_owned(), nothing),
        ]);
        assert_eq!(self.outcomes, read);
        for count in [
            "upstreamGaps",
            "ownGaps",
            "refused",
            "unusable",
            "lostToSlowClients",
        ] {
            assert_eq!(self.ledger[count], 0, "{count}");
        }
        assert_eq!(self.ledger["records"], u64::from(events));
        println!(
            "{compared} books and {printed} trades equal; ledger {:?}",
            self.ledger
        );
    }

    /// How many of the venue's checksums are those of the client's best levels; all of them are.
    fn proven(&self, depth: usize, text: fn(&Step, &[Vec<Entry>; 2]) -> String) -> u64 {
        let mut proven = 0;
        for (_, step, best) in self.steps() {
            let Some(checksum) = step.checksum else {
                continue;
            };
            let best = [0, 1].map(|side: usize| {
                let levels = best[side].iter().take(depth);
                levels.copied().collect::<Vec<_>>()
            });
            let mut crc = Crc::new();
            crc.update(text(step, &best).as_bytes());
            assert_eq!(crc.sum(), checksum, "at {}", step.offset);
            proven += 1;
        }
        assert_eq!(self.ledger["checked"], proven);
        proven
    }
}

/// Kraken's: asks, then bids; prices and sizes as written, without dot and leading zeros.
fn kraken_text(step: &Step, [bids, asks]: &[Vec<Entry>; 2]) -> String {
    let digits = |mantissa: i64, decimals: usize| {
        let kept = usize::from(EXPONENT.unsigned_abs());
        let scale = 10_i64.pow(u32::try_from(kept.abs_diff(decimals)).unwrap());
        let digits = if decimals > kept {
            mantissa * scale
        } else {
            mantissa / scale
        };
        digits.to_string()
    };
    let (price, size) = step.decimals;
    let levels = asks.iter().chain(bids);
    levels
        .map(|(p, s)| digits(*p, price) + &digits(*s, size))
        .collect()
}

/// OKX's: bids and asks by turns, as written, with colons between.
fn okx_text(_: &Step, [bids, asks]: &[Vec<Entry>; 2]) -> String {
    let text = |(price, size): &Entry| {
        let [price, size] = [price, size].map(|mantissa| decimal::to_string(*mantissa, EXPONENT));
        format!("{price}:{size}")
    };
    let depth = bids.len().max(asks.len());
    let turns = (0..depth).flat_map(|rank| [bids.get(rank), asks.get(rank)]);
    let turns: Vec<_> = turns.flatten().map(text).collect();
    turns.join(":")
}

#[test]
fn every_checksum_of_a_kraken_session_matches_the_clients_books() {
    let Some(kraken) = replayed("KRAKEN") else {
        return;
    };
    kraken.check([4_279, 0, 42]);
    assert_eq!(kraken.proven(10, kraken_text), 4_269);
}

#[test]
fn every_checksum_of_an_okx_session_matches_the_clients_books() {
    let Some(okx) = replayed("OKX") else {
        return;
    };
    okx.check([290, 74, 46]);
    assert_eq!(okx.proven(25, okx_text), 290);
}

#[test]
fn a_coinbase_session_yields_ten_books_that_never_cross_and_trades_with_taker_sides() {
    let Some(coinbase) = replayed("COINBASE") else {
        return;
    };
    coinbase.check([9_729, 97, 120]);
    assert_eq!(coinbase.truth.markets.len(), 10);
    let is_crossed = |best: &[Vec<Entry>; 2]| best[0][0].0 >= best[1][0].0;
    assert!(!coinbase.steps().any(|(_, _, best)| is_crossed(best)));
}

#[test]
fn a_binance_session_with_fetched_snapshots_matches_its_book_ticker_without_a_gap() {
    let Some(binance) = replayed("BINANCE") else {
        return;
    };
    // 172 updates after 4 snapshots; the 5 before are included in them.
    binance.check([176, 2, 86]);
    let mut equal = 0;
    for (market, step, best) in binance.steps().filter(|(_, step, _)| !step.is_snapshot) {
        let before = market
            .tickers
            .partition_point(|(number, _)| *number <= step.update);
        if let Some(index) = before.checked_sub(1) {
            assert_eq!(best.each_ref().map(|side| side[0]), market.tickers[index].1);
            equal += 1;
        }
    }
    assert_eq!(equal, 159);
}

#[test]
fn a_bybit_session_of_2021_keeps_exactly_25_levels_a_side_at_every_message() {
    let Some(bybit) = replayed("BYBIT") else {
        return;
    };
    bybit.check([3_260, 101, 16]);
    let has_25_levels = |best: &[Vec<Entry>; 2]| best.iter().all(|side| side.len() == 25);
    assert!(bybit.steps().all(|(_, _, best)| has_25_levels(best)));
}
