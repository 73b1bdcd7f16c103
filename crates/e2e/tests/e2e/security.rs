//! Security: tokens, TLS, PROXY headers, and limits on connections and handshakes.
//!
//! Long because of the table of tokens and of the floods, which share one scene.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use client::Subscription;
use e2e::clocks::Clocks;
use e2e::issuer::{Identity, Issuer, now};
use e2e::kafka::{Kafka, Record};
use e2e::socket::{Frame, Socket, handshake};
use e2e::{Node, Settings, Tape, Watcher, broker, http, wait};
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "TEST:DOOR";
const OTHER: &str = "OTHER:DOOR";
/// A client without an answer by then is blocked.
const CLIENT_WITHIN: Duration = Duration::from_secs(10);

fn snapshot(name: &str, bid: u64) -> String {
    json!({"type": "snapshot", "symbol": name, "bids": [[bid.to_string(), "1"]], "asks": [["1000000", "2"]]})
        .to_string()
}

/// A Kafka with two instruments in a topic of its own, and the settings of a node that reads it.
fn scene(topic: &str, more: &str) -> (broker::Turn, Kafka, Settings) {
    let turn = broker::turn();
    let mut kafka = Kafka::connect(&turn.bootstrap());
    kafka.create(topic, 1);
    for name in [NAME, OTHER] {
        kafka.produce(topic, 0, &[Record::of(snapshot(name, 10))]);
    }
    let settings = Settings::new(&turn.bootstrap())
        .topics(topic, "tapecast", "")
        .instrument(NAME, "")
        .instrument(OTHER, "")
        .more(more);
    (turn, kafka, settings)
}

