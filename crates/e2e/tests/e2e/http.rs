//! HTTP and Server-Sent Events carry the same books.

use std::collections::BTreeMap;
use std::time::Duration;

use client::Subscription;
use e2e::kafka::{Kafka, Record};
use e2e::socket::Socket;
use e2e::sse::EventSource;
use e2e::{Node, Settings, Tape, Watcher, broker, http, wait};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read as _;
use wire::SUBPROTOCOL_SBE;
use wire::sbe::{Body, Messages};

const WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "TEST:HTTP";
const SBE: &str = "Accept: application/vnd.tapecast.sbe";

fn node(topic: &str, more: &str) -> (broker::Turn, Kafka, Node) {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    let levels = |price: i32, step: i32| -> Vec<[String; 2]> {
        let level = |at: i32| [format!("{}", price + at * step), format!("{}", at + 1)];
        (0..30).map(level).collect()
    };
    let book = json!({"type": "snapshot", "symbol": NAME, "seq": 100, "bids": levels(1000, -1), "asks": levels(1001, 1)});
    kafka.produce(topic, 0, &[Record::of(book.to_string())]);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument(NAME, "")
        .more(more);
    let node = Node::start(&settings);
    (turn, kafka, node)
}

/// A change of one level, and a trade.
fn change(number: i64) -> [Record; 2] {
    let price = 990 + number % 8;
    let size = (number + 1).to_string();
    let book = json!({"type": "delta", "symbol": NAME, "prev_seq": 100 + number, "seq": 101 + number, "bids": [[price.to_string(), size]], "asks": []});
    let trade = json!({"type": "trade", "symbol": NAME, "trades": [
        {"price": "1000.5", "size": size, "side": "buy", "id": number.to_string()}]});
    [Record::of(book.to_string()), Record::of(trade.to_string())]
}

fn book_of(node: &Node, query: &str, headers: &[&str]) -> http::Response {
    http::fetch(
        node.public(),
        "GET",
        &format!("/v1/books/{NAME}{query}"),
        headers,
    )
}

/// Waits until the node has read up to an offset; returns the book then.
fn book_at(node: &Node, seq: i64) -> Value {
    wait::until(WITHIN, "the last record", || {
        let book = book_of(node, "", &[]).json();
        (book["seq"] == json!(seq)).then_some(book)
    })
}

/// The messages of a body without their time of publishing, which is the node's own.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (_, after) = wire::sbe::Message::decode(rest).unwrap();
        let mut message = rest[..rest.len() - after.len()].to_vec();
        message[48..56].fill(0);
        all.push(message);
        rest = after;
    }
    all
}

#[test]
fn a_group_over_the_limit_is_rejected_and_a_freed_slot_is_available_at_once() {
    let limit = "[streams]\ngrouped_views_per_instrument = 2\n";
    let (_turn, _kafka, node) = node("http-views", limit);
    let mut socket = Socket::connect(node.public(), "tapecast.json.v1");
    let mut ask = |op: &str, groups: &[&str]| -> Vec<String> {
        let stream = |group: &&str| match *group {
            "" => json!({"channel": "book", "symbol": NAME, "speed": "100ms"}),
            group => json!({"channel": "book", "symbol": NAME, "group": group}),
        };
        let streams: Vec<_> = groups.iter().map(stream).collect();
        socket.request(&json!({"op": op, "id": 1, "streams": streams}).to_string());
        let answer = socket.answer();
        let results = answer["results"].as_array().unwrap().iter();
        let code = |result: &Value| result["error"]["code"].as_str().unwrap_or("ok").to_owned();
        results.map(code).collect()
    };
    let rejected = "too_many_views";
    assert_eq!(
        ask("subscribe", &["1", "2", "3", ""]),
        ["ok", "ok", rejected, "ok"]
    );
    assert_eq!(ask("subscribe", &["4"]), [rejected]);
    wait::until(WITHIN, "the count", || {
        (node.metric("tapecast_views_rejected_total", &[]) >= 2.0).then_some(())
    });
    let errors = node.metric("tapecast_request_errors_total", &[rejected]);
    assert!(errors >= 2.0, "{errors}");
    // A single request needs no slot.
    assert_eq!(book_of(&node, "?group=5", &[]).status, 200);
    assert_eq!(ask("unsubscribe", &["1"]), ["ok"]);
    assert_eq!(ask("subscribe", &["4"]), ["ok"]);
    assert_eq!(ask("subscribe", &["1"]), [rejected]);
}

