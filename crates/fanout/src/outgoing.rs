use streams::{Opcode, append_frame};

/// Bytes of its own that a session has still to send, before anything of its streams: the rest of
/// one frame that the socket took a part of, then answers and control frames.
///
/// Bounded by the unsent rest of one frame (64 KiB), one answer (no request is read before the
/// last one's answer is sent) and one pong and one ping at a time.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.len() == self.sent
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// What has still to be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Adds a frame.
    pub(crate) fn push(&mut self, opcode: Opcode, payload: &[u8]) {
        append_frame(&mut self.bytes, opcode, payload);
    }

    /// Adds bytes that end a frame.
    pub(crate) fn push_rest(&mut self, rest: &[u8]) {
        self.bytes.extend_from_slice(rest);
    }

    /// So many more bytes went.
    pub(crate) fn pass(&mut self, sent: usize) {
        self.sent = (self.sent + sent).min(self.bytes.len());
    }
}
