//! The mappers of tardis-node and these formats agree about venues' messages.

use std::collections::BTreeMap;

use ingest::Format;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::captures;
use crate::venues::{says, source};

/// Cases that are read differently here, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "binance",
        "map binance messages 7",
        "tardis keeps a change until the whole book has come; here the book does",
    ),
    (
        "binance",
        "map binance messages 9",
        "tardis folds the changes that it kept into the whole book; here the book does",
    ),
    (
        "binance-futures",
        "map binance futures messages 1",
        "tardis passes over aggregate trades; ours need the identifier that this one lacks",
    ),
    (
        "binance-futures",
        "map binance futures messages 7",
        "tardis folds the changes that it kept into the whole book; here the book does",
    ),
    (
        "binance-futures",
        "map binance futures messages 9",
        "tardis asks REST for open interest and puts it into the stream; Binance sends no such thing",
    ),
    (
        "kraken",
        "map kraken v2 messages 3",
        "its checksum is made up, so the book is refused",
    ),
    (
        "okex",
        "map okex messages 1",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex",
        "map okex messages 5",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 1",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 3",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 5",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 9",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 13",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 15",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 7",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 11",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 17",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex",
        "map okex messages 3",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex",
        "map okex messages 7",
        "OKX's API v3, switched off in 2022",
    ),
    (
        "okex-futures",
        "map okex-futures messages 19",
        "its book was cut down and its checksum was not, so the book is refused",
    ),
    (
        "coinbase",
        "map coinbase messages 5",
        "a time in the year 1 is none; tardis takes that of the message before",
    ),
];

#[derive(Deserialize)]
struct Case {
    exchange: String,
    case: String,
    message: Box<RawValue>,
    expected: Vec<Value>,
}

fn format_of(exchange: &str) -> Option<Format> {
    match exchange {
        "okex" | "okex-futures" => Format::from_name("okx"),
        "binance-futures" => Some(Format::Binance),
        other => Format::from_name(other),
    }
}

/// The expected result as a description of events; what has no event here is left out.
fn expected(case: &Case) -> Value {
    let of_type = |kind: &str| -> Vec<&Value> {
        let is_it = |event: &&Value| event["type"] == kind;
        case.expected.iter().filter(is_it).collect()
    };
    let (books, trades) = (of_type("book_change"), of_type("trade"));
    assert!(books.len() <= 1 && (books.is_empty() || trades.is_empty()));
    if let Some(book) = books.first() {
        let kind = ["delta", "snapshot"][usize::from(book["isSnapshot"] == true)];
        let side = |name: &str| {
            let levels = book[name].as_array().unwrap().iter();
            levels
                .map(|level| json!([number(&level["price"]), number(&level["amount"])]))
                .collect::<Vec<_>>()
        };
        return json!({
            "kind": kind, "symbol": book["symbol"], "time": time(book),
            "bids": side("bids"), "asks": side("asks"),
        });
    }
    let Some(first) = trades.first() else {
        return json!("nothing");
    };
    let last = trades.last().unwrap();
    let all = trades.iter().map(|trade| {
        let id = trade["id"].as_str().unwrap_or_default();
        json!([
            number(&trade["price"]),
            number(&trade["amount"]),
            trade["side"],
            id
        ])
    });
    json!({
        "kind": "trades", "symbol": first["symbol"], "time": time(last),
        "trades": all.collect::<Vec<_>>(),
    })
}

/// Tardis replaces a missing time by that of receipt; here it is null.
fn time(event: &Value) -> Value {
    let (time, local) = (&event["timestamp"], &event["localTimestamp"]);
    if time == local {
        Value::Null
    } else {
        nanos(time.as_str().unwrap())
    }
}

/// Seconds of the day distinguish all cases, and dates are tested elsewhere.
fn nanos(time: &str) -> Value {
    let (clock, fraction) = time[11..].trim_end_matches('Z').split_once('.').unwrap();
    let seconds = clock
        .split(':')
        .fold(0, |all, part| all * 60 + part.parse::<u64>().unwrap());
    json!(seconds * 1_000_000_000 + format!("{fraction:0<9}").parse::<u64>().unwrap())
}

fn number(value: &Value) -> String {
    let mantissa = market::decimal::parse(value.to_string().as_bytes(), -8).unwrap();
    market::decimal::to_string(mantissa, -8)
}

/// The decoded event without what Tardis does not have.
fn ours(format: Format, case: &Case) -> Value {
    const DAY: u64 = 86_400 * 1_000_000_000;
    let mut said = says(&source(format), case.message.get());
    if let Some(fields) = said.as_object_mut() {
        for more in ["seq", "prev", "window", "checksum", "fetched"] {
            fields.remove(more);
        }
        let of_day = fields
            .get("time")
            .and_then(Value::as_u64)
            .map(|time| time % DAY);
        if !fields.contains_key("error") {
            fields.insert("time".to_owned(), json!(of_day));
        }
        if let Some(Value::String(symbol)) = fields.get_mut("symbol") {
            *symbol = symbol.split_once(':').unwrap().1.to_owned();
        }
    }
    said
}

/// Tardis's own format of the cases has the same content.
#[test]
fn what_the_mappers_write_says_what_they_say() {
    let Some(lines) = captures::lines("tardis/mapper_cases.jsonl.gz") else {
        return;
    };
    let mut read = 0;
    for line in lines {
        let case: Case = serde_json::from_str(&line).unwrap();
        for event in case.expected {
            let message = serde_json::value::to_raw_value(&event).unwrap();
            let mut alone = Case {
                exchange: case.exchange.clone(),
                case: case.case.clone(),
                message,
                expected: vec![event],
            };
            let ours = ours(Format::Tardis, &alone);
            // Tardis always has a time.
            alone.expected[0]["localTimestamp"] = Value::Null;
            assert_eq!(ours, expected(&alone), "{}", case.case);
            read += 1;
        }
    }
    println!("read: {read}");
}

#[test]
fn every_case_of_a_venue_that_we_read_says_what_it_should() {
    let Some(lines) = captures::lines("tardis/mapper_cases.jsonl.gz") else {
        return;
    };
    let mut equal: BTreeMap<String, u32> = BTreeMap::new();
    let mut exceptions = EXCEPTIONS.to_vec();
    let mut wrong = Vec::new();
    for line in lines {
        let case: Case = serde_json::from_str(&line).unwrap();
        let Some(format) = format_of(&case.exchange) else {
            continue;
        };
        let (expected, ours) = (expected(&case), ours(format, &case));
        let listed = exceptions.iter().position(|(exchange, name, _)| {
            *exchange == case.exchange && case.case.ends_with(name)
        });
        match listed {
            Some(at) => {
                let (_, _, why) = exceptions.swap_remove(at);
                assert_ne!(ours, expected, "{} no more: {why}", case.case);
                println!("{}: {}: {why}", case.exchange, case.case);
            }
            None if ours == expected => *equal.entry(case.exchange).or_default() += 1,
            None => wrong.push(format!("{}: {ours}, not {expected}", case.case)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(exceptions, [], "these were not among the cases");
    println!("equal: {equal:?}");
}
