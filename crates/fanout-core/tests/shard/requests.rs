//! Answers to requests.

use fanout_core::Settings;
use wire::control::{Answer, ErrorCode};

use crate::rig::{Manner, Rig};

fn names(answer: Answer) -> (Vec<String>, Option<String>) {
    let Answer::Instruments {
        instruments, next, ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    let names = instruments.iter().map(|entry| entry.symbol.to_string());
    (names.collect(), next.map(|name| name.to_string()))
}

#[test]
fn pages_of_a_list_follow_one_another() {
    let settings = Settings {
        instruments_per_answer: 7,
        ..Settings::default()
    };
    let mut rig = Rig::new(settings, 20, 1);
    let peer = rig.connect(Manner::Alive);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let text = format!(r#"{{"op":"list","match":"TEST:*","after":"{after}"}}"#);
        let (names, next) = names(rig.ask(peer, &text));
        assert!(names.len() <= 7);
        all.extend(names);
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    let expected: Vec<_> = (0..20).map(|number| format!("TEST:I{number:05}")).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_wildcard_reports_how_many_more_match_and_continues_when_repeated() {
    let settings = Settings {
        streams_per_request: 8,
        ..Settings::default()
    };
    let mut rig = Rig::new(settings, 20, 1);
    let peer = rig.connect(Manner::Alive);
    let text = r#"{"op":"subscribe","streams":[{"channel":"book","symbol":"*"}]}"#;
    let mut seen = Vec::new();
    for (new, more) in [(8, Some(12)), (8, Some(4)), (4, None)] {
        let Answer::Subscribed { results, .. } = rig.ask(peer, text) else {
            panic!();
        };
        let (ok, errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(ok.len(), new);
        let errors = errors.into_iter().filter(|result| {
            let code = result.as_ref().map_err(|error| error.error.code);
            code != Err(ErrorCode::AlreadySubscribed)
        });
        seen.extend(ok.into_iter().map(|result| result.unwrap().stream.symbol));
        let last = errors.map(Result::unwrap_err).next_back();
        assert_eq!(
            last.as_ref().map(|last| last.error.code),
            more.map(|_| ErrorCode::MoreMatches)
        );
        assert_eq!(last.and_then(|last| last.error.more), more);
    }
    seen.dedup();
    assert_eq!(seen.len(), 20);
    let Answer::Subscribed { results, .. } = rig.ask(peer, text) else {
        panic!();
    };
    assert_eq!(
        results[0].as_ref().unwrap_err().error.code,
        ErrorCode::AlreadySubscribed
    );
    let text = r#"{"op":"unsubscribe","streams":[{"channel":"book","symbol":"*"}]}"#;
    for (ended, more) in [(8, Some(12)), (8, Some(4)), (4, None)] {
        let Answer::Unsubscribed { results, .. } = rig.ask(peer, text) else {
            panic!();
        };
        assert_eq!(
            results.iter().filter(|result| result.is_ok()).count(),
            ended
        );
        let last = results.last().and_then(|result| result.as_ref().err());
        assert_eq!(last.and_then(|last| last.error.more), more);
    }
    assert_eq!(rig.core.streams(), 0);
}

#[test]
fn a_stream_that_can_no_longer_be_produced_ends_with_an_answer() {
    let mut rig = Rig::new(
        Settings {
            run_bytes: 256,
            run_bytes_for_slow: 0,
            run_bytes_per_slow: 0,
            ..Settings::default()
        },
        1,
        10,
    );
    let peer = rig.connect(Manner::Alive);
    let answer = rig.ask(
        peer,
        r#"{"op":"subscribe","streams":[{"channel":"book","symbol":"TEST:I00000","group":"3e-8"}]}"#,
    );
    assert!(matches!(answer, Answer::Subscribed { .. }));
    rig.lose_stream(peer);
    let Answer::Unsubscribed { id, results } = rig.answer(peer) else {
        panic!();
    };
    assert_eq!(id, None);
    let error = results[0].as_ref().unwrap_err();
    assert_eq!(error.error.code, ErrorCode::StreamEnded);
    assert!(
        error.stream.contains(r#""group":"0.00000003""#),
        "{}",
        error.stream
    );
    assert_eq!(rig.core.streams(), 0);
}
