use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metrics::{BuildInfo, Registry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;

/// An admin listener on a port of its own.
struct Admin {
    address: SocketAddr,
    readiness: Arc<Readiness>,
    drains: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

impl Admin {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Readiness::new();
        let drains = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&drains);
        let state = Arc::new(AdminState {
            registry: Arc::new(Registry::new(BuildInfo {
                version: "0",
                revision: "test",
            })),
            readiness: Arc::clone(&readiness),
            recent: Recent::default(),
            reload: Box::new(|| anyhow::bail!("1 mistake in the configuration")),
            drain: Box::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            }),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, state, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            readiness,
            drains,
            stop,
            serving,
        }
    }

    /// Sends a request, and reads until the listener closes.
    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[track_caller]
    fn check(answer: &str, status: &str, needle: &str) {
        let first = answer.lines().next().unwrap();
        assert_eq!(first, format!("HTTP/1.1 {status}"), "{answer}");
        assert!(answer.contains(needle), "no {needle:?} in {answer}");
    }
}

#[tokio::test]
async fn metrics_are_text_and_tell_the_readiness() {
    let admin = Admin::start().await;
    let mut publisher = admin.readiness.publisher();
    publisher.opened(&"trades".into(), 1);
    let answer = admin.ask("GET /metrics").await;
    Admin::check(&answer, "200 OK", "content-type: text/plain; version=0.0.4");
    Admin::check(&answer, "200 OK", "\ntapecast_ready 0\n");
    Admin::check(&answer, "200 OK", "\ntapecast_partitions_behind 1\n");

    publisher.caught_up(&"trades".into(), 1);
    publisher.listed();
    let answer = admin.ask("GET /metrics").await;
    Admin::check(&answer, "200 OK", "\ntapecast_ready 1\n");
    Admin::check(&answer, "200 OK", "\ntapecast_draining 0\n");
}

