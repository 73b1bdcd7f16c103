//! Limits on what one client may request: each test requests far more.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use e2e::kafka::{Kafka, Record};
use e2e::socket::{self, Socket, handshake};
use e2e::sse::EventSource;
use e2e::{Node, Settings, broker, http, wait};
use serde_json::{Value, json};
use testkit::websocket::client_frame;
use wire::{SUBPROTOCOL_JSON, SUBPROTOCOL_SBE};

const WITHIN: Duration = Duration::from_secs(60);
/// More than one answer may name.
const INSTRUMENTS: usize = 300;
const NAME: &str = "TEST:L000";

fn name(number: usize) -> String {
    format!("TEST:L{number:03}")
}

fn snapshot(name: &str, levels: u32) -> Record {
    let bids: Vec<_> = (0..levels)
        .map(|level| [(1_000_000 - level).to_string(), "12345678.12345678".into()])
        .collect();
    let asks = [["2000000", "1"]];
    let book = json!({"type": "snapshot", "symbol": name, "bids": bids, "asks": asks});
    Record::of(book.to_string())
}

/// A node with default settings that has read these records.
fn node(topic: &str, records: &[Record]) -> (broker::Turn, Kafka, Node) {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    kafka.produce(topic, 0, records);
    let settings = Settings::new(&turn.bootstrap()).topics(topic, "tapecast", "");
    let node = Node::start(&settings);
    (turn, kafka, node)
}

fn directory(topic: &str) -> (broker::Turn, Kafka, Node) {
    let records: Vec<_> = (0..INSTRUMENTS)
        .map(|number| snapshot(&name(number), 1))
        .collect();
    node(topic, &records)
}

fn results(answer: &Value) -> &Vec<Value> {
    answer["results"].as_array().unwrap()
}

