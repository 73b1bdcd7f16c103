use bytes::Bytes;
use wire::sbe::{DecodeError, Message, Messages};

/// A binary WebSocket message, of which the SBE messages are taken one by one.
#[derive(Debug, Clone)]
pub struct Payload {
    bytes: Bytes,
    at: usize,
}

impl Payload {
    /// All of its messages are to be taken.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether all messages were taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Takes the next message, with its own bytes; `None` is the end.
    #[inline]
    pub fn take_next(&mut self) -> Option<Result<(Message<'_>, Bytes), DecodeError>> {
        let rest = self.bytes.get(self.at..)?;
        let mut messages = Messages::new(rest);
        let message = messages.next()?;
        let begin = self.at;
        let end = begin + messages.offset();
        match message {
            Ok(message) => {
                self.at = end;
                Some(Ok((message, self.bytes.slice(begin..end))))
            }
            Err(mut error) => {
                // Where the next message begins is known, or everything behind is lost.
                self.at = if error.ends_payload() {
                    self.bytes.len()
                } else {
                    end
                };
                error.offset += begin;
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Channel, Nanos};
    use wire::Head;
    use wire::sbe::{Fault, heartbeat};

    #[test]
    fn messages_are_taken_with_their_own_bytes_and_a_bad_one_costs_no_other() {
        let head = Head::of_connection(Nanos(1));
        let mut out = Vec::new();
        for _ in 0..3 {
            heartbeat(&mut out, &head, Channel::Book);
        }
        let len = out.len() / 3;
        out[2 * len - 1] = 99; // the second one's channel
        let mut payload = Payload::new(Bytes::from(out.clone()));
        assert_eq!(payload.take_next().unwrap().unwrap().1, out[..len]);
        let error = payload.take_next().unwrap().unwrap_err();
        assert_eq!(
            (error.fault, error.offset),
            (Fault::UnknownValue(99), 2 * len - 1)
        );
        assert_eq!(payload.take_next().unwrap().unwrap().1, out[2 * len..]);
        assert!(payload.take_next().is_none() && payload.is_empty());
    }

    #[test]
    fn what_cannot_be_measured_ends_the_payload() {
        let mut payload = Payload::new(Bytes::from_static(b"not a message"));
        assert!(payload.take_next().unwrap().is_err());
        assert!(payload.take_next().is_none() && payload.is_empty());
    }
}