fn write_keys(path: &Path, issuers: &[&Issuer]) {
    let keys: Vec<_> = issuers.iter().map(|issuer| issuer.key()).collect();
    std::fs::write(path, json!({ "keys": keys }).to_string()).unwrap();
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "aud": "tapecast", "sub": "desk-7", "exp": now() + 600, "nbf": now() - 60})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn handshake_status(node: &Node, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(node.public()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(handshake(node.public(), headers).as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while !answer.ends_with(b"}\n") && !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.unwrap_or(0), text)
}

#[test]
fn only_valid_tokens_are_admitted_and_no_token_leaks() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("jwks.json");
    let (issuer, next, stranger) = (Issuer::new("one"), Issuer::new("two"), Issuer::new("one"));
    write_keys(&key_file, &[&issuer]);
    let more = format!(
        "[public]\norigins = [\"https://app.example\"]\n[log]\nlevel = \"trace\"\n[auth]\nmode = \"jwt\"\ncookie = \"tape\"\n\
         [auth.jwt]\nalgorithms = [\"ES256\"]\nissuer = \"https://issuer.example\"\naudience = \"tapecast\"\n\
         leeway = \"1s\"\nkeys = '{}'\n",
        key_file.display()
    );
    let (_turn, _kafka, settings) = scene("security-matrix", &more);
    let node = Node::start(&settings);
    let good = issuer.token(&claims());
    let mut tokens = vec![good.clone()];
    let (mut admitted, mut rejected) = (0, 0);
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let protocol = format!("Sec-WebSocket-Protocol: tapecast.sbe.v1, tapecast.bearer.{good}\r\n");
    let changed = format!("{}AAAA", &good[..good.len() - 4]);
    let cases = [
        (bearer(&good), 101, ""),
        (protocol.clone(), 101, ""),
        (format!("Cookie: a=b; tape={good}\r\n"), 101, ""),
        (
            format!("{}Origin: https://app.example\r\n", bearer(&good)),
            101,
            "",
        ),
        (
            bearer(&issuer.token(&with("aud", json!(["x", "tapecast"])))),
            101,
            "",
        ),
        (bearer(&issuer.token(&without("nbf"))), 101, ""),
        (bearer(&issuer.token(&without("sub"))), 101, ""),
        (String::new(), 401, "missing_token"),
        (
            "Authorization: Basic YTpi\r\n".into(),
            401,
            "malformed_token",
        ),
        (bearer("x"), 401, "malformed_token"),
        (bearer(&changed), 401, "bad_signature"),
        (bearer(&stranger.token(&claims())), 401, "bad_signature"),
        (bearer(&next.token(&claims())), 401, "unknown_key"),
        (bearer(&issuer.unsigned(&claims())), 401, "bad_algorithm"),
        (bearer(&issuer.confused(&claims())), 401, "bad_algorithm"),
        (
            bearer(&issuer.token(&with("iss", json!("https://evil.example")))),
            401,
            "wrong_issuer",
        ),
        (bearer(&issuer.token(&without("iss"))), 401, "wrong_issuer"),
        (
            bearer(&issuer.token(&with("aud", json!("other")))),
            401,
            "wrong_audience",
        ),
        (
            bearer(&issuer.token(&without("aud"))),
            401,
            "wrong_audience",
        ),
        (
            bearer(&issuer.token(&with("exp", json!(now() - 10)))),
            401,
            "expired",
        ),
        (bearer(&issuer.token(&without("exp"))), 401, "bad_claims"),
        (
            bearer(&issuer.token(&with("nbf", json!(now() + 100)))),
            401,
            "not_yet_valid",
        ),
        (
            bearer(&issuer.token(&with("tapecast", json!({"all": true})))),
            401,
            "bad_claims",
        ),
        (
            format!("{}Origin: https://evil.example\r\n", bearer(&good)),
            403,
            "wrong_origin",
        ),
        (
            format!("Cookie: tape={good}\r\nOrigin: null\r\n"),
            403,
            "wrong_origin",
        ),
    ];
    for (headers, status, code) in &cases {
        let (found, answer) = handshake_status(&node, headers);
        assert_eq!(found, *status, "{headers}\n{answer}");
        assert!(answer.contains(code), "{headers}\n{answer}");
        assert!(!answer.contains("bearer."), "a token is echoed: {answer}");
        if *status == 401 {
            assert!(
                answer
                    .to_ascii_lowercase()
                    .contains("\r\nwww-authenticate: bearer "),
                "{answer}"
            );
        }
        *(if *status == 101 {
            &mut admitted
        } else {
            &mut rejected
        }) += 1;
        let parts = headers
            .split([' ', '=', ';', '\r'])
            .filter(|part| part.len() > 60);
        tokens.extend(parts.map(|part| part.trim_start_matches("tapecast.bearer.").to_owned()));
    }
    // Everything under /v1 needs a token too, and the page does not.
    let of = |path: &str, more: &str| {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{more}\r\n",
            node.public()
        );
        http::ask(node.public(), &head).map(|answer| answer.status)
    };
    assert_eq!(
        (of("/v1/instruments", ""), of("/", "")),
        (Some(401), Some(200))
    );
    assert_ne!(of("/v1/instruments", &bearer(&good)), Some(401));
    assert_eq!(
        node.metric("tapecast_auth_refused_total", &[]),
        f64::from(rejected + 1)
    );
    assert_eq!(
        node.metric("tapecast_sessions_opened_total", &[]),
        f64::from(admitted)
    );

    // Keys rotate: both for a while, then the new one alone.
    let new = next.token(&claims());
    tokens.push(new.clone());
    let status_of = |token: &str| handshake_status(&node, &bearer(token)).0;
    for (keys, old_is, new_is) in [(vec![&issuer, &next], 101, 101), (vec![&next], 401, 101)] {
        write_keys(&key_file, &keys);
        wait::until(WITHIN, "the new keys", || {
            (status_of(&good) == old_is && status_of(&new) == new_is).then_some(())
        });
    }
    let (log, metrics) = (node.log(), node.metrics());
    assert!(log.contains("session ended"), "{log}");
    for token in &tokens {
        // Its parts too: the claims of a token are private as well.
        for part in token.split('.').filter(|part| part.len() > 20) {
            assert!(
                !log.contains(part) && !metrics.contains(part),
                "a token leaked: {part}"
            );
        }
    }
    println!(
        "{admitted} admitted and {rejected} rejected as they should be; none of {} tokens in {} kB of log at level trace",
        tokens.len(),
        log.len() / 1000
    );
}

