//! What the SBE codec guarantees.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/examples.rs"]
mod examples;
#[path = "support/random.rs"]
mod random;

use examples::examples;
use market::{Bbo, Channel, Level, Nanos};
use proptest::prelude::*;
use wire::sbe::{self, Body, DecodeError, EncodeError, Fault, Message, Messages};
use wire::{Head, OwnedBody, OwnedMessage};

fn encode(message: &OwnedMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).unwrap();
    bytes
}

/// Reads everything there is in a payload, down to the last level and trade.
fn read_all(payload: &[u8]) -> Vec<Result<OwnedMessage, DecodeError>> {
    Messages::new(payload)
        .map(|message| message.map(Message::into_owned))
        .collect()
}

#[test]
fn every_message_comes_back_as_it_was() {
    for message in examples() {
        assert_eq!(read_all(&encode(&message)), [Ok(message)]);
    }
}

#[test]
fn messages_in_one_payload_come_back_in_order() {
    let messages = examples();
    let mut payload = Vec::new();
    for message in &messages {
        message.encode(&mut payload).unwrap();
    }
    let expected: Vec<_> = messages.into_iter().map(Ok).collect();
    assert_eq!(read_all(&payload), expected);
}

#[test]
fn a_payload_that_ends_anywhere_is_a_typed_error() {
    for message in examples() {
        let bytes = encode(&message);
        for end in 1..bytes.len() {
            let error = Message::decode(&bytes[..end]).unwrap_err();
            assert!(matches!(error.fault, Fault::Truncated { .. }), "{error}");
            assert!(error.ends_payload());
            assert!(error.offset <= end, "{error}");
        }
    }
    assert!(read_all(&[]).is_empty());
}

#[test]
fn the_publish_time_stands_at_byte_48_of_every_message() {
    assert_eq!(sbe::PUBLISH_TIME_OFFSET, 48);
    for message in examples() {
        let mut bytes = encode(&message);
        let before = bytes.clone();
        sbe::stamp(&mut bytes, Nanos(0x0102_0304_0506_0708));
        assert_eq!(bytes[..48], before[..48]);
        assert_eq!(bytes[48..56], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[56..], before[56..]);
        let (stamped, _) = Message::decode(&bytes).unwrap();
        assert_eq!(stamped.head.publish_time, Nanos(0x0102_0304_0506_0708));
    }
}

#[test]
fn a_later_version_with_longer_blocks_is_read() {
    for message in examples() {
        let bytes = encode(&message);
        let block = u16::from_le_bytes([bytes[0], bytes[1]]);
        let end = 8 + usize::from(block);
        let mut later = Vec::new();
        later.extend_from_slice(&(block + 5).to_le_bytes());
        later.extend_from_slice(&bytes[2..6]);
        later.extend_from_slice(&9u16.to_le_bytes());
        later.extend_from_slice(&bytes[8..end]);
        later.extend_from_slice(&[0xff; 5]);
        later.extend_from_slice(&bytes[end..]);
        later.extend_from_slice(&bytes);
        assert_eq!(read_all(&later), [Ok(message.clone()), Ok(message)]);
    }
}

#[test]
fn a_later_version_with_longer_entries_is_read() {
    let mut bytes = Vec::new();
    let head = examples::usual_head();
    sbe::book_delta(&mut bytes, &head, 7, [].into_iter(), [].into_iter()).unwrap();
    bytes.truncate(bytes.len() - 8);
    for side in 0..2_i64 {
        bytes.extend_from_slice(&20u16.to_le_bytes());
        bytes.extend_from_slice(&2u16.to_le_bytes());
        for i in 0..2 {
            bytes.extend_from_slice(&(side * 10 + i).to_le_bytes());
            bytes.extend_from_slice(&(side * 10 + i + 5).to_le_bytes());
            bytes.extend_from_slice(&[0xff; 4]);
        }
    }
    let expected = OwnedBody::BookDelta {
        checksum: 7,
        bids: vec![Level::new(0, 5), Level::new(1, 6)],
        asks: vec![Level::new(10, 15), Level::new(11, 16)],
    };
    assert_eq!(
        read_all(&bytes),
        [Ok(OwnedMessage {
            head,
            body: expected
        })]
    );
}

