//! Clocks that are set, and nodes that are paused.

use std::process::Stdio;
use std::time::Duration;

use client::Subscription;
use e2e::clocks::Clocks;
use e2e::kafka::{Kafka, Record};
use e2e::socket::{self, Socket};
use e2e::{Node, Settings, Tape, Watcher, binary, broker, http, ports, wait};
use serde_json::{Value, json};
use wire::SUBPROTOCOL_JSON;

const WITHIN: Duration = Duration::from_secs(60);
const HOUR: i64 = 3600;
const BUSY: &str = "TEST:BUSY";
const QUIET: &str = "TEST:QUIET";

fn snapshot(name: &str, bid: u32) -> Record {
    let bids = [[bid.to_string(), "1".to_owned()]];
    let book =
        json!({"type": "snapshot", "symbol": name, "bids": bids, "asks": [["1000000", "2"]]});
    Record::of(book.to_string())
}

/// Each update of a raw stream is waited for, so this many take seconds even if the node sends nothing else.
const CHANGES: u32 = 2_000;

#[test]
fn setting_the_wall_clock_back_stops_nothing() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "clocks-set";
    kafka.create(topic, 1);
    for name in [BUSY, QUIET] {
        kafka.produce(topic, 0, &[snapshot(name, 1)]);
    }
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .more("[instruments]\nstale_after = \"1s\"\n[session]\nheartbeat_interval = \"500ms\"");
    let clocks = Clocks::new();
    let node = Node::start_with_clocks(&settings, &clocks);
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    let streams = json!([
        {"channel": "bbo", "symbol": BUSY},
        {"channel": "book", "symbol": BUSY, "speed": "1s"},
        {"channel": "bbo", "symbol": QUIET},
        {"channel": "status", "symbol": QUIET},
    ]);
    socket.request(&json!({"op": "subscribe", "id": 1, "streams": streams}).to_string());
    for result in socket.answer()["results"].as_array().unwrap() {
        assert_eq!(result["ok"], json!(true), "{result}");
    }
    let mut next = |is_it: &dyn Fn(&Value) -> bool, observe: &mut dyn FnMut(&Value)| {
        loop {
            let message = socket.frame().expect("the node goes on").json().unwrap();
            observe(&message);
            if is_it(&message) {
                return message;
            }
        }
    };
    let is = |message: &Value, kind: &str, name: &str| {
        message["type"] == json!(kind) && message["instrument"] == json!(name)
    };
    // Each is sent once, so that the node knows when the next is due before the clock is set.
    next(&|message| is(message, "Heartbeat", QUIET), &mut |_| ());
    let seq = kafka.produce(topic, 0, &[snapshot(QUIET, 2)]);
    let live = next(
        &|message| is(message, "Bbo", QUIET) && message["seq"] == json!(seq),
        &mut |_| (),
    );
    kafka.produce(topic, 0, &[snapshot(BUSY, 2)]);
    next(&|message| is(message, "BookDelta", BUSY), &mut |_| ());
    clocks.set_wall(-HOUR);
    // Updates continue, and so does everything that time brings.
    let (mut view, mut heartbeat, mut stale, mut dated) = (false, false, false, false);
    let mut last = Value::Null;
    for bid in 3..CHANGES {
        let seq = kafka.produce(topic, 0, &[snapshot(BUSY, bid)]);
        last = next(
            &|message| is(message, "Bbo", BUSY) && message["seq"] == json!(seq),
            &mut |message| {
                view |= is(message, "BookDelta", BUSY);
                heartbeat |= is(message, "Heartbeat", QUIET);
                stale |= is(message, "Status", QUIET) && message["state"] == json!("STALE");
            },
        );
        let time = |message: &Value| message["publishTime"].as_str().unwrap().parse::<i64>();
        dated |= time(&last).unwrap() < time(&live).unwrap();
        if view && heartbeat && stale {
            break;
        }
    }
    assert!(dated, "the clock was not set: {last}");
    assert_eq!(
        [
            ("throttled view", view),
            ("heartbeat", heartbeat),
            ("STALE", stale)
        ]
        .map(|(what, came)| (what, if came { "came" } else { "did not come" })),
        ["throttled view", "heartbeat", "STALE"].map(|what| (what, "came")),
        "until {last}"
    );
}

