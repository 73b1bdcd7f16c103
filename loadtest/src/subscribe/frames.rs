//! WebSocket frames, as light as a counting client can have them: a node's frames are taken where
//! they lie in the buffer that all clients share.

use anyhow::{Context as _, ensure};

/// The largest message of a node that is waited for: a chunk of a snapshot has 32 KiB.
const MAX_MESSAGE: usize = 4 << 20;

pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// What of a frame has come before the rest of it.
#[derive(Debug, Default)]
pub(super) struct Partial(Vec<u8>);

impl Partial {
    /// Holds bytes that are no frames: a handshake's.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn held(&self) -> &[u8] {
        &self.0
    }

    /// Holds nothing any more.
    pub(super) fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Takes every frame that is whole now; keeps the rest.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut frame: impl FnMut(u8, &[u8]),
    ) -> anyhow::Result<()> {
        if self.0.is_empty() {
            let used = each(bytes, &mut frame)?;
            self.0.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        self.0.extend_from_slice(bytes);
        let used = each(&self.0, &mut frame)?;
        self.0.drain(..used);
        if self.0.is_empty() {
            // Clients that are up to date hold nothing, so that there can be many.
            self.0 = Vec::new();
        }
        Ok(())
    }
}

/// Hands over each whole frame; returns how many bytes these have.
fn each(bytes: &[u8], frame: &mut impl FnMut(u8, &[u8])) -> anyhow::Result<usize> {
    let mut used = 0;
    while let [first, second, rest @ ..] = &bytes[used..] {
        ensure!(
            first & 0xf0 == 0x80,
            "a frame is fragmented or has reserved bits"
        );
        let (head, len) = match (second, rest) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            (126 | 127, _) => break,
            (short @ ..126, _) => (2, u64::from(*short)),
            _ => anyhow::bail!("a node's frame is masked"),
        };
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_MESSAGE);
        let len = len.context("a message is too long")?;
        let Some(payload) = bytes.get(used + head..used + head + len) else {
            break;
        };
        frame(first & 0x0f, payload);
        used += head + len;
    }
    Ok(used)
}

/// A client's frame; its mask is zero, which is as good as any other on a loopback.
pub(super) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const FIN: u8 = 0x80;
    const MASK: u8 = 0x80;
    let mut out = vec![FIN | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..126), _) => out.push(MASK | len),
        (_, Ok(len)) => {
            out.push(MASK | 126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(MASK | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

#[cfg(test)]
mod tests {
    use streams::{Opcode, append_frame};

    use super::*;

    #[test]
    fn frames_are_the_same_however_the_bytes_are_cut() {
        let lens = [0, 1, 125, 126, 300, 65_535, 65_536, 3];
        let mut bytes = Vec::new();
        for len in lens {
            append_frame(&mut bytes, Opcode::Binary, &vec![7; len]);
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
    fn what_no_node_sends_is_an_error() {
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
        assert_eq!(masked(TEXT, b"hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(masked(PONG, &[1; 126])[..4], [0x8a, 0xfe, 0, 126]);
    }
}
