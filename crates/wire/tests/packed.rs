//! What the packed encoding guarantees.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test may read files and clocks, and run programs"
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
#[path = "support/vectors.rs"]
mod vectors;

use examples::examples;
use market::{Epoch, Exponents, InstrumentId, Level, Nanos, Seq};
use proptest::prelude::*;
use wire::json::{self, InstrumentText};
use wire::packed::{Messages, Packer};
use wire::sbe::{DecodeError, Fault, Message};
use wire::{Head, OwnedBody, OwnedMessage, View};

fn sbe(message: &OwnedMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).unwrap();
    bytes
}

/// The message through SBE to its packed form, as a node makes it.
fn pack(message: &OwnedMessage) -> Vec<u8> {
    let bytes = sbe(message);
    let (message, _) = Message::decode(&bytes).unwrap();
    let mut out = Vec::new();
    Packer::default().pack(&mut out, &message);
    out
}

fn read_all(payload: &[u8]) -> Vec<Result<OwnedMessage, DecodeError>> {
    Messages::new(payload).collect()
}

#[track_caller]
fn check(message: &OwnedMessage) {
    let packed = pack(message);
    let [Ok(back)] = &read_all(&packed)[..] else {
        panic!("one message: {:?}", read_all(&packed));
    };
    assert_eq!(back, message);
    assert_eq!(sbe(back), sbe(message), "the same SBE, byte for byte");
}

#[test]
fn every_message_comes_back_as_it_was() {
    for message in examples() {
        check(&message);
    }
}

#[test]
fn messages_in_one_payload_come_back_in_order() {
    let messages = examples();
    let payload: Vec<u8> = messages.iter().flat_map(pack).collect();
    let expected: Vec<_> = messages.into_iter().map(Ok).collect();
    assert_eq!(read_all(&payload), expected);
}

#[test]
fn the_vectors_are_what_is_written_and_read() {
    for vector in vectors::read() {
        let expected = vectors::make(&vector.name, &vector.message(), &pack(&vector.message()));
        assert_eq!(vector, expected, "{}", vector.name);
        assert_eq!(read_all(&vector.packed()), [Ok(vector.message())]);
    }
    let names: Vec<_> = vectors::read().into_iter().map(|v| v.name).collect();
    let known: Vec<_> = vectors::messages().into_iter().map(|v| v.0).collect();
    assert_eq!(names, known);
}

#[test]
#[ignore = "rewrites the vectors after a change of the format"]
fn write_the_vectors() {
    let all: Vec<_> = vectors::messages()
        .iter()
        .map(|(name, message)| vectors::make(name, message, &pack(message)))
        .collect();
    vectors::write(&all);
}

#[test]
fn the_documentation_shows_what_is_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    for message in examples::everyday() {
        if let OwnedBody::BookDelta { .. } | OwnedBody::Trades(_) = message.body {
            let hex = vectors::hex(&pack(&message));
            assert!(
                documentation.contains(&hex),
                "docs/protocol.md lacks\n{hex}"
            );
        }
    }
}

#[test]
fn a_payload_that_ends_anywhere_is_a_typed_error() {
    for message in examples() {
        let bytes = pack(&message);
        for end in 1..bytes.len() {
            let [Err(error)] = &read_all(&bytes[..end])[..] else {
                panic!("one error at {end} of {}", bytes.len());
            };
            assert!(matches!(error.fault, Fault::Truncated { .. }), "{error}");
            assert!(error.ends_payload() && error.offset <= end, "{error}");
        }
    }
    assert!(read_all(&[]).is_empty());
}

#[test]
fn an_unknown_value_costs_one_message() {
    let message = |channel| OwnedMessage {
        // Its body begins with a byte.
        head: Head::of_connection(Nanos(1)),
        body: OwnedBody::Heartbeat(channel),
    };
    let mut bytes = pack(&message(market::Channel::Book));
    let at = bytes.len() - 1;
    bytes[at] = 77;
    bytes.extend(pack(&message(market::Channel::Bbo)));
    let error = DecodeError {
        message: "Heartbeat",
        field: "channel",
        offset: at,
        fault: Fault::UnknownValue(77),
    };
    assert_eq!(
        read_all(&bytes),
        [Err(error), Ok(message(market::Channel::Bbo))]
    );
}

#[test]
fn what_is_reserved_or_unknown_ends_the_payload_and_says_so() {
    let bytes = pack(&examples::everyday()[8]);
    let with_first = |byte| [&[byte][..], &bytes[1..]].concat();
    for (first, fault) in [
        (0x00, Fault::UnknownTemplate(0)),
        (0xf0, Fault::UnknownTemplate(15)),
        (0x96, Fault::Reserved),
        (0x9c, Fault::Reserved),
    ] {
        let [Err(error)] = read_all(&with_first(first))[..] else {
            panic!("one error for {first:#x}");
        };
        assert_eq!(error.fault, fault, "{first:#x}");
    }
}

