//! Records and configurations that are wrong.

use std::time::Duration;

use client::Subscription;
use e2e::kafka::{Kafka, Record};
use e2e::{Node, Settings, Tape, Watcher, binary, broker, wait};
use market::State;

const WITHIN: Duration = Duration::from_secs(60);
const BAD: &str = "TEST:BAD";
const GOOD: &str = "TEST:GOOD";
const TOPIC: &str = "bad-input";

/// Builds the records of two instruments in one partition and counts what must come of them.
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

    /// The neighbour goes on.
    fn good(&mut self) {
        let seq = self.good_seq + 1;
        self.push(delta(GOOD, self.good_seq, seq));
        self.good_seq = seq;
    }

    /// The instrument at fault goes on as if nothing had been.
    fn right(&mut self) {
        let seq = self.bad_seq + 1;
        self.push(delta(BAD, self.bad_seq, seq));
        self.bad_seq = seq;
    }

    /// Its next whole book.
    fn whole(&mut self) {
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
        ("malformed_json", Record { key: Some(BAD.into()), value: Some(b"{\"type\":\"delta\",".to_vec()) }),
        ("malformed_json", Record { key: Some(BAD.into()), value: Some(vec![0xff, 0xfe, 0x00]) }),
        ("wrong_shape", levels(r#"{"10":"1"}"#)),
        ("wrong_shape", levels(r#"[["10",true]]"#)),
        ("wrong_shape", of(format!(r#"{{"type":"delta","symbol":"{BAD}","prev_seq":{seq},"bids":[],"asks":[]}}"#))),
        ("bad_value", levels(r#"[["10","99999999999999999999"]]"#)),
        ("bad_value", levels(r#"[["10.123456789123","1"]]"#)),
        ("bad_value", levels(r#"[["10","-1"]]"#)),
        ("bad_value", levels(r#"[["ten","1"]]"#)),
        ("bad_sequence", of(delta(BAD, next, seq))),
        ("tombstone", Record::tombstone(BAD)),
        ("empty", Record { key: Some(BAD.into()), value: Some(Vec::new()) }),
        ("too_large", Record { key: Some(BAD.into()), value: Some(vec![b'7'; 10 << 20]) }),
        ("unknown_kind", of(format!(r#"{{"type":"dance","symbol":"{BAD}"}}"#))),
        ("bad_name", of(r#"{"type":"delta","symbol":"no name","prev_seq":1,"seq":2,"bids":[],"asks":[]}"#.to_owned())),
        ("unknown_instrument", of(delta("OTHER:ONE", 1, 2))),
    ]
}

#[test]
fn one_bad_instrument_harms_no_other() {
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
    let mut watcher = Watcher::start(&[node.url()], &subscriptions, Tape::default());
    watcher.wait(WITHIN, "the subscriptions", |tape| tape.accepted() == 4);

    let mut feed = Feed::default();
    feed.push(snapshot(GOOD, 0));
    feed.push(snapshot(BAD, 0));
    let first = kafka.produce(TOPIC, 0, &std::mem::take(&mut feed.records));
    assert_eq!(first, 0);
    let mut counted = std::collections::BTreeMap::new();
    let mut good = 1;
    for (outcome, record) in wrong(0) {
        *counted.entry(outcome).or_insert(0.0) += 1.0;
        // What a record says of a number has to follow what the instrument is at.
        feed.right();
        feed.good();
        kafka.produce(TOPIC, 0, &std::mem::take(&mut feed.records));
        kafka.produce(TOPIC, 0, &[record]);
        feed.good();
        feed.right();
        feed.good();
        feed.whole();
        feed.right();
        feed.good();
        good += 4;
        let from = kafka.produce(TOPIC, 0, &std::mem::take(&mut feed.records));
        let (right, last) = (from + 4, from + 5);
        watcher.wait(WITHIN, &format!("the books behind {outcome}"), |tape| {
            tape.books.get(&2).is_some_and(|seqs| seqs.contains(&right))
                && tape.books.get(&0).is_some_and(|seqs| seqs.contains(&last))
        });
    }
    // Numbers that are missing, repeated, out of order; a book that crosses itself.
    let sequences: [(&str, usize, fn(u64) -> Vec<String>); 4] = [
        ("missing", 1, |at| vec![delta(BAD, at + 1, at + 2)]),
        ("repeated", 0, |at| vec![delta(BAD, at, at + 1), delta(BAD, at, at + 1)]),
        ("out of order", 1, |at| {
            vec![delta(BAD, at + 1, at + 2), delta(BAD, at, at + 1)]
        }),
        ("crossed", 1, |at| {
            vec![delta(BAD, at, at + 1).replace(r#"["9""#, r#"["11.5""#)]
        }),
    ];
    for (what, resyncs, records) in sequences {
        let before = watcher.look(|tape| resyncs_of_bad(tape));
        for record in records(feed.bad_seq) {
            feed.push(record);
        }
        feed.good();
        feed.whole();
        feed.right();
        feed.good();
        good += 2;
        let from = kafka.produce(TOPIC, 0, &std::mem::take(&mut feed.records));
        watcher.wait(WITHIN, &format!("the books behind {what} numbers"), |tape| {
            let right = tape.books.get(&2).and_then(|seqs| seqs.last());
            let last = tape.books.get(&0).and_then(|seqs| seqs.last());
            right.is_some_and(|seq| *seq > from) && last.is_some_and(|seq| *seq > from + 3)
        });
        let resynced = watcher.look(|tape| resyncs_of_bad(tape)) - before;
        assert_eq!(resynced, resyncs, "resyncs by {what} numbers");
    }
    // The same instrument in the other partition, where nobody may believe it.
    kafka.produce(TOPIC, 1, &[Record::of(snapshot(BAD, 5))]);
    feed.good();
    feed.whole();
    feed.right();
    feed.good();
    good += 2;
    let from = kafka.produce(TOPIC, 0, &std::mem::take(&mut feed.records));
    watcher.wait(WITHIN, "the books behind another partition", |tape| {
        let seen = |stream, seq| tape.books.get(&stream).is_some_and(|seqs| seqs.contains(&seq));
        seen(2, from + 2) && seen(0, from + 3)
    });
    watcher.stop();
    for (outcome, count) in &counted {
        let label = format!("outcome=\"{outcome}\"");
        wait::until(WITHIN, outcome, || {
            let metrics = node.metric("tapecast_records_total", &[&label]);
            (metrics == *count).then_some(())
        });
    }
    let log = node.log();
    for part in ["topic=\"bad-input\"", "partition=0", "offset=", "field bids", "a record was not taken"] {
        assert!(log.contains(part), "the log names no {part}");
    }
    watcher.look(|tape| check_harm(tape, good));
    println!("counted: {counted:?}");
}

/// The neighbour has every message and not one status; the other one is whole again.
fn check_harm(tape: &Tape, good: usize) {
    assert_eq!(tape.behind(0, -1).len(), good - 1 + usize::from(is_delta_first(tape)));
    for fault in &tape.faults {
        let of_good = ["SubscriptionId(0)", "SubscriptionId(1)"];
        let at_start = fault.contains("EpochChanged") || fault.contains("Upstream(Starting)");
        let harmed = of_good.iter().any(|id| fault.contains(id)) && !at_start;
        assert!(!harmed, "the neighbour was harmed: {fault}");
        assert!(!fault.contains("Mismatch"), "{fault}");
    }
    let statuses = tape.statuses.iter();
    let told = statuses.filter(|one| one.subscription.0 <= 1 && one.head.prev_seq < one.head.seq);
    assert_eq!(told.count(), 0, "the neighbour was told a status");
    let last = tape.statuses.iter().rfind(|one| one.subscription.0 == 3);
    println!(
        "the neighbour has {good} messages and no status; the other one resynced {} times, and is {:?}",
        resyncs_of_bad(tape),
        last.map(|one| one.status.state)
    );
    assert!(last.is_none_or(|one| one.status.state == State::Live));
}

/// How often the book of the instrument at fault was told to be wrong.
fn resyncs_of_bad(tape: &Tape) -> usize {
    let resyncing = tape.statuses.iter().filter(|one| {
        one.subscription.0 == 2
            && one.head.prev_seq < one.head.seq
            && matches!(one.status.state, State::Resyncing | State::UpstreamGap)
    });
    resyncing.count()
}

/// Whether the first whole book came as a change of the empty one.
fn is_delta_first(tape: &Tape) -> bool {
    tape.behind(0, -1).first().is_some_and(|said| said.seq == 0)
}

#[test]
fn a_wrong_config_never_starts_a_node() {
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
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(64), "{told}");
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
        assert!(told.contains(key), "{key} is not told in:\n{told}");
    }
    println!("{}", told.lines().next().unwrap_or_default());
}

#[test]
fn a_node_that_finds_no_topic_is_ready() {
    let turn = broker::turn();
    let settings = Settings::new(&turn.bootstrap()).topics("no-such-topic", "tapecast", "");
    let _ready = Node::start(&settings);
}
