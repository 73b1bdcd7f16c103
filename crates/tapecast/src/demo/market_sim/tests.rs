//! What the node may rely on, checked on the text of the records as a stranger would read it.

use std::collections::HashMap;

use market::{
    Changes, DeltaOutcome, InstrumentName, Level, Seq, SeqLink, Side, SnapshotOrigin,
    SnapshotOutcome, VenueBook,
};
use serde_json::Value;

use super::*;

const START: Monotonic = Monotonic(77);
const SECOND: u64 = 1_000_000_000;

/// So long after the start, by a wall clock that nobody sets.
fn after(nanos: u64) -> Now {
    at(Monotonic(START.0 + nanos))
}

fn at(monotonic: Monotonic) -> Now {
    Now {
        monotonic,
        wall: Nanos(1_723_161_255_208_000_000 + monotonic.0),
    }
}

/// One instrument as a reader of the log knows it.
struct Reader {
    exponents: (i8, i8),
    steps: (i64, i64),
    builder: VenueBook,
    changes: Changes,
    /// What the last record traded, which the next one must take from the book.
    traded: Vec<(Side, Level)>,
    deltas: u64,
    levels: u64,
    trades: u64,
    wide: u64,
}

fn mantissa(value: &Value, exponent: i8) -> i64 {
    market::decimal::parse(value.as_str().unwrap().as_bytes(), exponent).unwrap()
}

impl Reader {
    fn new(definition: &Value) -> Self {
        let exponent = |name: &str| i8::try_from(definition[name].as_i64().unwrap()).unwrap();
        let exponents = (exponent("price_exponent"), exponent("size_exponent"));
        let steps = (
            mantissa(&definition["tick_size"], exponents.0),
            mantissa(&definition["lot_size"], exponents.1),
        );
        assert!(steps.0 > 0 && steps.1 > 0);
        Self {
            exponents,
            steps,
            builder: VenueBook::new(),
            changes: Changes::default(),
            traded: Vec::new(),
            deltas: 0,
            levels: 0,
            trades: 0,
            wide: 0,
        }
    }

    fn level(&self, price: &Value, size: &Value) -> Level {
        let price = mantissa(price, self.exponents.0);
        let size = mantissa(size, self.exponents.1);
        assert!(
            price > 0 && price % self.steps.0 == 0,
            "price {price} is not on tick"
        );
        assert!(
            size >= 0 && size % self.steps.1 == 0,
            "size {size} is not on lot"
        );
        Level::new(price, size)
    }

    fn levels(&self, all: &Value) -> Vec<Level> {
        let all = all.as_array().unwrap();
        all.iter()
            .map(|pair| self.level(&pair[0], &pair[1]))
            .collect()
    }

    fn snapshot(&mut self, record: &Value) {
        let (bids, asks) = (self.levels(&record["bids"]), self.levels(&record["asks"]));
        let known = self.builder.is_live();
        let outcome = self.builder.snapshot(
            record["seq"].as_u64(),
            SnapshotOrigin::InBand,
            &bids,
            &asks,
            Seq::NONE,
            &mut self.changes,
        );
        assert_eq!(outcome, SnapshotOutcome::Applied);
        assert!(
            !known || self.changes.is_empty(),
            "a later whole book says what the deltas said"
        );
    }

