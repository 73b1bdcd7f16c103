//! Several nodes on one Kafka, and what happens to clients when one of them is lost.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use client::Subscription;
use e2e::broker::Turn;
use e2e::kafka::Kafka;
use e2e::proxy::Proxy;
use e2e::publish::Publish;
use e2e::tape::{Message, assert_same};
use e2e::{Node, Settings, Tape, Watcher, broker, captures};
use serde_json::Value;
use wire::control::StartKind;

const WITHIN: Duration = Duration::from_secs(90);
const NAME: &str = "BINANCE:BTCUSDT";
const CAPTURE: &str = "hftbacktest/spot/btcusdt_20240808.gz";
/// The streams, by the number of their subscription.
const STREAMS: [(u64, &str); 3] = [(0, "book"), (1, "bbo"), (2, "trades")];
/// Six minutes of records in ten seconds.
const PACED: &str = "36";
/// Enough that the instrument has a book and a trade.
const FIRST_LINES: u64 = 1_000;

fn subscriptions() -> [Subscription; 3] {
    [
        Subscription::book(NAME),
        Subscription::bbo(NAME),
        Subscription::trades(NAME),
    ]
}

/// A capture, its topic, and the offsets of its records, since its lines go to one partition in order.
struct Scene {
    turn: Turn,
    topic: &'static str,
    file: PathBuf,
    lines: u64,
    /// The offset of the snapshot.
    snapshot: i64,
    /// Depth events after the snapshot that it does not include.
    depths: Vec<i64>,
    trades: Vec<i64>,
}

impl Scene {
    fn of(topic: &'static str) -> Option<Self> {
        let file = captures::find(CAPTURE)?;
        let turn = broker::turn();
        Kafka::connect(&turn.bootstrap()).create(topic, 1);
        let lines = captures::lines(&file);
        let mut scene = Self {
            turn,
            topic,
            file,
            lines: u64::try_from(lines.len()).unwrap(),
            snapshot: -1,
            depths: Vec::new(),
            trades: Vec::new(),
        };
        for (offset, line) in (0_i64..).zip(&lines) {
            let value: Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
            match value["stream"].as_str() {
                None => scene.snapshot = offset,
                Some(stream) if stream.ends_with("@trade") => scene.trades.push(offset),
                Some(stream) if stream.contains("@depth") && scene.snapshot >= 0 => {
                    scene.depths.push(offset);
                }
                _ => {}
            }
        }
        Some(scene)
    }

    fn settings(&self) -> Settings {
        Settings::new(&self.turn.bootstrap())
            .topics(self.topic, "binance", "venue = \"BINANCE\"")
            .instrument(NAME, "")
    }

    fn watch(&self, nodes: &[String]) -> Watcher<Tape> {
        let watcher = Watcher::start(nodes, &subscriptions(), Tape::default());
        watcher.wait(WITHIN, "the subscriptions", |tape| tape.accepted() == 3);
        watcher
    }

    /// A stretch of the capture's lines, counted from 0.
    fn publish(&self, from: u64, to: u64) {
        let brokers = self.turn.bootstrap();
        Publish {
            from: from + 1,
            limit: Some(to - from),
            ..Publish::all(&brokers, Some(self.topic))
        }
        .run(&self.file);
    }

    /// Waits until a client has the last record that it gets anything of.
    fn wait_complete(&self, watcher: &Watcher<Tape>) {
        let (depth, trade) = (*self.depths.last().unwrap(), *self.trades.last().unwrap());
        watcher.wait(WITHIN, "the entire capture", |tape| {
            tape.last_seq(0) >= depth && tape.last_seq(2) >= trade
        });
    }

    /// Checks that a client got every record of the book and every trade once, in order.
    fn check_complete(&self, who: &str, tape: &Tape) {
        for (stream, wanted) in [(0, &self.depths), (2, &self.trades)] {
            let first = wanted[0].max(self.snapshot + 1);
            let wanted: Vec<_> = wanted.iter().copied().filter(|seq| *seq >= first).collect();
            let seqs = tape.after(stream, first - 1);
            let seqs: Vec<_> = seqs.iter().map(|message| message.seq).collect();
            let name = STREAMS[usize::try_from(stream).unwrap()].1;
            if let Some(index) = seqs.iter().zip(&wanted).position(|(a, b)| a != b) {
                panic!(
                    "{who}, {name}: message {index} is {}, and should be {}",
                    seqs[index], wanted[index]
                );
            }
            assert_eq!(seqs.len(), wanted.len(), "{who}, {name}");
        }
    }
}

