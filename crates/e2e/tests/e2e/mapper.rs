//! A client receives what the mappers of tardis-node make of venues' messages, both from those messages and from
//! the mappers' output.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Client, Event, Subscription};
use e2e::kafka::{Kafka, Record};
use e2e::publish::Publish;
use e2e::watcher::Observer;
use e2e::{Node, Settings, Tape, Watcher, broker, captures, http, wait};
use market::{Aggressor, Level, decimal};
use serde_json::value::RawValue;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(120);
const CASES: &str = "tardis/mapper_cases.jsonl.gz";
const EXPONENT: i8 = -8;
/// The topic of the mappers' output.
const MAPPED: &str = "mapper-tardis";

const OLD_OKX: &str = "OKX's API v3, switched off in 2022, is not read";
const FOLDED: &str = "tardis folds updates into the snapshot that are not among the cases";
const NO_BOOK: &str = "its checksum is of a book that is not among the cases";

/// Cases of which a client gets something else, what becomes of the record, and why.
const EXCEPTIONS: [(&str, &str, &str); 22] = [
    ("binance messages 9", "event", FOLDED),
    (
        "binance futures messages 1",
        "wrong_shape",
        "the aggregate trade lacks its identifier",
    ),
    (
        "binance futures messages 7",
        "event",
        "its book is crossed, and rejected",
    ),
    (
        "binance futures messages 9",
        "unknown_kind",
        "tardis asks REST for open interest and puts it into the stream; Binance sends no such thing",
    ),
    (
        "coinbase messages 5",
        "event",
        "a time in the year 1 is none; tardis takes that of the message before",
    ),
    (
        "kraken v2 messages 3",
        "bad_value",
        "its checksum is made up, so the book is rejected",
    ),
    (
        "okex-futures messages 19",
        "bad_value",
        "its book was cut down and its checksum was not, so the book is rejected",
    ),
    ("okex messages 11", "event", NO_BOOK),
    ("okex-futures messages 25", "event", NO_BOOK),
    ("okex messages 1", "unknown_kind", OLD_OKX),
    ("okex messages 3", "unknown_kind", OLD_OKX),
    ("okex messages 5", "unknown_kind", OLD_OKX),
    ("okex messages 7", "unknown_kind", OLD_OKX),
    ("okex-futures messages 1", "unknown_kind", OLD_OKX),
    ("okex-futures messages 3", "unknown_kind", OLD_OKX),
    ("okex-futures messages 5", "unknown_kind", OLD_OKX),
    ("okex-futures messages 7", "unknown_kind", OLD_OKX),
    ("okex-futures messages 9", "unknown_kind", OLD_OKX),
    ("okex-futures messages 11", "unknown_kind", OLD_OKX),
    ("okex-futures messages 13", "unknown_kind", OLD_OKX),
    ("okex-futures messages 15", "unknown_kind", OLD_OKX),
    ("okex-futures messages 17", "unknown_kind", OLD_OKX),
];

/// A case of the mappers: a venue's message, and the normalised events that are made of it.
struct Case {
    exchange: String,
    name: String,
    message: Box<RawValue>,
    expected: Vec<Value>,
}

/// Price and size, best first; bids, then asks.
type Sides = [Vec<(i64, i64)>; 2];

/// The content of one message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Snapshot {
        time: Option<u64>,
        book: Sides,
    },
    Delta {
        time: Option<u64>,
        levels: Sides,
    },
    Trades {
        time: Option<u64>,
        trades: Vec<(i64, i64, Aggressor, String)>,
    },
}

/// An instrument, and the offset of the record in its topic.
type Place = (String, i64);

/// What a client has to receive, and where.
#[derive(Default)]
struct Plan {
    wanted: BTreeMap<Place, Content>,
    /// Snapshots that the cases' updates need, and that are no case.
    seeds: Vec<Place>,
}

/// What a client got.
#[derive(Default)]
struct Seen {
    tape: Tape,
    names: Vec<String>,
    /// The content of a message, and the full book beside an update.
    got: BTreeMap<Place, (Content, Content)>,
}

