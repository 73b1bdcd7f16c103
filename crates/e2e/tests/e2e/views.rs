//! Views of a book: depth, speed and grouping, and changing them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::event::BookUpdate;
use client::{Change, Client, Event, Handle, Subscription, SubscriptionId};
use e2e::kafka::{Kafka, Record};
use e2e::publish::Publish;
use e2e::socket::Socket;
use e2e::watcher::{Observer, Watcher};
use e2e::{Node, Settings, broker, captures};
use market::{Bbo, Book, Level, Side};
use serde_json::{Value, json};
use wire::control::{ErrorCode, Policy, StartKind};
use wire::{Depth, PriceStep, SUBPROTOCOL_JSON, Speed, View};

const WITHIN: Duration = Duration::from_secs(90);
const CAPTURE: &str = "hftbacktest/spot/btcusdt_20240808.gz";
const NAME: &str = "BINANCE:BTCUSDT";
const EXPONENT: i8 = -8;
/// More messages than this has the capture's full book (3,453), so the last one is not the first.
const MESSAGES: usize = 3_000;

/// Depth, speed, step of the grouping.
const VIEWS: [(Depth, Speed, Option<&str>); 8] = [
    (Depth::D1, Speed::Raw, None),
    (Depth::D10, Speed::Raw, None),
    (Depth::D10, Speed::Ms100, None),
    (Depth::Full, Speed::Ms250, None),
    (Depth::D5, Speed::Raw, Some("10")),
    (Depth::D25, Speed::Ms10, Some("0.5")),
    (Depth::Full, Speed::S1, Some("100")),
    (Depth::D1000, Speed::Ms100, Some("1")),
];

/// The messages of the full raw book, and every view of it after each of them.
#[derive(Default)]
struct Seen {
    accepted: usize,
    /// The full raw book now, and the steps that led there by their `seq`.
    full: Book,
    steps: Vec<(i64, Step)>,
    /// By the subscription and the message's `seq`.
    views: BTreeMap<(SubscriptionId, i64), Book>,
    bbos: BTreeMap<i64, Bbo>,
    wrong: Vec<String>,
}

/// A message of the full raw book. Thousands of complete books would not fit in memory.
enum Step {
    Snapshot(Book),
    Delta(Vec<(Side, Level)>),
}

impl Step {
    fn of(update: &BookUpdate, book: &Book) -> Self {
        let Some(changes) = update.changes() else {
            return Self::Snapshot(book.clone());
        };
        let bids = changes.bids.map(|level| (Side::Bid, level));
        let asks = changes.asks.map(|level| (Side::Ask, level));
        Self::Delta(bids.chain(asks).collect())
    }

    fn apply(&self, full: &mut Book) {
        match self {
            Self::Snapshot(book) => full.clone_from(book),
            Self::Delta(levels) => {
                for (side, level) in levels {
                    full.set(*side, *level);
                }
            }
        }
    }
}

impl Seen {
    /// The last message of every view, in the order of the requests.
    fn last(&self) -> Vec<&Book> {
        let mut last = BTreeMap::new();
        for ((id, _), book) in &self.views {
            last.insert(id, book);
        }
        last.into_values().collect()
    }
}

impl Observer for Seen {
    fn observe(&mut self, client: &Client, event: &Event) {
        match event {
            Event::Subscribed(_) => self.accepted += 1,
            Event::Book(update) => {
                let id = update.subscription;
                let kept = client.book(id).unwrap();
                assert!(kept.is_live());
                let seq = update.head.seq.0;
                if update.head.view == View::FULL_RAW {
                    let step = Step::of(update, kept.book());
                    step.apply(&mut self.full);
                    self.steps.push((seq, step));
                } else {
                    let other = self.views.insert((id, seq), kept.book().clone());
                    assert!(other.is_none_or(|other| other == *kept.book()));
                }
            }
            Event::Bbo(update) => {
                self.bbos.insert(update.head.seq.0, update.bbo);
            }
            Event::Gap(_) | Event::Lag(_) => self.wrong.push(format!("{event:?}")),
            _ => {}
        }
    }
}

fn view(book: &Book, depth: Depth, group: Option<&str>) -> Book {
    let step = group.map_or(1, |step| {
        PriceStep::parse(step).unwrap().at(EXPONENT).unwrap()
    });
    let mut view = Book::new();
    for side in Side::BOTH {
        let mut levels: Vec<Level> = Vec::new();
        for level in book.side(side).iter() {
            let price = level.price.0;
            let price = match side {
                Side::Bid => price - price % step,
                Side::Ask => price + (step - price % step) % step,
            };
            match levels.last_mut() {
                Some(last) if last.price.0 == price => last.size.0 += level.size.0,
                _ => levels.push(Level::new(price, level.size.0)),
            }
        }
        for level in levels
            .into_iter()
            .take(depth.levels().unwrap_or(usize::MAX))
        {
            view.set(side, level);
        }
    }
    view
}

