//! What a recorded session contains, read without any of the product's code but its decimals.

use std::collections::BTreeMap;
use std::path::PathBuf;

use e2e::captures;
use e2e::prints::Print;
use market::{Aggressor, decimal};
use serde_json::Value;

/// Eight decimals, the default of instruments.
pub(super) const EXPONENT: i8 = -8;

/// Price and size as mantissas.
pub(super) type Entry = (i64, i64);
/// Sizes by price; bids, then asks.
pub(super) type Sides = [BTreeMap<i64, i64>; 2];

/// A record of a book, and what the venue reports with it.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) offset: i64,
    pub(super) is_snapshot: bool,
    pub(super) sides: [Vec<Entry>; 2],
    /// The maximum number of levels that a side keeps.
    pub(super) window: Option<usize>,
    /// The venue's own checksum.
    pub(super) checksum: Option<u32>,
    /// With how many decimals prices and sizes are written.
    pub(super) decimals: (usize, usize),
    /// Binance's number.
    pub(super) update: u64,
}

/// One instrument.
#[derive(Debug, Default)]
pub(super) struct Market {
    pub(super) steps: Vec<Step>,
    pub(super) trades: Vec<Print>,
    /// The record of the last trade; -1 when there is none.
    pub(super) last_trade: i64,
    /// Binance's own best bid and ask, by its number.
    pub(super) tickers: Vec<(u64, [Entry; 2])>,
}

/// A session: its instruments by symbol, and how many records it sends.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) markets: BTreeMap<String, Market>,
    pub(super) records: u32,
}

/// Reads a record of one venue.
pub(super) type Read = fn(&mut Truth, offset: i64, url: Option<&str>, &Value);

impl Truth {
    /// Reads the records of files in the order in which they were received.
    pub(super) fn read(files: &[PathBuf], read: Read) -> Self {
        let mut records: Vec<(f64, Option<String>, Value)> = Vec::new();
        for line in files.iter().flat_map(|file| captures::lines(file)) {
            let (url, rest) = match line.split_once(" -> ") {
                Some((url, rest)) if url.starts_with("http") => (Some(url.to_owned()), rest),
                _ => (None, line.as_str()),
            };
            let Some((time, json)) = rest.split_once(": ") else {
                continue;
            };
            let Ok(time) = time.parse() else {
                continue;
            };
            records.push((time, url, serde_json::from_str(json).unwrap()));
        }
        records.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut truth = Self::default();
        for (offset, (_, url, value)) in (0..).zip(&records) {
            truth.records += 1;
            read(&mut truth, offset, url.as_deref(), value);
        }
        truth
    }

    fn market(&mut self, symbol: &Value) -> &mut Market {
        let symbol = symbol.as_str().unwrap().to_owned();
        self.markets.entry(symbol).or_insert_with(|| Market {
            last_trade: -1,
            ..Market::default()
        })
    }
}

impl Market {
    /// The last record after which the book is another one than before it.
    pub(super) fn last_change(&self) -> i64 {
        let mut book = Sides::default();
        let mut last = -1;
        for step in &self.steps {
            let changes = |entries: &[Entry], side: &BTreeMap<i64, i64>| {
                let mut entries = entries.iter();
                entries.any(|(price, size)| side.get(price).copied().unwrap_or(0) != *size)
            };
            let [bids, asks] = &step.sides;
            if step.is_snapshot || changes(bids, &book[0]) || changes(asks, &book[1]) {
                last = step.offset;
            }
            step.apply(&mut book);
        }
        last
    }

    /// Takes the trades of a record.
    fn print(&mut self, offset: i64, prints: impl IntoIterator<Item = Print>) {
        self.trades.extend(prints);
        self.last_trade = offset;
    }
}

impl Step {
    /// Changes a book as this record does.
    pub(super) fn apply(&self, book: &mut Sides) {
        if self.is_snapshot {
            *book = Sides::default();
        }
        for (side, entries) in book.iter_mut().zip(&self.sides) {
            for (price, size) in entries {
                if *size == 0 {
                    side.remove(price);
                } else {
                    side.insert(*price, *size);
                }
            }
        }
        let most = self.window.unwrap_or(usize::MAX);
        while book[0].len() > most {
            book[0].pop_first();
        }
        while book[1].len() > most {
            book[1].pop_last();
        }
    }
}