#[test]
fn the_demo_market_continues_when_the_wall_clock_is_set_back() {
    let clocks = Clocks::new();
    let (public, admin) = (ports::free(), ports::free());
    let mut command = binary::command();
    clocks.give(&mut command);
    command
        .args(["demo", "--listen", &public.to_string()])
        .args(["--admin", &admin.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _demo = crate::failures::Process(command.spawn().unwrap());
    wait::until(WITHIN, "readiness", || {
        let answer = http::get(admin, "/readyz")?;
        (answer.status == 200).then_some(())
    });
    let records = || {
        let metrics = http::get(admin, "/metrics").map(|answer| answer.body);
        http::metric(&metrics.unwrap_or_default(), "tapecast_records_total", &[])
    };
    wait::until(WITHIN, "the market", || (records() > 0.0).then_some(()));
    clocks.set_wall(-HOUR);
    // One increase may have been under way when the clock was set; three were not.
    let mut count = records();
    for _ in 0..3 {
        count = wait::until(Duration::from_secs(20), "more of the market", || {
            Some(records()).filter(|now| *now > count + 100.0)
        });
    }
}

#[test]
fn a_node_that_was_paused_closes_no_session_whose_client_is_alive() {
    const CLIENTS: u32 = 10;
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "clocks-stop";
    kafka.create(topic, 1);
    kafka.produce(topic, 0, &[snapshot(BUSY, 1)]);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument(BUSY, "")
        .more("[session]\nping_interval = \"250ms\"\npong_timeout = \"1s\"");
    let clocks = Clocks::new();
    let node = Node::start_with_clocks(&settings, &clocks);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| Watcher::start(&[node.url()], &[Subscription::book(BUSY)], Tape::default()))
        .collect();
    for client in &clients {
        client.wait(WITHIN, "the subscription", |tape| tape.accepted() == 1);
    }
    let pings = || node.metric("tapecast_pings_total", &[]);
    let pinged_again = || {
        let before = pings();
        wait::until(WITHIN, "two pings of each", || {
            (pings() >= before + f64::from(2 * CLIENTS)).then_some(())
        });
    };
    pinged_again();
    node.pause();
    // More than two time-outs and an interval: a client that is silent for so long is closed.
    clocks.advance_monotonic(3);
    node.unpause();
    pinged_again();
    let closed = node.metric("tapecast_heartbeat_failures_total", &[]);
    assert_eq!(closed, 0.0, "sessions closed with 4001 of {CLIENTS}");
    for client in &clients {
        client.look(|tape| assert!(tape.reconnects.is_empty(), "{:?}", tape.reconnects));
    }
}

/// After 2^32 ms a counter of 32 bits wraps.
#[test]
fn a_node_that_is_up_for_fifty_days_closes_no_session() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "clocks-uptime";
    kafka.create(topic, 1);
    kafka.produce(topic, 0, &[snapshot(QUIET, 1)]);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .more("[session]\nheartbeat_interval = \"250ms\"");
    let clocks = Clocks::new();
    let node = Node::start_with_clocks(&settings, &clocks);
    clocks.advance_monotonic(50 * 24 * HOUR);
    let mut socket = Socket::connect(node.public(), SUBPROTOCOL_JSON);
    let streams = json!([{"channel": "bbo", "symbol": QUIET}]);
    socket.request(&json!({"op": "subscribe", "streams": streams}).to_string());
    // The node checks its time-outs several times in between.
    let mut heartbeats = 0;
    while heartbeats < 8 {
        let frame = socket.frame().expect("a frame");
        let text = String::from_utf8_lossy(&frame.payload);
        assert_ne!(
            frame.opcode,
            8,
            "closed with {:?} {text}",
            socket::code(&frame)
        );
        heartbeats += u32::from(text.contains("Heartbeat"));
    }
}
