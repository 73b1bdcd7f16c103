//! NATS over WebSocket: its text protocol, `MSG subject sid bytes\r\npayload\r\n`, in binary frames
//! whose boundaries are not those of the messages.

use std::net::TcpStream;

use anyhow::{Context as _, bail, ensure};

use super::Partial;
use crate::peers::conversation::Conversation;
use crate::peers::tally::Tally;
use crate::websocket::frames::{self, BINARY, Head};

/// The longest line; `INFO` has a few hundred bytes.
const MAX_LINE: usize = 64 * 1024;

pub(super) fn connect(stream: TcpStream, wants: &[u16]) -> anyhow::Result<Conversation> {
    let mut conversation = Conversation::open(stream, "/", None)?;
    conversation.until(|_, bytes| bytes.starts_with(b"INFO"))?;
    let mut hello = String::from("CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
    for topic in wants {
        hello.push_str(&format!("SUB {topic} {topic}\r\n"));
    }
    hello.push_str("PING\r\n");
    conversation.send(BINARY, hello.as_bytes())?;
    let answer = conversation.until(|_, bytes| !bytes.starts_with(b"PING"))?;
    ensure!(
        answer.starts_with(b"PONG"),
        "cannot subscribe: {}",
        String::from_utf8_lossy(&answer)
    );
    Ok(conversation)
}

/// Reads frames in pieces, since one may be larger than the buffer.
pub(super) fn take(
    bytes: &[u8],
    partial: &mut Partial,
    tally: &mut Tally,
    replies: &mut Vec<u8>,
) -> anyhow::Result<usize> {
    let mut used = 0;
    while used < bytes.len() {
        if partial.left == 0 {
            let Some(head) = Head::read(&bytes[used..])? else {
                break;
            };
            if !matches!(head.opcode, 0 | BINARY) {
                let Some(payload) = bytes[used + head.head..].get(..head.payload) else {
                    break;
                };
                super::control(head.opcode, payload, replies)?;
                used += head.head + head.payload;
                continue;
            }
            partial.left = head.payload;
            used += head.head;
        }
        let here = partial.left.min(bytes.len() - used);
        piece(
            &bytes[used..used + here],
            &mut partial.message,
            tally,
            replies,
        )?;
        partial.left -= here;
        used += here;
    }
    Ok(used)
}

fn piece(
    bytes: &[u8],
    rest: &mut Vec<u8>,
    tally: &mut Tally,
    replies: &mut Vec<u8>,
) -> anyhow::Result<()> {
    if rest.is_empty() {
        let done = messages(bytes, tally, replies)?;
        rest.extend_from_slice(&bytes[done..]);
    } else {
        rest.extend_from_slice(bytes);
        let done = messages(rest, tally, replies)?;
        rest.drain(..done);
    }
    Ok(())
}

/// Counts each complete message. Returns the number of bytes used.
fn messages(bytes: &[u8], tally: &mut Tally, replies: &mut Vec<u8>) -> anyhow::Result<usize> {
    let mut used = 0;
    loop {
        let left = &bytes[used..];
        // The line of a message is short, so that the payload is never searched.
        let Some(end) = left
            .windows(2)
            .take(MAX_LINE)
            .position(|two| two == b"\r\n")
        else {
            ensure!(left.len() < MAX_LINE, "a line is too long");
            return Ok(used);
        };
        let (line, body) = (&left[..end], end + 2);
        if line.starts_with(b"MSG ") {
            let len = payload_len(line).context("a MSG without its length")?;
            let Some(payload) = left.get(body..body + len) else {
                return Ok(used);
            };
            if left.len() < body + len + 2 {
                return Ok(used);
            }
            tally.message(payload)?;
            used += body + len + 2;
            continue;
        }
        match line {
            b"PING" => frames::append_masked(replies, BINARY, b"PONG\r\n"),
            _ if line.starts_with(b"-ERR") => bail!("{}", String::from_utf8_lossy(line)),
            _ => {}
        }
        used += body;
    }
}

fn payload_len(line: &[u8]) -> Option<usize> {
    let digits = line.rsplit(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_same_however_frames_and_reads_are_cut() {
        let mut stream = Vec::new();
        for topic in 0..50 {
            stream.extend_from_slice(format!("MSG {topic} {topic} 16\r\n").as_bytes());
            stream.extend_from_slice(&[b'\r'; 16]);
            stream.extend_from_slice(b"\r\n");
        }
        stream.extend_from_slice(b"PING\r\n");
        for frame in [7, 100, 1_000, stream.len()] {
            let mut bytes = Vec::new();
            for piece in stream.chunks(frame) {
                frames::append(&mut bytes, BINARY, piece);
            }
            for read in [1, 3, 64, bytes.len()] {
                let mut tally = Tally::new().unwrap();
                tally.measuring(true);
                let (mut partial, mut replies) = (Partial::default(), Vec::new());
                let mut rest: Vec<u8> = Vec::new();
                for piece in bytes.chunks(read) {
                    rest.extend_from_slice(piece);
                    let used = take(&rest, &mut partial, &mut tally, &mut replies).unwrap();
                    rest.drain(..used);
                }
                assert_eq!(
                    (tally.deliveries, tally.bytes),
                    (50, 800),
                    "frames of {frame}, reads of {read}"
                );
                assert!(rest.is_empty() && partial.message.is_empty());
                assert!(!replies.is_empty());
            }
        }
    }

    #[test]
    fn an_error_of_the_server_is_one() {
        let (mut tally, mut replies) = (Tally::new().unwrap(), Vec::new());
        assert!(messages(b"-ERR 'Slow Consumer'\r\n", &mut tally, &mut replies).is_err());
    }
}
