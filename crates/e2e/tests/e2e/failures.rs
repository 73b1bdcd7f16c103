//! What a node does when a part of it, or of what it reads, is missing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::clocks::Clocks;
use e2e::kafka::{Kafka, Record};
use e2e::socket::Socket;
use e2e::{Node, Settings, binary, broker, http, ports, wait};
use serde_json::{Value, json};
use wire::SUBPROTOCOL_JSON;

const WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "TEST:MOVED";

fn snapshot(bid: &str) -> Record {
    let book =
        json!({"type": "snapshot", "symbol": NAME, "bids": [[bid, "1"]], "asks": [["90", "2"]]});
    Record::of(book.to_string())
}

/// Ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A node that has no file left for most of its shards would serve on a part of its listeners, and every
/// other connection would wait for ever.
#[test]
fn a_node_that_loses_a_shard_exits_with_1() {
    let turn = broker::turn();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tapecast.toml");
    let settings = Settings::new(&turn.bootstrap())
        .topics("nothing", "tapecast", "")
        .more("[fanout]\nshards = 64");
    std::fs::write(&file, settings.to_toml()).unwrap();
    let (public, admin) = (ports::free(), ports::free());
    // Enough for 64 listeners and all that is started before the shards, not for 64 runtimes.
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 160; exec \"$@\"", "sh"])
        .arg(binary::path())
        .args(["serve", "--config"])
        .arg(&file)
        .args(["--listen", &public.to_string()])
        .args(["--admin", &admin.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TAPECAST_") {
            command.env_remove(name);
        }
    }
    let mut node = Process(command.spawn().unwrap());
    let end = wait::until(WITHIN, "the end of a node", || node.0.try_wait().unwrap());
    let mut log = String::new();
    let mut stderr = node.0.stderr.take().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    assert_eq!(end.code(), Some(1), "{log}");
    assert!(log.contains("a thread has ended"), "{log}");
    assert!(log.contains("error: thread shard-"), "{log}");
}

/// A node without any one of its threads is useless.
#[test]
fn a_node_whose_thread_panics_exits_with_1() {
    let turn = broker::turn();
    Kafka::connect(&turn.bootstrap()).create("fail-panic", 1);
    let settings = Settings::new(&turn.bootstrap()).topics("fail-panic", "tapecast", "");
    let nodes = ["publisher-0", "shard-0", "http"].map(|thread| {
        let clocks = Clocks::new();
        let node = Node::launch_with_clocks(&settings, &clocks);
        (thread, clocks, node)
    });
    let goes_on: Vec<_> = nodes
        .into_iter()
        .filter_map(|(thread, clocks, mut node)| {
            node.wait_ready();
            clocks.panic(thread);
            let mut asked = 0;
            let end = wait::until(WITHIN, "the end of a node or many questions", || {
                // Gives each thread something to do; there may be no answer.
                let asking = TcpStream::connect(node.public());
                let _sent = asking.and_then(|mut stream| {
                    stream.write_all(b"GET /v1/instruments HTTP/1.1\r\nHost: node\r\n\r\n")
                });
                asked += 1;
                node.end().map(Some).or((asked == 500).then_some(None))
            });
            let log = node.log();
            assert!(
                log.contains(&format!("thread '{thread}'")),
                "no panic: {log}"
            );
            end.is_none_or(|end| end.code() != Some(1))
                .then_some(thread)
        })
        .collect();
    assert!(
        goes_on.is_empty(),
        "a node goes on without the threads {goes_on:?}"
    );
}

#[test]
fn a_node_whose_patterns_match_no_topic_is_not_ready_until_one_does() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let settings = Settings::new(&turn.bootstrap()).topics("fail-later-.*", "tapecast", "");
    let node = Node::launch(&settings);
    let reason = wait::until(WITHIN, "a reason", || {
        let answer = node.admin("GET", "/readyz")?;
        let is_told = answer.status == 503 && answer.body.contains("no topic matches");
        is_told.then_some(answer.body)
    });
    assert!(reason.contains("the brokers list "), "{reason}");
    assert_eq!(node.metric("tapecast_topics_matched", &[]), 0.0);
    let log = wait::until(WITHIN, "a warning", || {
        let log = node.log();
        log.contains("fail-later-.*").then_some(log)
    });
    assert!(log.contains("no topic matches [[topics]]"), "{log}");

    kafka.create("fail-later-1", 1);
    node.wait_ready();
    assert_eq!(node.metric("tapecast_topics_matched", &[]), 1.0);
}

#[test]
fn instruments_continue_under_another_topic_name() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create_all(&["fail-move-a", "fail-move-b"], 1);
    kafka.produce("fail-move-a", 0, &[snapshot("10")]);
    let settings = Settings::new(&turn.bootstrap())
        .topics("fail-move-.*", "tapecast", "")
        .instrument(NAME, "");
    let node = Node::start(&settings);
    let book = || {
        let answer = http::get(node.public(), &format!("/v1/books/{NAME}"))?;
        Some(answer.body)
    };
    wait::until(WITHIN, "the book", || {
        book()?.contains(r#"["10","1"]"#).then_some(())
    });
    kafka.delete("fail-move-a");
    // The node notices the end of the topic after some of them.
    wait::until(WITHIN, "the book of the other topic", || {
        kafka.produce("fail-move-b", 0, &[snapshot("12")]);
        book()?.contains(r#"["12","1"]"#).then_some(())
    });
}

#[test]
fn a_deleted_topic_takes_its_series_with_it() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create_all(&["fail-gone-a", "fail-gone-b"], 1);
    let settings = Settings::new(&turn.bootstrap()).topics("fail-gone-.*", "tapecast", "");
    let node = Node::start(&settings);
    let has_series = |topic: &str| {
        let series = format!("{{topic=\"{topic}\",partition=");
        node.metrics().contains(&series)
    };
    assert!(has_series("fail-gone-a"));
    kafka.delete("fail-gone-a");
    wait::until(Duration::from_secs(20), "the end of its series", || {
        (!has_series("fail-gone-a")).then_some(())
    });
    assert!(has_series("fail-gone-b"));
}

