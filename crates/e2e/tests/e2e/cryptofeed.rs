//! Snapshots of cryptofeed against the books that clients build from our deltas.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use client::{Client, Event, Subscription};
use e2e::kafka::Kafka;
use e2e::publish::Publish;
use e2e::watcher::Observer;
use e2e::{Node, Settings, Tape, Watcher, broker, captures, wait};
use market::decimal;
use serde_json::value::RawValue;

const WITHIN: Duration = Duration::from_secs(60);
const FILES: [&str; 8] = [
    "BINANCE.float",
    "BINANCE_FUTURES.float",
    "BITSTAMP.float",
    "HUOBI.float",
    "KRAKEN.float",
    "KRAKEN.str",
    "OKX.str",
    "UPBIT.float",
];

type Object<'a> = HashMap<String, &'a RawValue>;
/// Price and size as the file has them.
type Texts = Vec<(String, String)>;
/// Price and size as mantissas, by price.
type Mantissas = BTreeMap<i64, i64>;

/// A record of a book: a snapshot, or some levels.
struct Record {
    offset: i64,
    is_snapshot: bool,
    sides: [Texts; 2],
}

/// The books of a file by instrument, and its lines with topics of their own.
struct Capture {
    prefix: String,
    text: String,
    topics: Vec<String>,
    books: BTreeMap<String, Vec<Record>>,
}

fn parse<'a>(json: &'a RawValue) -> Object<'a> {
    serde_json::from_str(json.get()).unwrap()
}

fn text(json: &RawValue) -> String {
    json.get().trim_matches('"').to_owned()
}

fn record(value: &Object<'_>, offset: i64) -> Option<Record> {
    if let Some(book) = value.get("book") {
        let book = parse(book);
        let side = |name: &str| {
            let levels = parse(book[name]).into_iter();
            levels.map(|(price, size)| (price, text(size))).collect()
        };
        return Some(Record {
            offset,
            is_snapshot: true,
            sides: [side("bid"), side("ask")],
        });
    }
    let delta = parse(value.get("delta")?);
    let side = |name: &str| {
        let levels: Vec<(&RawValue, &RawValue)> = serde_json::from_str(delta[name].get()).unwrap();
        let levels = levels.into_iter();
        levels
            .map(|(price, size)| (text(price), text(size)))
            .collect()
    };
    Some(Record {
        offset,
        is_snapshot: false,
        sides: [side("bid"), side("ask")],
    })
}

impl Capture {
    fn read(name: &str) -> Option<Self> {
        let file = captures::find(&format!("cryptofeed-kafka/{name}.jsonl.gz"))?;
        let prefix = format!("{}.", name.to_lowercase());
        let mut capture = Self {
            prefix,
            text: String::new(),
            topics: Vec::new(),
            books: BTreeMap::new(),
        };
        let mut offsets: HashMap<String, i64> = HashMap::new();
        for line in captures::lines(&file) {
            let line: Object<'_> = serde_json::from_str(&line).unwrap();
            // The same exchange twice would be one topic.
            let topic = format!("{}{}", capture.prefix, text(line["topic"]));
            let value = line["value"];
            let (key, partition) = (line["key"].get(), line["partition"].get());
            writeln!(
                capture.text,
                r#"{{"topic":"{topic}","key":{key},"partition":{partition},"value":{}}}"#,
                value.get()
            )
            .unwrap();
            let offset = offsets.entry(topic.clone()).or_insert(-1);
            *offset += 1;
            if *offset == 0 {
                capture.topics.push(topic);
            }
            let value = parse(value);
            if let Some(record) = record(&value, *offset) {
                let name = format!("{}:{}", text(value["exchange"]), text(value["symbol"]));
                capture.books.entry(name).or_default().push(record);
            }
        }
        Some(capture)
    }
}

impl Record {
    /// Returns whether every number has an exact mantissa of 63 bits.
    fn fits(&self, (price, size): (i8, i8)) -> bool {
        let mut levels = self.sides.iter().flatten();
        levels.all(|(p, s)| {
            let fits = |text: &str, exponent| decimal::parse(text.as_bytes(), exponent).is_ok();
            fits(p, price) && fits(s, size)
        })
    }
}

/// The exponents at which the most records of an instrument fit. All of them do but for two
/// instruments of Huobi, where sizes have up to 13 decimals or reach millions.
fn exponents(records: &[Record]) -> (i8, i8) {
    let fitting = |exponents| records.iter().filter(|one| one.fits(exponents)).count();
    let all = (-18..=0).flat_map(|price| (-18..=0).map(move |size| (price, size)));
    all.max_by_key(|exponents| fitting(*exponents)).unwrap()
}

/// The client's book after every message for which the file has a snapshot.
struct Books {
    tape: Tape,
    /// By subscription, the offsets of snapshots.
    wanted: Vec<Vec<i64>>,
    last: Vec<i64>,
    seen: BTreeMap<(u64, i64), [Mantissas; 2]>,
}