#[test]
fn every_message_of_every_view_matches_the_full_book() {
    let Some(file) = captures::find(CAPTURE) else {
        return;
    };
    let turn = broker::turn();
    let topic = "views";
    Kafka::connect(&turn.bootstrap()).create(topic, 1);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "binance", "venue = \"BINANCE\"")
        .instrument(NAME, "");
    let node = Node::start(&settings);
    let mut wanted = vec![Subscription::book(NAME)];
    for (depth, speed, group) in VIEWS {
        let view = Subscription::book(NAME).depth(depth).speed(speed);
        wanted.push(match group {
            Some(step) => view.group(PriceStep::parse(step).unwrap()),
            None => view,
        });
    }
    wanted.push(Subscription::bbo(NAME).speed(Speed::Ms100));
    let mut watcher = Watcher::start(&[node.url()], &wanted, Seen::default());
    watcher.wait(WITHIN, "the subscriptions", |observer| {
        observer.accepted == wanted.len()
    });
    let mut publish = Publish::all("", Some(topic));
    let brokers = turn.bootstrap();
    publish.brokers = &brokers;
    publish.speed = "100";
    publish.run(&file);
    // Computing every view takes a while, so it is done when the full book has stopped changing.
    let steps = Cell::new(0);
    watcher.wait(WITHIN, "the last event in every view", |observer| {
        if steps.replace(observer.steps.len()) != observer.steps.len()
            || observer.steps.len() < MESSAGES
        {
            return false;
        }
        let last = observer.last();
        let mut views = last.iter().zip(VIEWS);
        last.len() == VIEWS.len()
            && views.all(|(seen, (depth, _, group))| **seen == view(&observer.full, depth, group))
            && observer.bbos.values().next_back() == Some(&observer.full.bbo())
    });
    watcher.stop();
    watcher.look(|observer| {
        assert!(observer.wrong.is_empty(), "{:?}", observer.wrong);
        let ids: BTreeSet<_> = observer.views.keys().map(|(id, _)| *id).collect();
        let asked: BTreeMap<_, _> = ids.into_iter().zip(VIEWS).collect();
        let mut right: BTreeMap<SubscriptionId, usize> = BTreeMap::new();
        let mut bbos = 0;
        let mut full = Book::new();
        for (index, (seq, step)) in observer.steps.iter().enumerate() {
            step.apply(&mut full);
            // The empty book is sent twice at the same position: without an epoch, then in the first.
            let next = observer.steps.get(index + 1);
            if next.is_some_and(|(next, _)| next == seq) {
                continue;
            }
            for (id, (depth, speed, group)) in &asked {
                let Some(seen) = observer.views.get(&(*id, *seq)) else {
                    continue;
                };
                let expected = view(&full, *depth, *group);
                assert_eq!(*seen, expected, "{depth:?} {speed:?} {group:?} at {seq}");
                *right.entry(*id).or_default() += 1;
            }
            if let Some(bbo) = observer.bbos.get(seq) {
                assert_eq!(*bbo, full.bbo());
                bbos += 1;
            }
        }
        assert_eq!(
            right.values().sum::<usize>(),
            observer.views.len(),
            "each stands where the full book has a message"
        );
        assert_eq!(bbos, observer.bbos.len());
        for (id, (depth, speed, group)) in &asked {
            let messages = right[id];
            println!("{depth:?} {} {group:?}: {messages} right", speed.name());
            assert!(messages > 3);
        }
        println!("bbo 100ms: {bbos} messages right");
        assert!(bbos > 3);
    });
}

/// A node with an instrument that has a book, and a connection to it in JSON.
fn small(topic: &str) -> (broker::Turn, Kafka, Node, Socket) {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    let book = json!({"type": "snapshot", "symbol": "TEST:VIEW", "seq": 4, "bids": [["10.4", "1"], ["10.2", "2"], ["9", "3"]],
        "asks": [["11", "2"], ["11.5", "3"]]});
    kafka.produce(topic, 0, &[Record::of(book.to_string())]);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument("TEST:VIEW", "price_exponent = -2\nsize_exponent = 0");
    let node = Node::start(&settings);
    let socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    (turn, kafka, node, socket)
}

/// The best bid has that size; the sizes of one test count up from 5, and so do its numbers.
fn delta(size: u32) -> Record {
    let bids = [["10.4", &size.to_string()]];
    let delta = json!({"type": "delta", "symbol": "TEST:VIEW", "prev_seq": size - 1, "seq": size, "bids": bids, "asks": []});
    Record::of(delta.to_string())
}