/// The best levels of both sides.
pub(super) fn top(book: &Sides, depth: usize) -> [Vec<Entry>; 2] {
    let entry = |(price, size): (&i64, &i64)| (*price, *size);
    [
        book[0].iter().rev().take(depth).map(entry).collect(),
        book[1].iter().take(depth).map(entry).collect(),
    ]
}

fn mantissa(value: &Value) -> i64 {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    decimal::parse(text.as_bytes(), EXPONENT).unwrap()
}

/// `[[price, size, …], …]`; nothing is none.
fn pairs(levels: &Value) -> Vec<Entry> {
    let levels = levels.as_array().into_iter().flatten();
    levels
        .map(|level| (mantissa(&level[0]), mantissa(&level[1])))
        .collect()
}

fn taker(buys: bool) -> Aggressor {
    if buys {
        Aggressor::Buy
    } else {
        Aggressor::Sell
    }
}

/// Version 1: `[id, {…}, "book-1000", pair]`, or two objects.
pub(super) fn kraken(truth: &mut Truth, offset: i64, _: Option<&str>, record: &Value) {
    let Some(items) = record.as_array() else {
        return;
    };
    let (pair, channel) = (
        items.last().unwrap(),
        items[items.len() - 2].as_str().unwrap(),
    );
    let depth = channel.strip_prefix("book-").unwrap();
    let mut step = Step {
        offset,
        window: Some(depth.parse().unwrap()),
        ..Step::default()
    };
    for part in &items[1..items.len() - 2] {
        for (key, value) in part.as_object().unwrap() {
            step.is_snapshot |= key.ends_with('s');
            match key.as_str() {
                "bs" | "b" => step.sides[0] = pairs(value),
                "as" | "a" => step.sides[1] = pairs(value),
                "c" => step.checksum = Some(value.as_str().unwrap().parse().unwrap()),
                other => panic!("{other}"),
            }
            let levels = value.as_array().into_iter().flatten();
            for level in levels {
                let decimals =
                    |text: &Value| text.as_str().unwrap().split_once('.').unwrap().1.len();
                step.decimals = (decimals(&level[0]), decimals(&level[1]));
            }
        }
    }
    truth.market(pair).steps.push(step);
}

/// Version 5.
pub(super) fn okx(truth: &mut Truth, offset: i64, _: Option<&str>, record: &Value) {
    let (Some(data), symbol) = (record["data"].as_array(), &record["arg"]["instId"]) else {
        return;
    };
    match record["arg"]["channel"].as_str().unwrap() {
        "books" => {
            let checksum = data[0]["checksum"].as_i64().unwrap();
            let step = Step {
                offset,
                is_snapshot: record["action"] == "snapshot",
                sides: [pairs(&data[0]["bids"]), pairs(&data[0]["asks"])],
                checksum: Some(i32::try_from(checksum).unwrap().cast_unsigned()),
                ..Step::default()
            };
            truth.market(symbol).steps.push(step);
        }
        "trades" => {
            let prints = data.iter().map(|one| {
                let id = one["tradeId"].as_str().unwrap().to_owned();
                let taker = taker(one["side"] == "buy");
                (mantissa(&one["px"]), mantissa(&one["sz"]), taker, id)
            });
            truth.market(symbol).print(offset, prints);
        }
        _ => {}
    }
}