impl Observer for Seen {
    fn observe(&mut self, client: &Client, event: &Event) {
        self.tape.observe(client, event);
        let (subscription, head, content) = match event {
            Event::Book(update) => {
                let book = client.book(update.subscription).unwrap().book();
                let sides = |bids: &mut dyn Iterator<Item = Level>,
                             asks: &mut dyn Iterator<Item = Level>| {
                    let entry = |level: Level| (level.price.0, level.size.0);
                    [bids.map(entry).collect(), asks.map(entry).collect()]
                };
                let time = update.head.event_time.map(|time| time.0);
                let snapshot = Content::Snapshot {
                    time,
                    book: sides(&mut book.bids().iter(), &mut book.asks().iter()),
                };
                let change = update.changes().map(|changes| Content::Delta {
                    time,
                    levels: sides(&mut changes.bids.into_iter(), &mut changes.asks.into_iter()),
                });
                let content = (change.unwrap_or_else(|| snapshot.clone()), snapshot);
                (update.subscription, update.head, content)
            }
            Event::Trades(update) => {
                let trades = update.trades().unwrap();
                let trades = trades.map(|trade| {
                    let id = trade.id.to_owned();
                    (trade.price.0, trade.size.0, trade.side, id)
                });
                let content = Content::Trades {
                    time: update.head.event_time.map(|time| time.0),
                    trades: trades.collect(),
                };
                (update.subscription, update.head, (content.clone(), content))
            }
            _ => return,
        };
        if head.seq.0 < 0 {
            // The empty book before the first record.
            return;
        }
        // Each instrument has two subscriptions.
        let index = usize::try_from(subscription.0 / 2).unwrap();
        self.got
            .insert((self.names[index].clone(), head.seq.0), content);
    }
}

fn cases() -> Option<Vec<Case>> {
    let file = captures::find(CASES)?;
    let parse = |line: &String| {
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
        let text = |name: &str| serde_json::from_str(fields[name].get()).unwrap();
        Case {
            exchange: text("exchange"),
            name: text("case"),
            expected: serde_json::from_str(fields["expected"].get()).unwrap(),
            message: fields["message"].clone(),
        }
    };
    Some(captures::lines(&file).iter().map(parse).collect())
}

fn format_of(exchange: &str) -> &str {
    match exchange {
        "okex" | "okex-futures" => "okx",
        "binance-futures" => "binance",
        venue => venue,
    }
}

/// What a client receives of the normalised events of one message; `None` where we have no events for them.
fn content(events: &[Value]) -> Option<Content> {
    let of_type = |kind: &str| -> Vec<&Value> {
        let is_it = |event: &&Value| event["type"] == kind;
        events.iter().filter(is_it).collect()
    };
    let (books, trades) = (of_type("book_change"), of_type("trade"));
    assert!(books.len() <= 1 && (books.is_empty() || trades.is_empty()));
    if let Some(book) = books.first() {
        let [mut bids, mut asks] = ["bids", "asks"].map(|side| levels(&book[side]));
        bids.sort_by(|a, b| b.cmp(a));
        asks.sort_unstable();
        let (time, sides) = (time(book), [bids, asks]);
        return Some(if book["isSnapshot"] == true {
            Content::Snapshot { time, book: sides }
        } else {
            Content::Delta {
                time,
                levels: sides,
            }
        });
    }
    let last = trades.last()?;
    let trades = trades.iter().map(|trade| {
        let side = match trade["side"].as_str() {
            Some("buy") => Aggressor::Buy,
            Some("sell") => Aggressor::Sell,
            _ => Aggressor::Unknown,
        };
        let id = trade["id"].as_str().unwrap_or_default().to_owned();
        (number(&trade["price"]), number(&trade["amount"]), side, id)
    });
    Some(Content::Trades {
        time: time(last),
        trades: trades.collect(),
    })
}

fn levels(levels: &Value) -> Vec<(i64, i64)> {
    let levels = levels.as_array().unwrap().iter();
    levels
        .map(|level| (number(&level["price"]), number(&level["amount"])))
        .collect()
}

fn number(value: &Value) -> i64 {
    decimal::parse(value.to_string().as_bytes(), EXPONENT).unwrap()
}

/// Tardis uses the time of receipt where a venue gave none; we have none then.
fn time(event: &Value) -> Option<u64> {
    let (time, local) = (&event["timestamp"], &event["localTimestamp"]);
    (time != local).then(|| nanos(time.as_str().unwrap()))
}

/// Nanoseconds since 1970 of `2019-08-01T00:00:03.816Z`.
fn nanos(text: &str) -> u64 {
    let field = |from: usize, to: usize| text[from..to].parse::<u64>().unwrap();
    let (year, month, day) = (field(0, 4), field(5, 7), field(8, 10));
    // March is the first month of a year here, so that a leap day is its last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    // The 1st of January 1970, counted likewise.
    const EPOCH: u64 = 719_469;
    let seconds = (field(11, 13) * 60 + field(14, 16)) * 60 + field(17, 19);
    let fraction = text[20..].trim_end_matches('Z');
    let below = format!("{fraction:0<9}").parse::<u64>().unwrap();
    ((days - EPOCH) * 86_400 + seconds) * 1_000_000_000 + below
}

