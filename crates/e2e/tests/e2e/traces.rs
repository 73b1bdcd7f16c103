//! Records that are traced from Kafka to the sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use client::Subscription;
use e2e::collector::{Collector, Reported, attribute};
use e2e::kafka::{Kafka, Record};
use e2e::watcher::Watcher;
use e2e::{Node, Settings, Tape, broker, wait};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);
const TOPIC: &str = "traces";
const NAME: &str = "TEST:TRACED";
/// Records, each of which changes the book.
const RECORDS: i32 = 20;

fn delta(seq: i32) -> Record {
    let bids = [["10", &(seq + 1).to_string()]];
    let delta = json!({"type": "delta", "symbol": NAME, "prev_seq": seq - 1, "seq": seq, "bids": bids, "asks": []});
    Record::of(delta.to_string())
}

fn offset(reported: &Reported) -> Option<i32> {
    let offset = attribute(&reported.span.attributes, "messaging.kafka.offset")?;
    offset.parse().ok()
}

#[test]
fn a_traced_record_is_reported_stage_by_stage_under_one_name_on_every_node() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(TOPIC, 1);
    let book = json!({"type": "snapshot", "symbol": NAME, "seq": 0, "bids": [["10", "1"]], "asks": [["11", "1"]]});
    kafka.produce(TOPIC, 0, &[Record::of(book.to_string())]);
    let collector = Collector::start();
    let traces = format!(
        "[traces]\nendpoint = \"{}\"\none_in = 1\n",
        collector.endpoint()
    );
    let settings = Settings::new(&turn.bootstrap())
        .topics(TOPIC, "tapecast", "")
        .instrument(NAME, "")
        .more(&traces);
    let nodes = Node::start_all([&settings; 2]);
    // One of the nodes has a client, the other has none.
    let book = [Subscription::book(NAME), Subscription::bbo(NAME)];
    let watcher = Watcher::start(&[nodes[0].url()], &book, Tape::default());
    watcher.wait(WITHIN, "the subscriptions", |tape| {
        tape.subscribed.len() == book.len()
    });
    for seq in 1..=RECORDS {
        kafka.produce(TOPIC, 0, &[delta(seq)]);
    }
    watcher.wait(WITHIN, "the last delta", |tape| {
        tape.last_seq(tape.subscribed[0].subscription.0) == i64::from(RECORDS)
    });
    let instances: Vec<String> = nodes.iter().map(|node| node.public().to_string()).collect();
    // The first node sends two streams, so its last span is the sending of the last record.
    let records = usize::try_from(RECORDS).unwrap();
    let reported = wait::until(WITHIN, "all spans", || {
        let reported = collector.reported();
        let count = |instance: &String, name: &str| {
            let of = reported.iter().filter(|one| one.instance == *instance);
            of.filter(|one| one.span.name == name).count()
        };
        let is_all = instances.iter().all(|one| count(one, "record") == records)
            && count(&instances[0], "send") == records;
        is_all.then_some(reported)
    });
    let mut names = BTreeMap::new();
    for instance in &instances {
        let own: Vec<&Reported> = reported
            .iter()
            .filter(|one| one.instance == *instance)
            .collect();
        for seq in 1..=RECORDS {
            let root = own.iter().find(|one| offset(one) == Some(seq)).unwrap();
            assert_eq!(root.span.name, "record");
            assert_eq!(root.span.kind, SpanKind::Consumer as i32);
            assert!(root.span.parent_span_id.is_empty());
            let about = |name: &str| attribute(&root.span.attributes, name).unwrap();
            assert_eq!(about("messaging.destination.name"), TOPIC);
            assert_eq!(about("messaging.destination.partition.id"), "0");
            assert_eq!(about("tapecast.instrument"), NAME);
            let name = names
                .entry(seq)
                .or_insert_with(|| root.span.trace_id.clone());
            assert_eq!(*name, root.span.trace_id, "every node calls it the same");
            let of_it = own.iter().filter(|one| {
                one.span.trace_id == root.span.trace_id && one.span.span_id != root.span.span_id
            });
            let mut stages = BTreeMap::new();
            for one in of_it {
                assert_eq!(one.span.parent_span_id, root.span.span_id);
                let (start, end) = (one.span.start_time_unix_nano, one.span.end_time_unix_nano);
                assert!(start <= end);
                stages.insert(one.span.name.as_str(), (start, end));
            }
            let has_client = *instance == instances[0];
            let expected: &[&str] = if has_client {
                &["apply", "kafka", "queue", "send"]
            } else {
                &["apply", "kafka"]
            };
            assert_eq!(stages.keys().copied().collect::<Vec<_>>(), expected);
            assert_eq!(stages["kafka"].0, root.span.start_time_unix_nano);
            let way = ["kafka", "apply", "queue", "send"];
            let way = &way[..expected.len()];
            for pair in way.windows(2) {
                assert_eq!(stages[pair[0]].1, stages[pair[1]].0, "{pair:?}");
            }
        }
    }
    let sends = reported.iter().filter(|one| one.span.name == "send");
    for one in sends {
        let count = |name| attribute(&one.span.attributes, name).unwrap();
        assert_eq!(count("tapecast.subscribers"), "2", "the book and its best");
    }
    let exported = nodes[0].metric("tapecast_trace_spans_exported_total", &[]);
    assert!(exported >= 5.0 * f64::from(RECORDS), "{exported}");
    assert!(nodes[0].metric("tapecast_trace_spans_dropped_total", &[]) < 0.5);
}
