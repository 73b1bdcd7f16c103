//! What the JSON twin guarantees.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test may read files and clocks, and run programs"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/examples.rs"]
mod examples;
#[path = "support/random.rs"]
mod random;

use examples::examples;
use market::{Exponents, InstrumentId, Level};
use proptest::prelude::*;
use wire::json::{self, InstrumentText, ReadError};
use wire::sbe::Message;
use wire::{OwnedBody, OwnedMessage};

const BTC: InstrumentText<'_> = InstrumentText {
    name: "BINANCE:BTC-USDT",
    exponents: Exponents {
        price: -8,
        size: -8,
    },
};

/// The message through SBE to JSON, as a node makes it.
fn write(message: &OwnedMessage, instrument: &InstrumentText<'_>) -> String {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).unwrap();
    let (message, _) = Message::decode(&bytes).unwrap();
    let mut out = Vec::new();
    json::write(&mut out, &message, instrument);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_message_says_the_same_in_json() {
    for message in examples() {
        let text = write(&message, &BTC);
        let back = json::read(text.as_bytes(), |_| Some(BTC.exponents)).unwrap();
        assert_eq!(back, message, "{text}");
    }
}

#[test]
fn the_documentation_shows_what_is_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    for message in examples::everyday() {
        let text = write(&message, &BTC);
        assert!(
            documentation.contains(&text),
            "docs/protocol.md lacks\n{text}"
        );
        if let OwnedBody::BookDelta { .. } | OwnedBody::Trades(_) = message.body {
            let mut bytes = Vec::new();
            message.encode(&mut bytes).unwrap();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                documentation.contains(&hex),
                "docs/protocol.md lacks\n{hex}"
            );
        }
    }
}

#[test]
fn a_side_that_is_empty_is_null_and_a_time_that_is_unknown_is_absent() {
    let empty = OwnedMessage {
        head: examples::first_head(),
        body: OwnedBody::Bbo(market::Bbo::default()),
    };
    assert_eq!(
        write(&empty, &BTC),
        r#"{"type":"Bbo","instrument":"BINANCE:BTC-USDT","instrumentId":1,"prevSeq":-1,"seq":0,"logTime":"0","publishTime":"0","epoch":0,"view":0,"bidPrice":null,"bidSize":null,"askPrice":null,"askSize":null}"#
    );
}

#[test]
fn levels_are_pairs_of_decimals() {
    let delta = OwnedMessage {
        head: examples::first_head(),
        body: OwnedBody::BookDelta {
            checksum: 4_294_967_295,
            bids: vec![
                Level::new(6_183_763_000_000, 0),
                Level::new(-1, 150_000_000),
            ],
            asks: vec![],
        },
    };
    assert!(write(&delta, &BTC).ends_with(
        r#""checksum":4294967295,"bids":[["61837.63","0"],["-0.00000001","1.5"]],"asks":[]}"#
    ));
}

#[test]
fn a_message_of_the_connection_has_no_instrument() {
    let go_away = examples().pop().unwrap();
    assert_eq!(
        write(&go_away, &BTC),
        r#"{"type":"GoAway","instrument":null,"instrumentId":0,"prevSeq":-1,"seq":-1,"logTime":"0","publishTime":"1","epoch":0,"view":0,"reason":"DRAIN","delay":5000,"closeAfter":10000}"#
    );
}

#[test]
fn an_instrument_tells_its_own_scale() {
    for message in examples() {
        let text = write(&message, &BTC);
        let read = json::read(text.as_bytes(), |_| None);
        match message.body {
            OwnedBody::BookSnapshot { .. }
            | OwnedBody::BookDelta { .. }
            | OwnedBody::Bbo(_)
            | OwnedBody::Trades(_)
            | OwnedBody::Ticker(_)
            | OwnedBody::Bar(_) => {
                assert!(
                    matches!(read, Err(ReadError::UnknownInstrument(id)) if id == message.head.instrument)
                );
            }
            _ => assert_eq!(read.unwrap(), message),
        }
    }
}

#[test]
fn what_is_wrong_with_a_text_is_told_by_field() {
    let bbo = OwnedMessage {
        head: examples::first_head(),
        body: OwnedBody::Bbo(market::Bbo {
            bid: Some(Level::new(1, 1)),
            ask: None,
        }),
    };
    let text = write(&bbo, &BTC);
    let read = |text: String| {
        json::read(text.as_bytes(), |_| Some(BTC.exponents))
            .unwrap_err()
            .to_string()
    };
    let fine = text.replace(
        "\"bidPrice\":\"0.00000001\"",
        "\"bidPrice\":\"0.000000001\"",
    );
    assert_eq!(
        read(fine),
        "bidPrice is \"0.000000001\", which has more decimals than exponent -8 holds"
    );
    let half = text.replace("\"bidPrice\":\"0.00000001\"", "\"bidPrice\":null");
    assert_eq!(read(half), "only one of bidPrice and its partner is null");
    let time = text.replace("\"logTime\":\"0\"", "\"logTime\":\"now\"");
    assert_eq!(read(time), "logTime is \"now\"");
    assert!(read(text.replace("\"seq\":0,", "")).contains("missing field `seq`"));
}

#[test]
fn a_warm_buffer_is_not_allocated_again() {
    let mut payload = Vec::new();
    for message in examples() {
        message.encode(&mut payload).unwrap();
    }
    let mut out = Vec::new();
    let write_all = |out: &mut Vec<u8>| {
        for message in wire::sbe::Messages::new(&payload) {
            json::write(out, &message.unwrap(), &BTC);
        }
    };
    write_all(&mut out);
    let (place, capacity) = (out.as_ptr(), out.capacity());
    out.clear();
    write_all(&mut out);
    assert_eq!((out.as_ptr(), out.capacity()), (place, capacity));
}

proptest! {
    #[test]
    fn random_messages_say_the_same_in_json(
        message in random::message(),
        (price, size) in any::<(i8, i8)>(),
        name in "\\PC{1,20}",
    ) {
        let instrument = InstrumentText { name: &name, exponents: Exponents { price, size } };
        let text = write(&message, &instrument);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        if message.head.instrument != InstrumentId(0) {
            prop_assert_eq!(&value["instrument"], &name);
        }
        let back = json::read(text.as_bytes(), |_| Some(instrument.exponents)).unwrap();
        prop_assert_eq!(back, message);
    }

    #[test]
    fn no_text_can_make_reading_panic(text in "\\PC{0,80}") {
        let _ = json::read(text.as_bytes(), |_| Some(BTC.exponents));
    }
}