#[tokio::test]
async fn a_node_without_one_of_its_threads_is_neither_healthy_nor_ready() {
    let admin = Admin::start().await;
    let mut publisher = admin.readiness.publisher();
    publisher.listed();
    Admin::check(&admin.ask("GET /readyz").await, "200 OK", r#""reasons":[]"#);
    Admin::check(
        &admin.ask("GET /healthz").await,
        "200 OK",
        r#""failed_threads":[]"#,
    );
    admin
        .readiness
        .thread_failed(crate::threads::failure::ThreadFailure {
            thread: "shard-1".to_owned(),
            cause: "panicked: out of range".to_owned(),
        });
    let failed = r#""failed_threads":[{"cause":"panicked: out of range","thread":"shard-1"}]"#;
    for path in ["/healthz", "/readyz"] {
        let answer = admin.ask(&format!("GET {path}")).await;
        Admin::check(&answer, "503 Service Unavailable", failed);
    }
    let answer = admin.ask("GET /metrics").await;
    Admin::check(&answer, "200 OK", "\ntapecast_ready 0\n");
}

#[tokio::test]
async fn a_node_that_has_no_topic_to_read_is_not_ready_until_one_appears() {
    let admin = Admin::start().await;
    let mut publisher = admin.readiness.publisher();
    let topics = |matched| ingest::Topics { listed: 7, matched };
    publisher.topics(topics(0));
    publisher.listed();
    let answer = admin.ask("GET /readyz").await;
    let why = r#""reasons":["no topic matches [[topics]]; the brokers list 7"]"#;
    Admin::check(&answer, "503 Service Unavailable", why);
    let answer = admin.ask("GET /metrics").await;
    Admin::check(&answer, "200 OK", "\ntapecast_topics_matched 0\n");
    Admin::check(&answer, "200 OK", "\ntapecast_topics_listed 7\n");

    publisher.opened(&"trades".into(), 0);
    publisher.topics(topics(1));
    let answer = admin.ask("GET /readyz").await;
    Admin::check(
        &answer,
        "503 Service Unavailable",
        r#""partitions_behind":1"#,
    );
    publisher.caught_up(&"trades".into(), 0);
    Admin::check(
        &admin.ask("GET /readyz").await,
        "200 OK",
        r#""topics_matched":1"#,
    );
}

#[tokio::test]
async fn a_node_is_ready_only_when_all_partitions_are_caught_up_and_it_does_not_drain() {
    let admin = Admin::start().await;
    let (mut first, mut second) = (admin.readiness.publisher(), admin.readiness.publisher());
    let answer = admin.ask("GET /readyz").await;
    Admin::check(
        &answer,
        "503 Service Unavailable",
        r#""publishers_starting":2"#,
    );

    first.opened(&"books".into(), 0);
    second.opened(&"books".into(), 1);
    first.caught_up(&"books".into(), 0);
    first.listed();
    second.listed();
    let answer = admin.ask("GET /readyz").await;
    let why = r#""behind":[{"partition":1,"topic":"books"}]"#;
    Admin::check(&answer, "503 Service Unavailable", why);
    Admin::check(
        &answer,
        "503 Service Unavailable",
        r#""publishers_starting":0"#,
    );

    second.caught_up(&"books".into(), 1);
    let answer = admin.ask("GET /readyz").await;
    Admin::check(&answer, "200 OK", r#""ready":true"#);

    let answer = admin.ask("POST /drain").await;
    Admin::check(&answer, "202 Accepted", r#"{"draining":true}"#);
    let answer = admin.ask("GET /readyz").await;
    Admin::check(&answer, "503 Service Unavailable", r#""draining":true"#);
}

#[tokio::test]
async fn a_partition_that_appears_later_does_not_take_the_readiness_away() {
    let admin = Admin::start().await;
    let mut publisher = admin.readiness.publisher();
    publisher.listed();
    publisher.opened(&"new".into(), 0);
    let answer = admin.ask("GET /readyz").await;
    Admin::check(&answer, "200 OK", r#""partitions_behind":1"#);
}

#[tokio::test]
async fn a_node_that_hears_nothing_from_kafka_is_not_ready_and_lets_nobody_in() {
    let admin = Admin::start().await;
    let lets_in = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&lets_in);
    admin
        .readiness
        .govern(Box::new(move |ready| gate.store(ready, Ordering::SeqCst)));
    let mut publisher = admin.readiness.publisher();
    assert!(!lets_in.load(Ordering::SeqCst), "it has not caught up yet");
    publisher.listed();
    assert!(lets_in.load(Ordering::SeqCst));
    publisher.cut_off(true);
    publisher.cut_off(true);
    assert!(!lets_in.load(Ordering::SeqCst));
    let answer = admin.ask("GET /readyz").await;
    let why = r#""publishers_cut_off":1"#;
    Admin::check(&answer, "503 Service Unavailable", why);
    let answer = admin.ask("GET /readyz?else=404").await;
    Admin::check(&answer, "404 Not Found", why);

    publisher.cut_off(false);
    assert!(lets_in.load(Ordering::SeqCst));
    let answer = admin.ask("GET /readyz?else=404").await;
    Admin::check(&answer, "200 OK", r#""ready":true"#);
}

#[tokio::test]
async fn a_drain_is_begun_once_however_often_it_is_asked_for() {
    let admin = Admin::start().await;
    for _ in 0..3 {
        let answer = admin.ask("POST /drain").await;
        Admin::check(&answer, "202 Accepted", "");
    }
    assert_eq!(admin.drains.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_wrong_request_is_told_what_there_is_and_does_nothing() {
    let admin = Admin::start().await;
    let answer = admin.ask("GET /drain").await;
    Admin::check(&answer, "405 Method Not Allowed", "allow: POST\r\n");
    for path in ["/metrics", "/healthz", "/readyz"] {
        let answer = admin.ask(&format!("DELETE {path}")).await;
        Admin::check(&answer, "405 Method Not Allowed", "allow: GET, HEAD\r\n");
    }
    let answer = admin.ask("GET /metrics/").await;
    Admin::check(&answer, "404 Not Found", "/readyz");
    assert_eq!(admin.drains.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_head_is_answered_without_a_body() {
    let admin = Admin::start().await;
    let answer = admin.ask("HEAD /healthz").await;
    Admin::check(&answer, "200 OK", "application/json");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn the_status_page_is_whole_and_has_no_script() {
    let admin = Admin::start().await;
    let answer = admin.ask("GET /status").await;
    Admin::check(&answer, "200 OK", "content-type: text/html; charset=utf-8");
    for part in [
        "not ready",
        "uptime",
        "sessions",
        "Partitions: 0",
        "none since the start",
        "</html>",
    ] {
        Admin::check(&answer, "200 OK", part);
    }
    assert!(!answer.contains("<script"), "{answer}");
}

#[tokio::test]
async fn a_reload_that_fails_says_why() {
    let admin = Admin::start().await;
    let answer = admin.ask("POST /reload").await;
    Admin::check(
        &answer,
        "422 Unprocessable Entity",
        r#"{"error":"1 mistake in the configuration","reloaded":false}"#,
    );
    let answer = admin.ask("GET /reload").await;
    Admin::check(&answer, "405 Method Not Allowed", "allow: POST\r\n");
}

#[tokio::test]
async fn a_query_is_not_part_of_the_path() {
    let admin = Admin::start().await;
    let answer = admin.ask("GET /healthz?verbose=1").await;
    Admin::check(&answer, "200 OK", r#""healthy":true"#);
}

#[tokio::test]
async fn a_body_is_not_read() {
    let admin = Admin::start().await;
    let mut stream = TcpStream::connect(admin.address).await.unwrap();
    let head = "POST /drain HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    Admin::check(&answer, "202 Accepted", "");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let admin = Admin::start().await;
    let request = format!("GET /healthz?{}", "x".repeat(2 * BUFFER_BYTES));
    let mut stream = TcpStream::connect(admin.address).await.unwrap();
    // The listener may close before it has read everything.
    let _ = stream
        .write_all(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
        .await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    let admin = Admin::start().await;
    let mut stream = TcpStream::connect(admin.address).await.unwrap();
    stream.write_all(b"GET /metr").await.unwrap();
    let mut answer = Vec::new();
    // With the clock paused, time goes on as soon as nobody has anything to do.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn silent_connections_keep_no_probe_out() {
    let admin = Admin::start().await;
    let mut crowd = Vec::new();
    for number in 0..3 * CONNECTIONS {
        let mut stream = TcpStream::connect(admin.address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET /rea").await.unwrap();
        }
        crowd.push(stream);
    }
    // Well before any of them has had its time.
    let probe = tokio::time::timeout(HEAD_TIMEOUT / 2, admin.ask("GET /healthz")).await;
    Admin::check(&probe.unwrap(), "200 OK", r#""healthy":true"#);
}

#[tokio::test]
async fn connections_that_are_kept_keep_no_probe_out() {
    let admin = Admin::start().await;
    let mut crowd = Vec::new();
    for _ in 0..2 * CONNECTIONS {
        let mut stream = TcpStream::connect(admin.address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        crowd.push(stream);
    }
    let probe = tokio::time::timeout(HEAD_TIMEOUT / 2, admin.ask("GET /healthz")).await;
    Admin::check(&probe.unwrap(), "200 OK", r#""healthy":true"#);
}

#[tokio::test]
async fn after_shutdown_nobody_is_served() {
    let admin = Admin::start().await;
    let idle = TcpStream::connect(admin.address).await.unwrap();
    admin.stop.send(()).unwrap();
    admin.serving.await.unwrap();
    assert!(TcpStream::connect(admin.address).await.is_err());
    drop(idle);
}

#[test]
fn a_publisher_that_does_not_turn_is_unhealthy() {
    let readiness = Readiness::new();
    let alive = readiness.publisher();
    let _stuck = readiness.publisher();
    let now = Instant::now();
    assert_eq!(readiness.stuck(now), [0_usize; 0]);
    let later = now + Duration::from_secs(60);
    alive.turned(later);
    assert_eq!(readiness.stuck(later), [1]);
}
