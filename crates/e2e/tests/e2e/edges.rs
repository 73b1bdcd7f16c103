//! Edge cases of the protocol, with bytes that no client library sends.

use std::time::Duration;

use client::Subscription;
use e2e::kafka::{Kafka, Record};
use e2e::socket::{Frame, Socket, handshake};
use e2e::{Node, Settings, Tape, Watcher, broker, http, wait};
use market::{Exponents, Nanos};
use serde_json::{Value, json};
use testkit::websocket::{client_frame, unmasked_frame};
use wire::sbe::Messages;
use wire::{
    LagKind, OwnedBody, OwnedMessage, SUBPROTOCOL_JSON, SUBPROTOCOL_PACKED, SUBPROTOCOL_SBE,
};

const WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "TEST:EDGE";
/// Those of an instrument without configuration.
const EXPONENTS: Exponents = Exponents {
    price: -8,
    size: -8,
};

/// A node with one instrument that has a book, in a topic of its own.
fn node(topic: &str, more: &str) -> (broker::Turn, Kafka, Node) {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    kafka.produce(topic, 0, &[Record::of(snapshot(&[("10", "1")]))]);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument(NAME, "")
        .more(more);
    let node = Node::start(&settings);
    (turn, kafka, node)
}

fn snapshot(bids: &[(&str, &str)]) -> String {
    json!({"type": "snapshot", "symbol": NAME, "bids": bids, "asks": [["11", "2"]]}).to_string()
}

fn subscribe(socket: &mut Socket, more: &str) -> Value {
    socket.request(&format!(
        r#"{{"op":"subscribe","id":1,"streams":[{{"channel":"book","symbol":"{NAME}"{more}}}]}}"#
    ));
    socket.answer()
}