#[test]
fn an_unknown_value_costs_one_message() {
    let head = examples::usual_head();
    let mut bytes = Vec::new();
    sbe::heartbeat(&mut bytes, &head, Channel::Book);
    bytes[8 + 56] = 77;
    sbe::heartbeat(&mut bytes, &head, Channel::Bbo);
    let error = DecodeError {
        message: "Heartbeat",
        field: "channel",
        offset: 64,
        fault: Fault::UnknownValue(77),
    };
    assert_eq!(
        error.to_string(),
        "Heartbeat.channel at byte 64: 77 is not a value of its enum"
    );
    let next = OwnedMessage {
        head,
        body: OwnedBody::Heartbeat(Channel::Bbo),
    };
    assert_eq!(read_all(&bytes), [Err(error), Ok(next)]);
}

#[test]
fn a_wrong_trade_costs_its_message_only() {
    let trades = examples()
        .into_iter()
        .find(|message| matches!(&message.body, OwnedBody::Trades(trades) if trades.len() == 4));
    let mut bytes = encode(&trades.unwrap());
    let first_id = 8 + 56 + 4 + 17 + 1;
    bytes[first_id] = 0xff;
    let heartbeat = OwnedMessage {
        head: examples::usual_head(),
        body: OwnedBody::Heartbeat(Channel::Bbo),
    };
    heartbeat.encode(&mut bytes).unwrap();
    let [Err(error), Ok(next)] = &read_all(&bytes)[..] else {
        panic!("one error, then the heartbeat");
    };
    assert_eq!(
        (error.field, error.offset, error.fault),
        ("tradeId", first_id - 1, Fault::NotUtf8)
    );
    assert_eq!(*next, heartbeat);
}

#[test]
fn an_unknown_template_ends_the_payload_and_says_so() {
    let mut bytes = Vec::new();
    sbe::heartbeat(&mut bytes, &examples::usual_head(), Channel::Book);
    bytes[2] = 99;
    sbe::heartbeat(&mut bytes, &examples::usual_head(), Channel::Book);
    let [Err(error)] = read_all(&bytes)[..] else {
        panic!("one error, then nothing");
    };
    assert_eq!((error.field, error.offset), ("templateId", 2));
    assert_eq!(error.fault, Fault::UnknownTemplate(99));
}

#[test]
fn another_schema_is_refused() {
    let mut bytes = Vec::new();
    sbe::heartbeat(&mut bytes, &examples::usual_head(), Channel::Book);
    bytes[4] ^= 1;
    let error = Message::decode(&bytes).unwrap_err();
    assert_eq!(error.fault, Fault::OtherSchema(7411 ^ 1));
}

#[test]
fn half_a_side_is_refused() {
    let bbo = Bbo {
        bid: Some(Level::new(1, 2)),
        ask: None,
    };
    let mut bytes = Vec::new();
    sbe::bbo(&mut bytes, &examples::usual_head(), &bbo);
    bytes[8 + 64..8 + 72].copy_from_slice(&i64::MIN.to_le_bytes());
    let error = Message::decode(&bytes).unwrap_err();
    assert_eq!((error.field, error.fault), ("bidPrice", Fault::HalfNull));
}

#[test]
fn a_block_or_an_entry_shorter_than_version_0_is_refused() {
    let mut bytes = Vec::new();
    let head = examples::usual_head();
    let level = [Level::new(1, 2)];
    sbe::book_delta(&mut bytes, &head, 0, level.into_iter(), [].into_iter()).unwrap();
    let mut short_block = bytes.clone();
    short_block[0] -= 1;
    let fault = Message::decode(&short_block).unwrap_err().fault;
    assert_eq!(
        fault,
        Fault::TooShort {
            length: 59,
            least: 60
        }
    );
    let mut short_entry = bytes;
    short_entry[8 + 60] -= 1;
    let error = Message::decode(&short_entry).unwrap_err();
    assert_eq!(
        (error.field, error.fault),
        (
            "bids",
            Fault::TooShort {
                length: 15,
                least: 16
            }
        )
    );
}

