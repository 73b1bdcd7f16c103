//! Centrifugo's protocol in protobuf. A WebSocket message holds several replies, each after its
//! length; a publication is `Reply.push.pub.data`.

use std::net::TcpStream;

use anyhow::{Context as _, ensure};

use crate::peers::conversation::Conversation;
use crate::peers::tally::Tally;
use crate::websocket::frames::{self, BINARY};

const LEN: u64 = 2;
const fn field(number: u64, wire: u64) -> u64 {
    number << 3 | wire
}

const ERROR: u64 = field(2, LEN);
const PUSH: u64 = field(4, LEN);
const PUB: u64 = field(4, LEN);
const DATA: u64 = field(4, LEN);
/// Field tags of `Command.connect` and `Command.subscribe`, and of the channel of the latter.
const CONNECT: u8 = 4 << 3 | 2;
const SUBSCRIBE: u8 = 5 << 3 | 2;
const CHANNEL: u8 = 1 << 3 | 2;
const ID: u8 = 1 << 3;

pub(super) fn connect(stream: TcpStream, wants: &[u16]) -> anyhow::Result<Conversation> {
    let mut conversation =
        Conversation::open(stream, "/connection/websocket", Some("centrifuge-protobuf"))?;
    let mut commands = Vec::new();
    append(&mut commands, &[ID, 1, CONNECT, 0])?;
    for (index, topic) in wants.iter().enumerate() {
        let name = topic.to_string();
        let len = u8::try_from(name.len())?;
        let id = u8::try_from(index + 2).context("too many topics")?;
        ensure!(id < 0x80, "too many topics");
        let mut command = vec![ID, id, SUBSCRIBE, len + 2, CHANNEL, len];
        command.extend_from_slice(name.as_bytes());
        append(&mut commands, &command)?;
    }
    conversation.send(BINARY, &commands)?;
    let mut answered = 0;
    while answered < wants.len() + 1 {
        let (_, payload) = conversation.next()?;
        let mut replies = payload.as_slice();
        while !replies.is_empty() {
            let reply = bytes(&mut replies)?;
            let mut fields = reply;
            while !fields.is_empty() {
                let tag = varint(&mut fields)?;
                ensure!(tag != ERROR, "rejected: {}", String::from_utf8_lossy(reply));
                answered += usize::from(tag == u64::from(ID));
                skip(tag, &mut fields)?;
            }
        }
    }
    Ok(conversation)
}

fn append(commands: &mut Vec<u8>, command: &[u8]) -> anyhow::Result<()> {
    let len = u8::try_from(command.len())?;
    ensure!(len < 0x80, "a command is too long");
    commands.push(len);
    commands.extend_from_slice(command);
    Ok(())
}

pub(super) fn take(mut replies: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> anyhow::Result<()> {
    while !replies.is_empty() {
        let reply = bytes(&mut replies)?;
        if reply.is_empty() {
            // A ping, answered by an empty command.
            frames::append_masked(out, BINARY, &[0]);
        } else if let Some(data) = inner(reply, &[PUSH, PUB, DATA])? {
            tally.message(data)?;
        }
    }
    Ok(())
}

/// The field at a path of nested fields.
#[inline]
fn inner<'a>(mut message: &'a [u8], path: &[u64]) -> anyhow::Result<Option<&'a [u8]>> {
    'path: for wanted in path {
        while !message.is_empty() {
            let tag = varint(&mut message)?;
            if tag == *wanted {
                message = bytes(&mut message)?;
                continue 'path;
            }
            skip(tag, &mut message)?;
        }
        return Ok(None);
    }
    Ok(Some(message))
}

fn skip(tag: u64, bytes_left: &mut &[u8]) -> anyhow::Result<()> {
    match tag & 7 {
        0 => varint(bytes_left).map(|_| ()),
        LEN => bytes(bytes_left).map(|_| ()),
        wire => anyhow::bail!("protobuf of wire type {wire}"),
    }
}

#[inline]
fn bytes<'a>(left: &mut &'a [u8]) -> anyhow::Result<&'a [u8]> {
    let len = usize::try_from(varint(left)?)?;
    let (bytes, rest) = left.split_at_checked(len).context("protobuf ends early")?;
    *left = rest;
    Ok(bytes)
}

#[inline]
fn varint(left: &mut &[u8]) -> anyhow::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = left.split_first().context("protobuf ends early")?;
        *left = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    anyhow::bail!("a varint is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publications_are_found_and_pings_are_answered() {
        let mut publication = vec![4 << 3 | 2, 16];
        publication.extend_from_slice(&[9; 16]);
        let mut push = vec![CHANNEL, 2, b'1', b'7', 4 << 3 | 2, 18];
        push.extend_from_slice(&publication);
        let mut reply = vec![4 << 3 | 2, u8::try_from(push.len()).unwrap()];
        reply.extend_from_slice(&push);
        let mut frame = Vec::new();
        append(&mut frame, &reply).unwrap();
        append(&mut frame, &[]).unwrap();
        append(&mut frame, &reply).unwrap();

        let (mut tally, mut out) = (Tally::new().unwrap(), Vec::new());
        tally.measuring(true);
        take(&frame, &mut tally, &mut out).unwrap();
        assert_eq!((tally.deliveries, tally.bytes), (2, 32));
        assert!(!out.is_empty());
        assert!(take(&frame[..5], &mut tally, &mut out).is_err());
    }
}
