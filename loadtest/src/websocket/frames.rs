//! WebSocket frames, as light as a counting client can have them: read in place, in a buffer that
//! all clients share.

use anyhow::{Context as _, bail, ensure};

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const MASK: u8 = 0x80;
/// The longest frame that is waited for: a chunk of a snapshot has 32 KiB.
const MAX_FRAME: usize = 4 << 20;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) opcode: u8,
    /// Bytes of the header itself.
    pub(crate) head: usize,
    pub(crate) payload: usize,
}

impl Head {
    /// Reads a header. Returns `None` if it is incomplete.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
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

/// Calls `frame` for each complete frame. Returns how many bytes these have.
#[inline]
pub(crate) fn each(bytes: &[u8], mut frame: impl FnMut(u8, &[u8])) -> anyhow::Result<usize> {
    let mut used = 0;
    while let Some(head) = Head::read(&bytes[used..])? {
        let start = used + head.head;
        ensure!(head.payload <= MAX_FRAME, "a frame is too long");
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

/// The beginning of a frame whose rest has not arrived.
#[derive(Debug, Default)]
pub(crate) struct Partial(Vec<u8>);

impl Partial {
    /// Calls `frame` for each frame that is complete now, and keeps the rest.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        frame: impl FnMut(u8, &[u8]),
    ) -> anyhow::Result<()> {
        if self.0.is_empty() {
            let used = each(bytes, frame)?;
            self.0.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        self.0.extend_from_slice(bytes);
        let used = each(&self.0, frame)?;
        self.0.drain(..used);
        if self.0.is_empty() {
            // Frees the memory: there are many clients, and few are in the middle of a frame.
            self.0 = Vec::new();
        }
        Ok(())
    }

    /// Keeps bytes that are not frames: those of a handshake.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn kept(&self) -> &[u8] {
        &self.0
    }

    /// Returns what was kept.
    pub(crate) fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Appends a frame of a server.
pub(crate) fn append(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    append_head(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a frame of a client. Its mask is zero, which is as good as any other on a loopback.
pub(crate) fn append_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
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
    fn frames_are_the_same_however_the_bytes_are_cut() {
        let lens = [0, 1, 64, 125, 126, 300, 65_535, 65_536, 3];
        let mut bytes = Vec::new();
        for len in lens {
            append(&mut bytes, BINARY, &vec![7; len]);
        }
        for cut in [1, 2, 3, 100, 4_096, bytes.len()] {
            let (mut partial, mut seen) = (Partial::default(), Vec::new());
            for piece in bytes.chunks(cut) {
                partial
                    .take(piece, |opcode, payload| {
                        assert_eq!(opcode, BINARY);
                        seen.push(payload.len());
                    })
                    .unwrap();
            }
            assert_eq!(seen, lens, "in pieces of {cut}");
            assert!(partial.0.is_empty());
        }
    }

    #[test]
    fn an_incomplete_frame_is_left() {
        let mut bytes = Vec::new();
        append(&mut bytes, BINARY, &[7; 300]);
        let whole = bytes.len();
        bytes.extend_from_slice(&[0x82, 64, 1]);
        assert_eq!(each(&bytes, |_, _| {}).unwrap(), whole);
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        let take = |bytes: &[u8]| Partial::default().take(bytes, |_, _| {});
        assert!(take(&[0x02, 0]).is_err(), "fragmented");
        assert!(take(&[0xc2, 0]).is_err(), "reserved bits");
        assert!(take(&[0x82, 0x80, 0, 0, 0, 0]).is_err(), "masked");
        assert!(
            take(&[0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0]).is_err(),
            "too long"
        );
    }

    #[test]
    fn a_clients_frame_is_masked() {
        let mut out = Vec::new();
        append_masked(&mut out, TEXT, b"hi");
        assert_eq!(out, [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        out.clear();
        append_masked(&mut out, PONG, &[1; 126]);
        assert_eq!(out[..4], [0x8a, 0xfe, 0, 126]);
    }
}
