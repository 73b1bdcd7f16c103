//! Replays from Kafka: what was sent live, and then what is live.

use std::path::PathBuf;
use std::time::Duration;

use client::Subscription;
use e2e::broker::Turn;
use e2e::kafka::Kafka;
use e2e::publish::Publish;
use e2e::socket::Socket;
use e2e::tape::assert_same;
use e2e::{Node, Settings, Tape, Watcher, binary, broker, captures, ends, wait};
use market::{Nanos, Seq};
use serde_json::{Value, json};
use wire::Depth;
use wire::control::{Pace, Start};

const WITHIN: Duration = Duration::from_secs(120);
const NAME: &str = "BINANCE:BTCUSDT";
const CAPTURE: &str = "hftbacktest/spot/btcusdt_20240808.gz";
/// Six minutes of records in ten seconds.
const PACED: &str = "36";
const STREAMS: [&str; 4] = ["book", "book of depth 10", "bbo", "trades"];

fn subscriptions() -> [Subscription; 4] {
    [
        Subscription::book(NAME),
        Subscription::book(NAME).depth(Depth::D10),
        Subscription::bbo(NAME),
        Subscription::trades(NAME),
    ]
}

struct Scene {
    turn: Turn,
    topic: &'static str,
    file: PathBuf,
    lines: u64,
}

impl Scene {
    fn of(topic: &'static str) -> Option<Self> {
        let file = captures::find(CAPTURE)?;
        let turn = broker::turn();
        Kafka::connect(&turn.bootstrap()).create(topic, 1);
        let lines = u64::try_from(captures::lines(&file).len()).unwrap();
        Some(Self {
            turn,
            topic,
            file,
            lines,
        })
    }

    fn settings(&self) -> Settings {
        Settings::new(&self.turn.bootstrap())
            .topics(self.topic, "binance", "venue = \"BINANCE\"")
            .instrument(NAME, "")
    }

    fn publish<'a>(&self, brokers: &'a str, from: u64, to: u64) -> Publish<'a>
    where
        Self: 'a,
    {
        Publish {
            from: from + 1,
            limit: Some(to - from),
            ..Publish::all(brokers, Some(self.topic))
        }
    }
}

/// When the record of a message was written to Kafka: a field of every message.
fn log_time(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[40..48].try_into().unwrap())
}

fn faults(tape: &Tape) -> Vec<&String> {
    let unexpected =
        |fault: &&String| !fault.contains("Upstream(Starting)") && !fault.contains("EpochChanged");
    tape.faults.iter().filter(unexpected).collect()
}

#[test]
fn a_replay_sends_what_was_sent_live_and_joins_without_a_gap() {
    let Some(scene) = Scene::of("replays-same") else {
        return;
    };
    let brokers = scene.turn.bootstrap();
    let node = Node::start(
        &scene
            .settings()
            .more("[history]\nlook_back = \"1s\"\nreplays_per_address = 16"),
    );
    let nodes = [node.url()];
    let half = scene.lines / 2;
    let mut live = Watcher::start(&nodes, &subscriptions(), Tape::default());
    live.wait(WITHIN, "the subscriptions", |tape| tape.accepted() == 4);
    scene.publish(&brokers, 0, half).run(&scene.file);
    live.wait(WITHIN, "the first half", |tape| {
        tape.last_seq(0) + 100 > i64::try_from(half).unwrap()
    });
    // From the middle: after the first snapshot and some updates of every stream.
    let (seq, time) = live.look(|tape| {
        let book = &tape.messages[&0];
        let middle = &book[book.len() / 2];
        (middle.seq, log_time(&middle.bytes))
    });
    let mut rest = Publish {
        speed: PACED,
        ..scene.publish(&brokers, half, scene.lines)
    }
    .start(&scene.file);
    let replays = [
        ("by seq", Start::Seq(Seq(seq)), None),
        ("by time", Start::Time(Nanos(time)), None),
        ("paced", Start::Seq(Seq(seq)), Pace::parse("20")),
    ];
    let mut replays = replays.map(|(how, start, pace)| {
        let all = subscriptions().map(|one| {
            let one = one.start(start);
            match pace {
                Some(pace) => one.pace(pace),
                None => one,
            }
        });
        (how, Watcher::start(&nodes, &all, Tape::default()))
    });
    for (how, replay) in &replays {
        replay.wait(WITHIN, how, |tape| tape.completed.len() == 4);
    }
    assert!(rest.is_sending(), "they joined while records kept coming");
    rest.finish();
    wait::until(WITHIN, "the node to have read everything", || {
        let read = node.metric("tapecast_records_total", &[scene.topic]);
        (read >= f64::from(u32::try_from(scene.lines).unwrap())).then_some(())
    });
    let ends = ends::of(
        &node,
        &[
            json!({"channel": "book", "symbol": NAME}),
            json!({"channel": "book", "symbol": NAME, "depth": 10}),
            json!({"channel": "bbo", "symbol": NAME}),
            json!({"channel": "trades", "symbol": NAME}),
        ],
    );
    for (who, watcher) in [("live", &live)]
        .into_iter()
        .chain(replays.iter().map(|(how, replay)| (*how, replay)))
    {
        let reached = |tape: &Tape| [0, 1, 2, 3].map(|stream| tape.last_seq(stream));
        watcher.wait_explained(
            WITHIN,
            |tape| reached(tape) == ends,
            |tape| format!("{who} to reach {ends:?}, not {:?}", reached(tape)),
        );
    }
    live.stop();
    for (how, replay) in &mut replays {
        replay.stop();
        live.look(|live| {
            replay.look(|replay| {
                assert!(faults(replay).is_empty(), "{how}: {:#?}", faults(replay));
                for (stream, name) in (0..).zip(STREAMS) {
                    let first = &replay.messages[&stream][0];
                    // A best bid and offer starts with its state, which follows no message.
                    let start = first.seq + i64::from(first.prev < 0);
                    assert!(
                        start <= replay.completed[&stream],
                        "{how}, {name}: nothing was replayed"
                    );
                    let (ours, theirs) = (
                        live.after(stream, start - 1),
                        replay.after(stream, start - 1),
                    );
                    assert_same(&format!("{how}, {name}"), &ours, &theirs);
                    println!(
                        "{how}, {name}: {} messages are the same bytes; live after {}",
                        theirs.len(),
                        replay.completed[&stream]
                    );
                }
                assert_eq!(replay.checksums, live.checksums, "{how}");
            });
        });
    }
    // The first message of a book is the next one after the start.
    let next = live.look(|tape| tape.after(0, seq)[0].seq);
    assert_eq!(replays[0].1.look(|tape| tape.messages[&0][0].seq), next);
    assert!(node.metric("tapecast_replays_completed_total", &[]) >= 12.0);
    assert!(node.metric("tapecast_replays_active", &[]) < 0.5);
}