#[test]
fn all_but_the_publish_time_is_the_same_on_two_nodes() {
    for message in examples::everyday() {
        let mut other = message.clone();
        other.head.publish_time.0 += 1_234_567;
        let (one, other) = (pack(&message), pack(&other));
        let behind = |bytes: &[u8]| {
            let varint = bytes[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
            (bytes[0], bytes[1 + varint..].to_vec())
        };
        if message.head.log_time.0 == 0 {
            assert_eq!((one[0], &one[9..]), (other[0], &other[9..]));
        } else {
            assert_eq!(behind(&one), behind(&other));
        }
    }
}

#[test]
fn a_few_bytes_cannot_ask_for_much_memory() {
    let delta = OwnedMessage {
        head: Head::of_connection(Nanos(1)),
        body: OwnedBody::BookDelta {
            checksum: 0,
            bids: vec![],
            asks: vec![],
        },
    };
    let mut bytes = pack(&delta);
    bytes.pop();
    // 16 zeros, then 2^16 and a low bit: an Exp-Golomb code of 131,071 levels.
    bytes.extend_from_slice(&[0, 0, 0x80, 0, 0x40, 0xff, 0xff]);
    let [Err(error)] = read_all(&bytes)[..] else {
        panic!("one error");
    };
    let fault = Fault::TooMany {
        len: 131_071,
        max: 60_000,
    };
    assert_eq!((error.field, error.fault), ("bids", fault));
}

/// A book as venues have it: prices on a grid, sizes in lots.
fn grid() -> impl Strategy<Value = OwnedMessage> {
    let side =
        || proptest::collection::vec((0i64..40, prop_oneof![Just(0), 0i64..100_000_000]), 0..60);
    (
        (any::<u32>(), 0i64..1 << 40, 0i64..200),
        (0u32..12, 0u32..9, -1_000i64..100_000),
        (
            proptest::option::of(-2_000_000i64..2_000_000),
            0i64..50_000_000,
        ),
        (side(), side()),
    )
        .prop_map(
            |((checksum, seq, distance), (step, lot, top), times, sides)| {
                let (step, lot) = (10i64.pow(step), 10i64.pow(lot));
                let log = 1_723_075_200_125_000_000u64;
                let levels = |side: Vec<(i64, i64)>, direction: i64| {
                    let mut price = top;
                    side.into_iter()
                        .map(|(gap, size)| {
                            price += direction * (gap + 1);
                            Level::new(price * step, size * lot)
                        })
                        .collect()
                };
                OwnedMessage {
                    head: Head {
                        instrument: InstrumentId(u64::from(checksum) << 21),
                        epoch: Epoch(checksum),
                        view: View(if distance < 100 { 0 } else { checksum }),
                        prev_seq: Seq((seq - distance).max(-1)),
                        seq: Seq(seq),
                        event_time: times
                            .0
                            .map(|micros| Nanos(log.wrapping_add_signed(micros * 1_000))),
                        log_time: Nanos(log),
                        publish_time: Nanos(log.wrapping_add_signed(times.1)),
                    },
                    body: OwnedBody::BookDelta {
                        checksum,
                        bids: levels(sides.0, -1),
                        asks: levels(sides.1, 1),
                    },
                }
            },
        )
}

proptest! {
    #[test]
    fn random_messages_come_back_as_they_were(messages in proptest::collection::vec(random::message(), 1..5)) {
        let payload: Vec<u8> = messages.iter().flat_map(pack).collect();
        let expected: Vec<_> = messages.into_iter().map(Ok).collect();
        prop_assert_eq!(read_all(&payload), expected);
    }

    #[test]
    fn books_on_a_grid_come_back_as_they_were(message in grid()) {
        check(&message);
    }

    #[test]
    fn sbe_packed_and_json_say_the_same(message in prop_oneof![random::message(), grid()], exponents in (-18i8..3, -18i8..3)) {
        let text = InstrumentText {
            name: "BINANCE:BTC-USDT",
            exponents: Exponents { price: exponents.0, size: exponents.1 },
        };
        let bytes = sbe(&message);
        let (decoded, rest) = Message::decode(&bytes).unwrap();
        prop_assert!(rest.is_empty());
        let mut out = Vec::new();
        json::write(&mut out, &decoded, &text);
        let from_packed = read_all(&pack(&message));
        prop_assert_eq!(&from_packed[..], &[Ok(decoded.into_owned())][..]);
        if let Ok(from_json) = json::read(&out, |_| Some(text.exponents)) {
            prop_assert_eq!(&from_json, &message);
        }
    }

    #[test]
    fn no_bytes_can_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for error in read_all(&bytes).into_iter().filter_map(Result::err) {
            prop_assert!(error.offset <= bytes.len());
        }
    }

    #[test]
    fn no_bytes_behind_a_right_head_can_make_it_panic(
        kind in 0u8..16,
        bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), Just(0x80), any::<u8>()], 0..400),
    ) {
        let mut payload = pack(&examples::everyday()[2]);
        payload[0] = payload[0] & 0xf | kind << 4;
        payload.truncate(24);
        payload.extend_from_slice(&bytes);
        for read in read_all(&payload).into_iter().flatten() {
            // What was read is a message like any other.
            prop_assert_eq!(read_all(&pack(&read)), [Ok(read)]);
        }
    }

    #[test]
    fn no_damage_to_a_message_can_make_it_panic(
        message in prop_oneof![random::message(), grid()],
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = pack(&message);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for read in read_all(&bytes).into_iter().flatten() {
            prop_assert_eq!(read_all(&pack(&read)), [Ok(read)]);
        }
    }
}
