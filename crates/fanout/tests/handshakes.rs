//! Connections before they become sessions, over real sockets.
#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fanout::{Body, Directory, Fanout, Served, Settings};
use hyper::{Response, StatusCode};
use metrics::ShardMetrics;
use metrics::label::HandshakeRefusal;
use wire::GoAwayReason;

/// A client without an answer by then is blocked.
const WITHIN: Duration = Duration::from_secs(20);
/// Far longer than a test: a connection that gives up its slot sooner was evicted.
const NEVER: Duration = Duration::from_secs(600);
/// The fewest slots of a shard, and a crowd that is several times as large.
const SLOTS: usize = 16;
const CROWD: usize = 100;
/// More than the kernel holds for a connection, on both sides together.
const LARGE: usize = 8 << 20;
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A fan-out with one shard, which has pages `/small` and `/large` and nothing else.
struct Node {
    fanout: Fanout,
    metrics: Arc<ShardMetrics>,
    /// How often `/large` was requested.
    large: Arc<AtomicUsize>,
}

impl Node {
    fn start(settings: Settings) -> Self {
        let metrics = Arc::new(ShardMetrics::default());
        let (_ports, links) = fanout::link(1, vec![Arc::new(|| ())]);
        let large = Bytes::from(vec![b'x'; LARGE]);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let pages = Arc::new(move |request: hyper::Request<hyper::body::Incoming>| {
            let (status, body) = match request.uri().path() {
                "/small" => (StatusCode::OK, Body::from("small")),
                "/large" => {
                    counted.fetch_add(1, Ordering::Relaxed);
                    (StatusCode::OK, Body::new(large.clone()))
                }
                _ => (StatusCode::NOT_FOUND, Body::from("nothing")),
            };
            let mut response = Response::new(body);
            *response.status_mut() = status;
            let served = std::future::ready(Served::Page(response));
            Box::pin(served) as fanout::Serving
        });
        let settings = Settings {
            listen: SocketAddr::new(LOCAL, 0),
            handshakes: SLOTS,
            handshake_timeout: NEVER,
            send_buffer: Some(64 * 1024),
            receive_buffer: Some(16 * 1024),
            ..settings
        };
        let directory = Arc::new(Directory::new(1));
        let fanout = Fanout::start(
            settings,
            vec![Arc::clone(&metrics)],
            directory,
            links,
            pages,
            &fanout::spawn_and_log,
        );
        Self {
            fanout: fanout.unwrap(),
            metrics,
            large: asked,
        }
    }

    fn connect(&self, from: IpAddr) -> TcpStream {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        // Unread bytes stay on the other side.
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        socket.connect(&self.fanout.addr().into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        stream
    }

    /// A crowd of connections that send this and nothing more.
    fn crowd(&self, from: IpAddr, bytes: &[u8]) -> Vec<TcpStream> {
        let one = |_| {
            let mut stream = self.connect(from);
            stream.write_all(bytes).unwrap();
            stream
        };
        (0..CROWD).map(one).collect()
    }

    #[track_caller]
    fn check_client_is_admitted(&self, from: IpAddr) -> TcpStream {
        let mut client = self.connect(from);
        client.write_all(right().as_bytes()).unwrap();
        let head = read_head(&mut client);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head:?}");
        client
    }

    fn count(&self, why: HandshakeRefusal) -> u64 {
        self.metrics.handshakes_refused[why].get()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.fanout.stop(GoAwayReason::Shutdown);
    }
}

fn right() -> String {
    "GET /ws HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_owned()
}

/// A response's head, or what there was of it when the node closed.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// All that comes until the node closes. Panics if it does not.
fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}, after {bytes:?}"),
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn silent_connections_block_no_client_and_end_no_session() {
    let node = Node::start(Settings::default());
    let mut session = node.check_client_is_admitted(LOCAL);
    let _silent = node.crowd(LOCAL, b"");
    node.check_client_is_admitted(LOCAL);
    let _slow = node.crowd(LOCAL, b"GET /ws HTTP/1.1\r\nHost: ");
    node.check_client_is_admitted(LOCAL);
    assert!(node.count(HandshakeRefusal::Evicted) >= 2 * (CROWD - SLOTS) as u64);
    // A ping with the mask 0 is answered.
    session.write_all(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    let mut pong = [0; 2];
    session.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0x8a, 0]);
}

#[test]
fn connections_kept_open_after_a_response_block_no_client() {
    let node = Node::start(Settings::default());
    let request = b"GET /small HTTP/1.1\r\nHost: node\r\n\r\n";
    let mut kept = node.crowd(LOCAL, request);
    node.check_client_is_admitted(LOCAL);
    // The latest connection stays open and may send another request.
    let last = kept.last_mut().unwrap();
    for _ in 0..2 {
        assert!(read_head(last).starts_with("HTTP/1.1 200 "));
        last.read_exact(&mut [0; 5]).unwrap();
        last.write_all(request).unwrap();
    }
}

#[test]
fn a_rejected_request_is_answered_and_its_connection_is_closed() {
    let node = Node::start(Settings::default());
    let rejected = node.crowd(LOCAL, b"GET /nothing HTTP/1.1\r\nHost: node\r\n\r\n");
    node.check_client_is_admitted(LOCAL);
    let mut answers = rejected.into_iter().map(|mut stream| read_all(&mut stream));
    let answer = answers.next_back().unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("nothing"), "{answer}");
}

