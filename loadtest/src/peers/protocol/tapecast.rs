//! Our own protocol. Only `Bbo` messages count, with their `eventTime` as the time when they were
//! due.

use std::net::TcpStream;

use anyhow::{Context as _, ensure};
use wire::SUBPROTOCOL_SBE;

use crate::peers::conversation::Conversation;
use crate::peers::tally::Tally;
use crate::subscribe::EVENT_TIME_OFFSET;
use crate::websocket::frames::TEXT;

/// The channel to subscribe to. Only messages of its template are deliveries.
const CHANNEL: &str = "bbo";
const BBO: u16 = 4;
/// Bytes of a message header.
const HEADER: usize = 8;

/// The instrument of a topic.
fn symbol(topic: u16) -> String {
    format!("LOAD:I{:05}", u32::from(topic) + 1)
}

pub(super) fn connect(stream: TcpStream, wants: &[u16]) -> anyhow::Result<Conversation> {
    let mut conversation = Conversation::open(stream, "/ws", Some(SUBPROTOCOL_SBE))?;
    let streams: Vec<String> = wants
        .iter()
        .map(|topic| format!(r#"{{"channel":"{CHANNEL}","symbol":"{}"}}"#, symbol(*topic)))
        .collect();
    let request = format!(
        r#"{{"op":"subscribe","id":1,"streams":[{}]}}"#,
        streams.join(",")
    );
    conversation.send(TEXT, request.as_bytes())?;
    let answer = conversation.until(|opcode, _| opcode == TEXT)?;
    let answer = String::from_utf8_lossy(&answer);
    ensure!(
        answer.contains(r#""op":"subscribed""#) && !answer.contains(r#""ok":false"#),
        "cannot subscribe: {answer}"
    );
    Ok(conversation)
}

/// Counts each `Bbo` in a WebSocket message.
#[inline]
pub(super) fn take(mut bytes: &[u8], tally: &mut Tally) -> anyhow::Result<()> {
    // Messages with groups have a frame of their own.
    while u16_at(bytes, 2)? == BBO {
        let len = HEADER + usize::from(u16_at(bytes, 0)?);
        let (message, rest) = bytes
            .split_at_checked(len)
            .context("a message ends early")?;
        let time = message[EVENT_TIME_OFFSET..].first_chunk();
        let time = time.context("a message ends early")?;
        tally.deliver(u64::from_le_bytes(*time), len);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    Ok(())
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> anyhow::Result<u16> {
    let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes
        .map(|bytes| u16::from_le_bytes(*bytes))
        .context("a message ends early")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: u64 = 1_723_075_200_125_678_901;

    fn message(template: u8, block: u8) -> Vec<u8> {
        let mut message = vec![0; 8 + usize::from(block)];
        message[..4].copy_from_slice(&[block, 0, template, 0]);
        message[EVENT_TIME_OFFSET..EVENT_TIME_OFFSET + 8].copy_from_slice(&PUBLISHED.to_le_bytes());
        message
    }

    #[test]
    fn every_bbo_of_a_websocket_message_counts() {
        let mut tally = Tally::new().unwrap();
        tally.measuring(true);
        tally.read_at(PUBLISHED + 5_000);
        take(&message(4, 88).repeat(3), &mut tally).unwrap();
        assert_eq!((tally.deliveries, tally.bytes), (3, 3 * 96));
        assert_eq!(tally.latency.max() / 1_000, 5);
    }

    #[test]
    fn a_message_that_ends_early_is_an_error() {
        let mut tally = Tally::new().unwrap();
        assert!(take(&message(4, 88)[..70], &mut tally).is_err());
        assert!(take(&[], &mut tally).is_err());
    }

    #[test]
    fn heartbeats_are_no_deliveries() {
        let mut tally = Tally::new().unwrap();
        tally.measuring(true);
        take(&message(9, 57), &mut tally).unwrap();
        assert_eq!(tally.deliveries, 0);
    }
}