#[test]
fn an_address_over_its_request_rate_is_told_when_to_retry() {
    let limit = "[limits]\nhttp_requests_per_second_per_address = 2\n";
    let (_turn, _kafka, node) = node("http-rate", limit);
    // Ten tokens: a book of ten levels costs one, a book of all levels two.
    let statuses: Vec<_> = (0..20)
        .map(|_| book_of(&node, "?depth=10", &[]).status)
        .collect();
    assert_eq!(statuses[..10], [200; 10]);
    assert!(statuses.contains(&429), "{statuses:?}");
    let refused = wait::until(WITHIN, "an empty bucket", || {
        let answer = book_of(&node, "?group=5", &[]);
        (answer.status == 429).then_some(answer)
    });
    let after: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&after), "{after}");
    assert_eq!(refused.json()["error"]["code"], json!("too_many_requests"));
    assert!(node.metric("tapecast_http_requests_rejected_total", &[]) >= 1.0);
    // The documents of the API are free, and sessions cost nothing.
    let document = http::fetch(node.public(), "GET", "/v1/openapi.json", &[]);
    assert_eq!(document.status, 200);
    let mut socket = Socket::connect(node.public(), "tapecast.json.v1");
    let stream = json!({"channel": "book", "symbol": NAME});
    socket.request(&json!({"op": "subscribe", "id": 1, "streams": [stream]}).to_string());
    assert_eq!(socket.answer()["results"][0]["ok"], json!(true));
    // After a wait it is answered again.
    wait::until(WITHIN, "a full enough bucket", || {
        (book_of(&node, "?group=5", &[]).status == 200).then_some(())
    });
}