/// Gaps, losses, mismatches: all but the start of a book, which is always reported.
fn check_faultless(who: &str, tape: &Tape) {
    let faults = tape.faults.iter();
    let faults: Vec<_> = faults
        .filter(|fault| !fault.contains("EpochChanged") && !fault.contains("Upstream(Starting)"))
        .collect();
    assert!(faults.is_empty(), "{who}: {faults:#?}");
}

fn messages(tape: &Tape, stream: u64) -> Vec<Message> {
    tape.after(stream, -1)
}

#[test]
fn two_nodes_publish_the_same() {
    let Some(scene) = Scene::of("fleet-two") else {
        return;
    };
    let third = scene.lines / 3;
    let first = Node::start(&scene.settings());
    let mut at_first = scene.watch(&[first.url()]);
    scene.publish(0, third);
    let second = Node::start(&scene.settings());
    let mut at_second = scene.watch(&[second.url()]);
    scene.publish(third, scene.lines);
    // One that starts when everything is in Kafka reads it all the same.
    let late = Node::start(&scene.settings());
    let mut at_late = scene.watch(&[late.url()]);
    for watcher in [&at_first, &at_second] {
        scene.wait_complete(watcher);
    }
    at_late.wait(WITHIN, "the late book", |tape| tape.books.contains_key(&0));
    at_first.stop();
    at_second.stop();
    at_late.stop();
    at_first.look(|first| {
        scene.check_complete("first", first);
        check_faultless("first", first);
        at_second.look(|second| {
            check_faultless("second", second);
            for (stream, name) in STREAMS {
                // The initial state is the client's own; what follows is the stream.
                let start = messages(second, stream)[0].seq;
                let (ours, theirs) = (first.after(stream, start), second.after(stream, start));
                assert_same(name, &ours, &theirs);
                println!(
                    "{name}: {} messages from seq {} on are the same bytes on both nodes; {} in all",
                    theirs.len(),
                    theirs[0].seq,
                    first.messages[&stream].len()
                );
            }
        });
        at_late.look(|late| {
            assert_eq!(late.books[&0].last(), first.books[&0].last());
            assert_eq!(late.checksums, first.checksums, "the late book");
        });
    });
}

#[test]
fn a_client_that_is_cut_off_resumes_on_the_other_node_and_gets_exactly_what_it_missed() {
    let Some(scene) = Scene::of("fleet-cut") else {
        return;
    };
    let quarter = scene.lines / 4;
    let settings = scene.settings();
    let [one, other] = Node::start_all([&settings; 2]);
    let cable = Proxy::to(one.public());
    let mut uninterrupted = scene.watch(&[one.url()]);
    let mut cut = scene.watch(&[cable.url(), other.url()]);
    scene.publish(0, quarter);
    cut.wait(WITHIN, "the first quarter", |tape| tape.last_seq(0) > 0);
    let before = cut.look(|tape| tape.last_seq(0));
    let brokers = scene.turn.bootstrap();
    let publishing = Publish {
        from: quarter + 1,
        speed: PACED,
        ..Publish::all(&brokers, Some(scene.topic))
    }
    .start(&scene.file);
    cut.wait(WITHIN, "more records", |tape| {
        tape.last_seq(0) > before + 2_000
    });
    cable.cut();
    publishing.finish();
    scene.wait_complete(&uninterrupted);
    scene.wait_complete(&cut);
    uninterrupted.stop();
    cut.stop();
    uninterrupted.look(|uninterrupted| {
        scene.check_complete("uninterrupted", uninterrupted);
        cut.look(|cut| {
            assert!(!cut.reconnects.is_empty(), "the cable was not cut");
            assert_eq!(cut.started(StartKind::Resumed), 3, "{:?}", cut.subscribed);
            check_faultless("cut off", cut);
            for (stream, name) in STREAMS {
                let followed = cut.followed(stream);
                assert_same(name, &uninterrupted.messages[&stream], &followed);
                println!(
                    "{name}: {} messages, the same bytes with and without the cut",
                    followed.len()
                );
            }
        });
    });
}

#[test]
fn kill_9_under_load_loses_and_repeats_nothing() {
    let Some(scene) = Scene::of("fleet-kill") else {
        return;
    };
    let settings = scene.settings();
    kill_under_load(&scene, &settings, 0);
}