/// A snapshot that an update can build on: its levels, with sizes of 7.
fn seed(case: &Case) -> Option<String> {
    let event = case.expected.first()?;
    if event["type"] != "book_change" || event["isSnapshot"] == true {
        return None;
    }
    let (symbol, format) = (&event["symbol"], format_of(&case.exchange));
    let side = |name: &str| {
        let levels = event[name].as_array().unwrap().iter();
        levels
            .map(|level| level["price"].to_string())
            .collect::<Vec<_>>()
    };
    let with = |level: &dyn Fn(&String) -> Value, name: &str| -> Vec<Value> {
        side(name).iter().map(level).collect()
    };
    let seed = match format {
        "coinbase" => {
            let level = |price: &String| json!([price, "7"]);
            let (bids, asks) = (with(&level, "bids"), with(&level, "asks"));
            json!({"type": "snapshot", "product_id": symbol, "bids": bids, "asks": asks})
        }
        "kraken" => {
            let level = |price: &String| json!([price, "7", "1561939258.5"]);
            let (bids, asks) = (with(&level, "bids"), with(&level, "asks"));
            json!([468, {"bs": bids, "as": asks}, "book-1000", symbol])
        }
        "bybit" => {
            let of = |side: &'static str| move |price: &String| json!({"price": price, "side": side, "size": 7});
            let mut all = with(&of("Buy"), "bids");
            all.extend(with(&of("Sell"), "asks"));
            let topic = format!("orderBookL2_25.{}", symbol.as_str().unwrap());
            json!({"topic": topic, "type": "snapshot", "data": all})
        }
        _ => return None,
    };
    Some(seed.to_string())
}

/// The same for the mappers' output: the event as a snapshot with sizes of 7.
fn mapped_seed(event: &Value) -> Option<Value> {
    if event["type"] != "book_change" || event["isSnapshot"] == true {
        return None;
    }
    let mut seed = event.clone();
    seed["isSnapshot"] = json!(true);
    for side in ["bids", "asks"] {
        for level in seed[side].as_array_mut().unwrap() {
            level["amount"] = json!(7);
        }
    }
    Some(seed)
}

fn exception(case: &Case) -> Option<(&'static str, &'static str)> {
    let mut all = EXCEPTIONS.iter();
    let (_, outcome, why) = all.find(|(name, ..)| case.name == format!("mappers > map {name}"))?;
    Some((outcome, why))
}

