//! Records and configurations that are wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use client::Subscription;
use e2e::kafka::{Kafka, Record};
use e2e::{Node, Settings, Tape, Watcher, binary, broker, wait};
use market::State;

const WITHIN: Duration = Duration::from_secs(60);
const BAD: &str = "TEST:BAD";
const GOOD: &str = "TEST:GOOD";
const TOPIC: &str = "bad-input";

/// Builds the records of two instruments in one partition and counts the expected outcomes.
#[derive(Default)]
struct Feed {
    records: Vec<Record>,
    good_seq: u64,
    bad_seq: u64,
}

fn snapshot(symbol: &str, seq: u64) -> String {
    format!(
        r#"{{"type":"snapshot","symbol":"{symbol}","seq":{seq},"bids":[["10","1"],["9","{seq}"]],"asks":[["11","2"],["12","1"]]}}"#
    )
}

fn delta(symbol: &str, prev: u64, seq: u64) -> String {
    format!(
        r#"{{"type":"delta","symbol":"{symbol}","prev_seq":{prev},"seq":{seq},"bids":[["9","{seq}"]],"asks":[]}}"#
    )
}

impl Feed {
    fn push(&mut self, text: impl Into<Vec<u8>>) {
        self.records.push(Record::of(text));
    }

    /// The neighbour continues.
    fn good(&mut self) {
        let seq = self.good_seq + 1;
        self.push(delta(GOOD, self.good_seq, seq));
        self.good_seq = seq;
    }

    /// The instrument at fault continues as if nothing had happened.
    fn right(&mut self) {
        let seq = self.bad_seq + 1;
        self.push(delta(BAD, self.bad_seq, seq));
        self.bad_seq = seq;
    }

    /// Its next snapshot.
    fn snapshot(&mut self) {
        self.bad_seq += 100;
        self.push(snapshot(BAD, self.bad_seq));
    }
}