/// A node that has just started does not know such an instrument yet.
#[test]
fn kill_9_loses_and_repeats_nothing_of_an_instrument_that_no_rule_names() {
    let Some(scene) = Scene::of("fleet-unnamed") else {
        return;
    };
    let settings = Settings::new(&scene.turn.bootstrap());
    let settings = settings.topics(scene.topic, "binance", "venue = \"BINANCE\"");
    scene.publish(0, FIRST_LINES);
    kill_under_load(&scene, &settings, FIRST_LINES);
}

/// Kills a node while the capture is published from a line on, and compares its client with another's.
fn kill_under_load(scene: &Scene, settings: &Settings, from: u64) {
    let [mut killed, other] = Node::start_all([settings; 2]);
    let mut uninterrupted = scene.watch(&[other.url()]);
    let mut resumed = scene.watch(&[killed.url()]);
    let brokers = scene.turn.bootstrap();
    let mut publishing = Publish {
        from: from + 1,
        speed: PACED,
        ..Publish::all(&brokers, Some(scene.topic))
    }
    .start(&scene.file);
    let third = i64::try_from(scene.lines / 3).unwrap();
    resumed.wait(WITHIN, "a third", |tape| tape.last_seq(1) >= third);
    assert!(publishing.is_sending(), "there is no load");
    let at = Instant::now();
    killed.kill9();
    let before = resumed.look(|tape| tape.last);
    killed.start_again();
    killed.wait_ready();
    let ready = at.elapsed();
    resumed.wait(WITHIN, "data after the restart", |tape| tape.last > before);
    let pause = resumed.look(|tape| tape.last.unwrap()) - at;
    let under_load = publishing.is_sending();
    publishing.finish();
    scene.wait_complete(&uninterrupted);
    scene.wait_complete(&resumed);
    uninterrupted.stop();
    resumed.stop();
    println!(
        "kill -9: ready again after {ready:?}, data after {pause:?}, still under load: {under_load}"
    );
    check_interrupted(&uninterrupted, &resumed);
    if from == 0 {
        uninterrupted.look(|tape| scene.check_complete("uninterrupted", tape));
    }
}

#[test]
fn a_kafka_restart_under_load_loses_and_repeats_nothing() {
    let Some(mut scene) = Scene::of("fleet-kafka") else {
        return;
    };
    let node = Node::start(&scene.settings());
    let mut watcher = scene.watch(&[node.url()]);
    let brokers = scene.turn.bootstrap();
    let mut publishing = Publish {
        speed: PACED,
        ..Publish::all(&brokers, Some(scene.topic))
    }
    .start(&scene.file);
    let third = i64::try_from(scene.lines / 3).unwrap();
    watcher.wait(WITHIN, "a third", |tape| tape.last_seq(1) >= third);
    assert!(publishing.is_sending(), "there is no load");
    let at = Instant::now();
    scene.turn.broker().restart().unwrap();
    let back = at.elapsed();
    let before = watcher.look(|tape| tape.last);
    watcher.wait(WITHIN, "data after the restart", |tape| tape.last > before);
    let pause = watcher.look(|tape| tape.last.unwrap()) - at;
    publishing.finish();
    scene.wait_complete(&watcher);
    watcher.stop();
    println!("kafka restart: the broker was back after {back:?}, data after {pause:?}");
    watcher.look(|tape| {
        scene.check_complete("over the restart", tape);
        check_faultless("over the restart", tape);
        assert!(tape.reconnects.is_empty(), "{:?}", tape.reconnects);
        println!("{} book messages verified, none missing", tape.verified);
    });
}

/// A client that was interrupted has what an uninterrupted one has.
fn check_interrupted(uninterrupted: &Watcher<Tape>, resumed: &Watcher<Tape>) {
    uninterrupted.look(|uninterrupted| {
        resumed.look(|resumed| {
            assert!(!resumed.reconnects.is_empty(), "nothing was interrupted");
            println!(
                "{} resumed after {} rejections, {} restarted; faults: {:?}",
                resumed.started(StartKind::Resumed),
                resumed.postponed.len(),
                resumed.started(StartKind::Snapshot) - 3,
                resumed.faults
            );
            for (stream, name) in STREAMS {
                let followed = resumed.followed(stream);
                assert_same(name, &uninterrupted.messages[&stream], &followed);
                println!("{name}: {} messages, the same bytes", followed.len());
            }
            check_faultless("resumed", resumed);
            assert_eq!(resumed.started(StartKind::Resumed), 3);
        });
    });
}