#[test]
fn a_book_over_http_is_byte_for_byte_what_a_subscriber_is_sent() {
    let (_turn, mut kafka, node) = node("http-book", "");
    let mut last = 0;
    for number in 0..20 {
        last = kafka.produce("http-book", 0, &change(number));
    }
    let full = book_at(&node, last);
    for (query, more) in [
        ("", ""),
        ("?depth=5", r#","depth":5"#),
        ("?depth=25&group=5", r#","depth":25,"group":"5""#),
    ] {
        let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
        socket.request(&format!(
            r#"{{"op":"subscribe","id":1,"streams":[{{"channel":"book","symbol":"{NAME}"{more}}}]}}"#
        ));
        assert_eq!(socket.answer()["results"][0]["ok"], json!(true), "{query}");
        let sent: Vec<_> = [socket.frame(), socket.frame()]
            .into_iter()
            .flat_map(|frame| messages(&frame.unwrap().payload))
            .collect();
        let answer = book_of(&node, query, &[SBE]);
        assert_eq!(messages(&answer.body), sent, "{query}");
        // The JSON has the same content.
        let book = book_of(&node, query, &[]).json();
        let mut checksum = None;
        for message in Messages::new(&answer.body).map(Result::unwrap) {
            if let Body::BookSnapshot(snapshot) = message.body {
                checksum = Some(snapshot.checksum);
                assert_eq!(
                    book["bids"].as_array().unwrap().len(),
                    snapshot.bids.count()
                );
                assert_eq!(book["seq"], json!(message.head.seq.0));
            }
        }
        assert_eq!(
            Some(&book["checksum"]),
            checksum.map(|sum| json!(sum)).as_ref()
        );
    }
    assert_eq!(full["bids"].as_array().unwrap().len(), 30);
    println!("full, 5 levels and grouped: the same bytes over HTTP and over WebSocket");
}

#[test]
fn what_has_not_changed_is_not_sent_twice() {
    let (_turn, mut kafka, node) = node("http-etag", "");
    let last = kafka.produce("http-etag", 0, &change(0));
    book_at(&node, last);
    let first = book_of(&node, "?depth=10", &[]);
    let tag = first.header("etag").unwrap().to_owned();
    let with_tag = format!("If-None-Match: {tag}");
    let again = book_of(&node, "?depth=10", &[&with_tag]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(&*tag));
    let last = kafka.produce("http-etag", 0, &change(1));
    book_at(&node, last);
    assert_eq!(book_of(&node, "?depth=10", &[&with_tag]).status, 200);
    // Compressed it is the same, and smaller.
    let plain = book_of(&node, "", &[]);
    let packed = book_of(&node, "", &["Accept-Encoding: gzip"]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed.body[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
    let packed = book_of(&node, "", &["Accept-Encoding: gzip, zstd"]);
    assert_eq!(packed.header("content-encoding"), Some("zstd"));
    assert_eq!(zstd::decode_all(&packed.body[..]).unwrap(), plain.body);
    assert!(packed.body.len() < plain.body.len());
}

#[test]
fn the_latest_trades_and_the_ledger_match_kafka() {
    let (_turn, mut kafka, node) = node("http-trades", "");
    let mut last = 0;
    for number in 0..30 {
        last = kafka.produce("http-trades", 0, &change(number)) + 1;
    }
    book_at(&node, last - 1);
    let path = format!("/v1/trades/{NAME}?limit=5");
    let trades = wait::until(WITHIN, "the last trade", || {
        let trades = http::fetch(node.public(), "GET", &path, &[]).json();
        (trades["seq"] == json!(last)).then_some(trades)
    });
    let ids: Vec<_> = trades["trades"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trade| trade["tradeId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["25", "26", "27", "28", "29"]);
    assert_eq!(trades["trades"][4]["price"], json!("1000.5"));
    assert_eq!(trades["gaps"], json!([]));
    let account = http::fetch(node.public(), "GET", &format!("/v1/ledger/{NAME}"), &[]).json();
    let count = |field: &str| account[field].as_u64().unwrap();
    assert_eq!((count("records"), count("trades")), (61, 30));
    assert_eq!(
        (count("ownGaps"), count("upstreamGaps"), count("refused")),
        (0, 0, 0)
    );
    // Its position in Kafka.
    let instrument = http::fetch(
        node.public(),
        "GET",
        &format!("/v1/instruments/{NAME}"),
        &[],
    )
    .json();
    let source = |channel: &str| {
        let mut all = instrument["channels"].as_array().unwrap().iter();
        all.find(|source| source["channel"] == json!(channel))
            .unwrap()
            .clone()
    };
    for channel in ["book", "trades"] {
        let source = source(channel);
        assert_eq!(
            (&source["topic"], &source["partition"]),
            (&json!("http-trades"), &json!(0))
        );
        assert_eq!(source["topicId"].as_str().unwrap().len(), 32);
    }
    assert_eq!(source("trades")["seq"], json!(last));
    assert_eq!(source("trades")["epoch"], trades["epoch"]);
}

/// Returns whether a message is anything but a heartbeat, which never ends.
fn moves(message: &Value) -> bool {
    message["type"] != json!("Heartbeat")
}

/// What a client of JSON knows of one book.
#[derive(Default)]
struct Book {
    mine: i64,
    sides: [BTreeMap<String, String>; 2],
}

impl Book {
    /// Applies a message by the one rule.
    fn take(&mut self, message: &Value) {
        let (prev, seq) = (
            message["prevSeq"].as_i64().unwrap(),
            message["seq"].as_i64().unwrap(),
        );
        match message["type"].as_str().unwrap() {
            "BookSnapshot" => {
                self.sides = Default::default();
                self.mine = seq;
            }
            "BookDelta" if seq > self.mine => {
                assert!(prev <= self.mine, "a gap: {prev} after {}", self.mine);
                self.mine = seq;
            }
            _ => return,
        }
        for (side, name) in self.sides.iter_mut().zip(["bids", "asks"]) {
            for level in message[name].as_array().unwrap() {
                let (price, size) = (level[0].as_str().unwrap(), level[1].as_str().unwrap());
                if size == "0" {
                    side.remove(price);
                } else {
                    side.insert(price.into(), size.into());
                }
            }
        }
    }

    fn assert_is(&self, book: &Value) {
        assert_eq!(json!(self.mine), book["seq"]);
        for (side, name) in self.sides.iter().zip(["bids", "asks"]) {
            let levels = book[name].as_array().unwrap();
            assert_eq!(levels.len(), side.len(), "{name}");
            for level in levels {
                let size = side.get(level[0].as_str().unwrap()).map(String::as_str);
                assert_eq!(size, level[1].as_str(), "{name} {level}");
            }
        }
    }
}

#[test]
fn events_resume_after_the_last_one_without_losing_a_message() {
    let (_turn, mut kafka, node) = node("http-events", "");
    let query = format!("channel=book&symbol={NAME}&channel=trades&symbol={NAME}");
    let mut events = EventSource::open(node.public(), &query, "");
    assert!(events.head.starts_with("http/1.1 200"), "{}", events.head);
    assert!(events.head.contains("content-type: text/event-stream"));
    for result in events.answer()["results"].as_array().unwrap() {
        assert_eq!(
            (&result["ok"], &result["start"]),
            (&json!(true), &json!("snapshot"))
        );
    }
    let mut book = Book::default();
    let mut trades = Vec::new();
    let mut last = 0;
    // In each round some arrive on the connection, which is cut at any of them, and some while there
    // is none.
    for round in 0..5 {
        for number in 0..20 {
            last = kafka.produce("http-events", 0, &change(round * 40 + number)) + 1;
        }
        let cut = last - 7 * round - 1;
        while book.mine < cut - 2 {
            let message = events.message(moves).unwrap();
            if message["type"] == json!("Trades") {
                trades.push(
                    message["trades"][0]["tradeId"]
                        .as_str()
                        .unwrap()
                        .parse::<i64>()
                        .unwrap(),
                );
            }
            book.take(&message);
        }
        for number in 20..40 {
            last = kafka.produce("http-events", 0, &change(round * 40 + number)) + 1;
        }
        let id = events.last_id.clone();
        events = EventSource::open(node.public(), &query, &id);
        for result in events.answer()["results"].as_array().unwrap() {
            assert_eq!(result["start"], json!("resumed"), "{id}: {result}");
        }
    }
    while book.mine < last - 1 || trades.last() != Some(&199) {
        let message = events.message(moves).unwrap();
        if message["type"] == json!("Trades") {
            trades.push(
                message["trades"][0]["tradeId"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap(),
            );
        }
        book.take(&message);
    }
    book.assert_is(&book_at(&node, last - 1));
    assert_eq!(
        trades,
        (0..200).collect::<Vec<i64>>(),
        "each trade once, in order"
    );
    println!("5 cuts, 200 trades, each once; the book is that of HTTP");
}

#[test]
fn a_lagging_sse_client_gets_the_net_change_and_a_lag_notice() {
    let small = "[streams]\nrun_bytes_per_stream = \"64KiB\"\nlog_bytes_per_instrument = \"1MiB\"\n\
                 [session]\nsend_buffer_bytes = \"4KiB\"";
    let topic = "http-slow";
    let (_turn, mut kafka, node) = node(topic, small);
    let mut slow = EventSource::open(node.public(), &format!("channel=book&symbol={NAME}"), "");
    let mut watcher = Watcher::start(&[node.url()], &[Subscription::book(NAME)], Tape::default());
    watcher.wait(WITHIN, "the subscription", |tape| tape.accepted() == 1);
    // Changes of 500 levels: some 20 KB of JSON each, 20 MB in all.
    let mut last = 0;
    for round in 0..10 {
        let records: Vec<_> = (0..100)
            .map(|one| Record::of(wide(round * 100 + one)))
            .collect();
        last = kafka.produce(topic, 0, &records) + 99;
    }
    watcher.wait(WITHIN, "the last change", |tape| {
        tape.books.get(&0).and_then(|seqs| seqs.last()) == Some(&last)
    });
    watcher.stop();
    let mut book = Book::default();
    let mut lags = Vec::new();
    while book.mine < last {
        let message = slow.message(moves).expect("the connection stays");
        if message["type"] == json!("Lag") {
            lags.push(message["kind"].as_str().unwrap().to_owned());
        }
        book.take(&message);
    }
    assert!(!lags.is_empty(), "a lagging client gets a notice");
    book.assert_is(&book_at(&node, last));
    let account = http::fetch(node.public(), "GET", &format!("/v1/ledger/{NAME}"), &[]).json();
    assert!(account["conflated"].as_u64().unwrap() > 0, "{account}");
    println!("a lagging client of events got {lags:?} and has the book");
}

fn wide(number: u32) -> String {
    let bids: Vec<_> = (0..500)
        .map(|level| [format!("{}", 900 - level), format!("{}", number + 1)])
        .collect();
    json!({"type": "delta", "symbol": NAME, "prev_seq": 100 + number, "seq": 101 + number, "bids": bids, "asks": []}).to_string()
}

#[test]
fn an_sse_session_counts_as_a_session() {
    let (_turn, _kafka, mut node) = node(
        "http-session",
        "[limits]\nsessions = 1\n[session]\nping_interval = \"200ms\"\npong_timeout = \"300ms\"\ndrain_delay = \"200ms\"",
    );
    let query = format!("channel=status&symbol={NAME}");
    let mut events = EventSource::open(node.public(), &query, "");
    assert_eq!(events.answer()["results"][0]["ok"], json!(true));
    assert_eq!(node.metric("tapecast_sessions", &[]), 1.0);
    let path = format!("/v1/stream?{query}");
    let refused = http::fetch(node.public(), "GET", &path, &[]);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(refused.json()["error"]["code"], json!("full"));
    node.terminate();
    let mut kinds = Vec::new();
    while let Some(event) = events.event() {
        kinds.push(
            event.data["type"]
                .as_str()
                .unwrap_or(&event.kind)
                .to_owned(),
        );
        if event.kind == "close" {
            assert_eq!(event.data["code"], json!(1012));
        }
    }
    assert_eq!(kinds[kinds.len() - 2..], ["GoAway", "close"]);
    assert!(node.wait_end(WITHIN).success());
}