    fn delta(&mut self, record: &Value, time: Nanos) {
        let (bids, asks) = (self.levels(&record["bids"]), self.levels(&record["asks"]));
        let number = |name: &str| record[name].as_u64().unwrap();
        let outcome = self.builder.delta(
            Seq(0),
            time,
            Some(SeqLink {
                prev: number("prev_seq"),
                seq: number("seq"),
            }),
            SnapshotOrigin::InBand,
            Some(time),
            &bids,
            &asks,
            &mut self.changes,
        );
        assert_eq!(outcome, DeltaOutcome::Applied);
        let bbo = self.builder.book().bbo();
        let (bid, ask) = (bbo.bid.unwrap().price.0, bbo.ask.unwrap().price.0);
        assert!(bid < ask, "{bid} {ask}");
        self.wide += u64::from(ask - bid > 20 * self.steps.0);
        let effective = self.changes.len();
        assert_eq!(
            effective,
            bids.len() + asks.len(),
            "each level says something new"
        );
        for (side, traded) in std::mem::take(&mut self.traded) {
            let taken = self
                .changes
                .side(side)
                .iter()
                .find(|c| c.price == traded.price);
            let taken = taken.expect("what was traded is gone");
            assert_eq!(taken.before.0 - taken.after.0, traded.size.0);
        }
        self.deltas += 1;
        self.levels += effective as u64;
    }

    fn trade(&mut self, record: &Value) {
        let trades = record["trades"].as_array().unwrap();
        assert!(!trades.is_empty());
        for (rank, trade) in trades.iter().enumerate() {
            let side = match trade["side"].as_str().unwrap() {
                "buy" => Side::Ask,
                "sell" => Side::Bid,
                other => panic!("{other}"),
            };
            let traded = self.level(&trade["price"], &trade["size"]);
            let touch = self.builder.book().side(side).at_rank(rank).unwrap();
            assert_eq!(traded.price, touch.price, "a trade is at the touch");
            assert!(traded.size.0 > 0 && traded.size <= touch.size);
            self.traded.push((side, traded));
            self.trades += 1;
        }
    }

    fn read(&mut self, record: &Value, time: Nanos) {
        let kind = record["type"].as_str().unwrap();
        assert!(
            self.traded.is_empty() || kind == "delta",
            "the delta stands behind its trade"
        );
        match kind {
            "instrument" => {}
            "snapshot" => self.snapshot(record),
            "delta" => self.delta(record, time),
            "trade" => self.trade(record),
            other => panic!("{other}"),
        }
    }
}

/// Reads at least so many records of a market, and checks each.
fn check(seed: u64, rate: f64, records: u64) -> HashMap<&'static str, Reader> {
    let mut sim = MarketSim::new(seed, START, rate);
    let mut readers: HashMap<&'static str, Reader> = HashMap::new();
    let (mut count, mut last) = (0, after(0).wall);
    while count < records {
        let now = at(sim.next_at().unwrap());
        sim.advance(now, &mut |record| {
            count += 1;
            assert!(record.time >= last && record.time <= now.wall);
            last = record.time;
            let json: Value = serde_json::from_slice(record.json).unwrap();
            assert_eq!(json["symbol"], record.instrument);
            assert_eq!(json["time"].as_u64(), Some(record.time.0));
            readers
                .entry(record.instrument)
                .or_insert_with(|| Reader::new(&json))
                .read(&json, record.time);
        });
    }
    assert_eq!(readers.len(), INSTRUMENTS.len());
    readers
}

#[test]
fn every_name_is_an_instrument_name() {
    for name in MarketSim::names() {
        assert!(InstrumentName::parse(name).is_ok(), "{name}");
    }
}

#[test]
fn every_record_follows_the_rules_of_its_format_on_any_seed() {
    for seed in [0, 42, u64::MAX] {
        check(seed, 1.0, 100_000);
    }
}

#[test]
fn books_keep_their_depth_and_tight_spreads() {
    for (name, reader) in check(3, 1.0, 100_000) {
        let listing = INSTRUMENTS
            .iter()
            .find(|listing| listing.name == name)
            .unwrap();
        for side in Side::BOTH {
            let len = reader.builder.book().side(side).len();
            let usual = listing.depth * 4 / 5..=listing.depth * 6 / 5;
            assert!(
                usual.contains(&len),
                "{name} has {len} levels on the {side:?} side"
            );
        }
        assert!(reader.trades > 0, "{name} never trades");
        let wide = reader.wide as f64 / reader.deltas as f64;
        assert!(
            wide < 0.02,
            "{name} has a wide spread in {wide} of its deltas"
        );
        let levels = reader.levels as f64 / reader.deltas as f64;
        assert!(
            (1.0..10.0).contains(&levels),
            "{name} changes {levels} levels a delta"
        );
    }
}

