//! Nodes that start from the checkpoints of others.

use std::path::Path;
use std::time::Duration;

use client::Subscription;
use e2e::broker::Turn;
use e2e::kafka::{Kafka, Record};
use e2e::publish::Publish;
use e2e::tape::assert_same;
use e2e::{Node, Settings, Tape, Watcher, broker, captures, ends, wait};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "BINANCE:BTCUSDT";
const CAPTURE: &str = "hftbacktest/spot/btcusdt_20240808.gz";

fn subscriptions() -> [Subscription; 4] {
    [
        Subscription::book(NAME),
        Subscription::bbo(NAME),
        Subscription::trades(NAME),
        Subscription::status(NAME),
    ]
}

fn settings(turn: &Turn, topic: &str, checkpoints: &str) -> Settings {
    Settings::new(&turn.bootstrap())
        .topics(topic, "binance", "venue = \"BINANCE\"")
        .instrument(NAME, "")
        .more(&format!("[checkpoints]\n{checkpoints}"))
}

fn publish(brokers: &str, topic: &str, file: &Path, from: u64, to: u64) {
    Publish {
        from: from + 1,
        limit: Some(to - from),
        ..Publish::all(brokers, Some(topic))
    }
    .run(file);
}

fn watch(node: &Node) -> Watcher<Tape> {
    let watcher = Watcher::start(&[node.url()], &subscriptions(), Tape::default());
    watcher.wait(WITHIN, "the subscriptions", |tape| tape.accepted() == 4);
    watcher
}

#[test]
fn a_node_started_from_checkpoints_publishes_what_one_that_read_everything_does() {
    let Some(file) = captures::find(CAPTURE) else {
        return;
    };
    let turn = broker::turn();
    let brokers = turn.bootstrap();
    let (topic, kept) = ("kept-market", "kept-checkpoints");
    let mut kafka = Kafka::connect(&brokers);
    kafka.create(topic, 1);
    let writes = format!("topic = \"{kept}\"\nwrite_every = \"1s\"");
    let reads = format!("topic = \"{kept}\"");
    let complete = Node::start(&settings(&turn, topic, &writes));
    publish(&brokers, topic, &file, 0, 8_000);
    // Its checkpoint, and the mark of its partition, after the last of these records.
    let written = || complete.metric("tapecast_checkpoints_written_total", &[]);
    wait::until(WITHIN, "the records", || {
        (complete.metric("tapecast_records_total", &[]) > 7_999.0).then_some(())
    });
    let before = written();
    wait::until(WITHIN, "checkpoints", || {
        (written() > before + 5.0).then_some(())
    });
    publish(&brokers, topic, &file, 8_000, 9_000);

    let other = Node::start(&settings(&turn, topic, &reads));
    assert!(other.metric("tapecast_checkpoints_restored_total", &[]) > 0.5);
    let read = other.metric("tapecast_records_total", &[]);
    assert!(read < 4_000.0, "it has read {read} records of 9,000");
    let (mut at_complete, mut at_other) = (watch(&complete), watch(&other));
    publish(&brokers, topic, &file, 9_000, 12_000);
    wait::until(WITHIN, "the node to have read everything", || {
        (complete.metric("tapecast_records_total", &[topic]) > 11_999.0).then_some(())
    });
    let streams = ["book", "bbo", "trades"];
    let ends = ends::of(
        &complete,
        &streams.map(|channel| json!({"channel": channel, "symbol": NAME})),
    );
    assert!(ends[2] > 11_900, "{ends:?}");
    for (who, watcher) in [("one", &at_complete), ("the other", &at_other)] {
        let reached = |tape: &Tape| [0, 1, 2].map(|stream| tape.last_seq(stream));
        watcher.wait_explained(
            WITHIN,
            |tape| reached(tape) == ends,
            |tape| format!("{who} to reach {ends:?}, not {:?}", reached(tape)),
        );
    }
    at_complete.stop();
    at_other.stop();
    at_complete.look(|complete| {
        at_other.look(|other| {
            assert!(other.faults.is_empty(), "{:#?}", other.faults);
            for (stream, name) in [(0, "book"), (1, "bbo"), (2, "trades")] {
                let start = complete.messages[&stream][0]
                    .seq
                    .max(other.messages[&stream][0].seq);
                let (ours, theirs) = (complete.after(stream, start), other.after(stream, start));
                assert!(theirs.len() > 100, "{name}: {}", theirs.len());
                assert_same(name, &ours, &theirs);
                println!("{name}: {} messages are the same bytes", theirs.len());
            }
            assert_eq!(complete.checksums, other.checksums);
        });
    });

    // A checkpoint that does not match is counted, and the node reads everything.
    let waited = |node: &Node| node.metric("tapecast_stage_seconds_count", &["stage=\"kafka\""]);
    let came = complete.metric("tapecast_records_total", &["outcome=\"event\""]);
    assert!(came > 3_000.0 && waited(&complete) == came, "{came}");
    drop(complete);
    let garbage = Record {
        key: Some(NAME.into()),
        value: Some(b"TAPECKPT\x01\0\0\0\x04\0\0\0\0\0\0\0oops".to_vec()),
    };
    kafka.produce(kept, 0, &[garbage]);
    let third = Node::start(&settings(&turn, topic, &reads));
    assert!(
        third.metric(
            "tapecast_checkpoints_refused_total",
            &["reason=\"checksum\""]
        ) > 0.5
    );
    // What is counted is shown a quarter of a second later at the most.
    wait::until(WITHIN, "all records", || {
        (third.metric("tapecast_records_total", &[]) > 11_999.0).then_some(())
    });
    assert!(
        waited(&third) < 0.5,
        "it counts as late what it reads to catch up"
    );
    let mut at_third = watch(&third);
    at_third.wait(WITHIN, "the book", |tape| tape.books.contains_key(&0));
    at_third.stop();
    let checksum = at_third.look(|tape| tape.checksums[&0]);
    assert_eq!(checksum, at_other.look(|tape| tape.checksums[&0]));
}
