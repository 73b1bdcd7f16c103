//! What requests guarantee.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use market::{Channel, Epoch, InstrumentName, Nanos, Seq};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use wire::control::{
    Answer, ControlError, ErrorCode, Pace, Policy, Request, RequestId, Start, StreamChange,
    StreamKey, StreamRequest, StreamUpdate, Symbol,
};
use wire::{BarInterval, Depth, PriceStep, Speed};

fn btc() -> InstrumentName {
    InstrumentName::parse("BINANCE:BTC-USDT").unwrap()
}

fn book() -> StreamRequest {
    StreamRequest::new(Channel::Book, btc())
}

#[track_caller]
fn parse_one(stream: &str) -> Result<StreamRequest, ControlError> {
    let text = format!(r#"{{"op":"subscribe","id":1,"streams":[{stream}]}}"#);
    let Ok(Request::Subscribe { id, mut streams }) = Request::parse(&text) else {
        panic!("a request");
    };
    assert_eq!((id, streams.len()), (Some(1.into()), 1));
    streams.remove(0).map_err(|wrong| {
        assert_eq!(wrong.stream, stream);
        wrong.error
    })
}

#[test]
fn a_stream_has_defaults_for_everything_but_its_name() {
    assert_eq!(
        parse_one(r#"{"channel":"book","symbol":"BINANCE:BTC-USDT"}"#),
        Ok(book())
    );
    assert_eq!(
        parse_one(r#"{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":null,"resume":null}"#),
        Ok(book())
    );
}

#[test]
fn every_parameter_of_a_stream_is_read() {
    let stream = parse_one(
        r#"{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"speed":"100ms","group":"0.50","policy":"disconnect","resume":{"epoch":4294967295,"seq":-1}}"#,
    );
    let expected = book()
        .depth(Depth::D50)
        .speed(Speed::Ms100)
        .group(PriceStep::parse("0.5").unwrap())
        .policy(Policy::Disconnect)
        .resume(Epoch(u32::MAX), Seq::NONE);
    assert_eq!(stream, Ok(expected));
    let time = book().start(Start::Time(Nanos(1_723_075_200_000_000_000)));
    for start in [
        r#"{"time":"1723075200000000000"}"#,
        r#"{"time":1723075200000000000}"#,
    ] {
        let stream = format!(r#"{{"channel":"book","symbol":"BINANCE:BTC-USDT","start":{start}}}"#);
        assert_eq!(parse_one(&stream), Ok(time.clone()));
    }
    assert_eq!(
        parse_one(
            r#"{"channel":"trades","symbol":"BINANCE:BTC-USDT","start":{"seq":5},"depth":"full"}"#
        ),
        Ok(StreamRequest::new(Channel::Trades, btc()).start(Start::Seq(Seq(5))))
    );
}

#[test]
fn a_wrong_stream_leaves_the_others_of_its_request_alone() {
    let text = r#"{"op":"subscribe","id":"a","streams":[7,{"channel":"book","symbol":"BINANCE:BTC-USDT"},{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":51}]}"#;
    let Request::Subscribe { id, streams } = Request::parse(text).unwrap() else {
        panic!("a subscription");
    };
    assert_eq!(id, Some("a".into()));
    let codes: Vec<_> = streams
        .iter()
        .map(|stream| stream.as_ref().map_err(|wrong| wrong.error.code))
        .collect();
    assert_eq!(
        codes,
        [
            Err(ErrorCode::BadRequest),
            Ok(&book()),
            Err(ErrorCode::BadDepth)
        ]
    );
}

/// A stream with that one field wrong or added.
#[track_caller]
fn check_field(field: &str, value: &str, code: ErrorCode, message: &str) {
    let mut stream = String::from("{");
    for (name, usual) in [
        ("channel", r#""book""#),
        ("symbol", r#""BINANCE:BTC-USDT""#),
    ] {
        if name != field {
            stream += &format!("\"{name}\":{usual},");
        }
    }
    stream += &format!("\"{field}\":{value}}}");
    let error = parse_one(&stream).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (code, message));
}

#[test]
fn an_error_names_the_field_what_it_was_and_what_it_may_be() {
    use ErrorCode::{
        BadDepth, BadGroup, BadPolicy, BadRequest, BadResume, BadSpeed, UnknownChannel,
        UnknownSymbol,
    };
    let channels = "book, bbo, trades, ticker, bars or status";
    check_field(
        "channel",
        r#""books""#,
        UnknownChannel,
        &format!("channel is \"books\", and may be {channels}"),
    );
    check_field(
        "channel",
        "7",
        UnknownChannel,
        &format!("channel is 7, and may be {channels}"),
    );
    check_field(
        "channel",
        "null",
        BadRequest,
        &format!("channel is missing, and may be {channels}"),
    );
    check_field(
        "symbol",
        r#""BTC""#,
        UnknownSymbol,
        "symbol is \"BTC\", and may be VENUE:SYMBOL, or a text with *: an instrument is named VENUE:SYMBOL, and there is no colon",
    );
    check_field(
        "symbol",
        "[]",
        UnknownSymbol,
        "symbol is [], and may be VENUE:SYMBOL, or a text with *",
    );
    let depths = "1, 5, 10, 25, 50, 100, 500, 1000 or \"full\"";
    for depth in [
        "51",
        "\"50\"",
        "0",
        "-1",
        "50.0",
        "1e1",
        "true",
        "18446744073709551616",
    ] {
        check_field(
            "depth",
            depth,
            BadDepth,
            &format!("depth is {depth}, and may be {depths}"),
        );
    }
    check_field(
        "speed",
        "100",
        BadSpeed,
        "speed is 100, and may be raw, 10ms, 100ms, 250ms or 1s",
    );
    check_field(
        "group",
        "0",
        BadGroup,
        "group is 0, and may be a price step above zero, as in \"0.5\": is not above zero",
    );
    check_field(
        "group",
        "{}",
        BadGroup,
        "group is {}, and may be a price step above zero, as in \"0.5\": not a decimal number",
    );
    check_field(
        "policy",
        "\"drop\"",
        BadPolicy,
        "policy is \"drop\", and may be conflate or disconnect",
    );
    let resumes = "{\"epoch\":E,\"seq\":S} of the last message";
    for resume in [
        "7",
        "{}",
        r#"{"epoch":1}"#,
        r#"{"epoch":-1,"seq":1}"#,
        r#"{"epoch":1,"seq":-2}"#,
        r#"{"epoch":1,"seq":1,"x":1}"#,
    ] {
        check_field(
            "resume",
            resume,
            BadResume,
            &format!("resume is {resume}, and may be {resumes}"),
        );
    }
    let starts = "{\"time\":\"NANOSECONDS\"} or {\"seq\":S}";
    for start in [
        "7",
        "{}",
        r#"{"time":"now"}"#,
        r#"{"time":1,"seq":1}"#,
        r#"{"time":-1}"#,
    ] {
        check_field(
            "start",
            start,
            BadRequest,
            &format!("start is {start}, and may be {starts}"),
        );
    }
    check_field(
        "dept",
        "50",
        BadRequest,
        "dept is not a field here, and may be channel, symbol, depth, speed, group, interval, policy, resume, start or pace",
    );
}

#[test]
fn only_a_book_has_a_depth_and_a_group() {
    let depth =
        parse_one(r#"{"channel":"trades","symbol":"BINANCE:BTC-USDT","depth":5}"#).unwrap_err();
    assert_eq!(
        (depth.code, depth.message.as_str()),
        (
            ErrorCode::BadDepth,
            "depth is 5, and the channel trades has none"
        )
    );
    let group =
        parse_one(r#"{"channel":"bbo","symbol":"BINANCE:BTC-USDT","group":"5"}"#).unwrap_err();
    assert_eq!(
        (group.code, group.message.as_str()),
        (
            ErrorCode::BadGroup,
            "group is 5, and the channel bbo has none"
        )
    );
}

#[test]
fn a_stream_starts_in_one_place() {
    let both = r#"{"channel":"book","symbol":"BINANCE:BTC-USDT","resume":{"epoch":1,"seq":1},"start":{"seq":1}}"#;
    assert_eq!(parse_one(both).unwrap_err().code, ErrorCode::BadResume);
}

#[track_caller]
fn check_refused(text: &str, id: Option<RequestId>, code: ErrorCode, message: &str) {
    let refusal = Request::parse(text).unwrap_err();
    assert_eq!((refusal.error.code, &refusal.id), (code, &id), "{refusal}");
    assert!(refusal.error.message.starts_with(message), "{refusal}");
}

#[test]
fn a_message_that_is_no_request_says_why_and_keeps_its_id() {
    use ErrorCode::{BadJson, BadRequest, UnknownOp};
    check_refused("", None, BadJson, "the message is not json: EOF");
    check_refused(
        "{\"op\":\"ping\"",
        None,
        BadJson,
        "the message is not json: EOF",
    );
    check_refused(
        "{\"op\":\"ping\"} x",
        None,
        BadJson,
        "the message is not json: trailing",
    );
    check_refused(
        "[]",
        None,
        BadRequest,
        "the message is wrong: invalid type: sequence, expected an object",
    );
    check_refused(
        "{}",
        None,
        UnknownOp,
        "op is missing, and may be subscribe, unsubscribe, update, list or ping",
    );
    check_refused(
        r#"{"op":"sub","id":7}"#,
        Some(7.into()),
        UnknownOp,
        "op is \"sub\", and may be subscribe",
    );
    check_refused(
        r#"{"op":7,"id":"x"}"#,
        Some("x".into()),
        UnknownOp,
        "op is 7",
    );
    check_refused(
        r#"{"op":"ping","id":[1]}"#,
        None,
        BadRequest,
        "id is [1], and may be a number or a string",
    );
    check_refused(
        r#"{"op":"ping","id":1,"x":2}"#,
        Some(1.into()),
        BadRequest,
        "x is not a field here, and may be op or id",
    );
    check_refused(
        r#"{"op":"ping","op":"list"}"#,
        None,
        BadRequest,
        "the message is wrong: field \"op\" occurs twice",
    );
    check_refused(
        r#"{"op":"subscribe"}"#,
        None,
        BadRequest,
        "streams is missing, and may be an array of at least one stream",
    );
    check_refused(
        r#"{"op":"subscribe","streams":[]}"#,
        None,
        BadRequest,
        "streams is [], and may be an array of at least one stream",
    );
    check_refused(
        r#"{"op":"subscribe","streams":{}}"#,
        None,
        BadRequest,
        "streams is {}",
    );
    check_refused(
        r#"{"op":"list","match":"BTC"}"#,
        None,
        ErrorCode::UnknownSymbol,
        "match is \"BTC\"",
    );
    let long = "y".repeat(500);
    check_refused(
        &format!(r#"{{"op":"{long}"}}"#),
        None,
        UnknownOp,
        &format!("op is \"{}…, and", "y".repeat(63)),
    );
}

#[test]
fn any_number_or_text_is_an_id_and_comes_back() {
    for id in [
        "1",
        "-7",
        "1.5",
        "18446744073709551615",
        "\"a\\\"b\"",
        "\"\"",
    ] {
        let request = Request::parse(&format!(r#"{{"op":"ping","id":{id}}}"#)).unwrap();
        let pong = Answer::Pong {
            id: request.id().cloned(),
            time: Nanos(5),
        };
        assert_eq!(
            pong.to_json(),
            format!(r#"{{"op":"pong","id":{id},"time":"5"}}"#)
        );
    }
    let request = Request::parse(r#"{"op":"ping","id":null}"#).unwrap();
    assert_eq!(request.id(), None);
}

#[test]
fn the_other_requests_are_read() {
    let key = StreamKey {
        depth: Depth::D50,
        ..StreamKey::new(Channel::Book, btc())
    };
    assert_eq!(
        Request::parse(
            r#"{"op":"unsubscribe","id":2,"streams":[{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50}]}"#
        ),
        Ok(Request::unsubscribe(2, [key.clone()]))
    );
    assert_eq!(
        Request::parse(
            r#"{"op":"update","id":2,"streams":[{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"to":{"depth":10,"group":null}}]}"#
        ),
        Ok(Request::update(
            2,
            [StreamUpdate {
                key,
                to: StreamChange {
                    depth: Some(Depth::D10),
                    group: Some(None),
                    ..StreamChange::default()
                },
            }]
        ))
    );
    assert_eq!(
        Request::parse(r#"{"op":"list","id":3,"match":"BINANCE:*"}"#),
        Ok(Request::list(3, Some(Symbol::parse("BINANCE:*").unwrap())))
    );
    assert_eq!(
        Request::parse(r#"{"id":4,"op":"ping"}"#),
        Ok(Request::ping(4))
    );
}

#[test]
fn an_update_names_what_may_change() {
    let stream = |to: &str| {
        format!(r#"{{"op":"update","streams":[{{"channel":"trades","symbol":"A:B"{to}}}]}}"#)
    };
    let error = |to: &str| {
        let Ok(Request::Update { mut streams, .. }) = Request::parse(&stream(to)) else {
            panic!("an update");
        };
        streams.remove(0).unwrap_err().error
    };
    assert_eq!(
        error("").message,
        "to is missing, and may be an object with depth, speed, group, interval or policy"
    );
    assert_eq!(
        error(r#","to":{"symbol":"A:C"}"#).message,
        "symbol is not a field here, and may be depth, speed, group, interval or policy"
    );
    assert_eq!(
        error(r#","to":{"depth":5}"#).message,
        "depth is 5, and the channel trades has none"
    );
}

fn symbols() -> impl Strategy<Value = Symbol> {
    select(
        &[
            "BINANCE:BTC-USDT",
            "A:é",
            "*",
            "*:BTC*",
            "x\"\\*",
            "list:majors",
        ][..],
    )
    .prop_map(|text| Symbol::parse(text).unwrap())
}

fn steps() -> impl Strategy<Value = PriceStep> {
    select(&["0.01", "0.5", "1", "250", "1e9", "0.000000000000000001"][..])
        .prop_map(|text| PriceStep::parse(text).unwrap())
}

fn keys() -> impl Strategy<Value = StreamKey> {
    let views = (
        select(&Depth::ALL),
        select(&Speed::ALL),
        option::of(steps()),
        select(&BarInterval::ALL),
    );
    (select(&Channel::ALL), symbols(), views).prop_map(
        |(channel, symbol, (depth, speed, group, interval))| {
            let book = channel == Channel::Book;
            StreamKey {
                channel,
                symbol,
                depth: if book { depth } else { Depth::Full },
                speed,
                group: group.filter(|_| book),
                interval: if channel == Channel::Bars {
                    interval
                } else {
                    BarInterval::default()
                },
            }
        },
    )
}

fn stream_requests() -> impl Strategy<Value = StreamRequest> {
    let place = prop_oneof![
        Just((None, None)),
        (any::<u32>(), -1i64..).prop_map(|(epoch, seq)| (Some((Epoch(epoch), Seq(seq))), None)),
        any::<u64>().prop_map(|time| (None, Some(Start::Time(Nanos(time))))),
        (-1i64..).prop_map(|seq| (None, Some(Start::Seq(Seq(seq))))),
    ];
    let pace = option::of(1u32..1_000_000).prop_map(|hundredths| {
        hundredths.and_then(|it| Pace::parse(&market::decimal::to_string(i64::from(it), -2)))
    });
    (keys(), select(&Policy::ALL), place, pace).prop_map(|(key, policy, (resume, start), pace)| {
        let mut request = StreamRequest::from(key).policy(policy);
        if let Some((epoch, seq)) = resume {
            request = request.resume(epoch, seq);
        }
        let pace = pace.filter(|_| start.is_some());
        StreamRequest {
            start,
            pace,
            ..request
        }
    })
}

fn updates() -> impl Strategy<Value = StreamUpdate> {
    let changes = (
        option::of(select(&Depth::ALL)),
        option::of(option::of(steps())),
    );
    let others = (
        option::of(select(&Speed::ALL)),
        option::of(select(&Policy::ALL)),
        option::of(select(&BarInterval::ALL)),
    );
    (keys(), changes, others).prop_map(|(key, (depth, group), (speed, policy, interval))| {
        let bars = key.channel == Channel::Bars;
        let book = key.channel == Channel::Book;
        StreamUpdate {
            to: StreamChange {
                depth: depth.filter(|_| book),
                speed,
                group: group.filter(|_| book),
                interval: interval.filter(|_| bars),
                policy,
            },
            key,
        }
    })
}

fn requests() -> impl Strategy<Value = Request> {
    use proptest::collection::vec;
    let id = || {
        prop_oneof![
            any::<u64>().prop_map(RequestId::from),
            "\\PC{0,9}".prop_map(|text| RequestId::from(text.as_str()))
        ]
    };
    prop_oneof![
        (id(), vec(stream_requests(), 1..5))
            .prop_map(|(id, streams)| Request::subscribe(id, streams)),
        (id(), vec(keys(), 1..5)).prop_map(|(id, keys)| Request::unsubscribe(id, keys)),
        (id(), vec(updates(), 1..5)).prop_map(|(id, updates)| Request::update(id, updates)),
        (id(), option::of(symbols())).prop_map(|(id, matching)| Request::list(id, matching)),
        id().prop_map(Request::ping),
    ]
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_written(request in requests()) {
        prop_assert_eq!(Request::parse(&request.to_json()), Ok(request));
    }

    #[test]
    fn no_text_can_make_parsing_panic(text in "\\PC{0,60}", stream in "[\\[\\]{}:,\"a-z0-9*. ]{0,60}") {
        let _ = Request::parse(&text);
        let _ = Request::parse(&format!("{{\"op\":\"subscribe\",\"streams\":[{stream}]}}"));
        let _ = Answer::parse(&text);
    }
}