#[test]
fn busy_instruments_are_busy_and_quiet_ones_quiet() {
    let readers = check(5, 1.0, 50_000);
    let deltas = |rank: usize| readers[INSTRUMENTS[rank].name].deltas;
    assert!(deltas(0) > 8 * deltas(19), "{} {}", deltas(0), deltas(19));
}

#[test]
fn the_same_seed_makes_the_same_records_however_it_is_asked() {
    let collect = |seed: u64, step: u64| {
        let mut sim = MarketSim::new(seed, START, 1.0);
        let mut all = Vec::new();
        for now in (START.0..=START.0 + 30 * SECOND).step_by(usize::try_from(step).unwrap()) {
            sim.advance(at(Monotonic(now)), &mut |record| {
                all.push((record.instrument, record.time, record.json.to_vec()));
            });
        }
        all
    };
    let fine = collect(9, SECOND / 100);
    assert!(fine.len() > 10_000);
    assert_eq!(fine, collect(9, 10 * SECOND));
    assert_ne!(fine, collect(10, SECOND / 100));
}

#[test]
fn a_pause_is_skipped_and_nothing_is_lost_by_it() {
    let mut sim = MarketSim::new(1, START, 1.0);
    let mut readers: HashMap<&'static str, Reader> = HashMap::new();
    for second in [1, 5, 3_600, 3_601] {
        let now = after(second * SECOND);
        let mut count = 0;
        sim.skip_to(Monotonic(now.monotonic.0 - SECOND));
        sim.advance(now, &mut |record| {
            count += 1;
            assert!(second == 1 || record.time.0 >= now.wall.0 - SECOND);
            let json: Value = serde_json::from_slice(record.json).unwrap();
            readers
                .entry(record.instrument)
                .or_insert_with(|| Reader::new(&json))
                .read(&json, record.time);
        });
        assert!((100..3_000).contains(&count), "{count} records in a second");
    }
}

#[test]
fn the_rate_multiplies_what_happens_and_how_often_it_is_said_anew() {
    let count = |rate: f64| {
        let mut sim = MarketSim::new(1, START, rate);
        let mut counts = (0, 0);
        sim.advance(after(20 * SECOND), &mut |record| {
            let whole = record.json.starts_with(br#"{"type":"snapshot""#);
            counts.0 += usize::from(whole);
            counts.1 += usize::from(!whole);
        });
        counts
    };
    let (slow, fast) = (count(1.0), count(4.0));
    assert!((2..=6).contains(&(fast.1 / slow.1)), "{slow:?} {fast:?}");
    assert_eq!((slow.0, fast.0), (40, 100));
}

#[test]
fn a_wall_clock_that_is_set_stops_no_market_and_only_dates_its_records() {
    let mut steady = MarketSim::new(1, START, 1.0);
    let mut stepped = MarketSim::new(1, START, 1.0);
    let hour = 3_600 * SECOND;
    for tick in 0..1_000 {
        let now = after(tick * SECOND / 100);
        let wall = Nanos(match tick {
            0..300 => now.wall.0,
            300..600 => now.wall.0 - hour,
            600..900 => now.wall.0 + hour,
            _ => 0,
        });
        let mut times = Vec::new();
        steady.advance(now, &mut |record| times.push(now.wall.since(record.time)));
        let mut dated = Vec::new();
        stepped.advance(Now { wall, ..now }, &mut |record| {
            dated.push(wall.since(record.time));
        });
        assert_eq!(dated.len(), times.len());
        assert!(tick >= 900 || dated == times);
    }
}
