use streams::{Opcode, append_frame};

/// A session's own bytes, to be sent before anything of its streams: the rest of a partly sent
/// frame, then answers and control frames.
///
/// Bounded by the unsent rest of one frame (64 KiB), [`Outgoing::ANSWERS`] plus one answer, and one
/// ping.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    /// End of the partly sent frame.
    rest: usize,
}

impl Outgoing {
    /// Bytes of answers and pongs that may be pending before the session is no longer read: a
    /// client has to read its answers before it can request more.
    pub(crate) const ANSWERS: usize = 8 * 1024;

    /// Bytes that were sent before their memory is given back: of a long answer that a client does not read, only
    /// what the socket has not taken is kept.
    const FORGOTTEN: usize = 8 * 1024;

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.len() == self.sent
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Returns the memory it takes, in bytes.
    pub(crate) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns the number of pending bytes of answers and control frames.
    pub(crate) fn answers(&self) -> usize {
        self.bytes.len() - self.sent.max(self.rest)
    }

    /// Returns the pending bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Appends a frame.
    pub(crate) fn push(&mut self, opcode: Opcode, payload: &[u8]) {
        append_frame(&mut self.bytes, opcode, payload);
    }

    /// Appends bytes that are already framed.
    pub(crate) fn push_framed(&mut self, framed: &[u8]) {
        self.bytes.extend_from_slice(framed);
    }

    /// Appends the rest of a partly sent frame. No other bytes may be pending.
    pub(crate) fn push_rest(&mut self, rest: &[u8]) {
        self.bytes.extend_from_slice(rest);
        self.rest = self.bytes.len();
    }

    /// Removes bytes that have been sent.
    pub(crate) fn pass(&mut self, sent: usize) {
        self.sent = (self.sent + sent).min(self.bytes.len());
        if self.sent >= Self::FORGOTTEN && !self.is_empty() {
            self.bytes.drain(..self.sent);
            self.bytes.shrink_to_fit();
            self.rest = self.rest.saturating_sub(self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_of_a_long_answer_takes_no_memory() {
        let mut outgoing = Outgoing::default();
        outgoing.push_rest(&[7; 10_000]);
        let answer: Vec<u8> = (0..=249).cycle().take(50_000).collect();
        outgoing.push_framed(&answer);
        outgoing.pass(9_000);
        assert_eq!((outgoing.len(), outgoing.answers()), (51_000, 50_000));
        outgoing.pass(31_000);
        assert_eq!(outgoing.bytes(), &answer[30_000..]);
        assert_eq!((outgoing.answers(), outgoing.capacity()), (20_000, 20_000));
        outgoing.pass(20_000);
        assert!(outgoing.is_empty());
    }

    #[test]
    fn the_rest_of_a_frame_does_not_count_as_answers() {
        let mut outgoing = Outgoing::default();
        outgoing.push_rest(&[7; 1000]);
        outgoing.push(Opcode::Pong, b"abc");
        assert_eq!((outgoing.len(), outgoing.answers()), (1005, 5));
        outgoing.pass(1002);
        assert_eq!((outgoing.len(), outgoing.answers()), (3, 3));
    }
}