#[test]
fn a_token_grants_what_its_claims_say_until_it_expires() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("jwks.json");
    let issuer = Issuer::new("one");
    write_keys(&key_file, &[&issuer]);
    let more = format!(
        "[auth]\nmode = \"jwt\"\n[auth.jwt]\nalgorithms = [\"ES256\"]\nissuer = \"https://issuer.example\"\n\
         audience = \"tapecast\"\nleeway = \"0s\"\nkeys = '{}'\n",
        key_file.display()
    );
    let (_turn, _kafka, settings) = scene("security-rights", &more);
    let node = Node::start(&settings);
    let rights = json!({"instruments": ["TEST:*"], "channels": ["book", "status"], "max_depth": 10, "max_streams": 2, "max_connections": 1});
    let token = issuer.token(&with("tapecast", rights));
    let protocol = |token: &str| format!("tapecast.json.v1, tapecast.bearer.{token}");
    let connect =
        |token: &str| Socket::connect_chosen(node.public(), &protocol(token), "tapecast.json.v1");
    let mut socket = connect(&token);
    socket.request(
        r#"{"op":"subscribe","id":1,"streams":[
        {"channel":"book","symbol":"TEST:DOOR","depth":10},{"channel":"book","symbol":"TEST:DOOR"},
        {"channel":"book","symbol":"TEST:DOOR","depth":25},{"channel":"trades","symbol":"TEST:DOOR"},
        {"channel":"book","symbol":"TEST:DOOR","depth":10,"group":"1000000"},
        {"channel":"book","symbol":"OTHER:DOOR","depth":10},{"channel":"book","symbol":"OTHER:NONE","depth":10},
        {"channel":"status","symbol":"*"},{"channel":"book","symbol":"TEST:DOOR","depth":5}]}"#,
    );
    let answer = socket.answer();
    let results = answer["results"].as_array().unwrap();
    let codes: Vec<_> = results
        .iter()
        .map(|result| result["error"]["code"].as_str().unwrap_or("ok"))
        .collect();
    let denied = "not_entitled";
    assert_eq!(
        codes,
        [
            "ok",
            denied,
            denied,
            denied,
            denied,
            denied,
            denied,
            "ok",
            "too_many_streams"
        ],
        "{answer}"
    );
    assert_eq!(results[7]["stream"]["symbol"], json!("TEST:DOOR"));
    socket.request(r#"{"op":"list","id":2}"#);
    let list = socket.answer();
    let list = list["instruments"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["channels"], json!(["book", "status"]));
    // A second session of the same subject is over the limit until the first one ends.
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let (status, answer) = handshake_status(&node, &bearer);
    assert!(
        status == 429 && answer.contains("too_many_connections"),
        "{answer}"
    );
    drop(socket);
    wait::until(WITHIN, "a free connection", || {
        (handshake_status(&node, &bearer).0 == 101).then_some(())
    });

    let short = issuer.token(&with("exp", json!(now() + 3)));
    let mut socket = connect(&short);
    assert_eq!(socket.close_code(), Some(4003));
    assert_eq!(
        handshake_status(&node, &format!("Authorization: Bearer {short}\r\n")).0,
        401
    );
}

/// The PROXY header of a client of 192.0.2.0/24.
fn proxied(last: u8) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    bytes.extend([192, 0, 2, last, 127, 0, 0, 1, 0x30, 0x39, 0x1f, 0x90]);
    bytes
}

