//! A node that drains, and one that reloads its configuration.

use std::time::Duration;

use client::Subscription;
use e2e::kafka::{Kafka, Record};
use e2e::{Node, Settings, Tape, Watcher, broker, wait};
use serde_json::json;

const WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "TEST:BYE";

fn snapshot(bid: u64) -> Record {
    let book = json!({"type": "snapshot", "symbol": NAME, "bids": [[bid.to_string(), "1"]], "asks": [["1000000", "2"]]});
    Record::of(book.to_string())
}

#[test]
fn a_drain_moves_clients_in_waves_and_none_misses_or_repeats_a_message() {
    const CLIENTS: f64 = 24.0;
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "drains-drain";
    kafka.create(topic, 1);
    kafka.produce(topic, 0, &[snapshot(10)]);
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument(NAME, "")
        .more("[session]\ndrain_for = \"2s\"\ndrain_delay = \"500ms\"\n");
    let [mut leaves, stays] = Node::start_all([&settings; 2]);
    let nodes = [leaves.url(), stays.url()];
    let clients: Vec<_> = (0..24)
        .map(|_| Watcher::start(&nodes, &[Subscription::book(NAME)], Tape::default()))
        .collect();
    for client in &clients {
        client.wait(WITHIN, "the subscription", |tape| tape.accepted() == 1);
    }
    assert_eq!(
        leaves.admin("POST", "/drain").map(|answer| answer.status),
        Some(202)
    );
    assert_eq!(
        leaves.admin("GET", "/readyz").map(|answer| answer.status),
        Some(503)
    );
    let mut last = 0;
    let mut moved = Vec::new();
    let mut bid = 11;
    wait::until(WITHIN, "all clients to move", || {
        last = kafka.produce(topic, 0, &[snapshot(bid)]);
        bid += 1;
        let now = stays.metric("tapecast_sessions", &[]);
        moved.push(now);
        (now == CLIENTS).then_some(())
    });
    leaves.wait_end(WITHIN);
    last = last.max(kafka.produce(topic, 0, &[snapshot(bid)]));
    for client in &clients {
        client.wait(WITHIN, "the last record", |tape| tape.last_seq(0) >= last);
        client.look(|tape| {
            let seqs: Vec<_> = tape.after(0, 0).iter().map(|message| message.seq).collect();
            let wanted: Vec<_> = (1..=last).collect();
            assert_eq!(seqs, wanted, "each record once");
        });
    }
    let mut steps = moved;
    steps.dedup();
    assert!(steps.len() > 4, "they moved in waves: {steps:?}");
    println!(
        "{CLIENTS} clients moved in {} steps through {last} records, each of which each had once",
        steps.len()
    );
}

#[test]
fn a_configuration_is_applied_entirely_or_not_at_all() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "drains-reload";
    kafka.create(topic, 1);
    kafka.produce(topic, 0, &[snapshot(10)]);
    let with = |more: &str| {
        Settings::new(&turn.bootstrap())
            .topics(topic, "tapecast", "")
            .instrument(NAME, "")
            .more(more)
    };
    let node = Node::start(&with("[limits]\nstreams_per_session = 2\n"));
    let watcher = Watcher::start(&[node.url()], &[Subscription::book(NAME)], Tape::default());
    watcher.wait(WITHIN, "the subscription", |tape| tape.accepted() == 1);
    let successful = || node.metric("tapecast_config_last_reload_successful", &[]);
    assert_eq!(successful(), 1.0);

    node.rewrite(&with(
        "[limits]\nsessions = 0\nhandshake_timeout = \"never\"\n",
    ));
    let answer = node.admin("POST", "/reload").unwrap();
    assert_eq!(answer.status, 422);
    for key in ["2 errors", "limits.sessions", "limits.handshake_timeout"] {
        assert!(answer.body.contains(key), "{}", answer.body);
    }
    assert_eq!(successful(), 0.0);
    let late = Watcher::start(&[node.url()], &[Subscription::book(NAME)], Tape::default());
    late.wait(WITHIN, "the old limits to stay effective", |tape| {
        tape.accepted() == 1
    });

    // Reloadable keys change, and the others are listed.
    node.rewrite(&with(
        "[limits]\nsessions = 2\n[fanout]\nsend = \"single\"\n[log]\nlevel = \"debug\"\n",
    ));
    let answer = node.admin("POST", "/reload").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.body.trim(),
        r#"{"needs_restart":["fanout.send"],"reloaded":true}"#
    );
    assert_eq!(successful(), 1.0);
    let rejected = Watcher::start(&[node.url()], &[Subscription::book(NAME)], Tape::default());
    wait::until(WITHIN, "the new limit", || {
        (node.metric("tapecast_handshakes_refused_total", &["\"full\""]) > 0.0).then_some(())
    });
    drop(rejected);

    node.rewrite(&with("[limits]\nsessions = 3\n"));
    node.hang_up();
    let third = Watcher::start(&[node.url()], &[Subscription::book(NAME)], Tape::default());
    third.wait(WITHIN, "a session", |tape| tape.accepted() == 1);
    for watcher in [&watcher, &late] {
        watcher.look(|tape| assert!(tape.reconnects.is_empty(), "{:?}", tape.reconnects));
    }
    let page = node.admin("GET", "/status").unwrap();
    for part in [
        "ready",
        "sessions",
        "drains-reload",
        "configuration not reloaded",
    ] {
        assert!(page.body.contains(part), "no {part} in {}", page.body);
    }
}
