//! How clients subscribe on each server, and how they find the messages in what it sends.

mod centrifugo;
mod nats;
mod socketio;
mod tapecast;

use std::net::TcpStream;

use anyhow::ensure;

use super::conversation::Conversation;
use super::peer::Protocol;
use super::tally::Tally;
use crate::websocket::frames::{self, BINARY, CLOSE, PING, PONG, TEXT};

/// Incomplete messages of a client, besides unused bytes.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// Missing bytes of a frame that is read in pieces.
    left: usize,
    /// The beginning of a message whose boundaries are not those of frames.
    message: Vec<u8>,
}

/// Connects and subscribes, and waits for the confirmation.
pub(super) fn connect(
    protocol: Protocol,
    stream: TcpStream,
    wants: &[u16],
) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let conversation = match protocol {
        Protocol::Plain => plain(stream, wants),
        Protocol::Tapecast => tapecast::connect(stream, wants),
        Protocol::Nats => nats::connect(stream, wants),
        Protocol::Centrifugo => centrifugo::connect(stream, wants),
        Protocol::Socketio => socketio::connect(stream, wants),
    };
    conversation?.into_parts()
}

/// Counts the messages in what was read. Returns the number of bytes used.
#[inline]
pub(super) fn take(
    protocol: Protocol,
    bytes: &[u8],
    partial: &mut Partial,
    tally: &mut Tally,
    replies: &mut Vec<u8>,
) -> anyhow::Result<usize> {
    if protocol == Protocol::Nats {
        return nats::take(bytes, partial, tally, replies);
    }
    let mut wrong = None;
    let used = frames::each(bytes, |opcode, payload| {
        let taken = match (opcode, protocol) {
            (BINARY, Protocol::Plain | Protocol::Socketio) => tally.message(payload),
            (BINARY, Protocol::Tapecast) => tapecast::take(payload, tally),
            (BINARY, Protocol::Centrifugo) => centrifugo::take(payload, tally, replies),
            (TEXT, Protocol::Socketio) => {
                socketio::answer(payload, replies);
                Ok(())
            }
            _ => control(opcode, payload, replies),
        };
        if let Err(error) = taken {
            wrong.get_or_insert(error);
        }
    })?;
    wrong.map_or(Ok(used), Err)
}

fn control(opcode: u8, payload: &[u8], replies: &mut Vec<u8>) -> anyhow::Result<()> {
    match opcode {
        PING => frames::append_masked(replies, PONG, payload),
        CLOSE => anyhow::bail!("closed by the server: {}", String::from_utf8_lossy(payload)),
        _ => {}
    }
    Ok(())
}

fn plain(stream: TcpStream, wants: &[u16]) -> anyhow::Result<Conversation> {
    let mut conversation = Conversation::open(stream, "/", None)?;
    conversation.send(TEXT, format!(r#"{{"subscribe":{wants:?}}}"#).as_bytes())?;
    let (opcode, answer) = conversation.next()?;
    ensure!(
        opcode == TEXT && answer.starts_with(br#"{"subscribed":"#),
        "cannot subscribe: {}",
        String::from_utf8_lossy(&answer)
    );
    Ok(conversation)
}