/// What is wrong with a record of the instrument, by the outcome that it is counted as.
fn wrong(seq: u64) -> Vec<(&'static str, Record)> {
    let next = seq + 1;
    let of = |text: String| Record::of(text);
    let levels = |levels: &str| {
        of(format!(
            r#"{{"type":"delta","symbol":"{BAD}","prev_seq":{seq},"seq":{next},"bids":{levels},"asks":[]}}"#
        ))
    };
    vec![
        (
            "malformed_json",
            Record {
                key: Some(BAD.into()),
                value: Some(b"{\"type\":\"delta\",".to_vec()),
            },
        ),
        (
            "malformed_json",
            Record {
                key: Some(BAD.into()),
                value: Some(vec![0xff, 0xfe, 0x00]),
            },
        ),
        ("wrong_shape", levels(r#"{"10":"1"}"#)),
        ("wrong_shape", levels(r#"[["10",true]]"#)),
        (
            "wrong_shape",
            of(format!(
                r#"{{"type":"delta","symbol":"{BAD}","prev_seq":{seq},"bids":[],"asks":[]}}"#
            )),
        ),
        ("bad_value", levels(r#"[["10","99999999999999999999"]]"#)),
        ("bad_value", levels(r#"[["10.123456789123","1"]]"#)),
        ("bad_value", levels(r#"[["10","-1"]]"#)),
        ("bad_value", levels(r#"[["ten","1"]]"#)),
        ("bad_sequence", of(delta(BAD, next, seq))),
        ("tombstone", Record::tombstone(BAD)),
        (
            "empty",
            Record {
                key: Some(BAD.into()),
                value: Some(Vec::new()),
            },
        ),
        (
            "too_large",
            Record {
                key: Some(BAD.into()),
                value: Some(vec![b'7'; 10 << 20]),
            },
        ),
        (
            "unknown_kind",
            of(format!(r#"{{"type":"dance","symbol":"{BAD}"}}"#)),
        ),
        (
            "bad_name",
            of(
                r#"{"type":"delta","symbol":"no name","prev_seq":1,"seq":2,"bids":[],"asks":[]}"#
                    .to_owned(),
            ),
        ),
        ("unknown_instrument", of(delta("OTHER:ONE", 1, 2))),
    ]
}

/// Two instruments in one partition of a topic, and a client of both.
struct Scene {
    kafka: Kafka,
    node: Node,
    watcher: Watcher<Tape>,
    feed: Feed,
    _turn: broker::Turn,
}

impl Scene {
    fn start() -> Self {
        let turn = broker::turn();
        let mut kafka = Kafka::connect(&turn.bootstrap());
        kafka.create(TOPIC, 2);
        let node = Node::start(
            &Settings::new(&turn.bootstrap())
                .topics(TOPIC, "tapecast", "")
                .instrument(GOOD, "")
                .instrument(BAD, "")
                .more("[instruments]\nunknown = \"refuse\""),
        );
        let subscriptions = [
            Subscription::book(GOOD),
            Subscription::bbo(GOOD),
            Subscription::book(BAD),
            Subscription::status(BAD),
        ];
        let watcher = Watcher::start(&[node.url()], &subscriptions, Tape::default());
        watcher.wait(WITHIN, "the subscriptions", |tape| tape.accepted() == 4);
        let mut scene = Self {
            kafka,
            node,
            watcher,
            feed: Feed::default(),
            _turn: turn,
        };
        scene.feed.push(snapshot(GOOD, 0));
        scene.feed.push(snapshot(BAD, 0));
        scene.send();
        scene
    }

    /// Sends the records; returns the offset of the first one.
    fn send(&mut self) -> i64 {
        let records = std::mem::take(&mut self.feed.records);
        self.kafka.produce(TOPIC, 0, &records)
    }

    /// Both continue, the one at fault with a snapshot, and the client has both.
    fn recover(&mut self, fault: &str) {
        self.feed.good();
        self.feed.snapshot();
        self.feed.right();
        self.feed.good();
        let start = i64::try_from(self.feed.records.len()).unwrap() - 4;
        let from = self.send() + start;
        let what = format!("the books after {fault}");
        self.watcher.wait(WITHIN, &what, |tape| {
            let has = |stream, seq| {
                let seqs = tape.books.get(&stream);
                seqs.is_some_and(|seqs| seqs.contains(&seq))
            };
            has(2, from + 2) && has(0, from + 3)
        });
    }

    fn resyncs(&self) -> usize {
        self.watcher.look(|tape| resyncs_of_bad(tape))
    }
}

/// Numbers that are missing, repeated, out of order, and a book that crosses itself: how often the
/// instrument at fault may resync, and the records, starting at its current number.
fn wrong_sequences(at: u64) -> [(&'static str, usize, Vec<String>); 4] {
    let (right, ahead) = (delta(BAD, at, at + 1), delta(BAD, at + 1, at + 2));
    let crossing = right.replace(r#"["9""#, r#"["11.5""#);
    [
        ("missing numbers", 1, vec![ahead.clone()]),
        ("repeated numbers", 0, vec![right.clone(), right.clone()]),
        ("numbers out of order", 1, vec![ahead, right]),
        ("crossed levels", 1, vec![crossing]),
    ]
}

#[test]
fn one_bad_instrument_harms_no_other() {
    let mut scene = Scene::start();
    let mut counted = BTreeMap::new();
    for (outcome, record) in wrong(0) {
        *counted.entry(outcome).or_insert(0.0) += 1.0;
        let before = scene.resyncs();
        scene.feed.right();
        scene.feed.good();
        scene.feed.records.push(record);
        scene.feed.good();
        scene.feed.right();
        scene.recover(outcome);
        let names_it = !["bad_name", "unknown_instrument"].contains(&outcome);
        assert_eq!(
            scene.resyncs() - before,
            usize::from(names_it),
            "resyncs by {outcome}"
        );
    }
    for case in 0..4 {
        let (what, resyncs, records) = wrong_sequences(scene.feed.bad_seq)[case].clone();
        let before = scene.resyncs();
        records
            .into_iter()
            .for_each(|record| scene.feed.push(record));
        scene.recover(what);
        assert_eq!(scene.resyncs() - before, resyncs, "resyncs by {what}");
    }
    // The same instrument in the other partition, where it has to be ignored.
    let elsewhere = Record::of(snapshot(BAD, 5));
    scene.kafka.produce(TOPIC, 1, &[elsewhere]);
    scene.recover("another partition");
    scene.watcher.stop();
    check_told(&scene.node, &counted);
    let good = usize::try_from(scene.feed.good_seq).unwrap() + 1;
    scene.watcher.look(|tape| check_harm(tape, good));
    println!("counted: {counted:?}");
}

/// Checks that every wrong record is counted by its fault, and logged with its offset.
fn check_told(node: &Node, counted: &BTreeMap<&str, f64>) {
    for (outcome, count) in counted {
        let label = format!("outcome=\"{outcome}\"");
        wait::until(WITHIN, outcome, || {
            let metrics = node.metric("tapecast_records_total", &[&label]);
            (metrics == *count).then_some(())
        });
    }
    let log = node.log();
    for part in [
        "topic=\"bad-input\"",
        "partition=0",
        "offset=",
        "field bids",
        "ignored a record",
    ] {
        assert!(log.contains(part), "the log names no {part}");
    }
}

/// The neighbour has every message and not one status; the other one is live again.
fn check_harm(tape: &Tape, good: usize) {
    assert_eq!(
        tape.after(0, -1).len(),
        good - 1 + usize::from(is_delta_first(tape))
    );
    for fault in &tape.faults {
        let of_good = ["SubscriptionId(0)", "SubscriptionId(1)"];
        let at_start = fault.contains("EpochChanged") || fault.contains("Upstream(Starting)");
        let harmed = of_good.iter().any(|id| fault.contains(id)) && !at_start;
        assert!(!harmed, "the neighbour was harmed: {fault}");
        assert!(!fault.contains("Mismatch"), "{fault}");
    }
    let statuses = tape.statuses.iter();
    let changes =
        statuses.filter(|one| one.subscription.0 <= 1 && one.head.prev_seq < one.head.seq);
    assert_eq!(changes.count(), 0, "the neighbour got a status");
    let last = tape.statuses.iter().rfind(|one| one.subscription.0 == 3);
    println!(
        "the neighbour has {good} messages and no status; the other one resynced {} times, and is {:?}",
        resyncs_of_bad(tape),
        last.map(|one| one.status.state)
    );
    assert!(last.is_none_or(|one| one.status.state == State::Live));
}

/// How often the book of the instrument at fault was reported to be wrong.
fn resyncs_of_bad(tape: &Tape) -> usize {
    let resyncing = tape.statuses.iter().filter(|one| {
        one.subscription.0 == 2
            && one.head.prev_seq < one.head.seq
            && matches!(one.status.state, State::Resyncing | State::UpstreamGap)
    });
    resyncing.count()
}

/// Returns whether the first snapshot came as an update of the empty book.
fn is_delta_first(tape: &Tape) -> bool {
    tape.after(0, -1)
        .first()
        .is_some_and(|message| message.seq == 0)
}

#[test]
fn an_invalid_config_never_starts_a_node() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrong.toml");
    let wrong = "[kafka]\nthreads = 0\n[session]\nping_intervall = \"5s\"\npong_timeout = \"never\"\n\
                 [[topics]]\npattern = \"(\"\nformat = \"xml\"\n[limits]\nsessions = \"many\"\n";
    std::fs::write(&file, wrong).unwrap();
    let ran = binary::command()
        .arg("serve")
        .arg("--config")
        .arg(&file)
        .env("TAPECAST_SESSION__DRAIN_DELAY", "soon")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(64), "{stderr}");
    for key in [
        "kafka.brokers",
        "kafka.threads",
        "session.ping_intervall",
        "session.pong_timeout",
        "pattern",
        "format",
        "limits.sessions",
        "session.drain_delay",
    ] {
        assert!(stderr.contains(key), "no {key} in:\n{stderr}");
    }
    println!("{}", stderr.lines().next().unwrap_or_default());
}
