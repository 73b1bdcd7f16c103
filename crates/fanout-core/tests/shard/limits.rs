//! What one client can make a shard hold and do.

use std::sync::Arc;
use std::time::Duration;

use fanout_core::{ClosedBy, Settings};
use market::Channel;
use metrics::label::CloseReason;
use testkit::websocket::client_frame;
use wire::control::{Answer, ErrorCode, StreamKey, Symbol};
use wire::{Encoding, close};

use crate::rig::{Manner, Rig};

const SECOND: Duration = Duration::from_secs(1);

fn wildcards(op: &str) -> String {
    let stream = r#"{"channel":"bbo","symbol":"*"}"#;
    let streams = vec![stream; 128].join(",");
    format!(r#"{{"op":"{op}","streams":[{streams}]}}"#)
}

fn results(answer: &Answer) -> usize {
    match answer {
        Answer::Subscribed { results, .. } | Answer::Updated { results, .. } => results.len(),
        Answer::Unsubscribed { results, .. } => results.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_storm_of_wildcards_gets_a_bounded_answer_whatever_the_directory_holds() {
    let mut rig = Rig::new(Settings::default(), 10_000, 1);
    let peer = rig.connect(Manner::Alive);
    for op in ["unsubscribe", "subscribe", "subscribe", "unsubscribe"] {
        let before = rig.peers[peer].bytes;
        let answer = rig.ask(peer, &wildcards(op));
        // As many as wildcards may name, and the last result of each.
        assert!(results(&answer) <= 100 + 25 + 128, "{}", results(&answer));
        let bytes = rig.peers[peer].bytes - before;
        assert!(bytes < 80 * 1024, "{op}: {bytes}");
        assert!(rig.core.streams() <= 256);
    }
}

#[test]
fn a_request_full_of_wrong_streams_has_a_small_answer() {
    let mut rig = Rig::new(Settings::default(), 10, 1);
    let peer = rig.connect(Manner::Alive);
    for (stream, count) in [
        ("0", 2_000),
        ("{}", 1_350),
        ("0", 64),
        (r#"{"channel":1}"#, 280),
    ] {
        for op in ["subscribe", "unsubscribe", "update"] {
            let streams = vec![stream; count].join(",");
            let before = rig.peers[peer].bytes;
            let answer = rig.ask(peer, &format!(r#"{{"op":"{op}","streams":[{streams}]}}"#));
            let bytes = rig.peers[peer].bytes - before;
            assert!(bytes <= 32 * 1024, "{op} {stream}: {bytes}");
            match answer {
                Answer::Error { error, .. } => {
                    assert!(count > 64);
                    let codes = [ErrorCode::BadRequest, ErrorCode::UnknownChannel];
                    assert!(codes.contains(&error.code), "{:?}", error.code);
                }
                answer => assert_eq!(results(&answer), count),
            }
        }
    }
}

/// Comparing each of a session's streams with each of many long patterns would take tens of milliseconds.
#[test]
fn a_storm_of_patterns_over_a_full_session_is_answered_within_its_budget() {
    let mut rig = Rig::new(Settings::default(), 2_000, 1);
    let peer = rig.connect(Manner::Alive);
    for _ in 0..11 {
        let all = r#"{"op":"subscribe","streams":[{"channel":"bbo","symbol":"*"}]}"#;
        assert!(results(&rig.ask(peer, all)) <= 126);
    }
    assert_eq!(rig.core.streams(), 1_024);
    for (op, more) in [("unsubscribe", ""), ("update", r#","to":{}"#)] {
        let stream = format!(r#"{{"channel":"bbo","symbol":"*1*2*3*4*5*6*7*x"{more}}}"#);
        let streams = vec![stream; 70].join(",");
        let answer = rig.ask(peer, &format!(r#"{{"op":"{op}","streams":[{streams}]}}"#));
        let results: Vec<_> = match answer {
            Answer::Unsubscribed { results, .. } => {
                results.into_iter().filter_map(Result::err).collect()
            }
            Answer::Updated { results, .. } => {
                results.into_iter().filter_map(Result::err).collect()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(results.len(), 70);
        // The first ones were compared with all of them, the last ones with none.
        assert_eq!(results[0].error.code, ErrorCode::NotSubscribed);
        assert_eq!(results[69].error.code, ErrorCode::MoreMatches);
        assert_eq!(results[69].error.more, Some(0));
    }
    while rig.core.streams() > 0 {
        let before = rig.core.streams();
        let _ended = rig.ask(peer, &wildcards("unsubscribe"));
        assert!(rig.core.streams() <= before.saturating_sub(100));
        rig.pass(SECOND);
    }
}

/// The memory of a session that is not shared with others.
fn held(rig: &Rig, peer: usize) -> usize {
    let session = rig.peers[peer].session;
    rig.core.outgoing_bytes(session) + rig.core.backlog_bytes(session)
}

#[test]
fn one_request_for_everything_allowed_makes_a_session_hold_less_than_64_kib() {
    let mut rig = Rig::new(Settings::default(), 10_000, 1);
    let anything = Symbol::Matching("*".into());
    let streams = vec![StreamKey::new(Channel::Bbo, anything).into(); 128];
    let sse = rig.connect_for_events(Manner::Deaf, streams);
    let websocket = rig.connect_as(Manner::Deaf, Encoding::Json, Arc::default());
    rig.request(websocket, &wildcards("subscribe"));
    for peer in [sse, websocket] {
        rig.settle();
        let mut most = held(&rig, peer);
        // A client that never reads is sent no more, and one that reads slowly holds no more.
        for step in 0..200 {
            for instrument in 0..36 {
                rig.change(instrument, 1_000 + step);
            }
            if step >= 20 {
                rig.make_room(peer, 2_000);
            }
            rig.settle();
            most = most.max(held(&rig, peer));
        }
        assert!(most <= 64 * 1024, "{most}");
        let got = rig.peers[peer].bytes;
        assert!(got > 200 * 1024, "all of it comes in the end: {got}");
    }
}

#[test]
fn a_client_that_breaks_a_rule_is_reported_once_and_one_that_leaves_is_not() {
    let mut rig = Rig::new(Settings::default(), 1, 1);
    let flood = rig.connect(Manner::Silent);
    for _ in 0..=Settings::default().burst() {
        rig.send(flood, 0xA, b"");
    }
    let unmasked = rig.connect(Manner::Silent);
    rig.send_raw(unmasked, &[0x81, 1, b'x']);
    let honest = rig.connect(Manner::Alive);
    rig.send(honest, 0x8, &1000_u16.to_be_bytes());
    let mut expected = [flood, unmasked].map(|peer| rig.peers[peer].session);
    rig.settle();
    rig.pass(Duration::from_secs(5));
    rig.rule_breakers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(rig.rule_breakers, expected);
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_asked_for_more_requests() {
    let mut rig = Rig::new(Settings::default(), 10_000, 1);
    let peer = rig.connect(Manner::Deaf);
    for _ in 0..20 {
        rig.request(peer, r#"{"op":"list"}"#);
    }
    rig.settle();
    // One answer waits, and the other requests stay in the socket.
    assert_eq!(rig.metrics.answers_out.get(), 1);
    rig.make_room(peer, 1 << 20);
    rig.settle();
    assert_eq!(rig.metrics.answers_out.get(), 20);
    assert!(rig.peers[peer].bytes < 20 * 64 * 1024);
}

#[test]
fn every_frame_counts_and_little_is_read_after_the_close() {
    for opcode in [0x1, 0x9, 0xA] {
        let mut rig = Rig::new(Settings::default(), 1, 1);
        let peer = rig.connect(Manner::Silent);
        let burst = Settings::default().burst();
        for _ in 0..burst {
            rig.send(peer, opcode, b"");
        }
        rig.settle();
        assert_eq!(rig.peers[peer].closed_with, None, "{opcode}");
        rig.send(peer, opcode, b"");
        rig.settle();
        assert_eq!(
            rig.peers[peer].closed_with,
            Some(close::RATE_EXCEEDED),
            "{opcode}"
        );
        assert_eq!(rig.metrics.rate_limited.get(), 1);
        // The client sends on regardless: 64 KiB are discarded unread, then the connection is cut.
        let flood = client_frame(0x81, &[b'a'; 4000]);
        for _ in 0..100 {
            rig.send_raw(peer, &flood);
        }
        rig.settle();
        assert!(rig.is_gone(peer));
        assert_eq!(
            rig.metrics.bytes_in.get() / 4000,
            17 + u64::from(burst) * 6 / 4000
        );
    }
}

#[test]
fn a_client_that_drips_single_bytes_is_closed() {
    let mut rig = Rig::new(Settings::default(), 1, 1);
    let peer = rig.connect(Manner::Silent);
    let bytes = client_frame(0x81, &[b' '; 4000]);
    for byte in &bytes {
        rig.send_raw(peer, &[*byte]);
    }
    rig.settle();
    assert_eq!(rig.peers[peer].closed_with, Some(close::RATE_EXCEEDED));
    // A client with ten messages a second, each in two pieces, is not.
    let peer = rig.connect(Manner::Silent);
    for _ in 0..600 {
        let text = client_frame(0x81, br#"{"op":"ping"}"#);
        rig.send_raw(peer, &text[..5]);
        rig.settle();
        rig.send_raw(peer, &text[5..]);
        rig.pass(Duration::from_millis(125));
    }
    assert_eq!(rig.peers[peer].closed_with, None);
}

#[test]
fn a_clients_own_close_code_is_counted_as_the_clients() {
    for code in [1000_u16, 1001, 1012, 4000, 4001, 4002, 4999] {
        let mut rig = Rig::new(Settings::default(), 1, 1);
        let peer = rig.connect(Manner::Silent);
        rig.send(peer, 0x8, &code.to_be_bytes());
        rig.settle();
        assert_eq!(rig.peers[peer].closed_with, Some(code));
        for reason in CloseReason::ALL {
            let expected = u64::from(reason == CloseReason::Client);
            assert_eq!(
                rig.metrics.sessions_closed[reason].get(),
                expected,
                "{code} {reason:?}"
            );
        }
        assert_eq!(
            (rig.ended[0].code, rig.ended[0].by),
            (code, ClosedBy::Client)
        );
    }
}

#[test]
fn initial_states_for_a_client_that_does_not_read_are_requested_one_at_a_time() {
    let mut rig = Rig::new(Settings::default(), 100, 2_000);
    let peer = rig.connect(Manner::Deaf);
    rig.request(
        peer,
        r#"{"op":"subscribe","streams":[{"channel":"book","symbol":"*"}]}"#,
    );
    rig.settle();
    // All are subscribed; the answer has not been read, so none has requested its 64 KB of a book.
    let joined = rig.publisher.stats().joined;
    assert!(joined <= 2, "{joined}");
    rig.make_room(peer, 200 * 1024);
    rig.settle();
    assert!(rig.publisher.stats().joined < 6);
    // Once it reads, it has all of them.
    rig.make_room(peer, usize::MAX / 2);
    rig.settle();
    assert_eq!(rig.publisher.stats().joined, 100);
    assert!(rig.peers[peer].bytes > 100 * 2 * 2_000 * 16);
}

#[test]
fn a_lagging_client_of_many_deep_books_is_caught_up_one_book_at_a_time() {
    let mut rig = Rig::new(
        Settings {
            run_bytes: 1024,
            run_bytes_for_slow: 0,
            run_bytes_per_slow: 0,
            ..Settings::default()
        },
        100,
        200,
    );
    let peer = rig.connect(Manner::Alive);
    rig.ask(
        peer,
        r#"{"op":"subscribe","streams":[{"channel":"book","symbol":"*"}]}"#,
    );
    let caught_up = |rig: &Rig| {
        let stats = rig.publisher.stats();
        stats.conflated + stats.snapshotted
    };
    assert_eq!(caught_up(&rig), 0);
    // Its socket stays full while all books change repeatedly.
    rig.peers[peer].manner = Manner::Deaf;
    for round in 0..200 {
        for instrument in 0..100 {
            rig.change(instrument, 1 + round);
        }
        rig.settle();
    }
    assert_eq!(caught_up(&rig), 0);
    assert!(rig.core.ring_bytes() <= 1024 * 100);
    // Room for a few: those are requested, and no more than may be held.
    rig.make_room(peer, 4 * 1024);
    rig.settle();
    assert!((1..60).contains(&caught_up(&rig)), "{}", caught_up(&rig));
    rig.make_room(peer, usize::MAX / 2);
    rig.settle();
    assert!(caught_up(&rig) >= 90, "{}", caught_up(&rig));
}

#[test]
fn a_full_session_resumes_all_of_its_streams_at_once() {
    let mut rig = Rig::new(Settings::default(), 1_024, 1);
    let stream = |number: usize| {
        format!(
            r#"{{"channel":"book","symbol":"TEST:I{number:05}","depth":"full","resume":{{"epoch":4000000000,"seq":9000000000}}}}"#
        )
    };
    for _reconnect in 0..3 {
        let peer = rig.connect(Manner::Alive);
        let mut requests = 0;
        let mut number = 0;
        while number < 1_024 {
            let mut text = String::from(r#"{"op":"subscribe","streams":["#);
            while number < 1_024 && text.len() + 200 < 4096 {
                if !text.ends_with('[') {
                    text.push(',');
                }
                text += &stream(number);
                number += 1;
            }
            text += "]}";
            requests += 1;
            rig.request(peer, &text);
        }
        assert!(requests > 25, "{requests}");
        rig.settle();
        assert_eq!(rig.peers[peer].closed_with, None);
        assert_eq!(rig.peers[peer].texts.len(), requests);
        rig.send(peer, 0x8, &1000_u16.to_be_bytes());
        rig.settle();
        rig.pass(SECOND * 60);
    }
}

#[test]
fn a_wildcard_over_the_limit_of_a_session_is_answered_once() {
    let mut rig = Rig::new(
        Settings {
            streams_per_session: 2,
            ..Settings::default()
        },
        5,
        1,
    );
    let peer = rig.connect(Manner::Alive);
    let answer = rig.ask(
        peer,
        r#"{"op":"subscribe","streams":[{"channel":"book","symbol":"*"}]}"#,
    );
    let Answer::Subscribed { results, .. } = answer else {
        panic!();
    };
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
    let error = &results[2].as_ref().unwrap_err().error;
    assert_eq!(
        (error.code, error.more),
        (ErrorCode::TooManyStreams, Some(3))
    );
}

#[test]
fn one_session_creates_no_more_groups_than_allowed() {
    let mut rig = Rig::new(Settings::default(), 1, 100);
    let peer = rig.connect(Manner::Alive);
    let mut codes = Vec::new();
    for step in 1..=20 {
        let text = format!(
            r#"{{"op":"subscribe","streams":[{{"channel":"book","symbol":"TEST:I00000","group":"{step}e-8"}}]}}"#
        );
        let Answer::Subscribed { results, .. } = rig.ask(peer, &text) else {
            panic!();
        };
        codes.push(results[0].as_ref().err().map(|error| error.error.code));
        rig.pass(SECOND);
    }
    let most = Settings::default().grouped_views_per_session;
    assert!(codes[..most].iter().all(Option::is_none), "{codes:?}");
    assert!(
        codes[most..]
            .iter()
            .all(|code| *code == Some(ErrorCode::TooManyViews))
    );
    // A grouped stream that changes its step still counts once.
    let text = r#"{"op":"update","streams":[{"channel":"book","symbol":"TEST:I00000","group":"1e-8","to":{"group":"50e-8"}}]}"#;
    let Answer::Updated { results, .. } = rig.ask(peer, text) else {
        panic!();
    };
    assert!(results[0].is_ok(), "{results:?}");
}

#[test]
fn a_connection_that_ends_and_one_that_fails_are_counted_separately() {
    let mut rig = Rig::new(Settings::default(), 1, 1);
    let peers = [rig.connect(Manner::Alive), rig.connect(Manner::Alive)];
    rig.core.lost(rig.peers[peers[0]].session);
    rig.core.failed(rig.peers[peers[1]].session);
    rig.settle();
    for reason in [CloseReason::Disconnected, CloseReason::Io] {
        assert_eq!(rig.metrics.sessions_closed[reason].get(), 1, "{reason:?}");
    }
    assert!(rig.ended.iter().all(|ended| ended.by == ClosedBy::Nobody));
}
