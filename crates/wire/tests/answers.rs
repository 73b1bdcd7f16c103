//! What answers guarantee.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use market::{Channel, Epoch, Exponents, InstrumentId, InstrumentName, Nanos, State};
use proptest::prelude::*;
use wire::control::{
    Answer, ControlError, ErrorCode, InstrumentEntry, Policy, Refusal, Request, RequestId,
    StartKind, StartReason, StreamKey, Subscribed, Unsubscribed,
};
use wire::{Depth, View};

fn btc() -> InstrumentName {
    InstrumentName::parse("BINANCE:BTC-USDT").unwrap()
}

fn answers() -> Vec<(Answer, &'static str)> {
    let id = || Some(RequestId::from(1));
    let stream = StreamKey {
        depth: Depth::D50,
        ..StreamKey::new(Channel::Book, btc())
    };
    let refused = stream.refuse(ControlError::new(
        ErrorCode::UnknownSymbol,
        "symbol is \"X:Y\", and no such",
    ));
    let subscribed = Subscribed {
        stream: stream.clone(),
        policy: Policy::Conflate,
        instrument: InstrumentId(42),
        view: View(5 << 28),
        epoch: Epoch(7),
        exponents: Exponents { price: -2, size: 0 },
        start: StartKind::Snapshot,
        reason: Some(StartReason::EpochChanged),
    };
    let resumed = Subscribed {
        policy: Policy::Disconnect,
        start: StartKind::Resumed,
        reason: None,
        ..subscribed.clone()
    };
    let entry = InstrumentEntry {
        symbol: btc(),
        instrument: InstrumentId(42),
        exponents: Exponents::default(),
        state: State::UpstreamGap,
        channels: vec![Channel::Book, Channel::Status],
    };
    let refusal = Refusal {
        id: None,
        error: ControlError::new(ErrorCode::BadJson, "the \"message\""),
    };
    vec![
        (
            Answer::Subscribed {
                id: id(),
                results: vec![Ok(subscribed), Err(refused.clone())],
            },
            r#"{"op":"subscribed","id":1,"results":[{"stream":{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"speed":"raw","group":null,"policy":"conflate"},"ok":true,"instrument":42,"view":1342177280,"epoch":7,"price_exponent":-2,"size_exponent":0,"start":"snapshot","reason":"epoch_changed"},{"stream":{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"speed":"raw","group":null},"ok":false,"error":{"code":"unknown_symbol","message":"symbol is \"X:Y\", and no such"}}]}"#,
        ),
        (
            Answer::Updated {
                id: id(),
                results: vec![Ok(resumed)],
            },
            r#"{"op":"updated","id":1,"results":[{"stream":{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"speed":"raw","group":null,"policy":"disconnect"},"ok":true,"instrument":42,"view":1342177280,"epoch":7,"price_exponent":-2,"size_exponent":0,"start":"resumed","reason":null}]}"#,
        ),
        (
            Answer::Unsubscribed {
                id: None,
                results: vec![Ok(Unsubscribed { stream }), Err(refused)],
            },
            r#"{"op":"unsubscribed","id":null,"results":[{"stream":{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"speed":"raw","group":null},"ok":true},{"stream":{"channel":"book","symbol":"BINANCE:BTC-USDT","depth":50,"speed":"raw","group":null},"ok":false,"error":{"code":"unknown_symbol","message":"symbol is \"X:Y\", and no such"}}]}"#,
        ),
        (
            Answer::Instruments {
                id: id(),
                instruments: vec![entry],
                next: InstrumentName::parse("BINANCE:BTC-USDT").ok(),
            },
            r#"{"op":"instruments","id":1,"instruments":[{"symbol":"BINANCE:BTC-USDT","instrument":42,"price_exponent":-8,"size_exponent":-8,"state":"UPSTREAM_GAP","channels":["book","status"]}],"next":"BINANCE:BTC-USDT"}"#,
        ),
        (
            Answer::Pong {
                id: Some("x".into()),
                time: Nanos(1_723_075_200_000_000_000),
            },
            r#"{"op":"pong","id":"x","time":"1723075200000000000"}"#,
        ),
        (
            Answer::from(refusal),
            r#"{"op":"error","id":null,"error":{"code":"bad_json","message":"the \"message\""}}"#,
        ),
    ]
}

#[test]
fn every_answer_has_its_shape_and_is_read_back() {
    for (answer, text) in answers() {
        assert_eq!(answer.to_json(), text);
        assert!(Answer::is_answer(text.as_bytes()));
        assert_eq!(Answer::parse(text).unwrap(), answer);
    }
}

#[test]
fn what_a_later_version_adds_to_an_answer_is_passed_over() {
    let text =
        r#"{"op":"error","id":1,"new":[1],"error":{"code":"too_shiny","message":"m","new":{}}}"#;
    let error = ControlError::new(ErrorCode::Other, "m");
    assert_eq!(
        Answer::parse(text).unwrap(),
        Answer::Error {
            id: Some(1.into()),
            error
        }
    );
    assert!(Answer::parse(r#"{"op":"shine","id":1}"#).is_err());
    assert!(Answer::parse(r#"{"op":"pong","id":1}"#).is_err());
}

#[test]
fn every_code_is_read_as_it_is_written() {
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::read(code.as_str()), code);
    }
    for reason in StartReason::ALL {
        assert_eq!(StartReason::read(reason.name()), reason);
    }
}

proptest! {
    #[test]
    fn an_answer_repeats_any_stream_as_valid_json(symbol in "\\PC{0,20}") {
        let stream = serde_json::json!({"channel": "book", "symbol": symbol, "x": 1});
        let text = format!("{{\"op\":\"subscribe\",\"streams\":[{stream}]}}");
        let Ok(Request::Subscribe { id, streams }) = Request::parse(&text) else {
            panic!("a subscription");
        };
        let results: Vec<Result<Subscribed, _>> = streams.into_iter().map(|stream| Err(stream.unwrap_err())).collect();
        let answer = Answer::Subscribed { id, results };
        prop_assert_eq!(Answer::parse(&answer.to_json()).unwrap(), answer);
    }
}