#[test]
fn an_address_with_too_many_connections_blocks_no_other() {
    let node = Node::start(Settings {
        connections_per_address: Some(1),
        ..Settings::default()
    });
    let _first = node.check_client_is_admitted(LOCAL);
    let _silent = node.crowd(LOCAL, b"");
    node.check_client_is_admitted(ELSEWHERE);
    let rejected = node.crowd(LOCAL, right().as_bytes());
    node.check_client_is_admitted(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)));
    let last = rejected.into_iter().next_back();
    let answer = read_all(&mut last.unwrap());
    assert!(answer.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())));
    assert_eq!(node.count(HandshakeRefusal::Address), 2 * CROWD as u64);
}

#[test]
fn unread_responses_block_no_client() {
    let node = Node::start(Settings::default());
    // Two requests in one write: the second one waits in the node.
    let request = "GET /large HTTP/1.1\r\nHost: node\r\n\r\n".repeat(2);
    let unread = node.crowd(ELSEWHERE, request.as_bytes());
    let mut client = node.check_client_is_admitted(LOCAL);
    client.write_all(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    assert!(node.count(HandshakeRefusal::Evicted) >= (CROWD - SLOTS) as u64);
    assert!(node.large.load(Ordering::Relaxed) <= CROWD, "one at a time");
    // A client that reads gets everything.
    let mut reader = node.connect(LOCAL);
    reader
        .write_all(b"GET /large HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        .unwrap();
    let answer = read_all(&mut reader);
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), LARGE);
    drop(unread);
}

#[test]
fn an_address_that_floods_loses_its_own_connections() {
    let node = Node::start(Settings::default());
    let mut other = node.connect(ELSEWHERE);
    let _flood = node.crowd(LOCAL, b"");
    // It connected first, and is silent for as long as the flood lasts.
    other.write_all(right().as_bytes()).unwrap();
    let head = read_head(&mut other);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head:?}");
}

#[test]
fn a_client_that_sends_more_than_is_read_still_gets_its_rejection() {
    let node = Node::start(Settings {
        connections_per_address: Some(1),
        ..Settings::default()
    });
    let _first = node.check_client_is_admitted(LOCAL);
    for (from, request, status) in [
        (LOCAL, right(), "429"),
        (
            ELSEWHERE,
            "POST /nothing HTTP/1.1\r\nHost: node\r\nContent-Length: 20000\r\n\r\n".to_owned(),
            "404",
        ),
    ] {
        let mut stream = node.connect(from);
        stream.write_all(request.as_bytes()).unwrap();
        // The node may have closed.
        let _sent = stream.write_all(&[b'x'; 20_000]);
        let _closed = stream.shutdown(Shutdown::Write);
        let head = read_head(&mut stream);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}");
    }
}

#[test]
fn a_handshake_that_violates_rfc_6455_is_rejected_with_a_reason() {
    let node = Node::start(Settings::default());
    let right = right();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let twice = |line: &str| right.replace(line, &line.repeat(2));
    for (request, status, reason) in [
        (right.replace("HTTP/1.1", "HTTP/1.0"), 400, "needs HTTP/1.1"),
        (right.replace("Host: node\r\n", ""), 400, "no Host header"),
        (twice("Host: node\r\n"), 400, "more than one Host header"),
        (right.replace("GET", "POST"), 426, "send a GET"),
        (right.replace("websocket", "h2c"), 426, "send a GET"),
        (
            right.replace("on: 13", "on: 8"),
            426,
            "the WebSocket version is 13",
        ),
        (
            right.replace("Sec-WebSocket-Version: 13\r\n", ""),
            426,
            "the WebSocket version is 13",
        ),
        (
            twice("Sec-WebSocket-Version: 13\r\n"),
            400,
            "more than one Sec-WebSocket-Version",
        ),
        (right.replace(key, ""), 400, "no Sec-WebSocket-Key"),
        (twice(key), 400, "more than one Sec-WebSocket-Key"),
        (
            right.replace("dGhlIHNhbXBsZSBub25jZQ==", ""),
            400,
            "not 16 bytes in base64",
        ),
        (
            right.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="),
            400,
            "not 16 bytes in base64",
        ),
        (
            right.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello"),
            400,
            "has no body",
        ),
        (
            right.replace(
                "\r\n\r\n",
                "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            400,
            "has no body",
        ),
        (
            "GET /v1/instruments HTTP/1.1\r\n\r\n".to_owned(),
            400,
            r#"{"error":{"code":"bad_request""#,
        ),
        (
            "GET /small HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            400,
            "more than one Host header",
        ),
    ] {
        let mut stream = node.connect(LOCAL);
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_all(&mut stream);
        let line = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        assert_eq!(line, Some(status), "{request}\n{answer}");
        assert!(answer.contains(reason), "{request}\n{answer}");
        let has_version = answer.contains("\r\nsec-websocket-version: 13\r\n");
        assert_eq!(has_version, status == 426, "{answer}");
    }
    // What RFC 6455 and RFC 9112 allow.
    for request in [
        right.replace("GET /ws", "GET http://node/ws"),
        right.replace("Connection: Upgrade", "connection: keep-alive, UPGRADE"),
        right.replace(
            key,
            &format!(
                "{key}Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: tapecast.sbe.v1\r\n"
            ),
        ),
        right.replace(key, &format!("{key}Origin: https://a.example\r\n")),
    ] {
        let mut stream = node.connect(LOCAL);
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{request}\n{head}");
    }
}