fn ask(socket: &mut Socket, stream: &Value) -> Value {
    let request = json!({"op": "subscribe", "id": 1, "streams": [stream]});
    socket.request(&request.to_string());
    socket.answer()["results"][0].clone()
}

/// The types of the messages up to the end of a replay.
fn until_complete(socket: &mut Socket) -> Vec<String> {
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "ReplayComplete") {
        let message = socket.frame().unwrap().json().unwrap();
        kinds.extend(message["type"].as_str().map(str::to_owned));
    }
    kinds
}

#[test]
fn an_unavailable_start_is_rejected_with_the_earliest_available_one() {
    let Some(scene) = Scene::of("replays-early") else {
        return;
    };
    let brokers = scene.turn.bootstrap();
    let node = Node::start(&scene.settings().more("[history]\nreplays = 1"));
    scene.publish(&brokers, 0, 2_000).run(&scene.file);
    // Until the node has read them, it has nothing to replay of this instrument.
    wait::until(WITHIN, "the node to have read them", || {
        (node.metric("tapecast_records_total", &[scene.topic]) >= 2_000.0).then_some(())
    });
    let mut socket = Socket::connect(node.public(), "tapecast.json.v1");
    let stream =
        |channel: &str, start: Value| json!({"channel": channel, "symbol": NAME, "start": start});
    for channel in ["book", "bbo", "trades"] {
        let rejected = ask(&mut socket, &stream(channel, json!({"time": "1"})));
        assert_eq!(rejected["error"]["code"], "start_too_early", "{rejected}");
        let earliest = &rejected["error"]["earliest"];
        for start in [
            json!({"time": earliest["time"]}),
            json!({"seq": earliest["seq"]}),
        ] {
            let accepted = ask(&mut socket, &stream(channel, start.clone()));
            assert_eq!(accepted["ok"], true, "{channel} {start}: {accepted}");
            assert_eq!(until_complete(&mut socket)[0], "Instrument");
            socket.request(
                &json!({"op": "unsubscribe", "streams": [{"channel": channel, "symbol": NAME}]})
                    .to_string(),
            );
            let _left = socket.answer();
        }
    }
    // A start in the future means now.
    let ahead = ask(
        &mut socket,
        &stream("book", json!({"time": "9000000000000000000"})),
    );
    assert_eq!(ahead["ok"], true, "{ahead}");
    let _kinds = until_complete(&mut socket);
    // One replay is allowed, and this one is too slow to complete.
    let slow = json!({"channel": "trades", "symbol": NAME, "start": {"seq": 0}, "pace": 0.01});
    let slow = ask(&mut socket, &slow);
    assert_eq!(slow["ok"], true, "{slow}");
    let busy = ask(&mut socket, &stream("bbo", json!({"seq": 1_500})));
    assert_eq!(busy["error"]["code"], "busy", "{busy}");
    let faster = json!({"channel": "book", "symbol": NAME, "depth": 5, "speed": "100ms", "start": {"seq": 0}});
    assert_eq!(
        ask(&mut socket, &faster)["error"]["code"],
        "unsupported_start"
    );
    socket.request(
        &json!({"op": "unsubscribe", "streams": [{"channel": "trades", "symbol": NAME}]})
            .to_string(),
    );
    assert_eq!(
        socket.answer()["results"][0]["ok"],
        true,
        "a replay can be unsubscribed before its end"
    );
}

#[test]
fn tail_verifies_a_replay_and_continues_live() {
    let Some(scene) = Scene::of("replays-tail") else {
        return;
    };
    let brokers = scene.turn.bootstrap();
    let node = Node::start(&scene.settings());
    scene.publish(&brokers, 0, 3_000).run(&scene.file);
    let out = binary::command()
        .args([
            "tail",
            NAME,
            "--url",
            &node.url(),
            "--json",
            "--start",
            "1500",
        ])
        .args(["--channel", "book,bbo,trades", "--duration", "3s"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}");
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let completed = events
        .iter()
        .filter(|event| event["event"] == "replay_complete")
        .count();
    assert_eq!(completed, 3, "{text}");
}