/// The Exchange; `side` of a match is the maker's.
pub(super) fn coinbase(truth: &mut Truth, offset: i64, _: Option<&str>, record: &Value) {
    let kind = record["type"].as_str().unwrap();
    let symbol = &record["product_id"];
    match kind {
        "snapshot" => truth.market(symbol).steps.push(Step {
            offset,
            is_snapshot: true,
            sides: [pairs(&record["bids"]), pairs(&record["asks"])],
            ..Step::default()
        }),
        "l2update" => {
            let mut step = Step {
                offset,
                ..Step::default()
            };
            for change in record["changes"].as_array().unwrap() {
                let side = usize::from(change[0] == "sell");
                step.sides[side].push((mantissa(&change[1]), mantissa(&change[2])));
            }
            truth.market(symbol).steps.push(step);
        }
        "match" => {
            let (price, size) = (mantissa(&record["price"]), mantissa(&record["size"]));
            let taker = taker(record["side"] == "sell");
            let id = record["trade_id"].to_string();
            truth
                .market(symbol)
                .print(offset, [(price, size, taker, id)]);
        }
        _ => {}
    }
}

/// Spot: updates, and snapshots fetched separately.
pub(super) fn binance(truth: &mut Truth, offset: i64, url: Option<&str>, record: &Value) {
    if let Some(url) = url {
        let symbol = url
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("symbol="));
        let market = truth.market(&Value::from(symbol.unwrap()));
        let update = record["lastUpdateId"].as_u64().unwrap();
        // All that was received before it is in it.
        assert!(market.steps.iter().all(|step| step.update <= update));
        market.steps.clear();
        market.steps.push(Step {
            offset,
            is_snapshot: true,
            sides: [pairs(&record["bids"]), pairs(&record["asks"])],
            update,
            ..Step::default()
        });
        return;
    }
    let (stream, data) = (record["stream"].as_str().unwrap(), &record["data"]);
    let symbol = &data["s"];
    if stream.contains("@depth") {
        let market = truth.market(symbol);
        let update = data["u"].as_u64().unwrap();
        if let Some(last) = market.steps.last().filter(|step| step.update > 0) {
            if update <= last.update {
                return;
            }
            // The venue's own rule, which has to hold for the entire session.
            let first = data["U"].as_u64().unwrap();
            let follows = first == last.update + 1 || last.is_snapshot && first <= last.update + 1;
            assert!(follows, "a gap at {offset}");
        }
        market.steps.push(Step {
            offset,
            sides: [pairs(&data["b"]), pairs(&data["a"])],
            update,
            ..Step::default()
        });
    } else if stream.ends_with("@bookTicker") {
        let best = [("b", "B"), ("a", "A")].map(|(p, q)| (mantissa(&data[p]), mantissa(&data[q])));
        let number = data["u"].as_u64().unwrap();
        truth.market(symbol).tickers.push((number, best));
    } else if stream.ends_with("@aggTrade") {
        let (price, size) = (mantissa(&data["p"]), mantissa(&data["q"]));
        let taker = taker(data["m"] == false);
        let print = (price, size, taker, data["a"].to_string());
        truth.market(symbol).print(offset, [print]);
    }
}

/// Version 2: 25 levels per side, and what of them was deleted, updated, inserted.
pub(super) fn bybit(truth: &mut Truth, offset: i64, _: Option<&str>, record: &Value) {
    let Some((channel, symbol)) = record["topic"]
        .as_str()
        .and_then(|name| name.split_once('.'))
    else {
        return;
    };
    let (symbol, data) = (Value::from(symbol), &record["data"]);
    if channel == "trade" {
        let prints = data.as_array().unwrap().iter().map(|one| {
            let id = one["trade_id"].as_str().unwrap().to_owned();
            let taker = taker(one["side"] == "Buy");
            (mantissa(&one["price"]), mantissa(&one["size"]), taker, id)
        });
        truth.market(&symbol).print(offset, prints);
        return;
    }
    let mut step = Step {
        offset,
        is_snapshot: record["type"] == "snapshot",
        ..Step::default()
    };
    for part in ["order_book", "delete", "update", "insert"] {
        for level in data[part].as_array().into_iter().flatten() {
            let size = if part == "delete" {
                0
            } else {
                mantissa(&level["size"])
            };
            let side = usize::from(level["side"] == "Sell");
            step.sides[side].push((mantissa(&level["price"]), size));
        }
    }
    truth.market(&symbol).steps.push(step);
}