#[test]
fn one_request_gets_a_bounded_answer_whatever_the_directory_holds() {
    let (_turn, _kafka, node) = directory("limits-wildcards");
    // As many wildcards as fit in a message.
    let wildcards = vec![json!({"channel": "bbo", "symbol": "*"}); 128];
    let request = |op: &str| json!({"op": op, "streams": wildcards}).to_string();
    let mut counts = Vec::new();
    for op in ["unsubscribe", "subscribe"] {
        let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
        socket.request(&request(op));
        counts.push((op, results(&socket.answer()).len()));
    }
    let mut events = EventSource::open(node.public(), "channel=bbo&symbol=*", "");
    counts.push(("/v1/stream", results(&events.answer()).len()));
    let mut pages = Vec::new();
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    let mut after = Value::Null;
    loop {
        let mut list = json!({"op": "list"});
        if after.is_string() {
            list["after"] = after;
        }
        socket.request(&list.to_string());
        let page = socket.answer();
        pages.push(page["instruments"].as_array().unwrap().len());
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(pages.iter().sum::<usize>(), INSTRUMENTS, "{pages:?}");
    counts.extend(pages.into_iter().map(|count| ("list", count)));
    let excessive: Vec<_> = counts.iter().filter(|(_, count)| *count > 256).collect();
    assert!(
        excessive.is_empty(),
        "too many in one answer: {excessive:?}"
    );
    println!("{counts:?}");
}

#[test]
fn a_client_that_reads_no_answer_gets_few() {
    const LISTS: u32 = 20;
    let (_turn, _kafka, node) = directory("limits-lists");
    let answers = || node.metric("tapecast_answers_sent_total", &[]);
    let mut mute = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    let list = client_frame(0x81, br#"{"op":"list"}"#);
    mute.write(&list.repeat(usize::try_from(LISTS).unwrap()));
    // The count is final when many polls in a row find no more.
    let (mut last, mut looks) = (0.0, 0);
    wait::until(WITHIN, "the last answer", || {
        let now = answers();
        looks = if now > last { 0 } else { looks + 1 };
        last = now;
        (now > 0.0 && looks == 20).then_some(())
    });
    assert!(
        last < f64::from(LISTS),
        "{last} answers wait for a client that reads none"
    );
    // The answers come when the client reads.
    for _ in 0..LISTS {
        assert_eq!(mute.answer()["op"], json!("instruments"));
    }
}

#[test]
fn a_full_session_resumes_all_of_its_streams_at_once() {
    let (_turn, _kafka, node) = directory("limits-resume");
    let streams: Vec<_> = (0..INSTRUMENTS)
        .flat_map(|number| {
            ["book", "bbo", "status"].map(|channel| {
                json!({"channel": channel, "symbol": name(number), "resume": {"epoch": 1, "seq": 1}})
            })
        })
        .collect();
    // As many as fit in a message of 4 KiB.
    let requests = streams.chunks(29);
    let count = requests.len();
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    let bytes: Vec<_> = requests
        .flat_map(|streams| {
            let request = json!({"op": "subscribe", "streams": streams}).to_string();
            client_frame(0x81, request.as_bytes())
        })
        .collect();
    socket.write(&bytes);
    let mut resumed = 0;
    for _ in 0..count {
        let answer = socket.answer();
        let results = results(&answer).iter();
        resumed += results.filter(|result| result["ok"] == json!(true)).count();
    }
    assert_eq!(resumed, streams.len());
    println!("{resumed} streams in {count} requests at once");
}

#[test]
fn the_groups_of_one_session_and_of_one_book_are_limited() {
    let (_turn, _kafka, node) = node("limits-groups", &[snapshot(NAME, 100)]);
    let mut sessions = Vec::new();
    let accepted: Vec<_> = (0..3)
        .map(|session| {
            let streams: Vec<_> = (0..30)
                .map(|step| {
                    let group = (2 + session * 30 + step).to_string();
                    json!({"channel": "book", "symbol": NAME, "group": group})
                })
                .collect();
            let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
            socket.request(&json!({"op": "subscribe", "streams": streams}).to_string());
            let answer = socket.answer();
            sessions.push(socket);
            let results = results(&answer).iter();
            results.filter(|result| result["ok"] == json!(true)).count()
        })
        .collect();
    assert_eq!(accepted, [16, 16, 0], "groups of 30 in each session");
}

#[test]
fn the_groups_that_an_address_requests_per_second_are_limited() {
    let (_turn, _kafka, node) = node("limits-http", &[snapshot(NAME, 100)]);
    let rejected = (2..2_000).position(|step| {
        let path = format!("/v1/books/{NAME}?group={step}");
        http::fetch(node.public(), "GET", &path, &[]).status == 429
    });
    assert!(rejected.is_some(), "2,000 grouped books, and no 429");
}

/// A frame that is answered, which distinguishes a node that continues from one that has closed.
fn ping() -> Vec<u8> {
    client_frame(0x81, br#"{"op":"ping"}"#)
}

#[test]
fn a_flood_of_pongs_is_closed_with_4002() {
    let (_turn, _kafka, node) = node("limits-pongs", &[snapshot(NAME, 1)]);
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    let mut flood = client_frame(0x8a, b"").repeat(1_000);
    flood.extend(ping());
    socket.write(&flood);
    let answer = socket.frame().expect("a close frame");
    let text = String::from_utf8_lossy(&answer.payload);
    assert_eq!(
        (answer.opcode, socket::code(&answer)),
        (8, Some(4002)),
        "{text}"
    );
}

#[test]
fn little_is_read_after_a_close() {
    const FLOOD: usize = 64 << 20;
    let (_turn, _kafka, node) = node("limits-closed", &[snapshot(NAME, 1)]);
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    socket.write(&ping().repeat(200));
    assert_eq!(socket.close_code(), Some(4002));
    let flood = ping().repeat(2_000);
    let mut taken = 0;
    while taken < FLOOD && socket.try_write(&flood) {
        taken += flood.len();
    }
    // The kernel holds a few MiB of it.
    assert!(taken < FLOOD, "{taken} bytes were read after a close");
    println!("{taken} bytes were taken after a close");
}

#[test]
fn a_session_closed_by_its_client_is_counted_as_one() {
    const CODES: [u16; 6] = [1000, 1012, 4000, 4001, 4002, 4003];
    let (_turn, _kafka, node) = node("limits-codes", &[snapshot(NAME, 1)]);
    for code in CODES {
        let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
        socket.send(8, &code.to_be_bytes());
        assert_eq!(socket.close_code(), Some(code));
    }
    let closed = |labels: &[&str]| node.metric("tapecast_sessions_closed_total", labels);
    let all = f64::from(u32::try_from(CODES.len()).unwrap());
    wait::until(WITHIN, "the count", || (closed(&[]) == all).then_some(()));
    let metrics = node.metrics();
    let lines: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("tapecast_sessions_closed_total{") && !line.ends_with(" 0"))
        .collect();
    assert_eq!(closed(&["reason=\"client\""]), all, "{lines:#?}");
}

#[test]
fn the_replays_of_one_session_are_limited() {
    let (_turn, _kafka, node) = directory("limits-replays");
    // So slow that none completes before the others are requested.
    let streams: Vec<_> = (0..16)
        .map(|number| json!({"channel": "book", "symbol": name(number), "start": {"seq": number}, "pace": 0.01}))
        .collect();
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_SBE);
    socket.request(&json!({"op": "subscribe", "streams": streams}).to_string());
    let answer = socket.answer();
    let codes: Vec<_> = results(&answer)
        .iter()
        .map(|result| result["error"]["code"].as_str().unwrap_or("ok"))
        .collect();
    let expected = [["ok"; 4].as_slice(), ["busy"; 12].as_slice()].concat();
    assert_eq!(codes, expected);
}

/// Bytes that the kernel holds in a socket of a node: to be sent, and to be read.
fn held(stream: &TcpStream) -> (usize, usize) {
    let (node, client) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    let port = |text: &str| u16::from_str_radix(text.rsplit(':').next()?, 16).ok();
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let line = sockets.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let ends = (port(fields.next()?)?, port(fields.next()?)?);
        (ends == (node.port(), client.port())).then(|| fields.nth(1))?
    });
    let (to_send, to_read) = line.unwrap().split_once(':').unwrap();
    let bytes = |text| usize::from_str_radix(text, 16).unwrap();
    (bytes(to_send), bytes(to_read))
}

