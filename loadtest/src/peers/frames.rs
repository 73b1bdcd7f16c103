//! WebSocket frames as a light client reads and writes them: taken where they lie in the buffer.

use anyhow::{Context as _, bail, ensure};

pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const MASK: u8 = 0x80;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) opcode: u8,
    /// The bytes of the head itself.
    pub(super) head: usize,
    pub(super) payload: usize,
}

impl Head {
    /// `None` when more bytes are needed to tell.
    #[inline]
    pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        ensure!(
            first & 0x70 == 0 && second & MASK == 0,
            "a frame of the server is masked, or has reserved bits"
        );
        let (head, payload) = match (second, rest) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (2, u64::from(*short)),
        };
        let payload = usize::try_from(payload).context("a frame is too long")?;
        Ok(Some(Self {
            opcode: first & 0x0f,
            head,
            payload,
        }))
    }
}

/// Hands over each whole frame; returns how many bytes these have.
#[inline]
pub(super) fn each(bytes: &[u8], mut frame: impl FnMut(u8, &[u8])) -> anyhow::Result<usize> {
    let mut used = 0;
    while let Some(head) = Head::read(&bytes[used..])? {
        let start = used + head.head;
        let Some(payload) = bytes.get(start..start + head.payload) else {
            break;
        };
        if bytes[used] & FIN == 0 || head.opcode == 0 {
            bail!("a message of the server is fragmented");
        }
        frame(head.opcode, payload);
        used = start + head.payload;
    }
    Ok(used)
}

/// A server's frame.
pub(super) fn append(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    append_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// A client's frame; its mask is zero, which is as good as any other on a loopback.
pub(super) fn append_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    append_head(out, opcode, payload.len(), MASK);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn append_head(out: &mut Vec<u8>, opcode: u8, len: usize, mask: u8) {
    out.push(FIN | opcode);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..126), _) => out.push(mask | len),
        (_, Ok(len)) => {
            out.push(mask | 126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_as_they_were_written_and_the_rest_is_left() {
        let lens = [0, 1, 64, 125, 126, 300, 65_535, 65_536];
        let mut bytes = Vec::new();
        for len in lens {
            append(&mut bytes, BINARY, &vec![7; len]);
        }
        let whole = bytes.len();
        bytes.extend_from_slice(&[0x82, 64, 1]);
        let mut seen = Vec::new();
        let used = each(&bytes, |opcode, payload| {
            assert_eq!(opcode, BINARY);
            seen.push(payload.len());
        });
        assert_eq!(used.unwrap(), whole);
        assert_eq!(seen, lens);
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        let take = |bytes: &[u8]| each(bytes, |_, _| {});
        assert!(take(&[0x02, 0]).is_err(), "fragmented");
        assert!(take(&[0xc2, 0]).is_err(), "reserved bits");
        assert!(take(&[0x82, 0x80, 0, 0, 0, 0]).is_err(), "masked");
    }

    #[test]
    fn a_clients_frame_is_masked() {
        let mut out = Vec::new();
        append_masked(&mut out, TEXT, b"hi");
        assert_eq!(out, [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    }
}