#[test]
fn slow_handshakes_and_too_many_connections_are_rejected_by_the_address_a_proxy_reports() {
    let more = "[public]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\nhandshake_timeout = \"1m\"\nconnections_per_address = 1\n\
                [fanout]\nshards = 1\n";
    let (_turn, _kafka, settings) = scene("security-limits", more);
    let clocks = Clocks::new();
    let node = Node::start_with_clocks(&settings, &clocks);
    let connect_with = |opening: &[u8], request: &str| {
        let mut stream = TcpStream::connect(node.public()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(opening).unwrap();
        let _closed = stream.write_all(request.as_bytes());
        let mut first = vec![0; 12];
        let read = stream.read_exact(&mut first).is_ok();
        let status = read.then(|| String::from_utf8_lossy(&first[9..12]).into_owned());
        (stream, status)
    };
    let right = handshake(node.public(), "");
    let (one, status) = connect_with(&proxied(7), &right);
    assert_eq!(status.as_deref(), Some("101"));
    assert_eq!(connect_with(&proxied(7), &right).1.as_deref(), Some("429"));
    assert_eq!(connect_with(&proxied(8), &right).1.as_deref(), Some("101"));
    assert_eq!(
        connect_with(b"", &right).1,
        None,
        "no header, and no response"
    );
    drop(one);
    wait::until(WITHIN, "the address to be free", || {
        (connect_with(&proxied(7), &right).1.as_deref() == Some("101")).then_some(())
    });
    wait::until(WITHIN, "the log of a session", || {
        node.log().contains("192.0.2.7:12345").then_some(())
    });

    // The PROXY header and the head have one deadline together, and no byte that arrives extends it.
    let (late_head, rest) = right.split_at(20);
    let start = |address: u8| {
        let mut stream = TcpStream::connect(node.public()).unwrap();
        let bytes = [&proxied(address), late_head.as_bytes()].concat();
        stream.write_all(&bytes).unwrap();
        stream
    };
    let (mut in_time, mut too_late) = (start(9), start(10));
    // The one listener accepts in order, so the deadlines of both run when this one is in.
    assert_eq!(connect_with(&proxied(11), &right).1.as_deref(), Some("101"));
    clocks.advance_monotonic(40);
    in_time.write_all(rest.as_bytes()).unwrap();
    let mut status = [0; 12];
    in_time.read_exact(&mut status).unwrap();
    assert!(status.ends_with(b"101"), "closed before its deadline");
    let mut rest = rest.as_bytes().chunks(1);
    let mut drip = || {
        let byte = rest.next().filter(|_| rest.len() > 0);
        too_late.write_all(byte.expect("a handshake was waited for beyond its deadline"))
    };
    drip().unwrap();
    clocks.advance_monotonic(70);
    wait::until(WITHIN, "the end of a slow handshake", || {
        drip().is_err().then_some(())
    });
    assert_eq!(
        node.metric("tapecast_handshakes_refused_total", &["\"timeout\""]),
        1.0
    );
    assert!(node.metric("tapecast_handshakes_refused_total", &["\"address\""]) >= 1.0);
    assert_eq!(
        node.metric("tapecast_handshakes_refused_total", &["\"proxy\""]),
        1.0
    );
}

#[test]
fn a_certificate_is_rotated_under_load_and_no_client_is_dropped() {
    const CLIENTS: usize = 8;
    const RECORDS: u64 = 400;
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        directory.path().join("tls.pem"),
        directory.path().join("tls.key"),
    );
    let write = |identity: &Identity| {
        std::fs::write(&key, &identity.key).unwrap();
        std::fs::write(&certificate, &identity.certificate).unwrap();
    };
    let (old, new) = (Identity::new(), Identity::new());
    write(&old);
    let more = format!(
        "[tls]\nmode = \"on\"\ncertificate = '{}'\nkey = '{}'\n",
        certificate.display(),
        key.display()
    );
    let topic = "security-tls";
    let (_turn, mut kafka, settings) = scene(topic, &more);
    let node = Node::start(&settings);
    let watch = |identity: &Identity| {
        let pem = identity.certificate.clone();
        let streams = [Subscription::book(NAME)];
        Watcher::start_as(&[node.tls_url()], &streams, Tape::default(), |builder| {
            builder.root_certificates(pem)
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| watch(&old)).collect();
    for client in &clients {
        client.wait(WITHIN, "a subscription over TLS", |tape| {
            tape.accepted() == 1
        });
    }
    let ends = node.metric("tapecast_tls_certificate_not_after_timestamp_seconds", &[]);
    assert!(ends > 1e9);
    let mut last = 0;
    for number in 0..RECORDS {
        if number == RECORDS / 2 {
            write(&new);
        }
        last = kafka.produce(topic, 0, &[Record::of(snapshot(NAME, number + 11))]);
    }
    // A new client is shown the new certificate.
    wait::until(WITHIN, "the new certificate", || {
        let late = watch(&new);
        late.wait(WITHIN, "the outcome of a handshake", |tape| {
            tape.accepted() == 1 || !tape.reconnects.is_empty() || !tape.faults.is_empty()
        });
        late.look(|tape| tape.accepted() == 1).then_some(())
    });
    for client in &clients {
        client.wait(WITHIN, "the last record", |tape| tape.last_seq(0) >= last);
        client.look(|tape| {
            let seqs: Vec<_> = tape.after(0, 1).iter().map(|message| message.seq).collect();
            let wanted: Vec<_> = (2..=last).collect();
            assert_eq!(seqs, wanted, "each record once");
            assert!(tape.reconnects.is_empty(), "{:?}", tape.reconnects);
        });
    }
    let dropped = node.metric("tapecast_sessions_closed_total", &["\"disconnected\""]);
    println!(
        "{CLIENTS} clients over TLS received {RECORDS} records each through a rotation; {dropped} others disconnected"
    );
    // Without TLS no client is admitted.
    assert_eq!(handshake_status(&node, "").0, 0);
}

/// Fills a node with connections that start like this and may take a minute each, and checks that a client is admitted.
#[track_caller]
fn check_flood(topic: &str, more: &str, opening: &[u8], client: &[u8]) {
    // More than the connections of one shard that are not sessions.
    const FLOOD: usize = 300;
    const FILES: u32 = 600;
    let more = format!("{more}\nhandshake_timeout = \"1m\"\n[fanout]\nshards = 1\n");
    let (_turn, _kafka, settings) = scene(topic, &more);
    let node = Node::start_with_files(&settings, FILES);
    let send = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(node.public()).unwrap();
        stream.set_read_timeout(Some(CLIENT_WITHIN)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let _flood: Vec<_> = (0..FLOOD).map(|_| send(opening)).collect();
    let mut head = [0; 12];
    let answered = send(client).read_exact(&mut head);
    let head = String::from_utf8_lossy(&head);
    assert!(
        answered.is_ok() && head == "HTTP/1.1 101",
        "a client is blocked by {FLOOD} connections: {answered:?} {head}"
    );
}

#[test]
fn a_flood_of_silent_connections_takes_no_descriptor_needed_elsewhere() {
    const FILES: u32 = 300;
    let (_turn, mut kafka, settings) =
        scene("security-files", "[limits]\nhandshake_timeout = \"1m\"");
    let node = Node::start_with_files(&settings, FILES);
    let mut session = Socket::connect(node.public(), "tapecast.json.v1");
    session.request(
        r#"{"op":"subscribe","id":1,"streams":[{"channel":"book","symbol":"TEST:DOOR"}]}"#,
    );
    assert_eq!(session.answer()["results"][0]["ok"], json!(true));
    let silent: Vec<_> = (0..2 * FILES)
        .map(|_| TcpStream::connect(node.public()).unwrap())
        .collect();
    // Others are admitted, probes are answered, and the session and Kafka go on.
    let _client = Socket::connect(node.public(), "tapecast.json.v1");
    assert_eq!(
        node.admin("GET", "/readyz").map(|answer| answer.status),
        Some(200)
    );
    kafka.produce("security-files", 0, &[Record::of(snapshot(NAME, 20))]);
    let is_new = |frame: &Frame| String::from_utf8_lossy(&frame.payload).contains(r#"[["20"#);
    while !is_new(&session.frame().expect("the session goes on")) {}
    let open = node.metric("process_open_fds", &[]);
    assert!(open < f64::from(FILES) * 0.9, "{open} of {FILES}");
    assert!(node.metric("tapecast_handshakes_refused_total", &["\"evicted\""]) > 0.0);
    assert!(!node.log().contains("cannot accept"), "{}", node.log());
    drop(silent);
    println!("{open} of {FILES} descriptors open during a flood");
}

/// A handshake, whatever the address of the node.
fn right() -> String {
    handshake(([127, 0, 0, 1], 80).into(), "")
}

#[test]
fn silent_connections_block_no_client() {
    check_flood("security-silent", "[limits]", b"", right().as_bytes());
}

#[test]
fn connections_kept_open_after_a_rejected_request_block_no_client() {
    let request = b"GET /nothing HTTP/1.1\r\nHost: node\r\n\r\n";
    check_flood("security-kept", "[limits]", request, right().as_bytes());
}

#[test]
fn connections_over_the_limit_of_their_address_block_no_other() {
    let more = "[public]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\nconnections_per_address = 1";
    let client = [proxied(8), right().into_bytes()].concat();
    check_flood("security-address", more, &proxied(7), &client);
}

#[test]
fn silent_connections_to_the_admin_listener_delay_no_probe() {
    let (_turn, _kafka, settings) = scene("security-admin", "");
    let node = Node::start(&settings);
    let _silent: Vec<_> = (0..512)
        .map(|_| TcpStream::connect(node.admin_address()).unwrap())
        .collect();
    let ready = node.admin("GET", "/readyz").map(|answer| answer.status);
    assert_eq!(ready, Some(200));
}