#[test]
fn what_is_too_large_leaves_the_buffer_as_it_was() {
    let head = examples::usual_head();
    let mut out = b"before".to_vec();
    let levels = |len| std::iter::repeat_n(Level::new(1, 1), len);
    let delta = sbe::book_delta(&mut out, &head, 0, levels(0), levels(60_001));
    let error = EncodeError::TooManyEntries {
        message: "BookDelta",
        group: "asks",
        len: 60_001,
        max: 60_000,
    };
    assert_eq!(delta, Err(error));
    assert!(sbe::book_snapshot(&mut out, &head, 0, 0, 1, levels(1_001), levels(0)).is_err());
    let long = "x".repeat(255);
    let trade = |id| market::Trade {
        price: market::Price(1),
        size: market::Size(1),
        side: Default::default(),
        id,
    };
    assert!(
        sbe::trades(
            &mut out,
            &head,
            [trade(""), trade(long.as_str())].into_iter()
        )
        .is_err()
    );
    assert!(sbe::trades(&mut out, &head, std::iter::repeat_n(trade(""), 60_001)).is_err());
    assert_eq!(out, b"before");
    sbe::book_delta(&mut out, &head, 0, levels(60_000), levels(60_000)).unwrap();
}

#[test]
fn a_warm_buffer_is_not_allocated_again() {
    let messages = examples();
    let mut out = Vec::new();
    for message in &messages {
        message.encode(&mut out).unwrap();
    }
    let (place, capacity) = (out.as_ptr(), out.capacity());
    for _ in 0..3 {
        out.clear();
        for message in &messages {
            message.encode(&mut out).unwrap();
        }
        assert_eq!((out.as_ptr(), out.capacity()), (place, capacity));
    }
}

#[test]
fn groups_know_how_many_entries_are_left() {
    let bytes = encode(
        &examples()
            .into_iter()
            .find(|m| matches!(&m.body, OwnedBody::BookDelta { checksum: 2, .. }))
            .unwrap(),
    );
    let (message, rest) = Message::decode(&bytes).unwrap();
    assert!(rest.is_empty());
    let Body::BookDelta(delta) = message.body else {
        panic!("a delta");
    };
    assert_eq!((delta.bids.len(), delta.asks.len()), (4_000, 1_000));
    let mut bids = delta.bids;
    bids.next();
    assert_eq!(bids.len(), 3_999);
}

#[test]
fn a_message_of_the_connection_is_of_no_instrument() {
    let head = Head::of_connection(Nanos(1));
    assert_eq!(
        (head.instrument.0, head.seq.0, head.prev_seq.0),
        (0, -1, -1)
    );
}

proptest! {
    #[test]
    fn random_messages_come_back_as_they_were(messages in proptest::collection::vec(random::message(), 1..5)) {
        let mut payload = Vec::new();
        for message in &messages {
            message.encode(&mut payload).unwrap();
        }
        let expected: Vec<_> = messages.into_iter().map(Ok).collect();
        prop_assert_eq!(read_all(&payload), expected);
    }

    #[test]
    fn no_bytes_can_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn no_bytes_behind_a_right_header_can_make_it_panic(
        template in 0u16..14,
        block in 0u16..140,
        bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..400),
    ) {
        let mut payload = Vec::new();
        payload.extend_from_slice(&block.to_le_bytes());
        payload.extend_from_slice(&template.to_le_bytes());
        payload.extend_from_slice(&7411u16.to_le_bytes());
        payload.extend_from_slice(&[0, 0]);
        payload.extend_from_slice(&bytes);
        for result in read_all(&payload) {
            if let Err(error) = result {
                prop_assert!(error.offset <= payload.len());
            }
        }
    }

    #[test]
    fn no_damage_to_a_message_can_make_it_panic(
        message in random::message(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encode(&message);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read_all(&bytes);
    }
}