#[test]
fn a_wrong_subscription_fails_alone() {
    let (_turn, _kafka, node) = node("edge-requests", "");
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    let wrong = [
        (
            r#"{"channel":"book","symbol":"TEST:NONE"}"#,
            "unknown_symbol",
        ),
        (
            r#"{"channel":"news","symbol":"TEST:EDGE"}"#,
            "unknown_channel",
        ),
        (
            r#"{"channel":"book","symbol":"TEST:EDGE","depth":51}"#,
            "bad_depth",
        ),
        (
            r#"{"channel":"book","symbol":"TEST:EDGE","speed":"5ms"}"#,
            "bad_speed",
        ),
        (
            r#"{"channel":"book","symbol":"TEST:EDGE","group":"0"}"#,
            "bad_group",
        ),
        (
            r#"{"channel":"book","symbol":"TEST:EDGE","policy":"wait"}"#,
            "bad_policy",
        ),
        (
            r#"{"channel":"book","symbol":"TEST:EDGE","resume":{"epoch":1,"seq":2},"start":{"seq":3}}"#,
            "bad_resume",
        ),
        (r#"{"channel":"book"}"#, "bad_request"),
        (
            r#"{"channel":"book","symbol":"TEST:EDGE","colour":"red"}"#,
            "bad_request",
        ),
    ];
    let right = [
        r#"{"channel":"book","symbol":"TEST:EDGE"}"#,
        r#"{"channel":"bbo","symbol":"TEST:EDGE"}"#,
        r#"{"channel":"book","symbol":"TEST:EDGE","depth":10}"#,
    ];
    let streams: Vec<_> = wrong
        .iter()
        .map(|(stream, _)| *stream)
        .chain(right)
        .collect();
    let streams = streams.join(",");
    socket.request(&format!(
        r#"{{"op":"subscribe","id":"x","streams":[{streams}]}}"#
    ));
    let answer = socket.answer();
    assert_eq!(
        (&answer["op"], &answer["id"]),
        (&json!("subscribed"), &json!("x"))
    );
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), wrong.len() + right.len());
    for (result, (stream, code)) in results.iter().zip(wrong) {
        assert_eq!(result["ok"], json!(false), "{stream}");
        assert_eq!(result["error"]["code"], json!(code), "{stream}");
    }
    for result in &results[wrong.len()..] {
        assert_eq!(result["ok"], json!(true), "{result}");
    }
    for (request, op, code) in [
        ("{\"op\":", "error", "bad_json"),
        ("[]", "error", "bad_request"),
        (r#"{"op":"dance","id":7}"#, "error", "unknown_op"),
    ] {
        socket.request(request);
        let answer = socket.answer();
        assert_eq!(
            (answer["op"].as_str(), answer["error"]["code"].as_str()),
            (Some(op), Some(code))
        );
    }
    let again = subscribe(&mut socket, "");
    assert_eq!(
        again["results"][0]["error"]["code"],
        json!("already_subscribed")
    );
    socket.request(r#"{"op":"ping","id":9}"#);
    assert_eq!(socket.answer()["op"], json!("pong"));
    println!(
        "{} wrong streams had errors of their own, {} right ones succeeded",
        wrong.len(),
        right.len()
    );
}

#[test]
fn a_wrong_frame_gets_the_right_close_code() {
    let (_turn, _kafka, node) = node("edge-frames", "");
    let long = vec![b' '; 4097];
    let request = br#"{"op":"ping"}"#;
    let cases: [(&str, Vec<u8>, u16); 9] = [
        ("unmasked", unmasked_frame(0x81, request), 1002),
        ("reserved bits", client_frame(0xc1, request), 1002),
        ("unknown opcode", client_frame(0x83, request), 1002),
        ("continuation of nothing", client_frame(0x80, request), 1002),
        ("fragmented control frame", client_frame(0x09, b"x"), 1002),
        ("long control frame", client_frame(0x89, &[b'x'; 126]), 1002),
        ("binary", client_frame(0x82, request), 1003),
        ("bad utf-8", client_frame(0x81, &[b'"', 0xff, b'"']), 1007),
        ("over 4 KiB", client_frame(0x81, &long), 1009),
    ];
    for (what, bytes, code) in cases {
        let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
        assert_eq!(subscribe(&mut socket, "")["results"][0]["ok"], json!(true));
        socket.write(&bytes);
        assert_eq!(socket.close_code(), Some(code), "{what}");
    }
    // Text is checked as it comes, not when its last fragment has come.
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    socket.write(&client_frame(0x01, &[b'"', 0xff, b'"']));
    socket.send(9, b"still there?");
    let frame_of_node = socket.frame().expect("a close frame");
    assert_eq!(
        (frame_of_node.opcode, e2e::socket::code(&frame_of_node)),
        (8, Some(1007)),
        "bad utf-8 in a first fragment"
    );
    // All fragments together count.
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    socket.write(&client_frame(0x01, &[b' '; 3000]));
    socket.write(&client_frame(0x80, &[b' '; 3000]));
    assert_eq!(socket.close_code(), Some(1009), "fragments over 4 KiB");
    println!("9 wrong frames and one in fragments: 1002, 1003, 1007, 1009 as documented");
}

#[test]
fn a_client_that_sends_too_much_is_closed_with_4002() {
    let (_turn, _kafka, node) = node("edge-rate", "");
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    // More than a session of 1,024 streams may send at once: 20, and what resuming them takes.
    for _ in 0..100 {
        socket.request(r#"{"op":"ping"}"#);
    }
    assert_eq!(socket.close_code(), Some(4002));
}

#[test]
fn a_client_that_answers_no_ping_is_closed_with_4001() {
    let times = "[session]\nping_interval = \"200ms\"\npong_timeout = \"300ms\"";
    let (_turn, _kafka, node) = node("edge-pong", times);
    let mut mute = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    mute.pongs = false;
    assert_eq!(subscribe(&mut mute, "")["results"][0]["ok"], json!(true));
    assert_eq!(mute.close_code(), Some(4001));
    wait::until(WITHIN, "the count of the failure", || {
        let failures = node.metric("tapecast_heartbeat_failures_total", &[]);
        (failures == 1.0).then_some(())
    });
}

#[test]
fn a_lagging_client_that_asked_for_it_is_closed_with_4000() {
    let small = "[streams]\nrun_bytes_per_stream = \"64KiB\"\nlog_bytes_per_instrument = \"64KiB\"\n\
                 [session]\nsend_buffer_bytes = \"4KiB\"";
    let topic = "edge-slow";
    let (_turn, mut kafka, node) = node(topic, small);
    let mut slow = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    let answer = subscribe(&mut slow, r#","policy":"disconnect""#);
    assert_eq!(answer["results"][0]["ok"], json!(true));
    let mut watcher = Watcher::start(&[node.url()], &[Subscription::book(NAME)], Tape::default());
    watcher.wait(WITHIN, "the subscription", |tape| tape.accepted() == 1);
    // Snapshots of 500 levels with new sizes each: 8 KiB a message, 16 MiB in total.
    let mut sent = 0;
    for round in 0..20 {
        let records: Vec<_> = (0..100)
            .map(|one| Record::of(large(round * 100 + one)))
            .collect();
        sent = kafka.produce(topic, 0, &records) + 99;
    }
    watcher.wait(WITHIN, "the last book", |tape| {
        tape.books.get(&0).and_then(|seqs| seqs.last()) == Some(&sent)
    });
    watcher.stop();
    assert_eq!(slow.close_code(), Some(4000));
    println!("the reading client got the last book; the other one was closed with 4000");
}

fn large(number: u32) -> String {
    let bids: Vec<_> = (0..500)
        .map(|level| [format!("{}", 1_000 - level), format!("{}", number + 1)])
        .collect();
    json!({"type": "snapshot", "symbol": NAME, "bids": bids, "asks": [["2000", "1"]]}).to_string()
}

#[test]
fn an_invalid_or_excess_handshake_is_rejected() {
    let (_turn, _kafka, node) = node("edge-handshake", "[limits]\nsessions = 1");
    let address = node.public();
    let plain = format!("GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let right = handshake(address, "");
    let line = |name: &str| {
        let line = right.lines().find(|line| line.starts_with(name));
        format!("{}\r\n", line.unwrap())
    };
    let twice = |name: &str| right.replace(&line(name), &line(name).repeat(2));
    let wrong = [
        ("no upgrade", plain, 426),
        (
            "version 12",
            right.replace("Version: 13", "Version: 12"),
            426,
        ),
        (
            "no key",
            right.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
            400,
        ),
        ("HTTP/1.0", right.replace("HTTP/1.1", "HTTP/1.0"), 400),
        (
            "an empty key",
            right.replace("dGhlIHNhbXBsZSBub25jZQ==", ""),
            400,
        ),
        (
            "a key of 10 bytes",
            right.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="),
            400,
        ),
        ("two keys", twice("Sec-WebSocket-Key"), 400),
        ("two versions", twice("Sec-WebSocket-Version"), 400),
        ("no host", right.replace(&line("Host"), ""), 400),
        ("two hosts", twice("Host"), 400),
        (
            "no such subprotocol",
            handshake(address, "Sec-WebSocket-Protocol: soap\r\n"),
            400,
        ),
        ("no http", "hello\r\n\r\n".to_owned(), 400),
    ];
    let not_so: Vec<_> = wrong
        .into_iter()
        .filter_map(|(what, request, status)| {
            let answer = http::ask(address, &request).map(|answer| answer.status);
            (answer != Some(status)).then_some((what, answer))
        })
        .collect();
    assert!(
        not_so.is_empty(),
        "not rejected as they should be: {not_so:?}"
    );
    let _session = Socket::connect(address, SUBPROTOCOL_JSON);
    let answer = http::ask(address, &right).map(|answer| answer.status);
    assert_eq!(answer, Some(503), "one session over the limit");
}

/// The data messages up to that `seq`.
fn until_seq(socket: &mut Socket, protocol: &str, seq: i64) -> Vec<OwnedMessage> {
    let mut all: Vec<OwnedMessage> = Vec::new();
    while all.last().is_none_or(|last| last.head.seq.0 != seq) {
        let frame = socket.frame().expect("the node goes on");
        all.extend(data(&frame, protocol));
    }
    // The time of publishing differs by nature.
    for message in &mut all {
        message.head.publish_time = Nanos(0);
    }
    all
}

fn data(frame: &Frame, protocol: &str) -> Vec<OwnedMessage> {
    if frame.opcode == 1 {
        let is_data = frame.payload.starts_with(br#"{"type":"#);
        let read = || wire::json::read(&frame.payload, |_| Some(EXPONENTS)).unwrap();
        return is_data.then(read).into_iter().collect();
    }
    if protocol == SUBPROTOCOL_PACKED {
        let messages = wire::packed::Messages::new(&frame.payload);
        return messages.map(Result::unwrap).collect();
    }
    let messages = Messages::new(&frame.payload);
    messages
        .map(|message| message.unwrap().into_owned())
        .collect()
}

#[test]
fn all_subprotocols_carry_the_same_messages() {
    let topic = "edge-json";
    let (_turn, mut kafka, node) = node(topic, "");
    let mut seen = Vec::new();
    let mut sockets: Vec<_> = [SUBPROTOCOL_SBE, SUBPROTOCOL_PACKED, SUBPROTOCOL_JSON]
        .into_iter()
        .map(|protocol| (protocol, Socket::connect(node.public(), protocol)))
        .collect();
    for (_, socket) in &mut sockets {
        assert_eq!(subscribe(socket, "")["results"][0]["ok"], json!(true));
    }
    let books = [
        snapshot(&[("10", "1.5"), ("9.25", "0.00000001")]),
        snapshot(&[("10.5", "3"), ("-1", "2"), ("0", "1")]),
        snapshot(&[]),
    ];
    let first = kafka.produce(topic, 0, &books.map(Record::of));
    for (protocol, socket) in &mut sockets {
        seen.push(until_seq(socket, protocol, first + 2));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let is_delta = |message: &OwnedMessage| matches!(message.body, OwnedBody::BookDelta { .. });
    assert_eq!(
        seen[0].iter().filter(|message| is_delta(message)).count(),
        3
    );
    println!(
        "{} messages are the same in SBE, packed and JSON",
        seen[0].len()
    );
}

#[test]
fn a_node_that_is_asked_to_stop_sends_goaway_and_exits_in_time() {
    let drain = Duration::from_millis(500);
    let (_turn, _kafka, mut node) = node("edge-stop", "[session]\ndrain_delay = \"500ms\"");
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    assert_eq!(subscribe(&mut socket, "")["results"][0]["ok"], json!(true));
    node.terminate();
    let mut goaway = None;
    let code = loop {
        let frame = socket.frame().expect("a close frame comes first");
        if frame.opcode == 8 {
            break e2e::socket::code(&frame);
        }
        goaway = goaway.or_else(|| frame.json().filter(|json| json["type"] == json!("GoAway")));
    };
    let goaway = goaway.expect("GoAway comes before the close");
    assert_eq!((&goaway["reason"], code), (&json!("SHUTDOWN"), Some(1012)));
    let status = node.wait_end(drain + Duration::from_secs(2));
    assert_eq!(status.code(), Some(0));
}

/// An update of many levels, and a trade.
fn wide(number: u32) -> [Record; 2] {
    let bids: Vec<_> = (0..500)
        .map(|level| [format!("0.{}", 999 - level), format!("{}", number + 1)])
        .collect();
    let change = json!({"type": "delta", "symbol": NAME, "prev_seq": 100 + number, "seq": 101 + number, "bids": bids, "asks": []});
    let trade = json!({"type": "trade", "symbol": NAME, "trades": [{"price": "1", "size": "1", "id": number}]});
    [
        Record::of(change.to_string()),
        Record::of(trade.to_string()),
    ]
}

#[test]
fn a_client_that_subscribed_before_the_first_record_is_caught_up_from_its_position() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "edge-before";
    kafka.create(topic, 1);
    let node = Node::start(
        &Settings::new(&turn.bootstrap())
            .topics(topic, "tapecast", "")
            .instrument(NAME, "")
            .more(
                "[streams]\nlog_bytes_per_instrument = \"64MiB\"\nrun_bytes_for_slow = \"64KiB\"\n\
                 [session]\nsend_buffer_bytes = \"4KiB\"",
            ),
    );
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    let streams = ["book", "trades"];
    let streams = streams.map(|channel| json!({"channel": channel, "symbol": NAME}));
    socket.request(&json!({"op": "subscribe", "id": 1, "streams": streams}).to_string());
    socket.answer();
    let book = json!({"type": "snapshot", "symbol": NAME, "seq": 100, "bids": [["0.1", "1"]], "asks": [["11", "2"]]});
    kafka.produce(topic, 0, &[Record::of(book.to_string())]);
    kafka.produce(topic, 0, &wide(0));
    // The last record whose book and trade arrived, the trades, and the lag notices.
    let (mut book, mut trade, mut trades, mut lags) = (-1, -1, Vec::new(), Vec::new());
    let mut read = |socket: &mut Socket, end: i64| {
        while book < end - 1 || trade < end {
            let frame = socket.frame().expect("the connection stays");
            for message in Messages::new(&frame.payload) {
                let OwnedMessage { head, body } = message.unwrap().into_owned();
                match body {
                    OwnedBody::BookDelta { .. } | OwnedBody::BookSnapshot { .. } => {
                        book = head.seq.0;
                    }
                    OwnedBody::Trades(more) => {
                        trade = head.seq.0;
                        trades.extend(more.into_iter().map(|trade| trade.id));
                    }
                    OwnedBody::Lag(lag) => lags.push(lag),
                    _ => {}
                }
            }
        }
    };
    read(&mut socket, 2);
    // Nothing is read while 8 MB are sent.
    let mut last = 0;
    for round in 0..10 {
        let records = (1..=100).flat_map(|one| wide(round * 100 + one));
        last = kafka.produce(topic, 0, &records.collect::<Vec<_>>()) + 199;
    }
    wait::until(WITHIN, "the last record", || {
        let read = node.metric("tapecast_records_total", &[topic]);
        (read > f64::from(i32::try_from(last).unwrap())).then_some(())
    });
    read(&mut socket, last);
    let all: Vec<_> = (0..=1000).map(|number| number.to_string()).collect();
    assert_eq!(trades, all, "each trade once, and none is skipped");
    // The exact net change from its position, and no snapshot.
    assert!(!lags.is_empty(), "a lagging client gets a notice");
    for lag in &lags {
        assert_eq!(lag.kind, LagKind::Conflated, "{lag:?}");
        assert!(lag.from_seq.0 > 0 && lag.messages > 0, "{lag:?}");
    }
}