#[test]
fn a_tail_of_any_channel_ends_after_its_count() {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    let topic = "fail-tail";
    kafka.create(topic, 1);
    let trade = json!({"type": "trade", "symbol": NAME, "trades": [{"price": "1", "size": "1", "id": "1"}]});
    let trade = Record::of(trade.to_string());
    kafka.produce(topic, 0, std::slice::from_ref(&trade));
    let settings = Settings::new(&turn.bootstrap()).topics(topic, "tapecast", "");
    let node = Node::start(&settings);
    for channel in ["ticker", "bars"] {
        let mut command = binary::command();
        command
            .args([
                "tail",
                NAME,
                "--plain",
                "--count",
                "3",
                "--channel",
                channel,
            ])
            .args(["--interval", "1s", "--url", &node.url()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut tail = Process(command.spawn().unwrap());
        let what = format!("the end of a tail of 3 messages of {channel}");
        let end = wait::until(Duration::from_secs(20), &what, || {
            kafka.produce(topic, 0, std::slice::from_ref(&trade));
            tail.0.try_wait().unwrap()
        });
        assert_eq!(end.code(), Some(0), "{channel}");
    }
}

#[test]
fn a_failed_authentication_at_a_broker_is_counted_as_one() {
    let turn = broker::turn();
    // Its listener has no SASL, so it rejects the first SASL request.
    let settings = Settings::new(&turn.bootstrap())
        .topics("fail-auth", "tapecast", "")
        .more(
            "[kafka.properties]\n\"security.protocol\" = \"sasl_plaintext\"\n\
             \"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"a\"\n\"sasl.password\" = \"b\"",
        );
    let node = Node::launch(&settings);
    wait::until(WITHIN, "an error of the kind auth", || {
        let errors = node.metric("tapecast_broker_errors_total", &[r#"kind="auth""#]);
        (errors > 0.0).then_some(())
    });
}

#[test]
fn a_configuration_that_cannot_be_meant_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tapecast.toml");
    let settings = Settings::new("127.0.0.1:1").topics("any", "tapecast", "");
    let check = |settings: &Settings, variable: &str| {
        std::fs::write(&file, settings.to_toml()).unwrap();
        let mut command = binary::command();
        if !variable.is_empty() {
            command.env(variable, "127.0.0.1:2");
        }
        let ran = command
            .args(["check-config", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        ran.status.code()
    };
    let too_many = |count: u32| {
        let more = format!("[limits]\nstreams_per_session = {count}");
        settings.clone().more(&more)
    };
    assert_eq!(check(&settings, ""), Some(0));
    assert_eq!(check(&settings, "TAPECAST_KAFKA__BROKERS"), Some(0));
    assert_eq!(check(&too_many(65_535), ""), Some(0));
    let accepted: Vec<_> = [
        ("one underscore", check(&settings, "TAPECAST_KAFKA_BROKERS")),
        ("65,536 streams", check(&too_many(65_536), "")),
    ]
    .into_iter()
    .filter(|(_, code)| *code != Some(64))
    .collect();
    assert!(accepted.is_empty(), "accepted: {accepted:?}");
}

/// The demo's broker keeps dropping its oldest records, and finds no offsets by time.
#[test]
fn the_demo_reports_where_its_log_starts() {
    let (public, admin) = (ports::free(), ports::free());
    let mut command = binary::command();
    command
        .args(["demo", "--rate", "40"])
        .args(["--listen", &public.to_string()])
        .args(["--admin", &admin.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _demo = Process(command.spawn().unwrap());
    wait::until(WITHIN, "readiness", || {
        let answer = http::get(admin, "/readyz")?;
        (answer.status == 200).then_some(())
    });
    let start = |start: Value| {
        let mut socket = Socket::connect(public, SUBPROTOCOL_JSON);
        let stream = json!({"channel": "trades", "symbol": "BINANCE:BTC-USDT", "start": start});
        let request = json!({"op": "subscribe", "id": 1, "streams": [stream]});
        socket.request(&request.to_string());
        socket.answer()["results"][0].clone()
    };
    let mut refusals = 0;
    let earliest = wait::until(WITHIN * 2, "the log to lose its beginning", || {
        let result = start(json!({"seq": 0}));
        let error = &result["error"];
        if error.is_null() {
            return None;
        }
        assert_eq!(error["code"], "start_too_early", "{result}");
        refusals += 1;
        (refusals >= 5).then(|| error["earliest"].clone())
    });
    assert!(earliest["seq"].as_i64().unwrap() > 0, "{earliest}");
    // The earliest of a moment ago may be gone as well; a later rejection reports another one.
    wait::until(WITHIN, "a start in the past", || {
        let earliest = start(json!({"seq": 0}))["error"]["earliest"]["seq"].as_i64()?;
        let result = start(json!({"seq": earliest}));
        if result["ok"] == true {
            return Some(());
        }
        assert_eq!(result["error"]["code"], "start_too_early", "{result}");
        None
    });
}