#[test]
fn every_case_of_the_tardis_mappers_reaches_a_client_as_mapped() {
    let Some(cases) = cases() else {
        return;
    };
    let turn = broker::turn();
    let brokers = turn.bootstrap();
    let mut kafka = Kafka::connect(&brokers);
    let mut settings = Settings::new(&brokers).topics(MAPPED, "tardis", "");
    let mut plan = Plan::default();
    // What becomes of the records of each case's own topic.
    let mut outcomes: Vec<(String, BTreeMap<String, u32>)> = Vec::new();
    let mut records: Vec<Vec<Record>> = Vec::new();
    let mut exceptions = 0;
    for (index, case) in cases.iter().enumerate() {
        let (topic, venue) = (format!("mapper-{index}"), format!("CASE-{index}"));
        let venue_key = format!("venue = \"{venue}\"");
        settings = settings.topics(&topic, format_of(&case.exchange), &venue_key);
        let content = content(&case.expected);
        let mut sent = Vec::new();
        let mut outcome = "nothing";
        if let Some((becomes, why)) = exception(case) {
            println!("{}: {}: {why}", case.exchange, case.name);
            outcome = becomes;
            exceptions += 1;
        } else if let Some(content) = content {
            outcome = "event";
            let symbol = case.expected[0]["symbol"].as_str().unwrap();
            let name = format!("{venue}:{symbol}");
            settings = settings.instrument(&name, "");
            if let Some(seed) = seed(case) {
                sent.push(Record::of(seed));
                plan.seeds.push((name.clone(), 0));
            }
            plan.wanted
                .insert((name, i64::try_from(sent.len()).unwrap()), content);
        } else if case.name.ends_with("binance messages 7") {
            // Here, too, an update waits for its snapshot, and nothing is published.
            outcome = "event";
        }
        sent.push(Record::of(case.message.get()));
        let count = u32::try_from(sent.len()).unwrap();
        outcomes.push((topic, BTreeMap::from([(outcome.to_owned(), count)])));
        records.push(sent);
    }
    assert_eq!(
        exceptions,
        EXCEPTIONS.len(),
        "an exception is not among the cases"
    );
    let (of_cases, mapped) = (plan.wanted.len(), plan_mapped(&cases, &mut plan));
    println!(
        "{} cases: {of_cases} published, {exceptions} exceptions",
        cases.len()
    );

    let mut names: Vec<_> = plan.wanted.keys().map(|(name, _)| name.clone()).collect();
    names.dedup();
    for name in names.iter().filter(|name| !name.starts_with("CASE-")) {
        settings = settings.instrument(name, "");
    }
    let subscriptions = names.iter();
    let subscriptions: Vec<_> = subscriptions
        .flat_map(|name| [Subscription::book(name), Subscription::trades(name)])
        .collect();
    let mut topics: Vec<_> = outcomes.iter().map(|(topic, _)| topic.as_str()).collect();
    topics.push(MAPPED);
    kafka.create_all(&topics, 1);
    let node = Node::start(&settings);
    let count = subscriptions.len();
    let seen = Seen {
        names,
        ..Seen::default()
    };
    let mut watcher = Watcher::start(&[node.url()], &subscriptions, seen);
    watcher.wait(WITHIN, "the subscriptions", |seen| {
        seen.tape.accepted() == count
    });
    for ((topic, _), records) in outcomes.iter().zip(&records) {
        kafka.produce(topic, 0, records);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mapped.join("\n")).unwrap();
    Publish::all(&brokers, Some(MAPPED)).run(file.path());
    // The file itself can be sent too, all cases to one topic.
    let capture = captures::find(CASES).unwrap();
    Publish::all(&brokers, Some("cases")).run(&capture);
    let sent = records.iter().map(Vec::len).sum::<usize>() + mapped.len();
    wait::until(WITHIN, "all records to be read", || {
        let read = node.metric("tapecast_records_total", &["mapper-"]);
        (read >= f64::from(u32::try_from(sent).unwrap())).then_some(())
    });
    let metrics = node.metrics();
    for (case, (topic, outcome)) in cases.iter().zip(&outcomes) {
        assert_eq!(
            http::outcomes(&metrics, topic),
            *outcome,
            "{}: {}",
            case.exchange,
            case.name
        );
    }
    let all = plan.wanted.len() + plan.seeds.len();
    watcher.wait_explained(
        WITHIN,
        |seen| seen.got.len() >= all,
        |seen| {
            let planned = plan.wanted.keys().chain(&plan.seeds);
            let missing: Vec<_> = planned
                .filter(|place| !seen.got.contains_key(*place))
                .collect();
            format!("messages of {missing:?}")
        },
    );
    watcher.stop();
    watcher.look(|seen| verdict(&plan, seen));
}

/// The mappers' output, one event a line, as Tardis sells it; and what a client has to receive of it.
fn plan_mapped(cases: &[Case], plan: &mut Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for event in cases.iter().flat_map(|case| &case.expected) {
        let (exchange, symbol) = (event["exchange"].as_str(), event["symbol"].as_str());
        let name = format!("{}:{}", exchange.unwrap().to_uppercase(), symbol.unwrap());
        if let Some(seed) = mapped_seed(event) {
            plan.seeds
                .push((name.clone(), i64::try_from(lines.len()).unwrap()));
            lines.push(seed.to_string());
        }
        // Tardis always has a time.
        let mut timed = event.clone();
        timed["localTimestamp"] = Value::Null;
        // The mapper's own crossed book is rejected, however it arrives.
        let content = content(&[timed]).filter(|content| !is_crossed(content));
        if let Some(content) = content {
            plan.wanted
                .insert((name, i64::try_from(lines.len()).unwrap()), content);
        }
        lines.push(event.to_string());
    }
    lines
}

fn is_crossed(content: &Content) -> bool {
    let Content::Snapshot {
        book: [bids, asks], ..
    } = content
    else {
        return false;
    };
    matches!((bids.first(), asks.first()), (Some(bid), Some(ask)) if bid.0 > ask.0)
}

fn verdict(plan: &Plan, seen: &mut Seen) {
    let mut wrong = Vec::new();
    for (place, content) in &plan.wanted {
        match seen.got.remove(place) {
            Some((change, snapshot)) if *content == change || *content == snapshot => {}
            other => wrong.push(format!("{place:?}: {other:?}, not {content:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for place in &plan.seeds {
        assert!(seen.got.remove(place).is_some(), "{place:?}");
    }
    assert!(seen.got.is_empty(), "unexpected: {:?}", seen.got);
    println!(
        "{} events of {} instruments equal",
        plan.wanted.len(),
        seen.names.len()
    );
}