/// The next data message of a type.
fn data(socket: &mut Socket, kind: &str) -> Value {
    // More than an initial state and a few heartbeats.
    for _ in 0..5 {
        let json = socket.frame().expect("the node goes on").json().unwrap();
        if json["type"] == kind {
            return json;
        }
        println!("passed over {json}");
        assert!(json.get("op").is_none(), "{json}");
    }
    panic!("no {kind}");
}

#[test]
fn an_update_changes_a_stream_without_breaking_its_chain() {
    let topic = "views-update";
    let (_turn, mut kafka, _node, mut socket) = small(topic);
    socket.request(
        r#"{"op":"subscribe","streams":[{"channel":"book","symbol":"TEST:VIEW","depth":10}]}"#,
    );
    let first = socket.answer();
    assert_eq!(first["results"][0]["ok"], json!(true), "{first}");
    assert_eq!(
        data(&mut socket, "BookSnapshot")["bids"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    kafka.produce(topic, 0, &[delta(5)]);
    let before = data(&mut socket, "BookDelta");
    let seq = before["seq"].as_i64().unwrap();

    // A stream that cannot be changed continues as it was.
    for (to, code) in [
        (r#"{"group":"0.001"}"#, "unsupported_group"),
        (r#"{"depth":7}"#, "bad_depth"),
        (r#"{}"#, ""),
    ] {
        let request = format!(
            r#"{{"op":"update","id":1,"streams":[{{"channel":"book","symbol":"TEST:VIEW","depth":10,"to":{to}}}]}}"#
        );
        socket.request(&request);
        let answer = socket.answer();
        let result = &answer["results"][0];
        assert_eq!(
            result["error"]["code"].as_str().unwrap_or(""),
            code,
            "{answer}"
        );
    }
    kafka.produce(topic, 0, &[delta(6)]);
    let still = data(&mut socket, "BookDelta");
    assert_eq!(
        (&still["prevSeq"], &still["view"]),
        (&json!(seq), &before["view"])
    );

    socket.request(
        r#"{"op":"update","id":2,"streams":[{"channel":"book","symbol":"TEST:VIEW","depth":10,"to":{"depth":5,"speed":"100ms","group":"1"}}]}"#,
    );
    let answer = socket.answer();
    assert_eq!(answer["op"], json!("updated"));
    let result = &answer["results"][0];
    assert_eq!(result["ok"], json!(true), "{answer}");
    assert_eq!(result["stream"]["group"], json!("1"));
    assert_eq!(result["stream"]["speed"], json!("100ms"));
    assert_ne!(result["view"], before["view"]);
    let snapshot = data(&mut socket, "BookSnapshot");
    assert_eq!(snapshot["view"], result["view"]);
    assert!(
        snapshot["seq"].as_i64() >= still["seq"].as_i64(),
        "it stands nowhere before"
    );
    assert_eq!(snapshot["bids"], json!([["10", "8"], ["9", "3"]]));
    assert_eq!(snapshot["asks"], json!([["11", "2"], ["12", "3"]]));
    kafka.produce(topic, 0, &[delta(7)]);
    let next = data(&mut socket, "BookDelta");
    assert_eq!(
        (&next["view"], &next["prevSeq"]),
        (&result["view"], &snapshot["seq"])
    );
    assert_eq!(next["bids"], json!([["10", "9"]]));

    // The old stream has ended, and the new one replaces it.
    socket.request(
        r#"{"op":"unsubscribe","streams":[{"channel":"book","symbol":"TEST:VIEW","depth":10}]}"#,
    );
    assert_eq!(
        socket.answer()["results"][0]["error"]["code"],
        json!("not_subscribed")
    );
    socket.request(
        r#"{"op":"update","streams":[{"channel":"book","symbol":"TEST:VIEW","depth":5,"speed":"100ms","group":1,"to":{"policy":"disconnect"}}]}"#,
    );
    let answer = socket.answer();
    assert_eq!(answer["results"][0]["start"], json!("resumed"), "{answer}");
    assert_eq!(
        answer["results"][0]["stream"]["policy"],
        json!("disconnect")
    );
    socket.request(
        r#"{"op":"update","streams":[{"channel":"book","symbol":"TEST:VIEW","depth":5,"speed":"100ms","group":1,"to":{"group":null,"speed":"raw","depth":"full"}}]}"#,
    );
    assert_eq!(socket.answer()["results"][0]["view"], json!(0));
    let snapshot = data(&mut socket, "BookSnapshot");
    assert_eq!(snapshot["bids"][0], json!(["10.4", "7"]));
}

#[test]
fn a_channel_without_speeds_rejects_one_and_stays_subscribed() {
    let (_turn, _kafka, _node, mut socket) = small("views-speed");
    socket.request(
        r#"{"op":"subscribe","streams":[{"channel":"trades","symbol":"TEST:VIEW","speed":"1s"},{"channel":"status","symbol":"TEST:VIEW"}]}"#,
    );
    let answer = socket.answer();
    assert_eq!(
        answer["results"][0]["error"]["code"],
        json!("unsupported_speed")
    );
    assert_eq!(answer["results"][1]["ok"], json!(true));
}

/// What a client received of the stream that it changes.
#[derive(Default)]
struct Changing {
    handle: Option<Handle>,
    accepted: usize,
    answers: Vec<Result<StartKind, ErrorCode>>,
    /// Its book after the last message: bids, then asks.
    book: [Vec<(i64, i64)>; 2],
    wrong: Vec<String>,
}

impl Observer for Changing {
    fn observe(&mut self, client: &Client, event: &Event) {
        self.handle.get_or_insert_with(|| client.handle());
        match event {
            Event::Subscribed(_) => self.accepted += 1,
            Event::Updated(updated) => self.answers.push(Ok(updated.start)),
            Event::UpdateRejected(rejected) => self.answers.push(Err(rejected.error.code)),
            Event::Book(update) => {
                let kept = client.book(update.subscription).unwrap();
                assert!(kept.is_live());
                let book = kept.book();
                self.book = [book.bids(), book.asks()].map(|side| {
                    let levels = side.iter().map(|level| (level.price.0, level.size.0));
                    levels.collect()
                });
            }
            Event::Gap(_)
            | Event::Lag(_)
            | Event::Resync(_)
            | Event::ChecksumMismatch(_)
            | Event::Reconnecting { .. }
            | Event::Rejected(_) => self.wrong.push(format!("{event:?}")),
            _ => {}
        }
    }
}

#[test]
fn a_client_that_changes_its_view_under_load_always_has_the_right_book() {
    type Levels = &'static [(i64, i64)];
    type Answer = Result<StartKind, ErrorCode>;
    let topic = "views-client";
    let (_turn, mut kafka, node, _socket) = small(topic);
    let book = Subscription::book("TEST:VIEW");
    let mut watcher = Watcher::start(&[node.url()], &[book], Changing::default());
    watcher.wait(WITHIN, "the subscription", |observer| {
        observer.accepted == 1
    });
    let handle = watcher.look(|observer| observer.handle.clone().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let step = |text: &str| PriceStep::parse(text).ok();
    // The best bid has the size 5, 6, … after each change.
    let raw: [Levels; 2] = [&[(1020, 2), (900, 3)], &[(1100, 2), (1150, 3)]];
    let changes: [(Change, Answer, i64, [Levels; 2]); 5] = [
        (
            Change::new().depth(Depth::D1),
            Ok(StartKind::Snapshot),
            0,
            [&[], &[(1100, 2)]],
        ),
        (
            Change::new().depth(Depth::Full).group(step("1")),
            Ok(StartKind::Snapshot),
            2,
            [&[(900, 3)], &[(1100, 2), (1200, 3)]],
        ),
        (
            Change::new().group(step("0.001")),
            Err(ErrorCode::UnsupportedGroup),
            2,
            [&[(900, 3)], &[(1100, 2), (1200, 3)]],
        ),
        (
            Change::new().group(None).speed(Speed::Ms10),
            Ok(StartKind::Snapshot),
            0,
            raw,
        ),
        (
            Change::new().policy(Policy::Disconnect),
            Ok(StartKind::Resumed),
            0,
            raw,
        ),
    ];
    for (size, (change, answer, more, [bids, asks])) in (5_u32..).zip(changes) {
        let asked = runtime.block_on(handle.update(SubscriptionId(0), change));
        asked.unwrap();
        let answered = usize::try_from(size - 4).unwrap();
        watcher.wait(WITHIN, "the answer", |observer| {
            observer.answers.len() == answered
        });
        kafka.produce(topic, 0, &[delta(size)]);
        // Grouped by 1, the best bid is the sum of all from 10 on.
        let best = (if more > 0 { 1000 } else { 1040 }, i64::from(size) + more);
        let bids: Vec<_> = [&[best], bids].concat();
        watcher.wait(WITHIN, "the book of the view", |observer| {
            observer.book[0] == bids && observer.book[1] == asks
        });
        watcher.look(|observer| assert_eq!(observer.answers.last(), Some(&answer)));
    }
    watcher.stop();
    watcher.look(|observer| assert!(observer.wrong.is_empty(), "{:?}", observer.wrong));
}