impl Observer for Books {
    fn observe(&mut self, client: &Client, event: &Event) {
        self.tape.observe(client, event);
        let Event::Book(update) = event else {
            return;
        };
        let (stream, seq) = (update.subscription.0, update.head.seq.0);
        let index = usize::try_from(stream).unwrap();
        self.last[index] = seq;
        if self.wanted[index].binary_search(&seq).is_ok() {
            let book = client.book(update.subscription).unwrap().book();
            let side = |ladder: &market::Ladder| {
                let levels = ladder.iter();
                levels.map(|level| (level.price.0, level.size.0)).collect()
            };
            let sides = [side(book.bids()), side(book.asks())];
            self.seen.insert((stream, seq), sides);
        }
    }
}

fn mantissas(texts: &Texts, (price, size): (i8, i8)) -> Mantissas {
    let levels = texts.iter().map(|(p, s)| {
        let price = decimal::parse(p.as_bytes(), price).unwrap();
        (price, decimal::parse(s.as_bytes(), size).unwrap())
    });
    levels.filter(|(_, size)| *size != 0).collect()
}

/// How many snapshots were compared.
fn check(name: &str) -> usize {
    let Some(capture) = Capture::read(name) else {
        return 0;
    };
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    for topic in &capture.topics {
        kafka.create(topic, 1);
    }
    let pattern = format!(
        "{}(book|ticker|trades)-.*",
        capture.prefix.replace('.', "\\.")
    );
    let mut settings = Settings::new(&turn.bootstrap()).topics(&pattern, "cryptofeed", "");
    let scales: Vec<_> = capture.books.values().map(|all| exponents(all)).collect();
    for (name, (price, size)) in capture.books.keys().zip(&scales) {
        let exponents = format!("price_exponent = {price}\nsize_exponent = {size}");
        settings = settings.instrument(name, &exponents);
    }
    let node = Node::start(&settings);
    let subscriptions: Vec<_> = capture.books.keys().map(Subscription::book).collect();
    let wanted = capture.books.values().map(|records| {
        let snapshots = records.iter().filter(|record| record.is_snapshot);
        snapshots.map(|record| record.offset).collect()
    });
    let observer = Books {
        tape: Tape::default(),
        wanted: wanted.collect(),
        last: vec![-1; subscriptions.len()],
        seen: BTreeMap::new(),
    };
    let mut watcher = Watcher::start(&[node.url()], &subscriptions, observer);
    let count = subscriptions.len();
    watcher.wait(WITHIN, "the subscriptions", |observer| {
        observer.tape.accepted() == count
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &capture.text).unwrap();
    Publish::all(&turn.bootstrap(), None).run(file.path());
    let ends = capture.books.values().zip(&scales).map(|(records, scale)| {
        let fitting = records.iter().rev().find(|one| one.fits(*scale));
        fitting.map_or(-1, |last| last.offset)
    });
    let ends: Vec<_> = ends.collect();
    watcher.wait(WITHIN, "the last records", |observer| observer.last == ends);
    watcher.stop();
    let (equal, refused) = watcher.look(|observer| verdict(name, &capture, &scales, observer));
    wait::until(WITHIN, "all refusals", || {
        // Trades may not fit either, and are no books.
        let labels = ["outcome=\"bad_value\"", ".book-"];
        let bad = node.metric("tapecast_records_total", &labels);
        (bad == refused).then_some(())
    });
    equal
}

fn verdict(name: &str, capture: &Capture, scales: &[(i8, i8)], observer: &Books) -> (usize, f64) {
    let mut equal = 0;
    let mut levels = 0;
    let mut refused = 0;
    let mut faulty = Vec::new();
    for ((stream, (instrument, records)), scale) in (0..).zip(&capture.books).zip(scales) {
        for record in records {
            if !record.fits(*scale) {
                assert!(!observer.seen.contains_key(&(stream, record.offset)));
                faulty.push(stream);
                refused += 1;
                continue;
            }
            if !record.is_snapshot {
                continue;
            }
            let Some(mine) = observer.seen.get(&(stream, record.offset)) else {
                panic!(
                    "{instrument}: no message for the snapshot at {}",
                    record.offset
                );
            };
            for (mine, texts) in mine.iter().zip(&record.sides) {
                let theirs = mantissas(texts, *scale);
                levels += theirs.len();
                assert!(*mine == theirs, "{instrument} at {}", record.offset);
            }
            equal += 1;
        }
    }
    println!(
        "{name}: {equal} snapshots with {levels} levels equal our books, {refused} records fit no \
         63 bits; {} instruments, {} messages verified",
        capture.books.len(),
        observer.tape.verified
    );
    let faults = observer.tape.faults.iter();
    let faults: Vec<_> = faults
        .filter(|fault| !fault.contains("EpochChanged") && !fault.contains("Upstream(Starting)"))
        .filter(|fault| {
            let of = |stream: &u64| fault.contains(&format!("SubscriptionId({stream})"));
            !fault.contains("Upstream(BadRecord)") || !faulty.iter().any(of)
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    (equal, f64::from(refused))
}

#[test]
fn every_cryptofeed_snapshot_equals_the_book_built_from_our_deltas() {
    let equal: usize = FILES.into_iter().map(check).sum();
    println!("{equal} snapshots in total");
}