#[test]
fn the_kernel_holds_little_of_unread_answers() {
    // A book of 2 MiB as JSON.
    let (_turn, _kafka, node) = node("limits-unread", &[snapshot(NAME, 50_000)]);
    let mut stream = TcpStream::connect(node.public()).unwrap();
    let request = format!("GET /v1/books/{NAME} HTTP/1.1\r\nHost: node\r\n\r\n");
    stream.write_all(request.repeat(8).as_bytes()).unwrap();
    // The socket is full when many polls in a row find it unchanged.
    let (mut last, mut looks) = (0, 0);
    let to_send = wait::until(WITHIN, "a full socket", || {
        let (to_send, _) = held(&stream);
        looks = if to_send == last && to_send > 0 {
            looks + 1
        } else {
            0
        };
        last = to_send;
        (looks == 50).then_some(to_send)
    });
    assert!(to_send <= 256 << 10, "{to_send} bytes wait in the kernel");
    println!("{to_send} bytes of unread answers wait in the kernel");
}

#[test]
fn the_kernel_holds_little_of_what_a_node_does_not_read() {
    let (_turn, _kafka, node) = node("limits-unsent", &[snapshot(NAME, 1)]);
    let mut stream = TcpStream::connect(node.public()).unwrap();
    stream
        .write_all(handshake(node.public(), "").as_bytes())
        .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert!(head.ends_with(b"101"));
    node.pause();
    stream.set_nonblocking(true).unwrap();
    let flood = ping().repeat(1_000);
    let (mut last, mut looks) = (0, 0);
    let to_read = wait::until(WITHIN, "a full socket", || {
        loop {
            match stream.write(&flood) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let (_, to_read) = held(&stream);
        looks = if to_read == last && to_read > 0 {
            looks + 1
        } else {
            0
        };
        last = to_read;
        (looks == 20).then_some(to_read)
    });
    node.unpause();
    assert!(to_read <= 64 << 10, "{to_read} bytes wait in the kernel");
    println!("{to_read} unread bytes wait in the kernel");
}
